"""Optimizer updates in place, in one pass over arrays of one dimension, as `torch.optim` defines them.

Where there are moments, subnormal numbers count as zeros: a moment whose gradient stays zero decays into them.
"""

from __future__ import annotations

import numpy as np

from fastnn.kernels.jit import inlined, kernel
from fastnn.kernels.simd import (
    address,
    everywhere,
    flush_subnormals,
    lanes,
    load,
    load_part,
    prefer_full_vectors,
    restore_subnormals,
    square_root,
    store,
    store_part,
)

# How a training step names an optimizer.
SGD, ADAM = 0, 1


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
    before = flush_subnormals()
    for k in range(w.size):
        gradient = g[k] + decay * w[k]
        velocity[k] = keep * velocity[k] + gradient
        w[k] -= rate * (of_gradient * gradient + of_velocity * velocity[k])
    restore_subnormals(before)


@inlined
def _adam_vector(w, g, m, v, keep1, take1, keep2, take2, rate, of_root, small, decay):
    """One vector of w, m and v after the update."""
    gradient = g + decay * w
    m = keep1 * m + take1 * gradient
    v = keep2 * v + take2 * (gradient * gradient)
    return w - rate * m / (square_root(v) * of_root + small), m, v


@inlined
def _bias_corrections(step, beta1, beta2):
    """What the means m and √v of so many steps are multiplied by: 1 / (1 - β₁ᵗ) and 1 / √(1 - β₂ᵗ)."""
    return 1 / (1 - beta1**step), 1 / np.sqrt(1 - beta2**step)


@kernel
def _adam(w, g, m, v, rate, beta1, beta2, of_root, eps, weight_decay):
    """Adam's update with both bias corrections worked out, the first as part of the rate."""
    real, count = w.dtype.type, lanes(w)
    keep1, keep2 = everywhere(real(beta1)), everywhere(real(beta2))
    take1, take2 = everywhere(real(1 - beta1)), everywhere(real(1 - beta2))
    rate, of_root = everywhere(real(rate)), everywhere(real(of_root))
    small, decay = everywhere(real(eps)), everywhere(real(weight_decay))
    whole = w.size // count * count
    for k in range(0, whole, count):
        at_w, at_m, at_v = address(w, k), address(m, k), address(v, k)
        new_w, new_m, new_v = _adam_vector(
            load(at_w), load(address(g, k)), load(at_m), load(at_v), keep1, take1, keep2, take2, rate, of_root,
            small, decay,
        )  # fmt: skip
        store(new_w, at_w)
        store(new_m, at_m)
        store(new_v, at_v)
    rest = w.size - whole
    if rest > 0:
        at_w, at_m, at_v = address(w, whole), address(m, whole), address(v, whole)
        new_w, new_m, new_v = _adam_vector(
            load_part(at_w, rest), load_part(address(g, whole), rest), load_part(at_m, rest), load_part(at_v, rest),
            keep1, take1, keep2, take2, rate, of_root, small, decay,
        )  # fmt: skip
        store_part(new_w, at_w, rest)
        store_part(new_m, at_m, rest)
        store_part(new_v, at_v, rest)


@kernel
def adam_update(w, g, m, v, step, lr, beta1, beta2, eps, weight_decay):
    """m ← β₁m + (1-β₁)g'; v ← β₂v + (1-β₂)g'²; w ← w - lr m̂ / (√v̂ + eps); g' = g + weight_decay w."""
    of_mean, of_root = _bias_corrections(step, beta1, beta2)
    before = flush_subnormals()
    _adam(w, g, m, v, lr * of_mean, beta1, beta2, of_root, eps, weight_decay)
    restore_subnormals(before)


@kernel
def numbers_of(code, step, hyper):
    """What the update of that optimizer needs of the step and of `hyper`, worked out once for all its blocks: for Adam
    the last arguments of `_adam`, else `hyper` as it is."""
    if code == ADAM:
        of_mean, of_root = _bias_corrections(step, hyper[1], hyper[2])
        return hyper[0] * of_mean, hyper[1], hyper[2], of_root, hyper[3], hyper[4]
    return hyper[0], hyper[1], hyper[2], hyper[3], 0.0, 0.0


@kernel
def update(code, w, g, first, second, numbers):
    """The update of that optimizer, subnormal numbers flushed; `first` and `second` are its moments."""
    if code == SGD and numbers[1] == 0:
        sgd_update(w, g, numbers[0], numbers[3])
    elif code == SGD:
        momentum_update(w, g, first, numbers[0], numbers[1], numbers[2] != 0, numbers[3])
    else:
        _adam(w, g, first, second, *numbers)


@kernel
def is_plain_descent(code, numbers):
    """Whether the update is w ← w - lr g and no more."""
    return code == SGD and numbers[1] == 0 and numbers[3] == 0
