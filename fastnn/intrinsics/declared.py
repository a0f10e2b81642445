"""The decorator of intrinsics."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from numba import extending


def intrinsic(function: Callable[..., Any]) -> Any:
    """`numba.extending.intrinsic`, which shows the arguments that a kernel gives it.

    Numba's shows those of the function that types a call, which also takes the typing context. `help` shows no
    signature of an intrinsic, so that its docstring begins with the call, as those of NumPy's ufuncs do.
    """
    made = extending.intrinsic(function)
    signature = inspect.signature(function)
    made.__signature__ = signature.replace(parameters=list(signature.parameters.values())[1:])
    if function.__doc__:
        made.__doc__ = f"{made.__name__}{made.__signature__}\n\n    {function.__doc__}"
    return made
