"""MNIST and its drop-in replacements: found or downloaded, checked, and turned into arrays."""

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fastnn.cache_directory import cache_directory
from fastnn.datasets.catalogue import CLASSES, IdxFile, ImageSet
from fastnn.datasets.download import fetch
from fastnn.datasets.errors import DatasetError
from fastnn.datasets.idx import read_idx
from fastnn.datasets.locate import (
    ENVIRONMENT_VARIABLE,
    expand,
    explain_absence,
    file_in,
    find,
    find_anywhere,
    places,
)
from fastnn.datasets.split import Rows, Split


def load_images(dataset: ImageSet, directory: str | os.PathLike[str] | None) -> Split:
    """Training and test rows of an image set; see `fastnn.datasets.load`."""
    folder = _folder(dataset, directory)
    return (
        _rows(folder, dataset.train_images, dataset.train_labels),
        _rows(folder, dataset.test_images, dataset.test_labels),
    )


def images_at_hand(dataset: ImageSet, directory: str | os.PathLike[str] | None) -> bool:
    """Whether `load_images` would find all four files without a download."""
    found = find_anywhere(dataset) if directory is None else find(dataset, expand(directory))
    return found is not None


def _folder(dataset: ImageSet, directory: str | os.PathLike[str] | None) -> Path:
    if directory is not None:
        root = expand(directory)
        folder = find(dataset, root)
        if folder is None:
            raise DatasetError(f"{dataset.name} is not in the given directory: {explain_absence(dataset, root)}")
        return folder
    return find_anywhere(dataset) or _download(dataset)


def _download(dataset: ImageSet) -> Path:
    cache = cache_directory()
    try:
        if cache is None:
            raise DatasetError("no home directory, so there is no cache folder to download to")
        fetch(dataset, cache / dataset.name)
    except DatasetError as error:
        # Not `from error`: the message already says all of it.
        raise DatasetError(_advice(dataset, str(error))) from None
    return cache / dataset.name


def _advice(dataset: ImageSet, download_failure: str) -> str:
    looked = [
        f"{place.label}: {'not set' if place.root is None else explain_absence(dataset, place.root)}"
        for place in places(dataset)
    ]
    return "\n  ".join(
        [
            f"{dataset.name} is not on this machine and could not be downloaded.",
            "Looked in:",
            *(f"  {line}" for line in looked),
            "Download:",
            *(f"  {line}" for line in download_failure.splitlines()),
            "What to do, one of:",
            "  - connect to the internet and run this again (a partial download is continued);",
            f"  - put {', '.join(f'{file.name}.gz' for file in dataset.files)} into a folder and set "
            f"{ENVIRONMENT_VARIABLE} to it, or pass it as `directory`;",
            '  - use load("digits"), which ships with fastnn and needs no network.',
        ]
    )


def _rows(folder: Path, images: IdxFile, labels: IdxFile) -> Rows:
    t = _read(folder, labels, highest=CLASSES - 1).astype(np.int64)
    pixels = _read(folder, images).reshape(len(t), -1)
    return np.divide(pixels, np.float32(255), dtype=np.float32), t


def _read(folder: Path, file: IdxFile, highest: int = 255) -> NDArray[np.uint8]:
    path = file_in(folder, file.name) or folder / file.name
    try:
        return read_idx(path, shape=file.shape, highest=highest, sha256=file.sha256)
    except DatasetError as error:
        raise DatasetError(f"{error}. Replace this file, or delete it to have another place searched") from None
