"""What a net's predictions are measured by, beside its loss."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from fastnn import scalar_checks
from fastnn.ops import checks
from fastnn.training.counters import (
    R2,
    Accuracy,
    Counter,
    Error,
    MeanAbsoluteError,
    MeanSquaredError,
    OfAll,
    RootMeanSquaredError,
    TopK,
)
from fastnn.training.predicted import Answers

if TYPE_CHECKING:
    from fastnn.mlp import MLP

SCORER_PREFIX = "sklearn:"

# Names of numbers that every history may have.
_TAKEN = ("epoch", "loss", "lr", "seconds")

# Those built in: what counts them, and whether less or more is better.
_BUILT_IN: dict[str, tuple[Callable[[], Counter], str]] = {
    "accuracy": (Accuracy, "max"),
    "error": (Error, "min"),
    "top_k_accuracy": (TopK, "max"),
    "mean_absolute_error": (MeanAbsoluteError, "min"),
    "mean_squared_error": (MeanSquaredError, "min"),
    "root_mean_squared_error": (RootMeanSquaredError, "min"),
    "r2": (R2, "max"),
}

# What scikit-learn's naming says of functions of other people's.
_ENDINGS = {"score": "max", "accuracy": "max", "auc": "max", "error": "min", "loss": "min", "deviance": "min"}


@dataclass(frozen=True)
class Metric:
    """A metric by its name in the history: `begin` makes what counts it over the rows of a data set. direction : "min"
    or "max", whichever is better; None where that is unknown."""

    name: str
    begin: Callable[[], Counter]
    direction: str | None


def chosen_metrics(net: MLP, metrics: Any) -> tuple[Metric, ...]:
    """The metrics that a user names, see `MLP.fit`. Raises ValueError or TypeError naming the argument."""
    if isinstance(metrics, str):
        raise TypeError(f"metrics: got {metrics!r}, expected a sequence, such as [{metrics!r}]")
    found = tuple(_metric(net, f"metrics[{k}]", one) for k, one in enumerate(checks.sequence("metrics", metrics)))
    for k, one in enumerate(found):
        if one.name in _TAKEN or one.name.startswith("val_") or one.name in {other.name for other in found[:k]}:
            raise ValueError(
                f"metrics[{k}]: got the name {one.name!r}, which is taken, expected another; pass ('name', function)"
            )
    return found


def default_metrics(net: MLP) -> Sequence[str]:
    """What `MLP.evaluate` measures unless it is told."""
    return ("accuracy",) if net._loss.item.output in ("softmax", "sigmoid", "sign") else ("r2",)


def _metric(net: MLP, argument: str, given: Any) -> Metric:
    if isinstance(given, str):
        if given.startswith(SCORER_PREFIX):
            return _named_scorer(argument, given.removeprefix(SCORER_PREFIX))
        if given not in _BUILT_IN:
            names = ", ".join(map(repr, _BUILT_IN))
            raise ValueError(f"{argument}: got {given!r}, expected one of {names}, 'sklearn:...' or a function")
        begin, direction = _BUILT_IN[given]
        begin().check(argument, net)
        return Metric(given, begin, direction)
    if isinstance(given, (tuple, list)) and len(given) == 2 and isinstance(given[0], str):
        name, second = given
        if callable(second):
            return _function(name, second)
        if name == "top_k_accuracy":
            k = scalar_checks.count(f"{argument}[1]", second)
            TopK(k).check(argument, net)
            return Metric(f"top_{k}_accuracy", partial(TopK, k), "max")
    if callable(given):
        return _function(_name_of(given), given)
    raise TypeError(
        f"{argument}: got {given!r}, expected a name, a function (t, prediction) -> number, a scorer of scikit-learn, "
        "('top_k_accuracy', 3) or ('name', function)"
    )


def _function(name: str, function: Callable[..., Any]) -> Metric:
    if _is_scorer(function):
        return _scorer(name, function)

    def measure(net: MLP, answers: Answers) -> Any:
        return function(answers.truth, answers.prediction)

    return Metric(name, partial(OfAll, name, measure), _direction_of(name))


def _direction_of(name: str) -> str | None:
    return next((direction for ending, direction in _ENDINGS.items() if name.endswith(ending)), None)


def _name_of(function: Any) -> str:
    if isinstance(function, partial):
        return _name_of(function.func)
    own = getattr(function, "_score_func", None)  # of a scorer made by scikit-learn
    return getattr(function if own is None else own, "__name__", type(function).__name__)


def _is_scorer(function: Callable[..., Any]) -> bool:
    """Whether it is called as scikit-learn's scorers are: with an estimator first, of that name."""
    try:
        parameters = list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return False
    return parameters[:1] == ["estimator"]


def _named_scorer(argument: str, name: str) -> Metric:
    from fastnn.training import scorers

    return _scorer(name, scorers.by_name(argument, name))


def _scorer(name: str, scorer: Callable[..., Any]) -> Metric:
    def measure(net: MLP, answers: Answers) -> Any:
        from fastnn.training import scorers

        return scorers.score(scorer, net, answers)

    # Of every scorer the greater is better.
    return Metric(name, partial(OfAll, name, measure), "max")
