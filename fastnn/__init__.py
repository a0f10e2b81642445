"""fastnn: JIT-compiled neural-network kernels for the CPU, each verified against pure NumPy."""

__version__ = "0.1.0"
