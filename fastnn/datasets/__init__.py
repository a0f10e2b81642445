"""Real data, offline first.

`digits` and `pima` ship inside the package. `mnist` and `fashion_mnist` are looked for on this machine, and downloaded
once to the user's cache folder where they are not found.
"""

import os

from fastnn import scalar_checks
from fastnn.cache_directory import cache_directory
from fastnn.datasets.bundled import TABLES, load_table, table_at_hand
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

    Their four files are `train-images-idx3-ubyte.gz` and so on, plain or compressed; Keras' archive `mnist.npz` or
    `fashion_mnist.npz` does as well. They are taken from the first of these places that holds them: the environment
    variable FASTNN_DATA; the user's cache folder (`cache_directory()`); Keras' folder of data sets
    (`~/.keras/datasets`, or below KERAS_HOME); for Fashion-MNIST, the folder of Debian's package. In each place they
    may lie in a sub-folder `mnist/` or `fashion_mnist/`, in the place itself, or in `raw/` below either, as
    torchvision leaves them. Case, dots, dashes and underscores in these names do not matter: `MNIST/raw/`,
    `FashionMNIST/` and `train-images.idx3-ubyte` are found. Else the files are downloaded to the cache folder.
    Wherever they come from, their headers, shapes, labels and SHA-256 are checked on every load (some 0.05 s), so what
    is returned is that data set and no other.

    Args:
        name: one of `NAMES`.
        directory: the only place to look in; nothing is then downloaded. Also the path of the archive. For pima, a
            folder that holds the table as CSV, with or without a header line, or the path of that file; the names
            `pima-indians-diabetes.csv`, `pima-indians-diabetes.data.csv`, `pima-indians-diabetes.data`, `pima.csv`
            and `diabetes.csv` are found. It must hold the values of the table that ships with the package.

    Raises:
        ValueError: the name is unknown, or a directory is given for digits, which ships with the package alone.
        DatasetError: the files are nowhere to be had, or one of them is damaged or not what its name says.
    """
    _check(name, directory)
    if name in IMAGE_SETS:
        return load_images(IMAGE_SETS[name], directory)
    return load_table(TABLES[name], directory)


def available(name: str, directory: str | os.PathLike[str] | None = None) -> bool:
    """Whether `load` with the same arguments would find its files without a download; their content is not checked.

    Raises:
        ValueError: the name is unknown, or a directory is given for digits, which ships with the package alone.
    """
    _check(name, directory)
    if name in IMAGE_SETS:
        return images_at_hand(IMAGE_SETS[name], directory)
    return table_at_hand(TABLES[name], directory)


def _check(name: str, directory: str | os.PathLike[str] | None) -> None:
    scalar_checks.choice("name", name, NAMES)
    if directory is not None and name in TABLES and not TABLES[name].own_files:
        raise ValueError(f"directory: got {os.fspath(directory)!r}, expected None, for {name} ships with fastnn")
