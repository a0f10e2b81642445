"""NUMBA_DISABLE_JIT=1, which people set to debug their own code: references take the place of kernels."""

from __future__ import annotations

import os
import subprocess
import sys

PROGRAM = """
import numba, numpy as np, fastnn
from fastnn.ops import DECLARED

for name, function in DECLARED.items():
    declaration = function.declaration
    for index in range(len(declaration.signatures)):
        sizes = {"n": 4, "i": 5, "o": 3, "c": 6, "classes": 7}
        arrays = declaration.draw(sizes, signature_index=index, leading=(2, 4) if declaration.flattens_leading else ())
        found, expected = ([a.copy() for a in arrays] for _ in range(2))
        one, other = function(*found, **declaration.example), function.reference(*expected, **declaration.example)
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_array_equal(a, b)
        for a, b in zip(*(r if isinstance(r, tuple) else (r,) for r in (one, other)), strict=True):
            np.testing.assert_array_equal(a, b)
            assert a is None or a.dtype == b.dtype, name

z, out = np.ones((2, 4), np.float32), np.empty((2, 4), np.float32)
assert fastnn.softmax(z, out=out) is out and (out == 0.25).all()
for wrong in (lambda: fastnn.softmax(z.astype(int)), lambda: fastnn.one_hot([3], classes=3)):
    try:
        wrong()
    except (TypeError, ValueError) as error:
        assert "got" in str(error)
    else:
        raise AssertionError

softmax, one_hot = fastnn.softmax.kernel, fastnn.one_hot.kernel

@numba.njit
def own(z, t):
    p, rows = np.empty_like(z), np.empty_like(z)
    softmax(z, p)
    one_hot(t, rows)
    return p - rows

print(own(z, np.array([0, 3]))[1])
"""


def _run(program: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *options, "-c", program],
        env=os.environ | {"NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_import_says_nothing() -> None:
    done = _run("import fastnn, fastnn.warmup, fastnn.__main__", "-W", "error")
    assert (done.returncode, done.stderr) == (0, "")


def test_references_take_the_place_of_kernels_with_one_warning() -> None:
    done = _run(PROGRAM, "-W", "always")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "[ 0.25  0.25  0.25 -0.75]\n"
    assert done.stderr.count("Warning") == 1
    assert "RuntimeWarning: NUMBA_DISABLE_JIT is set" in done.stderr
