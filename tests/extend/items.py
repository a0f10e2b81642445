"""An activation, a loss and an optimizer as a user writes them, which share their kernels."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import fastnn
from fastnn import extend
from fastnn.activations import Activation
from fastnn.losses import Loss
from fastnn.ops import DECLARED
from fastnn.optimizers import RULES

REGISTRIES = Activation.by_name, Loss.by_name, RULES, DECLARED


def bent(x, slope):
    return x if x > 0 else slope * x


def bent_backward(dy, x, y, slope):
    return dy if x > 0 else slope * dy


def power(y, t):
    return abs(y - t) ** 1.5


def power_slope(y, t):
    return 1.5 * math.sqrt(abs(y - t)) * np.sign(y - t)


def heavy_ball(g, v, lr, momentum):
    v = momentum * v + g
    return v, lr * v


def optimizer_of(name: str = "HeavyBallOfATest", **parts: Any) -> type[fastnn.Optimizer]:
    own = {
        "lr": extend.Hyper(0.1, extend.learning_rate),
        "momentum": extend.Hyper(0.9, extend.fraction),
        "weight_decay": extend.Hyper(0.0, extend.not_negative),
        "moments": ("v",),
        "update": staticmethod(heavy_ball),
        "__module__": __name__,
    }
    return type(name, (fastnn.Optimizer,), own | parts)
