"""fastnn's public functions."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from numpy.typing import NDArray

from fastnn.ops import DECLARED


def ready(function: str, arrays: list[NDArray], numbers: dict[str, Any]) -> Callable[[], Any]:
    """A call without arguments."""
    return partial(DECLARED[function], *arrays, **numbers)
