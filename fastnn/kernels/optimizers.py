"""Optimizer updates in place, in one pass over arrays of one dimension, as `torch.optim` defines them.

Where there are moments, subnormal numbers count as zeros: a moment whose gradient stays zero decays into them.
"""

from __future__ import annotations

import numpy as np

from fastnn.intrinsics import (
    broadcast,
    element,
    flush_subnormals,
    lanes_of,
    load,
    masked_load,
    masked_store,
    offset,
    prefer_full_vectors,
    restore_subnormals,
    square_root_times,
    store,
)
from fastnn.jit import force_inline, kernel

# How a training step names an optimizer.
SGD, ADAM = 0, 1


@force_inline
def _decayed(g, w, decay):
    """g' = g + decay w; but g alone without decay, so that an infinite weight does not spoil it."""
    return g + decay * w if decay != 0 else g


@kernel
def sgd_update(w, g, lr, weight_decay):
    """w ← w - lr (g + weight_decay w)."""
    prefer_full_vectors()
    rate, decay = w.dtype.type(lr), w.dtype.type(weight_decay)
    for k in range(w.size):
        w[k] -= rate * _decayed(g[k], w[k], decay)


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
        gradient = _decayed(g[k], w[k], decay)
        velocity[k] = keep * velocity[k] + gradient
        w[k] -= rate * (of_gradient * gradient + of_velocity * velocity[k])
    restore_subnormals(before)


@force_inline
def _adam_moments(g, m, v, keep1, take1, keep2, take2, of_root, small):
    """One vector of m and v after the update, and what m is divided by, to be taken from w."""
    m = keep1 * m + take1 * g
    v = keep2 * v + take2 * (g * g)
    return m, v, square_root_times(v, of_root) + small


@kernel
def _adam_numbers(step, lr, beta1, beta2, eps, weight_decay):
    """What `_adam` takes of them: w ← w - m / (of_root √v + small).

    m̂ / (√v̂ + eps) is m / (1 - β₁ᵗ) / (√v / √(1 - β₂ᵗ) + eps), whose factors all go below the line.
    """
    rate = lr / (1 - beta1**step)
    return 1 / np.sqrt(1 - beta2**step) / rate, eps / rate, beta1, beta2, weight_decay


@kernel
def _adam(w, g, m, v, factors, width, of_root, small, beta1, beta2, weight_decay):
    """Adam's update with what `_adam_numbers` returns.

    g is an address: of the gradient, as w lies; or, without weight decay, with a `width`, whole vectors, of as many
    elements, which times the r-th of the `factors` are the gradient of the r-th so many elements of w.
    """
    real, count = w.dtype.type, lanes_of(w)
    keep1, keep2 = broadcast(real(beta1)), broadcast(real(beta2))
    take1, take2 = broadcast(real(1 - beta1)), broadcast(real(1 - beta2))
    # A rate next to nothing makes them infinite, which times a moment of zero would be NaN.
    most = 1e38 if w.itemsize == 4 else 1e307
    of_root, small = broadcast(real(min(of_root, most))), broadcast(real(min(small, most)))
    decays, decay = weight_decay != 0, broadcast(real(weight_decay))
    whole = w.size // count * count
    mean = divisor = broadcast(real(1))
    row = column = 0
    for k in range(0, whole + count, count):
        # A vector's division waits for its root: it is done while the next one's moments are computed. Where a core
        # runs two threads, each has too few registers to have as many vectors under way as that takes.
        before, divisor_before = mean, divisor
        if k < whole:
            if width > 0:
                gradient = broadcast(factors[row]) * load(offset(g, column))
                column += count
                if column == width:
                    row, column = row + 1, 0
            elif decays:
                gradient = load(offset(g, k)) + decay * load(element(w, k))
            else:
                gradient = load(offset(g, k))
            at_m, at_v = element(m, k), element(v, k)
            mean, second, divisor = _adam_moments(
                gradient, load(at_m), load(at_v), keep1, take1, keep2, take2, of_root, small
            )
            store(mean, at_m)
            store(second, at_v)
        if k > 0:
            at_w = element(w, k - count)
            store(load(at_w) - before / divisor_before, at_w)
    rest = w.size - whole
    if rest > 0:
        at_w, at_m, at_v = element(w, whole), element(m, whole), element(v, whole)
        weights, gradient = masked_load(at_w, rest), masked_load(offset(g, whole), rest)
        if decays:
            gradient = gradient + decay * weights
        mean, second, divisor = _adam_moments(
            gradient, masked_load(at_m, rest), masked_load(at_v, rest), keep1, take1, keep2, take2, of_root, small
        )
        masked_store(mean, at_m, rest)
        masked_store(second, at_v, rest)
        masked_store(weights - mean / divisor, at_w, rest)


@kernel
def adam_update(w, g, m, v, step, lr, beta1, beta2, eps, weight_decay):
    """m ← β₁m + (1-β₁)g'; v ← β₂v + (1-β₂)g'²; w ← w - lr m̂ / (√v̂ + eps); g' = g + weight_decay w."""
    numbers = _adam_numbers(step, lr, beta1, beta2, eps, weight_decay)
    before = flush_subnormals()
    _adam(w, element(g, 0), m, v, element(g, 0), 0, *numbers)
    restore_subnormals(before)


@kernel
def numbers_of(code, step, hyper):
    """What the update of that optimizer needs of the step and of `hyper`, worked out once for all its blocks: for Adam
    the last arguments of `_adam`, else `hyper` as it is."""
    if code == ADAM:
        return _adam_numbers(step, hyper[0], hyper[1], hyper[2], hyper[3], hyper[4])
    return hyper[0], hyper[1], hyper[2], hyper[3], 0.0


@kernel
def update(code, w, g, first, second, numbers):
    """The update of that optimizer, subnormal numbers flushed; `first` and `second` are its moments."""
    if code == SGD and numbers[1] == 0:
        sgd_update(w, g, numbers[0], numbers[3])
    elif code == SGD:
        momentum_update(w, g, first, numbers[0], numbers[1], numbers[2] != 0, numbers[3])
    else:
        _adam(w, element(g, 0), first, second, element(g, 0), 0, *numbers)


@kernel
def update_by_products(code, w, factors, width, g, room, first, second, numbers):
    """The same by a gradient of products: in the r-th row of w, `width` elements, whole vectors, the r-th of the
    `factors` times g. Both are addresses, and `room` is for as many elements as w has."""
    if code == ADAM and numbers[4] == 0:
        _adam(w, g, first, second, factors, width, *numbers)
        return
    count = lanes_of(w)
    for row in range(w.size // width):
        factor = broadcast(factors[row])
        for c in range(0, width, count):
            store(factor * load(offset(g, c)), element(room, row * width + c))
    update(code, w, room, first, second, numbers)


@kernel
def is_plain_descent(code, numbers):
    """Whether the update is w ← w - lr g and no more."""
    return code == SGD and numbers[1] == 0 and numbers[3] == 0
