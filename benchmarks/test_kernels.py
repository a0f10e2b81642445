"""Every declared kernel against its reference, over batch sizes: `pytest benchmarks/test_kernels.py`."""

from __future__ import annotations

from typing import Any

import pytest

from fastnn.ops import DECLARED
from fastnn.ops.verify import compare

BATCH_SIZES = (1, 32, 512)

# The notes' first layer and its classes; element-wise functions run over a hidden layer, updates over its weights.
WIDTHS = {"i": 784, "o": 50, "c": 10, "classes": 10}
HIDDEN, PARAMETERS = 50, 784 * 50


def inputs(name: str, batch_size: int, dtype: str) -> tuple[list[Any], dict[str, Any]]:
    """Arrays and numbers of one call."""
    declaration = DECLARED[name].declaration
    sizes = WIDTHS | {"n": batch_size}
    leading: tuple[int, ...] = ()
    if declaration.in_place:
        leading = (PARAMETERS,)
    elif declaration.flattens_leading:
        leading = (batch_size,) if declaration.signatures[0].inputs[0] else (batch_size, HIDDEN)
    numbers = {**declaration.example} | {n: sizes[n] for n in declaration.size_numbers}
    return declaration.draw(sizes, dtype, leading=leading), numbers


@pytest.mark.parametrize("implementation", ["fastnn", "reference"])
@pytest.mark.parametrize("batch_size", BATCH_SIZES)
@pytest.mark.parametrize("dtype", ["float32"])
@pytest.mark.parametrize("name", DECLARED)
@pytest.mark.benchmark(max_time=0.1, min_rounds=5)
def test_kernel(name: str, dtype: str, batch_size: int, implementation: str, benchmark: Any, measure: Any) -> None:
    function = DECLARED[name]
    if function.declaration.in_place and batch_size != BATCH_SIZES[0]:
        pytest.skip("an update does not depend on the batch")
    benchmark.group = f"{name}/b{batch_size}/{dtype}"
    arrays, numbers = inputs(name, batch_size, dtype)
    error_ratio, _ = compare(function, arrays, numbers)
    assert error_ratio <= 1, "the kernel is not its reference: not timed"
    call = function if implementation == "fastnn" else function.reference
    declaration = function.declaration
    given_sizes = {n: numbers[n] for n in declaration.size_numbers}
    shapes = declaration.match_shapes(tuple(a.shape for a in arrays), given_sizes)
    flops, moved = declaration.cost(shapes, dtype)
    measure(lambda: call(*arrays, **numbers), rows=batch_size, flops=flops, bytes_moved=moved, data="random numbers")
