"""What a net is made of and trained with, as words of the command line: NAME, or NAME:OPTION=VALUE,OPTION=VALUE.

The names are those of the catalogue: of `Activation.by_name`, `Loss.by_name`, `fastnn.optimizers` and
`fastnn.schedules`.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from fastnn import optimizers, schedules
from fastnn.activations import Activation
from fastnn.cli.errors import UsageError, refused_as
from fastnn.items import Chosen
from fastnn.losses import ChosenLoss, Loss
from fastnn.optimizers import Optimizer
from fastnn.training.metrics import SCORER_PREFIX

# Between options, and not within the brackets of a list.
_COMMA = re.compile(r",(?![^\[]*\])")
_EPOCHS = re.compile(r"(\d+) ?epochs?")


def _optimizers() -> dict[str, type[Optimizer]]:
    found = (getattr(optimizers, name) for name in optimizers.__all__)
    return {
        c.__name__.lower(): c
        for c in found
        if isinstance(c, type) and issubclass(c, Optimizer) and c.hyper.keys() > Optimizer.hyper.keys()
    }


def _schedules() -> dict[str, type]:
    """Those that a rate is enough for: one of several schedules, and a constant one, have options of their own."""
    found = (getattr(schedules, name) for name in schedules.__all__)
    classes = (c for c in found if dataclasses.is_dataclass(c) and c not in (schedules.Constant, schedules.WarmUp))
    return {re.sub(r"(?<=[a-z])(?=[A-Z])", "_", c.__name__).lower(): c for c in classes if isinstance(c, type)}


OPTIMIZERS = _optimizers()
SCHEDULES = _schedules()


def listed(names: Mapping[str, Any]) -> str:
    """The names of a catalogue, for help."""
    return ", ".join(names)


def named(text: str) -> tuple[str, dict[str, Any]]:
    """NAME:OPTION=VALUE,... in parts. Values are as in JSON, and what is none is text."""
    name, _, rest = text.partition(":")
    given: dict[str, Any] = {}
    for part in _COMMA.split(rest) if rest else []:
        option, equals, value = (piece.strip() for piece in part.partition("="))
        if not option or not equals:
            raise ValueError(f"got {text!r}, expected NAME or NAME:OPTION=VALUE,OPTION=VALUE")
        try:
            given[option] = json.loads(value)
        except ValueError:
            given[option] = value
    return name.strip(), given


def activation(text: str) -> Chosen[Activation]:
    """Of --activation. Raises UsageError."""
    with refused_as("--activation"):
        name, given = named(text)
        return Activation.choose("--activation", (name, given) if given else name)


def loss(text: str) -> ChosenLoss:
    """Of --loss. Raises UsageError."""
    with refused_as("--loss"):
        name, given = named(text)
        return ChosenLoss.of(Loss.find("--loss", name), given, "--loss")


def optimizer(text: str, lr: float | None) -> Optimizer:
    """Of --optimizer and --lr. Raises UsageError."""
    with refused_as("--optimizer"):
        name, given = named(text)
        if name.lower() not in OPTIMIZERS:
            raise ValueError(f"got {name!r}, expected one of {listed(OPTIMIZERS)}")
        kind = OPTIMIZERS[name.lower()]
        allowed = [option for option in kind.hyper if option != "lr"]
        for option in given:
            if option == "lr":
                raise ValueError("the learning rate is the option --lr")
            if option not in allowed:
                raise ValueError(f"{name} has no option {option!r}, expected one of {', '.join(allowed)}")
        made = kind(**given)
    if lr is not None:
        with refused_as("--lr"):
            made.lr = lr
    return made


def schedule(text: str | None, warm_up: str | None, lr: float, epochs: int, steps_per_epoch: int) -> Any:
    """The learning rate of --schedule and --warm-up: a schedule over all steps of the training, or `lr` itself.

    Where a schedule has `total_steps`, that is by default what is left of the training after the warm-up. Raises
    UsageError.
    """
    with refused_as("--warm-up"):
        first = 0 if warm_up is None else _steps(warm_up, steps_per_epoch)
        if not isinstance(first, int):
            raise ValueError(f"got {warm_up!r}, expected a number of steps, such as 500, or of epochs, such as 1epoch")
    rate: Any = lr
    if text is not None:
        with refused_as("--schedule"):
            rate = _schedule(text, lr, max(epochs * steps_per_epoch - first, 1), steps_per_epoch)
    if not first:
        return rate
    with refused_as("--warm-up"):
        return schedules.WarmUp(first, rate)


def _schedule(text: str, lr: float, total_steps: int, steps_per_epoch: int) -> Any:
    name, given = named(text)
    if name not in SCHEDULES:
        raise ValueError(f"got {name!r}, expected one of {listed(SCHEDULES)}")
    kind: Callable[..., Any] = SCHEDULES[name]
    fields = [field.name for field in dataclasses.fields(SCHEDULES[name]) if field.init]
    rate, *own = fields
    if not given.keys() <= set(own):
        raise ValueError(f"{name} has the options {', '.join(own)}, got {', '.join(given)}")
    values = {option: _steps(value, steps_per_epoch) for option, value in given.items()}
    if "total_steps" in own:
        values = {"total_steps": total_steps, **values}
    missing = [
        field.name
        for field in dataclasses.fields(SCHEDULES[name])
        if field.init and field.default is dataclasses.MISSING and field.name not in (rate, *values)
    ]
    if missing:
        raise ValueError(f"{name} has no default for {missing[0]}; write {name}:{missing[0]}=VALUE")
    return kind(**{rate: lr}, **values)


def _steps(value: Any, steps_per_epoch: int) -> Any:
    """A number of epochs, such as "5epochs", as one of steps; numbers in texts; any other value as it is."""
    found = _EPOCHS.fullmatch(value) if isinstance(value, str) else None
    if found is not None:
        return int(found.group(1)) * steps_per_epoch
    return int(value) if isinstance(value, str) and value.isdecimal() else value


def metric(text: str) -> Any:
    """One of --metrics, for `MLP.fit`: its name, with its number if it has one, such as top_k_accuracy:k=3."""
    if text.startswith(SCORER_PREFIX):
        return text
    name, given = named(text)
    return (name, *given.values()) if given else name


def widths(text: str, inputs: int, outputs: int) -> tuple[int, ...]:
    """Of --layers: all widths of the net, given those that follow from the data.

    "784-128-10" is all of them, "128" and "128-64" are the hidden ones, and in "x-128-x" each x stands for the width
    that follows from the data. All of them it is if the first and the last are those of the data. Raises UsageError
    where one of them is and the other not: that is a mistake, or must be said with x.
    """
    parts = text.split("-")
    usual = f"{inputs}-128-{outputs}"
    if not all((part.isdecimal() and int(part) > 0) or part == "x" for part in parts) or "x" in parts[1:-1]:
        raise UsageError(f"--layers: got {text!r}, expected widths such as {usual}, or of the hidden layers alone: 128")
    first, last, between = parts[0], parts[-1], "-".join(parts[1:-1])
    fits = first in ("x", str(inputs)), last in ("x", str(outputs))
    if len(parts) == 1 and first != "x":
        return inputs, int(first), outputs
    if len(parts) > 1 and all(fits):
        return inputs, *map(int, parts[1:-1]), outputs
    if any(fits) or "x" in parts:
        # One of both ends is wrong, or missing.
        hidden = "-".join(part for part in parts if part != "x") or "128"
        right = f"{inputs}-{between or 128}-{outputs}"
        of_two = ", or --loss sigmoid_cross_entropy for one output" if (last, outputs) == ("1", 2) else ""
        raise UsageError(
            f"--layers: got {text}, but the data has {inputs} inputs and takes {outputs} outputs; write {right}"
            f"{of_two or f', or x-{hidden}-x for these hidden layers'}"
        )
    return inputs, *map(int, parts), outputs
