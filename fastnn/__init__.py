"""fastnn: JIT-compiled neural-network kernels for the CPU, each verified against pure NumPy."""

from fastnn import datasets
from fastnn.activations import Activation, activation
from fastnn.losses import Loss, elementwise_loss, loss
from fastnn.mlp import MLP
from fastnn.ops import DECLARED, PublicFunction
from fastnn.optimizers import SGD, Adam, Optimizer
from fastnn.threads import get_num_threads, is_thread_invariant, set_num_threads, set_thread_invariant

__version__ = "0.1.0"

# The checked functions of kernels: those of fastnn.ops, and one or two for each activation, loss and update rule.
globals().update(DECLARED)


def __getattr__(name: str) -> PublicFunction:
    """For type checkers, which do not see the functions above; and activations and losses declared later."""
    if name in DECLARED:
        return DECLARED[name]
    raise AttributeError(f"module 'fastnn' has no attribute {name!r}")


__all__ = [
    "MLP",
    "SGD",
    "Activation",
    "Adam",
    "Loss",
    "Optimizer",
    "activation",
    "datasets",
    "elementwise_loss",
    "get_num_threads",
    "is_thread_invariant",
    "loss",
    "set_num_threads",
    "set_thread_invariant",
    *DECLARED,
]
