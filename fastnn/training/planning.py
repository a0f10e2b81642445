"""The arguments of `MLP.fit`, checked."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from fastnn import scalar_checks
from fastnn.ops import checks
from fastnn.optimizers import Adam, Optimizer
from fastnn.training.callbacks import Callback
from fastnn.training.fit import Plan
from fastnn.training.holdout import hold_out
from fastnn.training.inputs import converted_targets
from fastnn.training.metrics import chosen_metrics
from fastnn.training.sources import source_of

if TYPE_CHECKING:
    from fastnn.mlp import MLP


def plan_of(
    net: MLP,
    x: Any,
    t: Any,
    *,
    optimizer: Any,
    epochs: Any,
    batch_size: Any,
    sample_weight: Any,
    validation_data: Any,
    validation_split: Any,
    stratify: Any,
    shuffle: Any,
    seed: Any,
    metrics: Any,
    train_metrics: Any,
    callbacks: Any,
    on_nan: Any,
    steps_per_epoch: Any,
) -> Plan:
    """The plan of a training. Raises ValueError or TypeError naming the argument, before anything is changed."""
    own_seed = None if seed is None else scalar_checks.count("seed", seed, 0)
    split = scalar_checks.number("validation_split", validation_split, 0.0, 1.0)
    stratified = scalar_checks.flag("stratify", stratify)
    if stratified and not split:
        raise ValueError("stratify: got True without a validation_split, expected one, such as validation_split=0.1")
    if split and validation_data is not None:
        raise ValueError(f"validation_split: got {split} beside validation_data, expected one of them")
    measured = chosen_metrics(net, metrics)
    on_training_data = scalar_checks.flag("train_metrics", train_metrics)
    train: Any = source_of(net, x, t, sample_weight, _steps(t, steps_per_epoch))
    validation: Any = None
    if train.n is None:
        if split:
            raise ValueError(f"validation_split: got {split} of batches, expected validation_data")
        if measured and (on_training_data or validation_data is None):
            raise ValueError("metrics: got batches as x, which are not measured; give validation_data for metrics")
    elif split:
        key = net._regularization.key if own_seed is None else own_seed
        train, validation = hold_out(train, converted_targets(net, t, train.n) if stratified else None, split, key)
    _check_counts(net, train)
    if validation_data is not None:
        validation = _validation(net, validation_data)
    elif validation is not None:
        with _named("validation_split"):
            _check_counts(net, validation)
    size = None if batch_size is None else scalar_checks.count("batch_size", batch_size)
    return Plan(
        train,
        validation,
        _optimizer(net, optimizer),
        scalar_checks.count("epochs", epochs, 0),
        # The size of batches that are made elsewhere is theirs.
        size or train.n or 1,
        scalar_checks.flag("shuffle", shuffle),
        own_seed,
        measured,
        measured if on_training_data or validation is None else (),
        _callbacks(callbacks),
        scalar_checks.choice("on_nan", on_nan, ("raise", "stop", "ignore")),
    )


def _steps(t: Any, given: Any) -> int | None:
    if given is None:
        return None
    if t is not None:
        raise ValueError(f"steps_per_epoch: got {given} with t, expected None: it is for batches as x")
    return scalar_checks.count("steps_per_epoch", given)


def _optimizer(net: MLP, given: Any) -> Optimizer:
    if given is None:
        if net.optimizer is None and net._steps[0] > 0:
            warnings.warn(
                "optimizer: not given, and the net, which was trained before, came without its own, as copies, pickles "
                "and files saved without it do; it trains with fastnn.Adam(). Give one, or copy both: "
                "copy.deepcopy((net, net.optimizer))",
                stacklevel=4,
            )
        return net.optimizer or Adam()
    if not isinstance(given, Optimizer):
        raise TypeError(f"optimizer: got {given!r}, expected one of fastnn's optimizers, such as fastnn.Adam()")
    return given


def _callbacks(given: Any) -> tuple[Callback, ...]:
    found = tuple(checks.sequence("callbacks", given))
    for k, one in enumerate(found):
        if not isinstance(one, Callback):
            advice = "; pass fastnn.callbacks.Lambda(function)" if callable(one) and not isinstance(one, type) else ""
            raise TypeError(f"callbacks[{k}]: got {one!r}, expected a fastnn.callbacks.Callback{advice}")
    return found


def _are_batches(given: Sequence[Any]) -> bool:
    """Whether they are pairs (x, t), or such with weights, and not one of these."""
    return len(given) > 0 and all(
        isinstance(one, (tuple, list)) and len(one) in (2, 3) and hasattr(one[0], "shape") for one in given
    )


def _validation(net: MLP, given: Any) -> Any:
    if isinstance(given, Iterator):
        raise TypeError("validation_data: got a generator, which ends; expected (x, t), or a function that returns one")
    arrays = isinstance(given, (tuple, list)) and not _are_batches(given)
    if arrays and len(given) not in (2, 3):
        raise ValueError(f"validation_data: got {len(given)} parts, expected (x, t) or (x, t, sample_weight)")
    with _named("validation_data"):
        source = source_of(net, *given) if arrays else source_of(net, given)
        _check_counts(net, source)
    return source


def _check_counts(net: MLP, source: Any) -> None:
    """Raises ValueError where no row counts, for the loss would be NaN; batches show when they come."""
    if source.n is None:
        return
    t, weights = source.targets()
    if (weights is None and not net._loss.has_weights) or net._loss.counted(t, weights).any():
        return
    if weights is not None and not weights.any():
        raise ValueError("sample_weight: got only zeros, expected at least one row that counts")
    raise ValueError(
        "t: got no label that counts, expected at least one with a class_weight above 0 that is not the ignore_label, "
        "in a row with a sample_weight above 0"
    )


@contextmanager
def _named(argument: str) -> Iterator[None]:
    """What is refused within is a part of that argument."""
    try:
        yield
    except (TypeError, ValueError) as error:
        kind = ValueError if isinstance(error, ValueError) else TypeError
        raise kind(f"{argument}: {error}") from error
