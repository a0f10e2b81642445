"""Optimizers: hyper-parameters that can be changed between steps, and the state kept for each net that they train."""

from __future__ import annotations

import difflib
import inspect
import math
import textwrap
from collections.abc import Callable
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

import numba
import numpy as np
from numpy.typing import NDArray

from fastnn import scalar_checks
from fastnn.alloc import aligned_zeros, row_apart
from fastnn.blocking import fetching_pays
from fastnn.optimizers.kernels import MOST_NUMBERS
from fastnn.optimizers.own import rule_of
from fastnn.optimizers.rule import UpdateRule
from fastnn.step.plan import OPTIMIZER


def learning_rate(name: str, value: Any) -> Any:
    """A number of at least 0; or a schedule, a function of the number of steps made before (`fastnn.schedules`), whose
    values are checked when it is asked.

    Raises TypeError for what is neither, ValueError for any other number, naming it.
    """
    if callable(value) and not isinstance(value, type):
        return value
    return scalar_checks.number(name, value, 0.0)


class Hyper:
    """A hyper-parameter: an attribute of an optimizer with a default, checked when it is set. The one named `lr` may be
    a schedule, if `learning_rate` checks it.

    check : function (name, value) that returns the value, or raises TypeError or ValueError naming it, such as
    `fastnn.extend.fraction`. about : what the hyper-parameter is, where the formula of the optimizer does not say. Both
    are in the docstring of the class: of the check, the first paragraph of its own.
    """

    def __init__(self, default: Any, check: Callable[[str, Any], Any], about: str = "") -> None:
        self.default, self.check, self.about = default, check, about

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, optimizer: Optimizer | None, owner: type | None = None) -> Any:
        return self if optimizer is None else optimizer._values[self._name]

    def __set__(self, optimizer: Optimizer, value: Any) -> None:
        values = {**optimizer._values, self._name: self.check(self._name, value)}
        optimizer._check_all(values)
        rule = optimizer.rule
        turns = self._name == "lr" and callable(value) != optimizer.is_scheduled
        optimizer._values = values
        if turns or self._name in Optimizer.hyper:
            # Nets know which of their steps must ask a schedule, and the bounds of the gradient.
            for net in list(optimizer._states):
                net.forget_optimizer()
        for state in list(optimizer._states.values()):
            if optimizer.rule is not rule:
                state.tell(optimizer)
            elif self._name in rule.hyper and not callable(value):
                state.hyper[rule.hyper.index(self._name)] = values[self._name]


def positive_or_none(name: str, value: Any) -> float | None:
    """A number above 0, or None for no bound."""
    return None if value is None else scalar_checks.number(name, value, 0.0, above=True)


# How formulas write hyper-parameters whose names are spelled out.
_SYMBOLS = {"beta": "β", "beta1": "β₁", "beta2": "β₂"}

# Of hyper-parameters, in Keras, Optax and scikit-learn.
_OTHER_NAMES = {
    "learning_rate": "lr",
    "learning_rate_init": "lr",
    "beta_1": "beta1",
    "beta_2": "beta2",
    "b1": "beta1",
    "b2": "beta2",
    "epsilon": "eps",
    "clipvalue": "clip_value",
    "global_clipnorm": "clip_norm",
}

# What the training step reads of an optimizer, with the hyper-parameters that the record points to.
_RECORD = np.dtype([("plan", OPTIMIZER.dtype), ("hyper", "f8", MOST_NUMBERS), ("constants", "f8", MOST_NUMBERS)])


class State:
    """What an optimizer keeps for one net: its moments, the steps made, and the record that the training step reads.

    moments : (count, parameters of the net or more); the training step itself counts the steps.
    """

    def __init__(self, size: int, dtype: np.dtype, optimizer: Optimizer) -> None:
        self._size, self._dtype = size, dtype
        self._record = np.zeros((), _RECORD)
        # The hyper-parameters as the rule takes them; those of a rule may be changed one by one.
        self.hyper = self._record["hyper"]
        self._steps = self._record["plan"]["steps"]
        # What a schedule gave last. It stands in the record until the next step asks, for another thread may be
        # between asking and its step.
        self._rate = 0.0
        self.moments = self._zeros(0)
        self.tell(optimizer)

    @property
    def steps(self) -> int:
        """How many were made."""
        return self._steps.item()

    @steps.setter
    def steps(self, value: int) -> None:
        self._steps[...] = value

    @property
    def address(self) -> int:
        """Of the record."""
        return self._record.ctypes.data

    def tell(self, optimizer: Optimizer) -> None:
        """Write down the optimizer's rule and hyper-parameters."""
        rule, moments = optimizer.rule, self.moments
        if len(moments) < len(rule.moments):
            moments = self._zeros(len(rule.moments))
            moments[: len(self.moments)] = self.moments
        new, values = self._record.copy(), optimizer.values
        new["hyper"][: len(rule.hyper)] = [
            self._rate if callable(values[name]) else values[name] for name in rule.hyper
        ]
        plan = new["plan"]
        plan["is_linear"] = rule.is_linear
        plan["moments"], plan["moment_stride"] = moments.ctypes.data, moments.shape[1]
        fetches = fetching_pays((1 + len(rule.moments)) * moments.shape[1], self._dtype)
        plan["n_fetched"] = 1 + len(rule.moments) if fetches else 0
        for name in ("hyper", "constants"):
            plan[name] = self._record[name].ctypes.data
        for slot, address in rule.addresses(numba.from_dtype(self._dtype), near=not fetches).items():
            plan[slot] = address
        # One copy: an interrupt finds the record as it was or as it shall be, and the moments of both are held.
        self._both = self.moments, moments
        self._record[...] = new
        self.moments = moments
        del self._both
        self._lr_at = rule.hyper.index("lr") if "lr" in rule.hyper else None

    def ask(self, optimizer: Optimizer) -> None:
        """Write down the learning rate of the next step, which the optimizer's schedule gives. Raises as
        `Optimizer.values_at` does, and then changes nothing."""
        self._rate = optimizer._scheduled_rate(self._steps.item())
        if self._lr_at is not None:
            self.hyper[self._lr_at] = self._rate
            if not optimizer.is_scheduled:  # any more: another thread set a number while the schedule was asked
                self.tell(optimizer)

    def rates(self, optimizer: Optimizer, count: int) -> NDArray:
        """The learning rates of the next `count` steps, which the optimizer's schedule gives. Raises as `ask` does."""
        first = self._steps.item()
        return np.array([optimizer._scheduled_rate(first + k) for k in range(count)])

    def rate_made(self, rate: float) -> None:
        """The step made last had this learning rate."""
        self._rate = rate

    @property
    def rate_address(self) -> int | None:
        """Where the record has the learning rate; None where the rule has none."""
        return None if self._lr_at is None else self.hyper.ctypes.data + self._lr_at * self.hyper.itemsize

    def _zeros(self, count: int) -> NDArray:
        return aligned_zeros((count, row_apart(self._size, self._dtype)), self._dtype, quarter=1)


class Optimizer:
    """Base of the optimizers. One optimizer can train several nets; each has its own state.

    A class of your own has hyper-parameters, each a `Hyper`, and a function `update`, as a static method: of the
    gradient g, of the `moments` that it names, which start at zero, and of the hyper-parameters, as single numbers. It
    returns the new moments and what is subtracted from the weights. `weight_decay`, where it is one of the
    hyper-parameters, is none of its arguments: g has it already, g + weight_decay w. A function `constants`, of the
    number of the step, from 1, and of the hyper-parameters, returns a tuple of numbers that `update` then takes in
    their place; it is asked once a step, in float64. Both are compiled in nopython mode of Numba. Of `update` follow
    the class's `rule` and a public function: for a class `SignDescent` that is `fastnn.sign_descent_update`.

    Raises TypeError and ValueError where the class is made if they do not fit together. What Numba cannot compile shows
    at the first step, which then changes nothing: TypeError names the part and the line.

    Copies and pickles take the state along of each net that is copied or pickled with them; `copy.copy` keeps the nets,
    with moments of its own.
    """

    clip_value = Hyper(
        None,
        positive_or_none,
        "Each element of the gradient is kept within ±clip_value, before weight decay, as by "
        "`torch.nn.utils.clip_grad_value_`.",
    )
    clip_norm = Hyper(
        None,
        positive_or_none,
        "The whole gradient is made shorter where its norm exceeds clip_norm, before weight decay, as by "
        "`torch.nn.utils.clip_grad_norm_`.",
    )

    hyper: ClassVar[dict[str, Hyper]] = {"clip_value": clip_value, "clip_norm": clip_norm}
    moments: ClassVar[tuple[str, ...]] = ()
    # The docstring of the class as it is written; a class without one has that of the class above it.
    _written: ClassVar[str] = ""

    def __init_subclass__(cls) -> None:
        own = {name: value for name, value in vars(cls).items() if isinstance(value, Hyper)}
        of_rule = {**{name: value for name, value in cls.hyper.items() if name not in Optimizer.hyper}, **own}
        cls.hyper = {**of_rule, **Optimizer.hyper}
        if "update" in vars(cls):
            numbers = {name: (h.check, h.default) for name, h in of_rule.items()}
            rates = [name for name, h in of_rule.items() if h.check is learning_rate]
            cls.rule = rule_of(cls, cls.moments, numbers, rates)  # type: ignore[assignment, method-assign]
        if cls.__doc__:
            cls._written = inspect.cleandoc(cls.__doc__)
        _show(cls, cls._written)

    # Type checkers see no parameters. `typing.dataclass_transform` would show them, but takes no default by position,
    # and no name without a type: each class, users' too, would have to say `lr: Hyper = Hyper(default=0.001, ...)`.
    def __init__(self, *args: Any, **numbers: Any) -> None:
        for name in numbers.keys() - self.hyper.keys():
            raise TypeError(self._has_no(name))
        try:
            given = inspect.signature(type(self)).bind(*args, **numbers)
        except TypeError as error:
            raise TypeError(f"{type(self).__name__}: {error}, expected {', '.join(self.hyper)}") from None
        given.apply_defaults()
        values = {name: self.hyper[name].check(name, value) for name, value in given.arguments.items()}
        self._check_all(values)
        self._begin(values)

    def _begin(self, values: dict[str, Any]) -> None:
        self._values = dict(values)
        self._states: WeakKeyDictionary[Any, State] = WeakKeyDictionary()
        # Steps and moments that came with a copy, of nets that were not trained since.
        self._restored: WeakKeyDictionary[Any, tuple[int, list[list[NDArray]]]] = WeakKeyDictionary()

    @property
    def values(self) -> dict[str, Any]:
        """The hyper-parameters by their names."""
        return dict(self._values)

    @property
    def is_scheduled(self) -> bool:
        """Whether `lr` is a schedule."""
        return callable(self._values.get("lr"))

    def values_at(self, steps: int) -> dict[str, Any]:
        """The hyper-parameters after so many steps; where `lr` is a schedule, the number that it then gives.

        Raises ValueError or TypeError if that is no finite number of at least 0.
        """
        return {**self._values, "lr": self._scheduled_rate(steps)} if self.is_scheduled else self.values

    def _scheduled_rate(self, steps: int) -> float:
        schedule = self._values["lr"]
        # Another thread may just have put a number in its place.
        rate = schedule(steps) if callable(schedule) else schedule
        if type(rate) is float and 0.0 <= rate < math.inf:
            return rate
        try:
            return scalar_checks.number("lr", rate, 0.0)
        except (TypeError, ValueError) as error:
            raise type(error)(
                f"lr: got {rate!r} from the schedule {schedule!r} after {steps} steps, expected a number in [0, inf)"
            ) from None

    @property
    def rule(self) -> UpdateRule:
        """The update rule for the hyper-parameters as they are."""
        raise NotImplementedError(f"{type(self).__name__}: expected a static method `update`, or a property `rule`")

    def _check_all(self, values: dict[str, Any]) -> None:
        if values["clip_value"] is not None and values["clip_norm"] is not None:
            raise ValueError(
                f"clip_norm: got {values['clip_norm']} beside a clip_value of {values['clip_value']}, "
                "expected None for one of them"
            )
        self._check(values)

    def _check(self, values: dict[str, Any]) -> None:
        """Raises ValueError for hyper-parameters that do not go together."""

    def state(self, net: Any) -> State:
        """The state kept for `net`, zero before its first step."""
        found = self._states.get(net)
        if found is None:
            values = self._values
            found = State(net.layout.size, net.dtype, self)
            steps, moments = self._restored.get(net, (0, []))
            for own, arrays in zip(found.moments, moments, strict=False):
                net.layout.pack(arrays, own[: net.layout.size])
            found.steps = steps
            # Of two threads at once the later gets what the earlier made.
            found = self._states.setdefault(net, found)
            # What another thread set meanwhile it told only the states that there were.
            if self._values is not values:
                found.tell(self)
            self._restored.pop(net, None)
        return found

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self.hyper and not name.startswith("_"):
            raise AttributeError(self._has_no(name))
        super().__setattr__(name, value)

    def _has_no(self, name: str) -> str:
        """That a name is that of no hyper-parameter, and which one may be meant."""
        meant = [_OTHER_NAMES[name]] if name in _OTHER_NAMES else difflib.get_close_matches(name, self.hyper, 1)
        question = f"; did you mean {meant[0]}?" if meant and meant[0] in self.hyper else ""
        return (
            f"{name}: {type(self).__name__} has no such hyper-parameter, expected one of "
            f"{', '.join(self.hyper)}{question}"
        )

    def kept(self, net: Any) -> tuple[int, list[list[NDArray]]]:
        """The steps made for `net`, and its moments, each as weights, [w1, b1, ...]: without padding, so they do not
        depend on the CPU. For copies and files."""
        state = self._states.get(net)
        if state is None:
            return self._restored.get(net, (0, []))
        return state.steps, [net.layout.unpack(moment[: net.layout.size]) for moment in state.moments]

    def __getstate__(self) -> dict[str, Any]:
        nets = dict.fromkeys([*list(self._restored), *list(self._states)])
        return {"values": self.values, "states": [(net, self.kept(net)) for net in nets]}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._begin(state["values"])
        self._restored.update(state["states"])

    def __copy__(self) -> Optimizer:
        copied = type(self).__new__(type(self))
        copied.__setstate__(self.__getstate__())
        return copied

    def __repr__(self) -> str:
        given = (f"{name}={value}" for name, value in self._values.items() if value is not None)
        return f"{type(self).__name__}({', '.join(given)})"


# Ends the docstring of each class.
_RAISES = """\
Each is an attribute too, which can be set between steps. Raises TypeError for an argument that is no hyper-parameter,
and for a value of another type; ValueError for a number out of range, and for values that do not go together, such as
both bounds of the gradient; the message names the hyper-parameter. An attribute is checked as an argument is, and stays
as it was where the value is refused; AttributeError for what is no hyper-parameter."""


def _about_hyper(name: str, hyper: Hyper, written: str) -> str:
    """The lines on a hyper-parameter of a class whose docstring is `written`, but for them."""
    symbol = _SYMBOLS.get(name, name)
    check = inspect.getdoc(hyper.check) if inspect.isroutine(hyper.check) else None
    default = f"by default {hyper.default!r}."
    parts = [f"{symbol}," if symbol != name and symbol in written else "", default]
    parts += [" ".join(text.partition("\n\n")[0].split()) for text in (check or "", hyper.about)]
    text = f"{name} : {' '.join(filter(None, parts))}"
    return textwrap.fill(text, 116, subsequent_indent="    ", break_on_hyphens=False, break_long_words=False)


def _show(kind: type[Optimizer], written: str) -> None:
    """Let `help` and `inspect.signature` show the hyper-parameters of a class whose docstring is `written`, but for
    them."""
    first, last = inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY
    parameters = [
        inspect.Parameter(name, last if name in Optimizer.hyper else first, default=hyper.default)
        for name, hyper in kind.hyper.items()
    ]
    kind.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    hyper = "\n".join(_about_hyper(name, hyper, written) for name, hyper in kind.hyper.items())
    kind.__doc__ = "\n\n".join(filter(None, (written, hyper, _RAISES)))


_show(Optimizer, inspect.cleandoc(Optimizer.__doc__ or ""))
