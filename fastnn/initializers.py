"""Initial weights: the initializers by their names, and the draws."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Initializer: TypeAlias = Callable[[np.random.Generator, tuple[int, int]], ArrayLike]
"""A function of a generator and the shape (inputs, outputs) of a layer's weights, that returns them."""

# The fan-in of a layer is `inputs`, its fan-out `outputs`. PyTorch's weights have the other order, (outputs, inputs).


def normal(rng: np.random.Generator, shape: tuple[int, int]) -> NDArray:
    """N(0, 0.05²), whatever the shape: Keras' `RandomNormal` with its defaults."""
    return rng.standard_normal(shape) * 0.05


def uniform(rng: np.random.Generator, shape: tuple[int, int]) -> NDArray:
    """Uniform in [-0.05, 0.05), whatever the shape: Keras' `RandomUniform` with its defaults."""
    return rng.uniform(-0.05, 0.05, shape)


def xavier_normal(rng: np.random.Generator, shape: tuple[int, int]) -> NDArray:
    """N(0, 2 / (inputs + outputs)) (Glorot and Bengio, 2010), as `torch.nn.init.xavier_normal_`.

    Keras' `GlorotNormal` has the same deviation, of a normal distribution that is cut off at two of them.
    """
    inputs, outputs = shape
    return rng.standard_normal(shape) * np.sqrt(2 / (inputs + outputs))


def xavier_uniform(rng: np.random.Generator, shape: tuple[int, int]) -> NDArray:
    """Uniform in [-a, a), a = √(6 / (inputs + outputs)) (Glorot and Bengio, 2010), as `torch.nn.init.xavier_uniform_`
    and Keras' `GlorotUniform`: of the variance of `xavier_normal`."""
    inputs, outputs = shape
    return _uniform_within(np.sqrt(6 / (inputs + outputs)), rng, shape)


def he_normal(rng: np.random.Generator, shape: tuple[int, int]) -> NDArray:
    """N(0, 2 / inputs) (He et al., 2015), as `torch.nn.init.kaiming_normal_` with `mode="fan_in"` and the gain √2 of
    ReLU.

    Keras' `HeNormal` has the same deviation, of a normal distribution that is cut off at two of them.
    """
    return rng.standard_normal(shape) * np.sqrt(2 / shape[0])


def he_uniform(rng: np.random.Generator, shape: tuple[int, int]) -> NDArray:
    """Uniform in [-a, a), a = √(6 / inputs) (He et al., 2015), as `torch.nn.init.kaiming_uniform_` with
    `mode="fan_in"` and the gain √2 of ReLU, and Keras' `HeUniform`: of the variance of `he_normal`."""
    return _uniform_within(np.sqrt(6 / shape[0]), rng, shape)


def lecun_normal(rng: np.random.Generator, shape: tuple[int, int]) -> NDArray:
    """N(0, 1 / inputs) (LeCun et al., Efficient BackProp, 1998), as `torch.nn.init.kaiming_normal_` with the gain 1.

    Keras' `LecunNormal` has the same deviation, of a normal distribution that is cut off at two of them.
    """
    return rng.standard_normal(shape) * np.sqrt(1 / shape[0])


def lecun_uniform(rng: np.random.Generator, shape: tuple[int, int]) -> NDArray:
    """Uniform in [-a, a), a = √(3 / inputs) (LeCun et al., Efficient BackProp, 1998), as
    `torch.nn.init.kaiming_uniform_` with the gain 1, and Keras' `LecunUniform`: of the variance of `lecun_normal`."""
    return _uniform_within(np.sqrt(3 / shape[0]), rng, shape)


def orthogonal(rng: np.random.Generator, shape: tuple[int, int]) -> NDArray:
    """A random matrix with orthonormal rows or columns, whichever are fewer (Saxe et al., 2014), as
    `torch.nn.init.orthogonal_`.

    Q of the QR decomposition of a normal matrix, with the signs for which the diagonal of R is positive: so the
    decomposition is unique, and each orthogonal matrix equally likely. It comes from NumPy's LAPACK, which may round it
    differently on another machine.
    """
    q, r = np.linalg.qr(rng.standard_normal((max(shape), min(shape))))
    q = q * np.copysign(1, np.diagonal(r))
    return q if q.shape == shape else q.T


def zeros(rng: np.random.Generator, shape: tuple[int, int]) -> NDArray:
    """All zero. For nets without hidden layers: the units of a hidden layer would get the same gradient, and stay
    alike."""
    return np.zeros(shape)


def _uniform_within(bound: float, rng: np.random.Generator, shape: tuple[int, int]) -> NDArray:
    return rng.uniform(-bound, bound, shape)


INITIALIZERS: dict[str, Initializer] = {
    function.__name__: function
    for function in (
        normal,
        uniform,
        xavier_normal,
        xavier_uniform,
        he_normal,
        he_uniform,
        lecun_normal,
        lecun_uniform,
        orthogonal,
        zeros,
    )
}


def initializer(init: str | float | Initializer) -> Initializer:
    """The initializer of a name, a number or a function.

    A name is one of `INITIALIZERS`; a number is the standard deviation of a normal distribution (the teaching notes use
    0.01); a function of (rng, shape) is the initializer itself.

    Raises ValueError for another name, a number that is negative or not finite, or what is none of them.
    """
    if isinstance(init, str) and init in INITIALIZERS:
        return INITIALIZERS[init]
    if isinstance(init, (int, float, np.integer, np.floating)) and not isinstance(init, bool) and 0 <= init < np.inf:
        deviation = float(init)
        return lambda rng, shape: rng.standard_normal(shape) * deviation
    if callable(init):
        return init
    names = ", ".join(map(repr, INITIALIZERS))
    meant = [name for name in INITIALIZERS if isinstance(init, str) and init and name.startswith(init)]
    hint = f"; do you mean {meant[0]!r}?" if meant else ""
    raise ValueError(
        f"init: got {init!r}, expected one of {names}, a standard deviation of at least 0, or a function "
        f"init(rng, shape){hint}"
    )


def initial_weights(
    sizes: Sequence[int],
    init: str | float | Initializer | list[Initializer],
    seed: int | None,
    dtype: str,
) -> list[NDArray]:
    """[w1, b1, w2, b2, ...]: w (inputs, outputs) drawn by the initializer, b (outputs,) zero.

    init : of all layers, or a list with one for each. Weights are drawn in float64 in this order, so that both
    precisions start from the same numbers. Raises ValueError or TypeError, naming init and the layer, where an
    initializer returns anything but finite real numbers of the shape that it was given.
    """
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0):
        raise ValueError(f"seed: got {seed!r}, expected an integer of at least 0, or None")
    rng, shapes = np.random.default_rng(seed), list(pairwise(sizes))
    draws = init if isinstance(init, list) else [initializer(init)] * len(shapes)
    weights: list[NDArray] = []
    for layer, (shape, draw) in enumerate(zip(shapes, draws, strict=True), start=1):
        weights += [_checked(draw(rng, shape), layer, shape, dtype), np.zeros(shape[1], dtype)]
    return weights


def _checked(drawn: Any, layer: int, shape: tuple[int, int], dtype: str) -> NDArray:
    """What an initializer drew for a layer, in the dtype of the net."""
    if not isinstance(drawn, np.ndarray) or drawn.dtype.kind not in "fiu":
        found = f"dtype {drawn.dtype}" if isinstance(drawn, np.ndarray) else repr(type(drawn).__name__)
        raise TypeError(f"init: got {found} for layer {layer}, expected an array of real numbers")
    if drawn.shape != shape:
        raise ValueError(f"init: got shape {drawn.shape} for layer {layer}, expected {shape}, (inputs, outputs)")
    with np.errstate(over="ignore"):
        w = drawn.astype(dtype)
    if not np.isfinite(w).all():
        wrong = drawn[~np.isfinite(w)][0]
        raise ValueError(f"init: got {wrong} for layer {layer}, expected finite numbers within the range of {dtype}")
    return w
