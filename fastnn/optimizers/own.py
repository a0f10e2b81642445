"""The update rule of an optimizer that is declared by a class: of its function `update`, of plain numbers."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from numba.core import types

from fastnn.intrinsics.vector import Vector
from fastnn.jit import scalar
from fastnn.ops.arguments import Number, not_negative, step_number
from fastnn.ops.given import Part, check_function
from fastnn.optimizers.rule import UpdateRule, constants_of, tuple_of_numbers, update_rule


def rule_of(
    optimizer: type, moments: Sequence[str], hyper: Mapping[str, tuple[Number, Any]], rates: Collection[str]
) -> UpdateRule:
    """Declare the rule of the class's functions `update` and, where it has one, `constants`.

    hyper : the hyper-parameters, each with its check and its default. rates : those that may be schedules, which the
    public function of the rule does not take.
    """
    name = optimizer.__name__
    if isinstance(moments, str) or not all(isinstance(moment, str) for moment in moments):
        raise TypeError(f"{name}: moments: got {moments!r}, expected a tuple of names, such as ('m', 'v')")
    numbers = {number: not_negative if number in rates else check for number, (check, _) in hyper.items()}
    defaults = {number: default for number, (_, default) in hyper.items() if not callable(default)}
    others = [number for number in hyper if number != "weight_decay"]
    update, constants = (_static(optimizer, part) for part in ("update", "constants"))
    if constants is None:
        update = _given(name, "update", update, ("g", *moments, *others))
        of_class, count = constants_of(tuple(hyper)), len(others)
    else:
        constants = _given(name, "constants", constants, ("step", *others))
        update = _given(name, "update", update, ("g", *moments), more=True)
        count = len(inspect.signature(getattr(update, "py_func", update)).parameters) - 1 - len(moments)
        of_class, numbers = constants_of(tuple(hyper), constants), {"step": step_number, **numbers}
    of_vectors = _rule(update, len(moments))
    # The rule is the class's: so a file that runs again may replace it.
    of_vectors.__module__ = optimizer.__module__
    return update_rule(
        f"{_in_lower_case(name)}_update",
        rule=of_vectors,
        formula=(optimizer.__doc__ or "").strip().splitlines(),
        moments=moments,
        numbers=numbers,
        defaults=defaults,
        constants=of_class,
        n_constants=count,
        parts=_parts(name, update, constants, moments, len(others), count),
        example={"step": 2} if constants else {},
    )


def _static(optimizer: type, part: str) -> Any:
    found = vars(optimizer).get(part)
    return found.__func__ if isinstance(found, staticmethod) else found


def _given(name: str, part: str, function: Any, parameters: tuple[str, ...], more: bool = False) -> Any:
    """The function, of parameters of these names: so none is taken for another. With `more`, others may follow."""
    python = getattr(function, "py_func", function)
    if callable(python) and not isinstance(python, type):
        signature = inspect.signature(python)
        names = tuple(signature.parameters)
        if (names[: len(parameters)] if more else names) != parameters:
            expected = ", ".join((*parameters, "the constants ...") if more else parameters)
            advice = "; make it a @staticmethod, without self" if "self" in names else ""
            raise TypeError(
                f"{name}: {part}: got {python.__name__}{signature}, expected the arguments ({expected}){advice}"
            )
        parameters = names
    check_function(name, part, function, parameters)
    return scalar(function)


def _rule(update: Callable[..., Any], count: int) -> Callable[..., Any]:
    """`update` as a rule of `count` moments; see `fastnn.optimizers.loops`."""
    if count == 0:

        @scalar
        def rule(g, moments, c):  # type: ignore[no-untyped-def]
            return moments, update(g, *c), None

    else:

        @scalar
        def rule(g, moments, c):  # type: ignore[no-untyped-def]
            new = update(g, *moments, *c)
            return new[:-1], new[-1], None

    return rule


def _parts(
    name: str,
    update: Callable[..., Any],
    constants: Callable[..., Any] | None,
    moments: Sequence[str],
    n_hyper: int,
    n_constants: int,
) -> tuple[Part, ...]:
    def check(returned: types.Type) -> str | None:
        kinds = list(returned) if isinstance(returned, types.BaseTuple) else [returned]
        whole = not moments or isinstance(returned, types.BaseTuple)
        if whole and len(kinds) == len(moments) + 1 and all(isinstance(kind, Vector) for kind in kinds):
            return None
        new = [*(f"the new {moment}" for moment in moments), "what is subtracted from the weights"]
        return f"{returned}, expected {', and '.join(new)}, each computed from g or a moment"

    def arguments_of_update(real: types.Float) -> tuple[types.Type, ...]:
        return (Vector(real),) * (1 + len(moments) + n_constants)

    of_update = Part(name, "update", update, arguments_of_update, check, _ADVICE)
    if constants is None:
        return (of_update,)
    arguments = (types.int64, *(types.float64,) * n_hyper)
    return of_update, Part(name, "constants", constants, lambda real: arguments, tuple_of_numbers(n_constants))


_ADVICE = (
    "g, moments and numbers take +, -, *, / and the functions of fastnn.extend, such as square_root, maximum, "
    "absolute, sign and where_greater, and neither **, `if` nor functions of NumPy"
)


def _in_lower_case(name: str) -> str:
    """SignDescent to sign_descent."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()
