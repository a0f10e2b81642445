"""The checked public functions, one declaration each. This folder has all the checks and no loops over elements.

`DECLARED` holds every public function by its name; activations, losses and optimizers declare theirs in their own
folders.
"""

from fastnn.ops.affine import affine_backward, affine_forward
from fastnn.ops.declaration import PublicFunction
from fastnn.ops.declare import ALIASES, DECLARED
from fastnn.ops.elementary import exp, log
from fastnn.ops.encoding import one_hot
from fastnn.ops.metrics import accuracy
from fastnn.ops.softmax import log_softmax, log_softmax_backward, softmax, softmax_backward

__all__ = [
    "ALIASES",
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
