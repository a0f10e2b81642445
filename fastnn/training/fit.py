"""Train a net epoch by epoch, with all that happens between."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fastnn.optimizers import Optimizer
from fastnn.training import not_finite
from fastnn.training.callbacks import Callback
from fastnn.training.epoch import run_epoch
from fastnn.training.errors import NonFiniteLossError
from fastnn.training.evaluation import evaluate
from fastnn.training.history import Ending, History
from fastnn.training.metrics import Metric
from fastnn.training.progress import Silent
from fastnn.training.run import Training
from fastnn.training.sources import Source, order_of

if TYPE_CHECKING:
    from fastnn.mlp import MLP


@dataclass(frozen=True)
class Plan:
    """What `fit` is to do, all of it checked.

    source, validation : the training data, and the validation data, if there is any. metrics : those of the validation
    data; train_metrics : those of the training data.
    """

    source: Source
    validation: Source | None
    optimizer: Optimizer
    epochs: int
    batch_size: int
    shuffle: bool
    seed: int | None
    metrics: tuple[Metric, ...]
    train_metrics: tuple[Metric, ...]
    callbacks: tuple[Callback, ...]
    on_nan: str

    @property
    def names(self) -> tuple[str, ...]:
        """Of the numbers of each epoch, in order."""
        found = ["loss", *(metric.name for metric in self.train_metrics)]
        if self.validation is not None:
            found += ["val_loss", *(f"val_{metric.name}" for metric in self.metrics)]
        if "lr" in self.optimizer.values:
            found.append("lr")
        return (*found, "seconds")

    @property
    def directions(self) -> dict[str, str | None]:
        """Which of these numbers are better."""
        own = {metric.name: metric.direction for metric in (*self.metrics, *self.train_metrics)}
        return {"loss": "min", "val_loss": "min", **own, **{f"val_{name}": one for name, one in own.items()}}


def fit(net: MLP, plan: Plan, shown: Silent) -> History:
    """Train the net as planned; see `MLP.fit`."""
    before = net.epochs
    training = Training(net, plan.optimizer, before, before + plan.epochs, plan.names, plan.directions)
    history = training.history
    try:
        # What is on the stack is done in any case, and the callbacks' ends first.
        with ExitStack() as ends:
            ends.callback(shown.end)
            try:
                for callback in plan.callbacks:
                    callback.on_train_begin(training)
                    ends.callback(callback.on_train_end, training)
                shown.begin(before + 1, training.last_epoch, plan.source.n)
                history.ended = _epochs(training, plan, shown)
            except KeyboardInterrupt:
                history.ended = "interrupted"
                shown.say(f"interrupted after {len(history)} epochs; the net keeps what it has learned")
    except KeyboardInterrupt:
        # While callbacks came to their end. Who presses Ctrl-C twice wants to get out.
        if history.interrupted:
            raise
        history.ended = "interrupted"
    return history


def _epochs(training: Training, plan: Plan, shown: Silent) -> Ending:
    """The epochs of the training, up to its end, which it returns."""
    net, optimizer = training.net, plan.optimizer
    before = not_finite.spoiled(net, optimizer)
    while training.epoch < training.last_epoch:
        training.epoch += 1
        for callback in plan.callbacks:
            callback.on_epoch_begin(training)
        n = plan.source.n if plan.shuffle else None
        order = None if n is None else order_of(net, n, plan.seed)
        begun = time.perf_counter()
        stops, report = plan.on_nan != "ignore", shown.report
        result = run_epoch(net, plan.source, optimizer, plan.batch_size, order, report=report, stops_at_nan=stops)
        logs = {"loss": result.loss}
        seconds = time.perf_counter() - begun
        if result.finished:
            logs |= _measured(net, plan)
        lr = _last_rate(net, optimizer)
        logs |= {"seconds": seconds} if lr is None else {"lr": lr, "seconds": seconds}
        training.history.add(training.epoch, logs)
        training.logs = logs
        shown.epoch_end(training.epoch, logs)
        if not result.finished:
            training.history.ended = "not finite"
            message = not_finite.explained(net, plan.source, result, training.epoch, lr, before)
            if plan.on_nan == "raise":
                raise NonFiniteLossError(message, training.epoch, result.steps, lr, training.history)
            shown.say(message)
            return "not finite"
        stops = False
        for callback in plan.callbacks:
            stops |= _stops(callback, callback.on_epoch_end(training))
        if stops:
            return "stopped"
    return "finished"


def _measured(net: MLP, plan: Plan) -> dict[str, float]:
    """The metrics after an epoch."""
    found: dict[str, float] = {}
    if plan.train_metrics:
        own = evaluate(net, plan.source, plan.train_metrics)
        found |= {metric.name: own[metric.name] for metric in plan.train_metrics}
    if plan.validation is not None:
        own = evaluate(net, plan.validation, plan.metrics)
        found |= {f"val_{name}": value for name, value in own.items()}
    return found


def _last_rate(net: MLP, optimizer: Optimizer) -> float | None:
    """The learning rate of the last step; None where the optimizer has none."""
    return optimizer.values_at(max(0, optimizer.state(net).steps - 1)).get("lr")


def _stops(callback: Callback, answer: object) -> bool:
    if answer is None or isinstance(answer, (bool, np.bool_)):
        return bool(answer)
    raise TypeError(f"callbacks: got {answer!r} from on_epoch_end of {callback!r}, expected True, False or None")
