"""Optimizers in JAX, of one array at a time, as `torch.optim` defines them (Lion as its paper does).

Each entry is the number of moments and a function of the weights, the gradient, the tuple of moments, the number of the
step (from 1), the state's one number that is a product over the steps, and the learning rate. It returns the new
weights and moments; `PRODUCTS` has the factors of that number.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

_BETA1, _BETA2, _EPS = 0.9, 0.999, 1e-8


def _moments(g: Any, m: Any, v: Any) -> tuple[Any, Any]:
    return _BETA1 * m + (1 - _BETA1) * g, _BETA2 * v + (1 - _BETA2) * g * g


def _sgd(w, g, moments, step, product, lr):
    return w - lr * g, ()


def _momentum(w, g, moments, step, product, lr):
    buffer = 0.9 * moments[0] + g
    return w - lr * buffer, (buffer,)


def _nesterov(w, g, moments, step, product, lr):
    buffer = 0.9 * moments[0] + g
    return w - lr * (g + 0.9 * buffer), (buffer,)


def _adagrad(w, g, moments, step, product, lr):
    total = moments[0] + g * g
    return w - lr * g / (jnp.sqrt(total) + 1e-10), (total,)


def _rmsprop(w, g, moments, step, product, lr):
    v = 0.99 * moments[0] + 0.01 * g * g
    return w - lr * g / (jnp.sqrt(v) + _EPS), (v,)


def _rmsprop_centered(w, g, moments, step, product, lr):
    v, mean, buffer = moments
    v, mean = 0.99 * v + 0.01 * g * g, 0.99 * mean + 0.01 * g
    buffer = 0.9 * buffer + g / (jnp.sqrt(v - mean * mean) + _EPS)
    return w - lr * buffer, (v, mean, buffer)


def _adadelta(w, g, moments, step, product, lr):
    v, u = moments
    v = 0.9 * v + 0.1 * g * g
    delta = jnp.sqrt(u + 1e-6) / jnp.sqrt(v + 1e-6) * g
    return w - lr * delta, (v, 0.9 * u + 0.1 * delta * delta)


def _adam(w, g, moments, step, product, lr):
    m, v = _moments(g, *moments)
    return w - lr * (m / (1 - _BETA1**step)) / (jnp.sqrt(v / (1 - _BETA2**step)) + _EPS), (m, v)


def _amsgrad(w, g, moments, step, product, lr):
    m, v = _moments(g, *moments[:2])
    largest = jnp.maximum(moments[2], v)
    return w - lr * (m / (1 - _BETA1**step)) / (jnp.sqrt(largest / (1 - _BETA2**step)) + _EPS), (m, v, largest)


def _adamw(w, g, moments, step, product, lr):
    return _adam(w * (1 - lr * 0.01), g, moments, step, product, lr)


def _nadam_mu(step):
    return _BETA1 * (1 - 0.5 * 0.96 ** (step * 0.004))


def _nadam(w, g, moments, step, product, lr):
    m, v = _moments(g, *moments)
    root = jnp.sqrt(v / (1 - _BETA2**step)) + _EPS
    of_gradient = (1 - _nadam_mu(step)) / (1 - product)
    of_moment = _nadam_mu(step + 1) / (1 - product * _nadam_mu(step + 1))
    return w - lr * (of_gradient * g + of_moment * m) / root, (m, v)


def _adamax(w, g, moments, step, product, lr):
    m = _BETA1 * moments[0] + (1 - _BETA1) * g
    u = jnp.maximum(_BETA2 * moments[1], jnp.abs(g) + _EPS)
    return w - lr / (1 - _BETA1**step) * m / u, (m, u)


def _radam(w, g, moments, step, product, lr):
    m, v = _moments(g, *moments)
    most = 2 / (1 - _BETA2) - 1
    length = most - 2 * step * _BETA2**step / (1 - _BETA2**step)
    square = (length - 4) * (length - 2) * most / ((most - 4) * (most - 2) * length)
    adaptive = jnp.sqrt(jnp.maximum(square, 0)) * jnp.sqrt(1 - _BETA2**step) / (jnp.sqrt(v) + _EPS)
    return w - lr * m / (1 - _BETA1**step) * jnp.where(length > 5, adaptive, 1), (m, v)


def _lion(w, g, moments, step, product, lr):
    return w - lr * jnp.sign(0.9 * moments[0] + 0.1 * g), (0.99 * moments[0] + 0.01 * g,)


UPDATES: dict[str, tuple[int, Callable[..., Any]]] = {
    "sgd": (0, _sgd),
    "momentum": (1, _momentum),
    "nesterov": (1, _nesterov),
    "adagrad": (1, _adagrad),
    "rmsprop": (1, _rmsprop),
    "rmsprop_centered": (3, _rmsprop_centered),
    "adadelta": (2, _adadelta),
    "adam": (2, _adam),
    "amsgrad": (3, _amsgrad),
    "adamw": (2, _adamw),
    "nadam": (2, _nadam),
    "adamax": (2, _adamax),
    "radam": (2, _radam),
    "lion": (1, _lion),
}

# Those whose update depends on the number of the step.
COUNTING = {"adam", "amsgrad", "adamw", "nadam", "adamax", "radam"}

PRODUCTS: dict[str, Callable[[Any], Any]] = {"nadam": _nadam_mu}
