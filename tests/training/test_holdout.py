"""Which rows are held out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fastnn.training.holdout import Part, hold_out
from fastnn.training.sources import source_of
from tests.training.nets import new_net


def numbered(n: int, t: Any = None) -> Any:
    """A source whose rows tell their numbers."""
    return source_of(new_net(), np.arange(4 * n).reshape(n, 4), np.zeros(n, int) if t is None else t)


def rows_of(part: Part) -> np.ndarray:
    return np.concatenate([rows.x[:, 0] for rows in part.chunks(7)]).astype(int) // 4


@pytest.mark.parametrize(("n", "fraction", "held"), [(60, 0.25, 15), (10, 0.01, 1), (10, 0.26, 3), (2, 0.5, 1)])
def test_each_row_is_on_one_side(n, fraction, held) -> None:
    train, validation = hold_out(numbered(n), None, fraction, 7)
    assert (train.n, validation.n) == (n - held, held)
    assert sorted([*rows_of(train), *rows_of(validation)]) == list(range(n))


def test_drawn_from_the_key_alone() -> None:
    first, again, other = (list(rows_of(hold_out(numbered(60), None, 0.25, key)[1])) for key in (7, 7, 8))
    assert first == again != other
    assert first != list(range(45, 60))  # not the last rows, which may be all of one class


@pytest.mark.parametrize("as_rows", [False, True])
def test_each_class_has_its_share(as_rows) -> None:
    labels = np.repeat([0, 1, 2], [80, 12, 8])
    t = np.eye(3, dtype=np.float32)[labels] if as_rows else labels
    _, validation = hold_out(numbered(100, t), t, 0.25, 3)
    assert list(np.bincount(labels[rows_of(validation)])) == [20, 3, 2]
    drawn = [labels[rows_of(hold_out(numbered(100), None, 0.25, key)[1])] for key in (1, 2)]
    assert any(list(np.bincount(some, minlength=3)) != [20, 3, 2] for some in drawn)


def test_rows_and_targets_stay_together() -> None:
    t = np.arange(60) % 3
    train, validation = hold_out(numbered(60, t), t, 0.25, 3)
    for part in (train, validation):
        np.testing.assert_array_equal(np.concatenate([rows.t for rows in part.chunks(8)]), rows_of(part) % 3)
    # By index, as an epoch takes them.
    rows = train.rows(np.array([3, 0]))
    assert list(rows.x[:, 0] // 4) == [rows_of(train)[3], rows_of(train)[0]]


def test_refuses() -> None:
    with pytest.raises(ValueError, match=r"validation_split: got 0.9 of 2 rows"):
        hold_out(numbered(2), None, 0.9, 0)
    with pytest.raises(ValueError, match=r"stratify: got 60 different targets in 60 rows"):
        hold_out(numbered(60), np.linspace(0, 1, 60)[:, np.newaxis], 0.5, 0)
