"""Where files of data sets are looked for on this machine, and under which names."""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from fastnn.cache_directory import cache_directory
from fastnn.datasets.catalogue import ImageSet

ENVIRONMENT_VARIABLE = "FASTNN_DATA"
SPELLING = "Case, dots, dashes and underscores in names do not matter"
"""How names are compared, for messages."""

_TORCHVISION_SUBFOLDER = "raw"
_SEPARATORS = str.maketrans("", "", ".-_")


class Place(NamedTuple):
    """A folder to search, and what to call it in a message; `root` is None where there is no such folder to try."""

    label: str
    root: Path | None


def places(dataset: ImageSet) -> list[Place]:
    """The places searched when the caller names no directory, in order."""
    setting = os.environ.get(ENVIRONMENT_VARIABLE)
    return [
        Place(ENVIRONMENT_VARIABLE, expand(setting) if setting else None),
        Place("cache", cache_directory()),
        Place("Keras", expand(os.environ.get("KERAS_HOME") or "~/.keras") / "datasets"),
        *(Place("system", Path(folder)) for folder in dataset.system_folders),
    ]


def expand(directory: str | os.PathLike[str]) -> Path:
    """The directory with a leading `~` replaced by the user's home."""
    return Path(os.path.expanduser(directory))


def find(dataset: ImageSet, root: Path) -> Path | None:
    """The folder that holds all four files, or the archive: in a sub-folder of `root` named after the data set, or in
    `root` itself, or in the folder `raw` that torchvision makes below either. `root` may also be the archive.

    The sub-folder comes first: MNIST and Fashion-MNIST use the same file names, and its name tells them apart.
    """
    if _is_archive(root):
        return root
    for folder in _candidates(dataset.name, root):
        if not missing(dataset, folder):
            return folder
        if (archive := _first_file(folder, [dataset.archive])) is not None:
            return archive
    return None


def find_anywhere(dataset: ImageSet) -> Path | None:
    """What `find` finds in the first of the `places` that has it."""
    found = (find(dataset, place.root) for place in places(dataset) if place.root is not None)
    return next((source for source in found if source is not None), None)


def find_table(name: str, file_names: Sequence[str], root: Path) -> Path | None:
    """The table's file, of the first name that is there, in the same folders as `find`; `root` may also be the file."""
    if os.path.isfile(root):
        return root
    found = (_first_file(folder, file_names) for folder in _candidates(name, root))
    return next((file for file in found if file is not None), None)


def missing(dataset: ImageSet, folder: Path) -> list[str]:
    """Names of the files that `folder` lacks in both forms, plain and `.gz`."""
    return [file.name for file in dataset.files if file_in(folder, file.name) is None]


def file_in(folder: Path, name: str) -> Path | None:
    """The file of that name in `folder`; the compressed form wins, because gzip notices damage."""
    return _first_file(folder, [f"{name}.gz", name])


def looked_for(dataset: ImageSet) -> str:
    """Every name that `find` knows, in one line for a message."""
    return (
        f"{', '.join(file.name for file in dataset.files)} (each plain or .gz), or {dataset.archive}: "
        f"in the folder itself, in {dataset.name}{os.sep}, or in {_TORCHVISION_SUBFOLDER}{os.sep} below either. "
        f"{SPELLING}"
    )


def explain_absence(dataset: ImageSet, root: Path) -> str:
    """Why `find` found nothing below `root`: one line for a message."""
    unusable = unusable_folder(dataset.name, root)
    if unusable is not None:
        return unusable
    nearest = min(_candidates(dataset.name, root), key=lambda folder: len(missing(dataset, folder)))
    lacks = missing(dataset, nearest)
    if len(lacks) == len(dataset.files):
        return (
            f"{root}: holds none of the files, neither itself nor in "
            f"{dataset.name}{os.sep} or {_TORCHVISION_SUBFOLDER}{os.sep}"
        )
    return f"{nearest}: lacks {', '.join(f'{name}.gz' for name in lacks)}"


def unusable_folder(name: str, root: Path) -> str | None:
    """Why the folders for data set `name` below `root` cannot be searched, as a message; None where they can."""
    if os.path.isfile(root):
        return f"{root}: is a file, expected a folder or a .npz archive"
    if not os.path.isdir(root):
        return f"{root}: no such folder"
    for folder in _candidates(name, root):
        try:
            os.listdir(folder)
        except OSError as error:
            return f"{folder}: cannot be read ({error.strerror or error})"
    return None


def _is_archive(path: Path) -> bool:
    return path.suffix.lower() == ".npz" and os.path.isfile(path)


def _candidates(name: str, root: Path) -> list[Path]:
    """The folders to search below `root` for the data set of that name, `root` included."""
    folders = [*(entry for entry in _entries(root, name) if os.path.isdir(entry)), root]
    return [
        folder
        for above in folders
        for folder in (above, *(entry for entry in _entries(above, _TORCHVISION_SUBFOLDER) if os.path.isdir(entry)))
    ]


def _first_file(folder: Path, names: Sequence[str]) -> Path | None:
    # os.path.isfile, because Path.is_file raises for a folder that may not be entered.
    entries = (entry for name in names for entry in _entries(folder, name))
    return next((entry for entry in entries if os.path.isfile(entry)), None)


def _entries(folder: Path, name: str) -> list[Path]:
    """What `folder` holds under that name, however it is spelt; the exact spelling first."""
    listed: list[str] = []
    with suppress(OSError):  # `unusable_folder` tells of it
        listed = os.listdir(folder)
    alike = [entry for entry in listed if _bare(entry) == _bare(name)]
    return [folder / entry for entry in sorted(alike, key=lambda entry: (entry != name, entry))]


def _bare(name: str) -> str:
    """The name as it is compared: train-images.idx3-ubyte is train-images-idx3-ubyte, FashionMNIST fashion_mnist."""
    return name.lower().translate(_SEPARATORS)
