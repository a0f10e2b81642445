"""Learning-rate schedules: functions of the number of steps made before, for `lr` of any optimizer.

`fastnn.Adam(lr=fastnn.schedules.Cosine(1e-3, total_steps=10_000))`; a function of your own does as well, such as
`lr=lambda steps: 1e-3 / (1 + steps) ** 0.5`. Each net is at its own number of steps, 0 at its first. What a schedule
gives must be a finite number of at least 0, and should depend on the number of steps alone: a step may ask twice.

After k calls of its step(), PyTorch's scheduler of a similar name has set the rate that `schedule(k)` is here. So one
for epochs there is one for all their steps here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, SupportsFloat

from fastnn import scalar_checks

# A learning rate, or a schedule of it.
Rate = float | Callable[[int], float]

_ANNEALING = ("cos", "linear")


def _set(schedule: object, **values: Any) -> None:
    """Write fields of an immutable schedule."""
    for name, value in values.items():
        object.__setattr__(schedule, name, value)


def _not_negative(name: str, value: Any) -> float:
    return scalar_checks.number(name, value, 0.0)


@dataclass(frozen=True)
class Constant:
    """The same rate in all steps: lr, at least 0.

    Raises TypeError if lr is no number, ValueError if it is out of range.
    """

    lr: float

    def __post_init__(self) -> None:
        _set(self, lr=_not_negative("lr", self.lr))

    def __call__(self, steps: int) -> float:
        """The rate after so many steps."""
        return self.lr


@dataclass(frozen=True)
class Step:
    """The rate times `gamma` after every `step_size` steps, as `torch.optim.lr_scheduler.StepLR`.

    lr gamma^(k // step_size) after k steps; lr at least 0, step_size at least 1, gamma from 0 to 1.

    Raises TypeError for an argument of another type, ValueError for one out of range, naming it.
    """

    lr: float
    step_size: int
    gamma: float = 0.1

    def __post_init__(self) -> None:
        _set(
            self,
            lr=_not_negative("lr", self.lr),
            step_size=scalar_checks.count("step_size", self.step_size),
            gamma=scalar_checks.fraction_or_one("gamma", self.gamma),
        )

    def __call__(self, steps: int) -> float:
        """The rate after so many steps."""
        return self.lr * self.gamma ** (steps // self.step_size)


@dataclass(frozen=True)
class Exponential:
    """The rate times `gamma` after every step, as `torch.optim.lr_scheduler.ExponentialLR`.

    lr gamma^k after k steps; lr at least 0, gamma from 0 to 1.

    Raises TypeError for an argument that is no number, ValueError for one out of range, naming it.
    """

    lr: float
    gamma: float

    def __post_init__(self) -> None:
        _set(self, lr=_not_negative("lr", self.lr), gamma=scalar_checks.fraction_or_one("gamma", self.gamma))

    def __call__(self, steps: int) -> float:
        """The rate after so many steps."""
        return self.lr * self.gamma**steps


@dataclass(frozen=True)
class Cosine:
    """Half a cosine from `lr` down to `min_lr` in `total_steps` steps, as `torch.optim.lr_scheduler.CosineAnnealingLR`
    with T_max and eta_min (Loshchilov and Hutter, SGDR: stochastic gradient descent with warm restarts, 2017).

    min_lr + (lr - min_lr) (1 + cos(π k / total_steps)) / 2 after k steps, and min_lr from total_steps on, where
    PyTorch's goes up again. total_steps is at least 1, min_lr from 0 to lr.

    Raises TypeError for an argument of another type, ValueError for one out of range, naming it.
    """

    lr: float
    total_steps: int
    min_lr: float = 0.0

    def __post_init__(self) -> None:
        _set(
            self,
            lr=_not_negative("lr", self.lr),
            total_steps=scalar_checks.count("total_steps", self.total_steps),
            min_lr=_not_negative("min_lr", self.min_lr),
        )
        if self.min_lr > self.lr:
            raise ValueError(f"min_lr: got {self.min_lr}, expected at most lr, which is {self.lr}")

    def __call__(self, steps: int) -> float:
        """The rate after so many steps."""
        if steps >= self.total_steps:
            return self.min_lr
        return self.min_lr + (self.lr - self.min_lr) * (1 + math.cos(math.pi * steps / self.total_steps)) / 2


@dataclass(frozen=True)
class OneCycle:
    """Up to `max_lr` and down again in `total_steps` steps, as `torch.optim.lr_scheduler.OneCycleLR` (Smith and Topin,
    Super-convergence, 2018). Of the rate alone: momentum, which PyTorch cycles too unless told otherwise, stays.

    From max_lr / div_factor up to max_lr in the first `pct_start` of the steps, then down to max_lr / div_factor /
    final_div_factor; along half a cosine or, with anneal_strategy "linear", a line. With three_phase down to where it
    began in as many steps as up, and then to the end. From the last step on the rate stays, where PyTorch raises.

    max_lr is at least 0, total_steps at least 1, pct_start from 0 to 1; anneal_strategy "cos" or "linear"; both factors
    are above 0. Raises TypeError where a number or the flag is of another type, ValueError for any other value that is
    none of these, naming the argument.
    """

    max_lr: float
    total_steps: int
    pct_start: float = 0.3
    anneal_strategy: str = "cos"
    div_factor: float = 25.0
    final_div_factor: float = 1e4
    three_phase: bool = False

    def __post_init__(self) -> None:
        _set(
            self,
            max_lr=_not_negative("max_lr", self.max_lr),
            total_steps=scalar_checks.count("total_steps", self.total_steps),
            pct_start=scalar_checks.fraction_or_one("pct_start", self.pct_start),
            anneal_strategy=scalar_checks.choice("anneal_strategy", self.anneal_strategy, _ANNEALING),
            div_factor=scalar_checks.number("div_factor", self.div_factor, 0.0, above=True),
            final_div_factor=scalar_checks.number("final_div_factor", self.final_div_factor, 0.0, above=True),
            three_phase=scalar_checks.flag("three_phase", self.three_phase),
        )

    def __call__(self, steps: int) -> float:
        """The rate after so many steps."""
        first = self.max_lr / self.div_factor
        turn, end = self.pct_start * self.total_steps - 1, float(self.total_steps - 1)
        # The step at the end of each phase, and the rate there.
        phases = [(turn, self.max_lr), (end, first / self.final_div_factor)]
        if self.three_phase:
            phases.insert(1, (2 * turn, first))
        at, before, rate = min(float(steps), end), 0.0, first
        for after, target in phases:
            if at <= after or after == end:
                # A phase of no length is over: PyTorch divides by zero there.
                share = (at - before) / (after - before) if after != before else 1.0
                return self._between(rate, target, share)
            before, rate = after, target
        raise AssertionError("the last phase ends with the last step")

    def _between(self, start: float, end: float, share: float) -> float:
        if self.anneal_strategy == "linear":
            return start + (end - start) * share
        return end + (start - end) / 2 * (math.cos(math.pi * share) + 1)


@dataclass(frozen=True)
class WarmUp:
    """A line up to the first rate of `after`, a number or a schedule, in `steps` steps; from there on `after`.

    after(0) (start_factor + (1 - start_factor) k / steps) for k < steps, then after(k - steps): as
    `torch.optim.lr_scheduler.SequentialLR` of LinearLR and another with the milestone `steps`. steps is at least 1, a
    number `after` at least 0, start_factor from 0 to 1.

    Raises TypeError for an argument of another type, ValueError for one out of range, naming it; when it is asked,
    whatever the schedule `after` raises.
    """

    steps: int
    after: Rate
    start_factor: float = 1 / 3

    def __post_init__(self) -> None:
        after = self.after
        if not callable(after) or isinstance(after, type):
            after = _not_negative("after", after)
        _set(
            self,
            steps=scalar_checks.count("steps", self.steps),
            after=after,
            start_factor=scalar_checks.fraction_or_one("start_factor", self.start_factor),
        )

    def __call__(self, steps: int) -> float:
        """The rate after so many steps."""
        after = self.after
        rate = after(max(steps - self.steps, 0)) if callable(after) else after
        if steps >= self.steps:
            return rate
        return rate * (self.start_factor + (1 - self.start_factor) * steps / self.steps)


@dataclass(slots=True)
class ReduceOnPlateau:
    """The rate times `factor` where a metric no longer gets better, as `torch.optim.lr_scheduler.ReduceLROnPlateau`.

    The rate is `lr` at first. Tell it the metric with `step(metric)`, after each epoch for example. When that was no
    better than the best so far more than `patience` times in a row, the rate is reduced, to no less than `min_lr`, and
    not at all if it would be by no more than `eps`; in the next `cooldown` calls nothing is counted. Better is below
    best (1 - threshold) in mode "min" and above best (1 + threshold) in mode "max"; below best - threshold and above
    best + threshold with threshold_mode "abs". NaN is not better.

    factor is from 0 to less than 1, threshold_mode "rel" or "abs"; all other numbers are at least 0, patience and
    cooldown integers. Raises TypeError where a number is of another type, ValueError for any other value that is none
    of these, naming the argument.

    It remembers: one for each training. Copies and pickles go on where it is; its text is that of a new one.
    """

    lr: float
    mode: str = "min"
    factor: float = 0.1
    patience: int = 10
    threshold: float = 1e-4
    threshold_mode: str = "rel"
    cooldown: int = 0
    min_lr: float = 0.0
    eps: float = 1e-8
    last_lr: float = field(init=False, repr=False)
    best: float = field(init=False, repr=False)
    _bad: int = field(init=False, repr=False, default=0)
    _cooling: int = field(init=False, repr=False, default=0)

    def __post_init__(self) -> None:
        self.lr = self.last_lr = _not_negative("lr", self.lr)
        self.mode = scalar_checks.choice("mode", self.mode, ("min", "max"))
        self.factor = scalar_checks.number("factor", self.factor, 0.0, 1.0)
        self.patience = scalar_checks.count("patience", self.patience, 0)
        self.threshold = _not_negative("threshold", self.threshold)
        self.threshold_mode = scalar_checks.choice("threshold_mode", self.threshold_mode, ("rel", "abs"))
        self.cooldown = scalar_checks.count("cooldown", self.cooldown, 0)
        self.min_lr = _not_negative("min_lr", self.min_lr)
        self.eps = _not_negative("eps", self.eps)
        self.best = math.inf if self.mode == "min" else -math.inf

    def __call__(self, steps: int) -> float:
        """The rate as it is, whatever the number of steps."""
        return self.last_lr

    def step(self, metric: SupportsFloat) -> None:
        """Take note of the metric, and reduce the rate if it is time. Raises TypeError for what is no number."""
        try:
            current = float(metric)
        except (TypeError, ValueError):
            raise TypeError(f"metric: got {metric!r}, expected a number") from None
        if self._is_better(current):
            self.best, self._bad = current, 0
        else:
            self._bad += 1
        if self._cooling > 0:
            self._cooling, self._bad = self._cooling - 1, 0
        if self._bad > self.patience:
            reduced = max(self.last_lr * self.factor, self.min_lr)
            if self.last_lr - reduced > self.eps:
                self.last_lr = reduced
            self._cooling, self._bad = self.cooldown, 0

    def _is_better(self, metric: float) -> bool:
        down = self.mode == "min"
        if self.threshold_mode == "rel":
            bound = self.best * (1 - self.threshold if down else 1 + self.threshold)
        else:
            bound = self.best - self.threshold if down else self.best + self.threshold
        return metric < bound if down else metric > bound


__all__ = [
    "Constant",
    "Cosine",
    "Exponential",
    "OneCycle",
    "Rate",
    "ReduceOnPlateau",
    "Step",
    "WarmUp",
]
