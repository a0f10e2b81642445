"""The arguments of `MLP.fit` and `MLP.evaluate`, checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from fastnn import scalar_checks
from fastnn.ops import checks
from fastnn.optimizers import Adam, Optimizer
from fastnn.training.batches import Batches
from fastnn.training.callbacks import Callback
from fastnn.training.fit import Plan
from fastnn.training.holdout import hold_out
from fastnn.training.metrics import chosen_metrics
from fastnn.training.sources import source_of

if TYPE_CHECKING:
    from fastnn.mlp import MLP

Source = Callable[[], Any]

# The batch size where the batches are made elsewhere.
_NOT_USED = 1


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
    batches = t is None
    if batches:
        _refuse_beside_batches(sample_weight=sample_weight, validation_split=split or None)
        next_source, rows, size = _of_batches(net, "x", x, steps_per_epoch), None, _NOT_USED
        if measured and (on_training_data or validation_data is None):
            raise ValueError("metrics: got batches as x, which are not measured; give validation_data for metrics")
        validation = None
    else:
        if steps_per_epoch is not None:
            raise ValueError(f"steps_per_epoch: got {steps_per_epoch} with t, expected None: it is for batches as x")
        train: Any = source_of(net, x, t, sample_weight)
        held = None
        if train.n == 0:
            raise ValueError("x: got 0 rows, expected at least 1")
        if split:
            key = net._regularization.key if own_seed is None else own_seed
            train, held = hold_out(train, net._targets(t, train.n) if stratified else None, split, key)
        rows = train.n
        next_source, validation = _always(train), None if held is None else _always(held)
        size = rows if batch_size is None else min(rows, scalar_checks.count("batch_size", batch_size))
    if validation_data is not None:
        validation = _validation(net, validation_data)
    return Plan(
        next_source,
        rows,
        validation,
        _optimizer(net, optimizer),
        scalar_checks.count("epochs", epochs, 0),
        size,
        scalar_checks.flag("shuffle", shuffle),
        own_seed,
        measured,
        measured if on_training_data or validation is None else (),
        _callbacks(callbacks),
        scalar_checks.choice("on_nan", on_nan, ("raise", "stop", "ignore")),
    )


def data_of(net: MLP, x: Any, t: Any, sample_weight: Any) -> Any:
    """The source of what a net is evaluated on."""
    if t is not None:
        return source_of(net, x, t, sample_weight)
    _refuse_beside_batches(sample_weight=sample_weight)
    return _of_batches(net, "x", x, None)()


def _optimizer(net: MLP, given: Any) -> Optimizer:
    if given is None:
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


def _always(source: Any) -> Source:
    return lambda: source


def _of_batches(net: MLP, argument: str, given: Any, steps: Any) -> Source:
    count = None if steps is None else scalar_checks.count("steps_per_epoch", steps)
    batches = Batches(argument, given, count)
    return lambda: source_of(net, batches.epoch(), None, None)


def _refuse_beside_batches(**given: Any) -> None:
    for name, value in given.items():
        if value is not None:
            raise ValueError(f"{name}: got it beside batches as x, without t; expected it in the batches, or arrays")


def _validation(net: MLP, given: Any) -> Source:
    if isinstance(given, Iterator):
        raise TypeError("validation_data: got a generator, which ends; expected (x, t), or a function that returns one")
    if not isinstance(given, (tuple, list)):
        return _of_batches(net, "validation_data", given, None)
    if len(given) not in (2, 3):
        raise ValueError(f"validation_data: got {len(given)} parts, expected (x, t) or (x, t, sample_weight)")
    try:
        source = source_of(net, *given)
    except (TypeError, ValueError) as error:
        kind = ValueError if isinstance(error, ValueError) else TypeError
        raise kind(f"validation_data: {error}") from error
    if source.n == 0:
        raise ValueError("validation_data: got 0 rows, expected at least 1")
    return _always(source)
