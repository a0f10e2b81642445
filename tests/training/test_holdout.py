"""Which rows are held out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fastnn.training.holdout import Part, hold_out
from fastnn.training.sources import source_of
from tests.training.nets import new_net, same_weights


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
    # As an epoch takes them.
    ((piece, order),) = train.pieces(np.array([3, 0]), 2)
    assert order is not None
    assert list(piece.rows(order).x[:, 0] // 4) == [rows_of(train)[3], rows_of(train)[0]]


@pytest.mark.parametrize("dtype", ["float32", "float64"])  # taken as they lie, and converted
def test_of_a_memory_map(x, t, dtype, tmp_path) -> None:
    mapped = np.memmap(tmp_path / "x", dtype, "w+", shape=x.shape)
    mapped[:] = x
    net, twin = new_net(), new_net()
    options = {"epochs": 2, "batch_size": 7, "validation_split": 0.25, "progress": False}
    found, expected = net.fit(mapped, t, **options), twin.fit(x, t, **options)
    assert found["loss"] == expected["loss"]
    assert found["val_loss"] == expected["val_loss"]
    assert same_weights(net, twin)


def test_of_sparse_rows(x, t) -> None:
    sparse = pytest.importorskip("scipy.sparse")
    net, twin = new_net(), new_net()
    options = {"epochs": 2, "batch_size": 7, "validation_split": 0.25, "stratify": True, "progress": False}
    found, expected = net.fit(sparse.csr_array(x), t, **options), twin.fit(x, t, **options)
    assert found["loss"] == pytest.approx(expected["loss"], rel=1e-4)
    assert found["val_loss"] == pytest.approx(expected["val_loss"], rel=1e-4)


def test_trains_on_the_others_alone(x, t) -> None:
    net, twin, options = new_net(), new_net(), {"epochs": 1, "batch_size": 45, "shuffle": False, "progress": False}
    net.fit(x, t, validation_split=0.25, **options)
    rows = source_of(new_net(), x, t)
    kept = hold_out(rows, None, 0.25, net._regularization.key)[0].indices
    twin.fit(x[kept], t[kept], **options)
    assert same_weights(net, twin)


def test_refuses() -> None:
    with pytest.raises(ValueError, match=r"validation_split: got 0.9 of 2 rows"):
        hold_out(numbered(2), None, 0.9, 0)
    with pytest.raises(ValueError, match=r"stratify: got 60 different targets in 60 rows"):
        hold_out(numbered(60), np.linspace(0, 1, 60)[:, np.newaxis], 0.5, 0)
