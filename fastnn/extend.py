"""What an activation, a loss or an optimizer of your own is made of: all of it can be imported from here.

- `activation`, `elementwise_loss`, `loss`, `Optimizer`, `update_rule`, `Hyper` declare.
- `exp`, `expm1`, `log`, `log1p`, `tanh`, `sigmoid`, `erf` are for numbers, in scalar functions: unlike those of `math`
  and NumPy they vectorise, and stay in the precision of their argument.
- `like(x, 1)` is 1 in the precision of x: beside a float32, a plain 1 or 0.5 makes an expression float64, which is
  right but slower. `scalar` decorates a function that such functions call.
- `absolute`, `maximum`, `sign`, `square_root`, `square_root_times`, `where_greater` are for the vectors that the
  functions of an optimizer compute with, beside +, -, * and /.
- `finite`, `flag`, `fraction`, `fraction_or_one`, `learning_rate`, `not_negative`, `positive`, `step_number` check
  numbers that users choose.

See docs/extending.md for whole examples.
"""

from __future__ import annotations

from fastnn.activations import activation
from fastnn.intrinsics import absolute, like, maximum, sign, square_root, square_root_times, where_greater
from fastnn.jit import scalar
from fastnn.kernels.vecmath import erf, exp, expm1, log, log1p, sigmoid, tanh
from fastnn.losses import elementwise_loss, loss
from fastnn.ops.arguments import finite, flag, fraction, fraction_or_one, not_negative, positive, step_number
from fastnn.optimizers import Hyper, Optimizer, learning_rate, update_rule

__all__ = [
    "Hyper",
    "Optimizer",
    "absolute",
    "activation",
    "elementwise_loss",
    "erf",
    "exp",
    "expm1",
    "finite",
    "flag",
    "fraction",
    "fraction_or_one",
    "learning_rate",
    "like",
    "log",
    "log1p",
    "loss",
    "maximum",
    "not_negative",
    "positive",
    "scalar",
    "sigmoid",
    "sign",
    "square_root",
    "square_root_times",
    "step_number",
    "tanh",
    "update_rule",
    "where_greater",
]
