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
    looked_for,
    places,
)
from fastnn.datasets.npz import read_npz
from fastnn.datasets.split import Rows, Split


def load_images(dataset: ImageSet, directory: str | os.PathLike[str] | None) -> Split:
    """Training and test rows of an image set; see `fastnn.datasets.load`."""
    source = _source(dataset, directory)
    try:
        return (
            _rows(source, dataset.train_images, dataset.train_labels),
            _rows(source, dataset.test_images, dataset.test_labels),
        )
    except DatasetError as error:
        otherwise = ", or delete it to have another place searched" if directory is None else ""
        raise DatasetError(f"{error}. Replace this file{otherwise}") from None


def images_at_hand(dataset: ImageSet, directory: str | os.PathLike[str] | None) -> bool:
    """Whether `load_images` would find all four files without a download."""
    found = find_anywhere(dataset) if directory is None else find(dataset, expand(directory))
    return found is not None


def _source(dataset: ImageSet, directory: str | os.PathLike[str] | None) -> Path:
    """The folder of the four files, or the archive."""
    if directory is not None:
        root = expand(directory)
        source = find(dataset, root)
        if source is None:
            raise DatasetError(
                f"{dataset.name} is not in the given directory: {explain_absence(dataset, root)}\n"
                f"  Looked for: {looked_for(dataset)}."
            )
        return source
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
            f"Looked for: {looked_for(dataset)}.",
            "Looked in:",
            *(f"  {line}" for line in looked),
            "Download:",
            *(f"  {line}" for line in download_failure.splitlines()),
            "What to do, one of:",
            "  - connect to the internet and run this again (a partial download is continued);",
            f"  - put {', '.join(f'{file.name}.gz' for file in dataset.files)} or "
            f"{dataset.archive} into a folder and set {ENVIRONMENT_VARIABLE} to it, or pass it as `directory`;",
            '  - use load("digits"), which ships with fastnn and needs no network.',
        ]
    )


def _rows(source: Path, images: IdxFile, labels: IdxFile) -> Rows:
    t = _read(source, labels, highest=CLASSES - 1).astype(np.int64)
    pixels = _read(source, images).reshape(len(t), -1)
    return np.divide(pixels, np.float32(255), dtype=np.float32), t


def _read(source: Path, file: IdxFile, highest: int = 255) -> NDArray[np.uint8]:
    if os.path.isfile(source):
        return read_npz(source, file.key, shape=file.shape, highest=highest, sha256=file.sha256)
    path = file_in(source, file.name) or source / file.name
    return read_idx(path, shape=file.shape, highest=highest, sha256=file.sha256)
