"""Optimizer updates in place, in one pass over arrays of one dimension, as `torch.optim` defines them."""

from __future__ import annotations

import numpy as np

from fastnn.kernels.jit import inlined, kernel
from fastnn.kernels.simd import prefer_full_vectors

# How a training step names an update.
SGD, MOMENTUM, ADAM = 0, 1, 2


@inlined
def _flushed(moment, tiny, zero):
    """Zero in place of a subnormal number: a moment whose gradient stays zero decays into them, and every operation
    on one takes a hundred times as long."""
    return zero if abs(moment) < tiny else moment


@kernel
def sgd_update(w, g, lr, weight_decay):
    """w ← w - lr (g + weight_decay w)."""
    prefer_full_vectors()
    rate, decay = w.dtype.type(lr), w.dtype.type(weight_decay)
    for k in range(w.size):
        w[k] -= rate * (g[k] + decay * w[k])


@kernel
def momentum_update(w, g, velocity, lr, momentum, nesterov, weight_decay):
    """v ← momentum v + g'; w ← w - lr v, or w - lr (g' + momentum v) with Nesterov; g' = g + weight_decay w."""
    prefer_full_vectors()
    rate, decay, keep = w.dtype.type(lr), w.dtype.type(weight_decay), w.dtype.type(momentum)
    # The step is v, or g' + momentum v: a sum of both with these weights.
    of_velocity = keep if nesterov else w.dtype.type(1)
    of_gradient = w.dtype.type(1) if nesterov else w.dtype.type(0)
    tiny, zero = w.dtype.type(np.finfo(w.dtype).tiny), w.dtype.type(0)
    for k in range(w.size):
        gradient = g[k] + decay * w[k]
        velocity[k] = _flushed(keep * velocity[k] + gradient, tiny, zero)
        w[k] -= rate * (of_gradient * gradient + of_velocity * velocity[k])


@kernel
def adam_update(w, g, m, v, step, lr, beta1, beta2, eps, weight_decay):
    """m ← β₁m + (1-β₁)g'; v ← β₂v + (1-β₂)g'²; w ← w - lr m̂ / (√v̂ + eps); g' = g + weight_decay w."""
    prefer_full_vectors()
    keep1, keep2 = w.dtype.type(beta1), w.dtype.type(beta2)
    take1, take2 = w.dtype.type(1 - beta1), w.dtype.type(1 - beta2)
    rate = w.dtype.type(lr / (1 - beta1**step))
    correction = w.dtype.type(1 / np.sqrt(1 - beta2**step))
    small, decay = w.dtype.type(eps), w.dtype.type(weight_decay)
    tiny, zero = w.dtype.type(np.finfo(w.dtype).tiny), w.dtype.type(0)
    for k in range(w.size):
        gradient = g[k] + decay * w[k]
        m[k] = _flushed(keep1 * m[k] + take1 * gradient, tiny, zero)
        v[k] = _flushed(keep2 * v[k] + take2 * (gradient * gradient), tiny, zero)
        w[k] -= rate * m[k] / (np.sqrt(v[k]) * correction + small)


@kernel
def update(code, w, g, first, second, step, hyper):
    """The update of that code; `first` and `second` are its moments, `hyper` its numbers, in the optimizer's order."""
    if code == SGD:
        sgd_update(w, g, hyper[0], hyper[3])
    elif code == MOMENTUM:
        momentum_update(w, g, first, hyper[0], hyper[1], hyper[2] != 0, hyper[3])
    else:
        adam_update(w, g, first, second, step, hyper[0], hyper[1], hyper[2], hyper[3], hyper[4])


@kernel
def is_plain_descent(code, hyper):
    """Whether the update is w ← w - lr g and no more."""
    return code == SGD and hyper[3] == 0
