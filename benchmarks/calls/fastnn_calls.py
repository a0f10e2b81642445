"""fastnn's public functions, writing into arrays that they are given."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from numpy.typing import NDArray

from fastnn.ops import DECLARED


def ready(function: str, arrays: list[NDArray], numbers: dict[str, Any]) -> Callable[[], Any]:
    """A call without arguments."""
    own = DECLARED[function]
    count = own.declaration.returned_arrays
    if count:
        returned = own(*arrays, **numbers)
        last = returned[-count:] if isinstance(returned, tuple) else (returned,)
        numbers = numbers | {"out": last if count > 1 else last[0]}
    return partial(own, *arrays, **numbers)
