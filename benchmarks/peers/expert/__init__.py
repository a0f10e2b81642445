"""What an expert's Numba code is made of: BLAS with alpha and beta, an exponential that vectorises, fused loops."""
