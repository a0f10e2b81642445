"""One-hot encoding of labels."""

from __future__ import annotations

from numpy.typing import ArrayLike, DTypeLike, NDArray

from fastnn.kernels import encoding as kernels
from fastnn.ops.arguments import Labels, size_number
from fastnn.ops.checks import float_dtype
from fastnn.ops.declare import declare
from fastnn.reference import encoding as reference


@declare(
    "(n)->(n,classes)",
    kernel=kernels.one_hot,
    reference=reference.one_hot,
    arrays={"t": Labels("classes")},
    numbers={"classes": size_number, "dtype": float_dtype},
    example={"classes": 7},
    flops=lambda: 0,
    ulps=0,
    may_be_empty=("n",),
    strided=True,
)
def one_hot(t: ArrayLike, *, classes: int, dtype: DTypeLike = "float32", out: NDArray | None = None) -> NDArray:
    """Row r is 1 in column t[r] and 0 elsewhere, as `torch.nn.functional.one_hot`.

    t : integer labels. classes : how many there are. dtype : float32 or float64. Raises TypeError for labels that are
    no integers, ValueError for labels outside 0..classes-1.
    """
