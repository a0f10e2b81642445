"""Real data, offline first.

`digits` and `pima` ship inside the package. `mnist` and `fashion_mnist` are looked for on this machine, and downloaded
once to the user's cache folder where they are not found.
"""

import os

from fastnn.cache_directory import cache_directory
from fastnn.datasets.bundled import TABLES, load_bundled
from fastnn.datasets.catalogue import IMAGE_SETS
from fastnn.datasets.errors import DatasetError
from fastnn.datasets.images import images_at_hand, load_images
from fastnn.datasets.split import Split

__all__ = ["NAMES", "DatasetError", "available", "cache_directory", "load"]

NAMES: tuple[str, ...] = (*TABLES, *IMAGE_SETS)
"""The names that `load` knows."""


def load(name: str, directory: str | os.PathLike[str] | None = None) -> Split:
    """Load a data set as `((x_train, t_train), (x_test, t_test))`.

    | name            | x_train     | x_test      | features                             | labels                    |
    |-----------------|-------------|-------------|--------------------------------------|---------------------------|
    | "digits"        | (1437, 64)  | (360, 64)   | 8x8 pixels, rows first, in [0, 1]    | digit, 0 to 9             |
    | "pima"          | (614, 8)    | (154, 8)    | raw, in the units below              | 1: developed diabetes     |
    | "mnist"         | (60000, 784)| (10000, 784)| 28x28 pixels, rows first, in [0, 1]  | digit, 0 to 9             |
    | "fashion_mnist" | (60000, 784)| (10000, 784)| 28x28 pixels, rows first, in [0, 1]  | kind of garment, 0 to 9   |

    x is float32, shape (n, features); t is int64, shape (n,). Both are C-contiguous, writable and the caller's own.
    Pixels are divided by their largest possible value, 16 for digits and 255 for the others.

    The columns of pima: pregnancies (count); plasma glucose 2 hours into a glucose tolerance test (mg/dl); diastolic
    blood pressure (mm Hg); triceps skin fold thickness (mm); 2-hour serum insulin (mu U/ml); body mass index
    (kg/m^2); diabetes pedigree function (no unit); age (years). A zero in columns 1 to 5 (glucose to body mass index)
    means that the value was not taken.

    digits and pima are shuffled and split in a fixed way, the same on every machine, with each class in proportion.
    mnist and fashion_mnist come in their official order and split.

    Their four files, `train-images-idx3-ubyte.gz` and so on, plain or compressed, are taken from the first of these
    places that holds all four, be it directly or in a sub-folder `mnist/`, `fashion_mnist/` or `fashion-mnist/`: the
    environment variable FASTNN_DATA; the user's cache folder (`cache_directory()`); for Fashion-MNIST, the folder of
    Debian's package. Else they are downloaded to the cache folder. Wherever they come from, their headers, shapes,
    labels and SHA-256 are checked on every load (some 0.05 s), so what is returned is that data set and no other.

    Args:
        name: one of `NAMES`.
        directory: where the files of mnist or fashion_mnist are; no other place is then tried, nor the network.

    Raises:
        ValueError: the name is unknown, or a directory is given for a data set that ships with the package.
        DatasetError: the files are nowhere to be had, or one of them is damaged or not what its name says.
    """
    _check_name(name)
    if name in IMAGE_SETS:
        return load_images(IMAGE_SETS[name], directory)
    if directory is not None:
        raise ValueError(f"{name} ships with fastnn: load({name!r}) takes no directory, got {os.fspath(directory)!r}")
    return load_bundled(TABLES[name])


def available(name: str, directory: str | os.PathLike[str] | None = None) -> bool:
    """Whether `load` with the same arguments would find its files without a download; their content is not checked.

    Raises:
        ValueError: the name is unknown.
    """
    _check_name(name)
    return name in TABLES or images_at_hand(IMAGE_SETS[name], directory)


def _check_name(name: str) -> None:
    if name not in NAMES:
        raise ValueError(f"unknown data set {name!r}; known are {', '.join(NAMES)}")
