"""`@declare`: one declaration per kernel, from which its public function, tests and benchmarks follow.

The decorated function has a name, parameters and a docstring, but no body. `@declare(...)` replaces it by the public
function, which checks arguments against the declared shapes, allocates outputs and calls the kernel. The same
declaration draws the inputs of tests and benchmarks, and gives the tolerance and the cost.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from fastnn.jit import DISABLED, check_types
from fastnn.ops.arguments import Array, Number
from fastnn.ops.calling import public_function
from fastnn.ops.declaration import Declaration, PublicFunction
from fastnn.ops.kernel_types import type_check
from fastnn.ops.options import Options
from fastnn.ops.reference_kernel import reference_kernel
from fastnn.ops.signature import Signature

# Every declared public function by its name.
DECLARED: dict[str, PublicFunction] = {}

# Other names that users know some of them by.
ALIASES: dict[str, str] = {}


def declare(
    *signatures: str,
    kernel: Callable[..., Any],
    reference: Callable[..., Any],
    flops: Callable[..., float],
    ulps: float | None,
    parallel_kernel: Callable[..., Any] | None = None,
    arrays: Mapping[str, Array] | None = None,
    numbers: Mapping[str, Number] | None = None,
    example: Mapping[str, Any] | None = None,
    sum_length: Callable[..., int | tuple[int, ...]] = lambda: 0,
    magnitude: Callable[..., Any] | None = None,
    flattens_leading: bool = False,
    strided: bool = False,
    in_place: tuple[str, ...] = (),
    may_be_empty: tuple[str, ...] = (),
    options: Options | None = None,
) -> Callable[[Callable[..., Any]], PublicFunction]:
    """Replace the decorated function by one that checks arguments and calls `kernel`; register it in `DECLARED`.

    Array parameters not named in `arrays` are floats of any value. See `Declaration` for the rest.
    """

    def registered(function: Callable[..., Any]) -> PublicFunction:
        parameters = inspect.signature(function).parameters.values()
        positional = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
        keywords = [p for p in parameters if p.kind is p.KEYWORD_ONLY and p.name != "out"]
        parsed = tuple(map(Signature.parse, signatures))
        if any(len(s.inputs) != len(positional) for s in parsed):
            raise ValueError(f"{function.__name__}: {len(positional)} arrays, but the signature is {signatures}")
        if [p.name for p in keywords] != [*(numbers or {}), *(options.defaults if options else {})]:
            raise ValueError(
                f"{function.__name__}: `numbers` and `options` must name its keyword-only parameters, in order"
            )
        declaration = Declaration(
            name=function.__name__,
            signatures=parsed,
            kernel=kernel,
            parallel_kernel=parallel_kernel,
            reference=reference,
            arrays={name: (arrays or {}).get(name, Array()) for name in positional},
            numbers=numbers or {},
            defaults={p.name: p.default for p in keywords if p.name in (numbers or {}) and p.default is not p.empty},
            example=example or {},
            flops=flops,
            sum_length=sum_length,
            ulps=ulps,
            magnitude=magnitude,
            flattens_leading=flattens_leading,
            strided=strided,
            in_place=in_place,
            may_be_empty=may_be_empty,
            options=options,
        )
        if bool(declaration.returned_arrays) != any(p.name == "out" for p in parameters):
            raise ValueError(
                f"{function.__name__}: `out` must be a parameter where arrays are returned, and only there"
            )
        if DISABLED:
            declaration = replace(declaration, kernel=reference_kernel(declaration), parallel_kernel=None)
        else:
            for compiled in filter(None, (kernel, parallel_kernel)):
                check_types(compiled, type_check(declaration, compiled))
        DECLARED[declaration.name] = public_function(declaration, function)
        return DECLARED[declaration.name]

    return registered


def stub(
    name: str, arrays: Sequence[str], doc: Iterable[str], numbers: Sequence[inspect.Parameter] = (), out: bool = True
) -> Callable[..., Any]:
    """A function without a body, to be decorated with `@declare(...)`, for public functions that are generated.

    arrays, numbers : its parameters. doc : the lines of its docstring. out : whether it takes `out`.
    """

    def function(*args: Any, **numbers: Any) -> Any:
        raise NotImplementedError(name)

    kind = inspect.Parameter.KEYWORD_ONLY
    last = [inspect.Parameter("out", kind, default=None, annotation="NDArray | None")] if out else []
    first = [inspect.Parameter(a, inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation="ArrayLike") for a in arrays]
    function.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [*first, *numbers, *last], return_annotation="NDArray" if out else "None"
    )
    function.__name__ = function.__qualname__ = name
    function.__module__, function.__doc__ = "fastnn", "\n".join(doc)
    return function
