"""Messages tried as advice: what one says to do makes the call work."""

from __future__ import annotations

import re

import numpy as np
import pytest

import fastnn

Z = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)
LABELS = np.array([0, 2, 1, 2])
ROWS = np.eye(3, dtype=np.float32)[LABELS]
TALL = np.zeros((8, 3), np.float32)


class Sparse:
    """Of a matrix of SciPy's, what NumPy and people see."""

    def toarray(self) -> np.ndarray:
        return Z


def _read_only(array: np.ndarray) -> np.ndarray:
    array = array.copy()
    array.flags.writeable = False
    return array


def _objects(array: np.ndarray) -> np.ndarray:
    return array.astype(object)


# A call, its arguments, and the advice that its message must give.
ADVICE = {
    "integers": ("relu(x)", {"x": [1, -2]}, "x = np.asarray(x, np.float32)"),
    "half precision": ("softmax(z)", {"z": Z.astype("float16")}, "z = np.asarray(z, np.float32)"),
    "another byte order": ("softmax(z)", {"z": Z.astype(">f4")}, "z = np.asarray(z, np.float32)"),
    "booleans": ("exp(x)", {"x": Z > 0}, "x = np.asarray(x, np.float32)"),
    "objects": ("relu(x)", {"x": _objects(Z)}, "x = np.asarray(x, np.float32)"),
    "numbers as text": ("relu(x)", {"x": ["1.5", "-2"]}, "x = np.asarray(x, np.float32)"),
    "a sparse matrix": ("relu(x)", {"x": Sparse()}, "x = x.toarray()"),
    "mixed precisions": (
        "affine_forward(x, w, b)",
        {"x": Z, "w": np.ones((3, 2)), "b": np.ones(2, np.float32)},
        "w = np.asarray(w, np.float32)",
    ),
    "a masked array": ("relu(x)", {"x": np.ma.masked_greater(Z, 0)}, "x = np.ma.array(x).filled(0)"),
    "masked rows": (
        "softmax(z)",
        {"z": [np.ma.masked_greater(row, 0) for row in Z]},
        "z = np.ma.array(z).filled(0)",
    ),
    "masked labels": ("accuracy(z, t)", {"z": Z, "t": np.ma.masked_equal(LABELS, 2)}, "t = np.ma.array(t).filled(0)"),
    "a masked array in place": (
        "sgd_update(w, g, lr=0.1)",
        {"w": np.ma.masked_greater(Z, 0), "g": Z},
        "w = np.ma.array(w).filled(0)",
    ),
    "labels in a column": ("softmax_cross_entropy(z, t)", {"z": Z, "t": LABELS[:, None]}, "np.ravel(t)"),
    "labels in a row": ("cross_entropy(p, t)", {"p": np.exp(Z), "t": LABELS[None]}, "np.ravel(t)"),
    "labels in a square": ("softmax_cross_entropy(z, t)", {"z": Z, "t": LABELS.reshape(2, 2)}, "np.ravel(t)"),
    "a single label": ("softmax_cross_entropy(z, t)", {"z": Z[:1], "t": 2}, "np.ravel(t)"),
    "a column for accuracy": ("accuracy(z, t)", {"z": Z, "t": LABELS[:, None]}, "np.ravel(t)"),
    "one-hot rows for accuracy": ("accuracy(z, t)", {"z": Z, "t": ROWS}, "np.argmax(t, axis=1)"),
    "one-hot integers": (
        "softmax_cross_entropy(z, t)",
        {"z": Z, "t": ROWS.astype(int)},
        "t = np.asarray(t, np.float32)",
    ),
    "labels as floats": ("softmax_cross_entropy(z, t)", {"z": Z, "t": LABELS * 1.0}, "t = np.asarray(t, np.int64)"),
    "labels as objects": ("accuracy(z, t)", {"z": Z, "t": _objects(LABELS)}, "t = np.asarray(t, np.int64)"),
    "no labels": ("one_hot(t, classes=3)", {"t": []}, "t = np.asarray(t, np.int64)"),
    "names of classes": (
        "accuracy(z, t)",
        {"z": Z, "t": np.array(["cat", "dog", "cow", "cat"])},
        "t = np.unique(t, return_inverse=True)[1]",
    ),
    "a strided array in place": (
        "sgd_update(w, g, lr=0.1)",
        {"w": TALL[::2], "g": Z},
        "w = np.array(w, order='C')",
    ),
    "a read-only array in place": (
        "sgd_update(w, g, lr=0.1)",
        {"w": _read_only(Z), "g": Z},
        "w = np.array(w, order='C')",
    ),
    "integers in place": (
        "sgd_update(w, g, lr=0.1)",
        {"w": TALL[:4].astype(int), "g": Z},
        "w = np.asarray(w, np.float32)",
    ),
    "shared memory": ("sgd_update(w, g, lr=0.1)", {"w": TALL, "g": TALL}, "g = g.copy()"),
    "a result of another type": (
        "softmax(z, out=out)",
        {"z": Z, "out": np.ones((4, 3))},
        "np.empty((4, 3), np.float32)",
    ),
    "a result of another shape": ("softmax(z, out=out)", {"z": Z, "out": TALL}, "np.empty((4, 3), np.float32)"),
    "a read-only result": ("softmax(z, out=out)", {"z": Z, "out": _read_only(Z)}, "np.empty((4, 3), np.float32)"),
    "a strided result": ("softmax(z, out=out)", {"z": Z, "out": TALL[::2]}, "np.empty((4, 3), np.float32)"),
    "the argument itself": ("softmax(z, out=out)", {"z": Z, "out": Z}, "np.empty((4, 3), np.float32)"),
    "a list for a result": ("softmax(z, out=out)", {"z": Z, "out": Z.tolist()}, "np.empty((4, 3), np.float32)"),
}


@pytest.mark.parametrize("case", ADVICE)
def test_advice_works_when_pasted(case: str) -> None:
    call, given, advice = ADVICE[case]
    names = {**given, "np": np}
    with pytest.raises(
        (TypeError, ValueError), match=rf"^({'|'.join(given)}): got .*expected .*{re.escape(advice)}"
    ) as error:
        eval(f"fastnn.{call}", {"fastnn": fastnn, **names})
    argument = str(error.value).split(":")[0]
    exec(advice if "=" in advice.split("(")[0] else f"{argument} = {advice}", names)
    eval(f"fastnn.{call}", {"fastnn": fastnn, **names})


# What no conversion helps: the message advises none.
HOPELESS = {
    "nothing": ("relu(x)", {"x": None}, "x: got None, expected float32 or float64"),
    "no labels at all": ("softmax_cross_entropy(z, t)", {"z": Z, "t": None}, "t: got None, expected float32 as in z"),
    "no target": ("accuracy(z, t)", {"z": Z, "t": None}, "t: got None, expected integer labels"),
    "complex numbers": ("relu(x)", {"x": Z + 1j}, "x: got dtype complex64, expected float32 or float64"),
    "words": ("relu(x)", {"x": ["a", "b"]}, "x: got dtype <U1, expected float32 or float64"),
    "an object": ("relu(x)", {"x": object()}, "x: got 'object', expected float32 or float64"),
    "half labels": ("accuracy(z, t)", {"z": Z, "t": LABELS + 0.5}, "t: got dtype float64, expected integer labels"),
    "NaN labels": (
        "accuracy(z, t)",
        {"z": Z, "t": [0, 1, np.nan, 2]},
        "t: got dtype float64 without a label at position 2, expected integer labels; leave out rows that have none",
    ),
    "a list in place": (
        "sgd_update(w, g, lr=0.1)",
        {"w": [1.0, 2.0], "g": np.ones(2)},
        "w: got a list, expected a C-.*",
    ),
    "rows of unequal lengths": ("relu(x)", {"x": [[1.0, 2.0], [3.0]]}, "x: got a list of which NumPy makes no array.*"),
    "labels of unequal lengths": ("accuracy(z, t)", {"z": Z, "t": [[1], [2, 3]]}, "t: got a list of which NumPy .*"),
    "an unknown dtype": (
        "one_hot(t, classes=3, dtype='flout32')",
        {"t": LABELS},
        'dtype: got \'flout32\', expected "float32" or "float64"',
    ),
    "no dtype": (
        "one_hot(t, classes=3, dtype=None)",
        {"t": LABELS},
        'dtype: got None, expected "float32" or "float64"',
    ),
}


@pytest.mark.parametrize("case", HOPELESS)
def test_no_advice_is_better_than_wrong_advice(case: str) -> None:
    call, given, message = HOPELESS[case]
    with pytest.raises((TypeError, ValueError), match=f"^{message}$"):
        eval(f"fastnn.{call}", {"fastnn": fastnn, **given})


def test_other_subclasses_are_arrays() -> None:
    z = Z.view(np.matrix)
    assert type(fastnn.softmax(z)) is np.ndarray
    np.testing.assert_array_equal(fastnn.softmax(z), fastnn.softmax(Z))
    np.testing.assert_array_equal(fastnn.softmax(Z.view(np.recarray)), fastnn.softmax(Z))
    w = np.ones((4, 3), np.float32).view(np.matrix)
    fastnn.sgd_update(w, Z, lr=0.5)
    np.testing.assert_array_equal(w, 1 - np.float32(0.5) * Z)
