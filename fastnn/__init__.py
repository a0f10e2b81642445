"""fastnn: JIT-compiled neural-network kernels for the CPU, each verified against pure NumPy."""

from fastnn import datasets
from fastnn.mlp import MLP
from fastnn.ops import (
    accuracy,
    adam_update,
    affine_backward,
    affine_forward,
    cross_entropy,
    exp,
    log,
    log_softmax,
    log_softmax_backward,
    mean_squared_error,
    momentum_update,
    one_hot,
    relu,
    relu_backward,
    sgd_update,
    sigmoid,
    sigmoid_backward,
    softmax,
    softmax_backward,
    softmax_cross_entropy,
    tanh,
    tanh_backward,
)
from fastnn.optimizers import SGD, Adam
from fastnn.threading import get_num_threads, is_thread_invariant, set_num_threads, set_thread_invariant

__version__ = "0.1.0"

__all__ = [
    "MLP",
    "SGD",
    "Adam",
    "accuracy",
    "adam_update",
    "affine_backward",
    "affine_forward",
    "cross_entropy",
    "datasets",
    "exp",
    "get_num_threads",
    "is_thread_invariant",
    "log",
    "log_softmax",
    "log_softmax_backward",
    "mean_squared_error",
    "momentum_update",
    "one_hot",
    "relu",
    "relu_backward",
    "set_num_threads",
    "set_thread_invariant",
    "sgd_update",
    "sigmoid",
    "sigmoid_backward",
    "softmax",
    "softmax_backward",
    "softmax_cross_entropy",
    "tanh",
    "tanh_backward",
]
