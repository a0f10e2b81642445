"""Functions that a declaration is given, and from which kernels are made: what is wrong with one is said in a line.

What can be seen without compiling is refused when an item is declared. The rest shows when its kernels are compiled, at
the first call or when a net is made of it; Numba's report is then cut down to the line of the function that fails.
"""

from __future__ import annotations

import dis
import inspect
import keyword
import linecache
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CellType, FunctionType
from typing import Any

import numba
from numba.core import types
from numba.core.dispatcher import Dispatcher

from fastnn.jit import DISABLED, is_inlined

# What is wrong with the type that a function returns, or None.
Check = Callable[[types.Type], str | None]


def check_name(name: Any) -> None:
    """Raises ValueError for what cannot be the name of a function."""
    if not isinstance(name, str) or not name.isidentifier() or keyword.iskeyword(name):
        raise ValueError(f"name: got {name!r}, expected a name that a function can have")


def check_function(item: str, part: str, function: Any, parameters: Sequence[str]) -> None:
    """Raises TypeError naming the item and its part for what is no function written in Python, or one that does not
    take these arguments; ValueError for one that raises exceptions."""
    takes = f"({', '.join(parameters)})"
    if not isinstance(function, (FunctionType, Dispatcher)):
        raise TypeError(f"{item}: {part}: got {function!r}, expected a function written in Python, of {takes}")
    python = _python(function)
    signature = inspect.signature(python)
    try:
        signature.bind(*parameters)
    except TypeError:
        raise TypeError(f"{item}: {part}: got {python.__name__}{signature}, expected a function of {takes}") from None
    raising = _raising(python, set())
    if raising is not None:
        raise ValueError(
            f"{item}: {part}: got {raising}, which raises or asserts; nothing can be raised within a training step, so "
            "return a number such as math.nan"
        )


def _raising(function: FunctionType, seen: set[FunctionType]) -> str | None:
    """The name of the function, or of one whose code it calls, that has a statement `raise` or `assert`."""
    if dis.opmap["RAISE_VARARGS"] in function.__code__.co_code[::2]:
        return function.__name__
    seen.add(function)
    found = [function.__globals__.get(name) for name in function.__code__.co_names]
    found += [cell.cell_contents for cell in function.__closure__ or () if cell != CellType()]
    called = {_python(one) for one in found if isinstance(one, Dispatcher) or is_inlined(one)}
    return next(filter(None, (_raising(one, seen) for one in called - seen)), None)


class OwnCode:
    """In place of a reference: the item's own code, compiled for float64."""

    def __init__(self, compute: Callable[..., Any]) -> None:
        self._compute = compute

    def __call__(self, *arrays: Any, **numbers: Any) -> Any:
        return self._compute(*arrays, **numbers)


def _not_yet(*arrays: Any, **numbers: Any) -> Any:
    raise NotImplementedError


# The default of references, which items replace by code of their own.
OWN_CODE = OwnCode(_not_yet)

# The lines of docstrings that say so.
OWN_REFERENCE = ("", "`.reference` is its own code, compiled for float64: no independent reference is given.")


def run_in_float64(item: str, kernel: Callable[..., Any], *arguments: Any) -> None:
    """Call a kernel in place of a reference. Raises RuntimeError where nothing is compiled."""
    if DISABLED:
        raise RuntimeError(f"{item}: with NUMBA_DISABLE_JIT it cannot be computed, for it has no reference in NumPy")
    kernel(*arguments)


def described(function: Callable[..., Any], arguments: str) -> str:
    """A function in a docstring: the first line of its own, or else its name and module."""
    first = (function.__doc__ or "").strip().partition("\n")[0].rstrip(".")
    return first or f"`{function.__name__}({arguments})` of {function.__module__}"


@dataclass(frozen=True)
class Part:
    """A function of an item that is compiled into its kernels.

    arguments : the types that it takes there, given the precision. check : of the type that it returns. advice : what
    it may be made of.
    """

    item: str
    name: str
    function: Callable[..., Any]
    arguments: Callable[[types.Float], tuple[types.Type, ...]]
    check: Check
    advice: str = "it must be arithmetic on numbers that Numba compiles in nopython mode, see docs/extending.md"

    def fault(self) -> str | None:
        """What is wrong with it, compiled alone; None if nothing is."""
        python = _python(self.function)
        for real in (types.float32, types.float64):
            alone = numba.njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, error_model="numpy")(python)
            try:
                alone.compile(self.arguments(real))
            except Exception as error:
                return f"{self.item}: {self.name}: {_condensed(error, python, self.advice)}"
            wrong = self.check(alone.nopython_signatures[0].return_type)
            if wrong is not None:
                code = python.__code__
                where = f"{python.__name__} ({code.co_filename}, line {code.co_firstlineno})"
                return f"{self.item}: {self.name}: {where} returns {wrong}"
        return None


def explained(kernel: Any, *parts: Part) -> Any:
    """The kernel itself. Where it does not compile because of one of the parts, TypeError says which and why."""
    if DISABLED:
        return kernel
    compile_for = kernel.compile

    def explaining(signature: Any) -> Any:
        try:
            return compile_for(signature)
        except Exception:
            fault = next(filter(None, (part.fault() for part in parts)), None)
            if fault is None:
                raise
        # Apart from Numba's report, which is pages long.
        raise TypeError(fault)

    kernel.compile = explaining
    return kernel


def a_number(returned: types.Type) -> str | None:
    """The check of a scalar function."""
    if isinstance(returned, (types.Integer, types.Float, types.Boolean)):
        return None
    if isinstance(returned, types.NoneType):
        return "nothing, expected a number; is a `return` missing?"
    if isinstance(returned, types.Optional):
        return "a number or None, expected a number in all cases"
    if isinstance(returned, types.Array):
        return "an array, expected one number: its arguments are single numbers, and the loop around it is ours"
    if isinstance(returned, types.BaseTuple):
        return f"a tuple of {len(returned)}, expected one number"
    return f"{returned}, expected a number"


def _python(function: Any) -> Any:
    return getattr(function, "py_func", function)


# Lines of Numba's report that do not say what is wrong.
_NO_REASON = re.compile(
    r"Failed in |There (is|are) \d+ candidate|- Of which|Overload |Overload of|During:|File |Enable logging|"
    r"raised from|\* |No match|Rejected|<source elided>|def "
)


def _condensed(error: Exception, function: Any, advice: str) -> str:
    """What Numba says, in one line, and the line of the function that it says it of."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
    lines = [re.sub(r"\. Raised from .*", "", line.strip()) for line in text.splitlines()]
    reasons = [line for line in lines if line and not _NO_REASON.match(line)]
    reason = reasons[0] if reasons else type(error).__name__
    calls = [line.removeprefix(">>> ") for line in lines if line.startswith(">>> ")]
    if calls and reason.endswith("signature:"):
        reason = f"Numba cannot compile {calls[0]}"
    file, code = function.__code__.co_filename, function.__code__
    # A report begins with what is wrong within a function that is called, and ends with the call.
    found = re.findall(r" (?:at|from) (.+?) \((\d+)\)", text) + re.findall(r'File "(.+?)", line (\d+)', text)
    own = [int(number) for name, number in found if Path(name).name == Path(file).name]
    number = own[0] if own else code.co_firstlineno
    source = linecache.getline(file, number).strip()
    if reason.endswith("Cannot determine Numba type of <class 'function'>"):
        advice = "decorate that function with @fastnn.extend.scalar"
    return f"{reason} ({file}, line {number}{f': {source}' if source else ''}); {advice}"
