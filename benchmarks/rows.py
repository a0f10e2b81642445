"""The rows that a race trains on, of each model's own data set, shared between the workers through files.

784-input models train on real MNIST where it is at hand, and on the 8x8 digits that ship with fastnn where not; the
8-input model always trains on Pima's table, which ships too: a column of blood pressure means nothing to the others.
Four fifths of MNIST's pixels are zero; standardized, as one number for all of them, none is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.cases import POOL_ROWS, Model

# What `--data` takes, of `python -m benchmarks` and of `pytest benchmarks/`, and what it means.
DATA_HELP = (
    "rows for the models of images; auto: mnist where it is at hand, digits elsewhere; mnist-standardized has no zeros"
)

# Data sets that can stand in for each other, with the features of a row: images of ten digits.
IMAGES = {"mnist": 784, "digits": 64, "mnist-standardized": 784}

CHOICES = ("auto", *IMAGES)

# Rows of random numbers, so wide that models of any width take theirs from them.
NORMAL, SHAPE = "normal", (POOL_ROWS, 2048)

Rows = tuple[NDArray, NDArray]  # x (n, i) float32, labels (n,) int64


def images(wanted: str) -> str:
    """The image set that `--data` means: "auto" is mnist where it is at hand, digits elsewhere."""
    from fastnn import datasets  # here: the workers, which only `load`, import what their own peer needs

    if wanted != "auto":
        return wanted
    return "mnist" if datasets.available("mnist") else "digits"


def on_images(model: Model, data: str) -> Model:
    """The model on that image set, if it is made for images; unchanged if not."""
    return model.on(data, IMAGES[data]) if model.data in IMAGES else model


def read(models: Iterable[Model]) -> dict[str, Rows]:
    """The training rows of every model's data set by its name; raises `fastnn.datasets.DatasetError`."""
    return {name: _read(name) for name in dict.fromkeys(model.data for model in models)}


def _read(name: str) -> Rows:
    if name == NORMAL:
        generator = np.random.default_rng(20240607)
        return generator.standard_normal(SHAPE, np.float32), generator.integers(10, size=SHAPE[0])

    from fastnn import datasets

    x, t = datasets.load(name.removesuffix("-standardized"))[0]
    return ((x - x.mean()) / x.std(), t) if name.endswith("-standardized") else scaled(x, t)


def scaled(x: NDArray, t: NDArray) -> Rows:
    """Pixels as they are, in [0, 1]; columns in units of their own, as a table has them, to mean 0 and deviation 1."""
    if x.min() < 0 or x.max() > 1:
        x = (x - x.mean(axis=0)) / x.std(axis=0)
    return x, t


def zeros(x: NDArray) -> str:
    """The fraction of x (n, i) that is 0, in words. fastnn skips zero inputs, so that its times depend on it."""
    fraction = np.count_nonzero(x == 0) / x.size
    return f"{fraction:.0%} of inputs zero" if fraction else "no input zero"


def save(folder: Path, data: Mapping[str, Rows], most: int | None = POOL_ROWS) -> str:
    """Write as many rows of each data set as a case's batches are cut from, or other than that; the path for `load`."""
    for name, (x, t) in data.items():
        np.save(_file(folder, name, "x"), np.ascontiguousarray(x[:most]))
        np.save(_file(folder, name, "t"), np.ascontiguousarray(t[:most]))
    return str(folder)


def load(folder: str, name: str) -> Rows:
    """Of one data set, mapped from disk: the workers share one copy."""
    x, t = (np.load(_file(Path(folder), name, part), mmap_mode="r") for part in "xt")
    return x, t


def _file(folder: Path, name: str, part: str) -> Path:
    return folder / f"{name}-{part}.npy"
