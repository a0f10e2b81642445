"""What every kernel must equal: pure NumPy, readable first, one module per family, named as in `fastnn.kernels`."""
