"""fastnn: JIT-compiled neural-network kernels for the CPU, each verified against pure NumPy."""

from fastnn.mlp import MLP
from fastnn.optimizers import SGD, Adam

__version__ = "0.1.0"

__all__ = ["MLP", "SGD", "Adam"]
