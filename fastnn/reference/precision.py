"""Computing in float64 whatever the precision of the arguments."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np


def in_float64(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, computed in float64 and answered in the precision of its first floating-point array.

    Arrays of integers (labels) and numbers pass as they are. No floating-point warning is given: infinities and NaN
    are answers here.
    """

    @wraps(function)
    def computed(*args: Any, **kwargs: Any) -> Any:
        dtype = next(a.dtype for a in args if _is_float_array(a))
        wide = [a.astype(np.float64) if _is_float_array(a) else a for a in args]
        with np.errstate(all="ignore"):
            result = function(*wide, **kwargs)
            if isinstance(result, tuple):
                return tuple(np.asarray(r).astype(dtype)[()] for r in result)
            return np.asarray(result).astype(dtype)[()]

    return computed


def _is_float_array(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind == "f"
