"""Where image sets are looked for on this machine."""

import os
from pathlib import Path
from typing import NamedTuple

from fastnn.cache_directory import cache_directory
from fastnn.datasets.catalogue import ImageSet

ENVIRONMENT_VARIABLE = "FASTNN_DATA"


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
        *(Place("system", Path(folder)) for folder in dataset.system_folders),
    ]


def expand(directory: str | os.PathLike[str]) -> Path:
    """The directory with a leading `~` replaced by the user's home."""
    return Path(os.path.expanduser(directory))


def find(dataset: ImageSet, root: Path) -> Path | None:
    """The folder that holds all four files: a sub-folder of `root` named after the data set, or `root` itself.

    The sub-folder comes first: MNIST and Fashion-MNIST use the same file names, and its name tells them apart.
    """
    return next((folder for folder in _candidates(dataset, root) if not missing(dataset, folder)), None)


def find_anywhere(dataset: ImageSet) -> Path | None:
    """The first folder among `places` that holds all four files."""
    found = (find(dataset, place.root) for place in places(dataset) if place.root is not None)
    return next((folder for folder in found if folder is not None), None)


def missing(dataset: ImageSet, folder: Path) -> list[str]:
    """Names of the files that `folder` lacks in both forms, plain and `.gz`."""
    return [file.name for file in dataset.files if file_in(folder, file.name) is None]


def file_in(folder: Path, name: str) -> Path | None:
    """The file of that name in `folder`; the compressed form wins, because gzip notices damage."""
    # os.path.isfile, because Path.is_file raises for a folder that may not be entered.
    return next((path for path in (folder / f"{name}.gz", folder / name) if os.path.isfile(path)), None)


def explain_absence(dataset: ImageSet, root: Path) -> str:
    """Why `find` found nothing below `root`: one line for a message."""
    if not os.path.isdir(root):
        return f"{root}: no such folder"
    nearest = min(_candidates(dataset, root), key=lambda folder: len(missing(dataset, folder)))
    lacks = missing(dataset, nearest)
    if len(lacks) == len(dataset.files):
        names = " or ".join(f"{sub}{os.sep}" for sub in dataset.subfolders)
        return f"{root}: holds none of the files, neither itself nor in {names}"
    return f"{nearest}: lacks {', '.join(f'{name}.gz' for name in lacks)}"


def _candidates(dataset: ImageSet, root: Path) -> list[Path]:
    return [*(root / sub for sub in dataset.subfolders), root]
