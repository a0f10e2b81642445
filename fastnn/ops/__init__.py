"""The checked public functions, one declaration each. All the checks, and no loops.

Those of activations, losses and optimizers are declared with them, and found in `DECLARED`.
"""

from fastnn.ops.affine import affine_backward, affine_forward
from fastnn.ops.declaration import PublicFunction
from fastnn.ops.declare import DECLARED
from fastnn.ops.elementary import exp, log
from fastnn.ops.encoding import one_hot
from fastnn.ops.metrics import accuracy
from fastnn.ops.softmax import log_softmax, log_softmax_backward, softmax, softmax_backward

__all__ = [
    "DECLARED",
    "PublicFunction",
    "accuracy",
    "affine_backward",
    "affine_forward",
    "exp",
    "log",
    "log_softmax",
    "log_softmax_backward",
    "one_hot",
    "softmax",
    "softmax_backward",
]
