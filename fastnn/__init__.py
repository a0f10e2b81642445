"""fastnn: JIT-compiled neural-network kernels for the CPU, each verified against pure NumPy."""

from fastnn import callbacks, datasets, extend, interop, schedules
from fastnn.activations import Activation, activation
from fastnn.gradient_check import GradientCheck, GradientError, check_gradient
from fastnn.losses import Loss, elementwise_loss, loss
from fastnn.mlp import MLP, load
from fastnn.numerical import gradient_descent, numerical_diff, numerical_gradient
from fastnn.ops import ALIASES, DECLARED, PublicFunction
from fastnn.optimizers import (
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    Lion,
    NAdam,
    Optimizer,
    RAdam,
    RMSprop,
)
from fastnn.saving import FileError
from fastnn.threads import get_num_threads, is_thread_invariant, set_num_threads, set_thread_invariant
from fastnn.training.errors import NonFiniteLossError
from fastnn.training.history import History

__version__ = "0.1.0"

# The checked functions of kernels: those of fastnn.ops, and one or two for each activation, loss and update rule.
globals().update(DECLARED)
globals().update({alias: DECLARED[name] for alias, name in ALIASES.items()})


def __getattr__(name: str) -> PublicFunction:
    """For type checkers, which do not see the functions above; and activations and losses declared later."""
    if (declared := ALIASES.get(name, name)) in DECLARED:
        return DECLARED[declared]
    raise AttributeError(f"module 'fastnn' has no attribute {name!r}")


__all__ = [
    "MLP",
    "SGD",
    "Activation",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "FileError",
    "GradientCheck",
    "GradientError",
    "History",
    "Lion",
    "Loss",
    "NAdam",
    "NonFiniteLossError",
    "Optimizer",
    "RAdam",
    "RMSprop",
    "activation",
    "callbacks",
    "check_gradient",
    "datasets",
    "elementwise_loss",
    "extend",
    "get_num_threads",
    "gradient_descent",
    "interop",
    "is_thread_invariant",
    "load",
    "loss",
    "numerical_diff",
    "numerical_gradient",
    "schedules",
    "set_num_threads",
    "set_thread_invariant",
    *DECLARED,
    *ALIASES,
]
