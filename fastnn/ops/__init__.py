"""The checked public functions, one declaration each, mirrored on `fastnn.kernels`. All the checks, and no loops."""

from fastnn.ops.activations import relu, relu_backward, sigmoid, sigmoid_backward, tanh, tanh_backward
from fastnn.ops.affine import affine_backward, affine_forward
from fastnn.ops.declare import DECLARED
from fastnn.ops.elementary import exp, log
from fastnn.ops.encoding import one_hot
from fastnn.ops.losses import cross_entropy, mean_squared_error, softmax_cross_entropy
from fastnn.ops.metrics import accuracy
from fastnn.ops.optimizers import adam_update, momentum_update, sgd_update
from fastnn.ops.softmax import log_softmax, log_softmax_backward, softmax, softmax_backward

__all__ = [
    "DECLARED",
    "accuracy",
    "adam_update",
    "affine_backward",
    "affine_forward",
    "cross_entropy",
    "exp",
    "log",
    "log_softmax",
    "log_softmax_backward",
    "mean_squared_error",
    "momentum_update",
    "one_hot",
    "relu",
    "relu_backward",
    "sgd_update",
    "sigmoid",
    "sigmoid_backward",
    "softmax",
    "softmax_backward",
    "softmax_cross_entropy",
    "tanh",
    "tanh_backward",
]
