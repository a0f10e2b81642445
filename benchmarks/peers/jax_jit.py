"""JAX: one jitted function from parameters, optimizer state and batch to the same after a step, buffers donated."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from benchmarks.cases import Case, Model
from benchmarks.peers.base import Batch, Peer, own
from benchmarks.peers.jax_updates import COUNTING, PRODUCTS, UPDATES

_ACTIVATIONS: dict[str, Callable[[jax.Array], jax.Array]] = {
    "identity": lambda x: x,
    "sigmoid": jax.nn.sigmoid,
    "hard_sigmoid": jax.nn.hard_sigmoid,
    "tanh": jnp.tanh,
    "relu": jax.nn.relu,
    "relu6": jax.nn.relu6,
    "leaky_relu": jax.nn.leaky_relu,
    "elu": jax.nn.elu,
    "selu": jax.nn.selu,
    "celu": jax.nn.celu,
    "gelu": partial(jax.nn.gelu, approximate=False),
    "gelu_tanh": jax.nn.gelu,
    "silu": jax.nn.silu,
    "hard_swish": jax.nn.hard_swish,
    "softplus": jax.nn.softplus,
    "softsign": jax.nn.soft_sign,
    "exponential": jnp.exp,
    "mish": jax.nn.mish,
}


def _cross_entropy(z: jax.Array, t: jax.Array, smoothing: float) -> jax.Array:
    lp = jax.nn.log_softmax(z)
    own_class = jnp.mean(jnp.take_along_axis(lp, t[:, None], axis=1))
    return -own_class if not smoothing else -(1 - smoothing) * own_class - smoothing * jnp.mean(lp)


def _sigmoid_cross_entropy(z: jax.Array, t: jax.Array, smoothing: float) -> jax.Array:
    return -jnp.mean(t * jax.nn.log_sigmoid(z) + (1 - t) * jax.nn.log_sigmoid(-z))


def _kl_divergence(z: jax.Array, t: jax.Array, smoothing: float) -> jax.Array:
    return jnp.sum(jax.scipy.special.xlogy(t, t) - t * jax.nn.log_softmax(z)) / len(z)


def _huber(y: jax.Array, t: jax.Array, smoothing: float) -> jax.Array:
    size = jnp.abs(y - t)
    return jnp.mean(jnp.where(size <= 1, 0.5 * size * size, size - 0.5))


_LOSSES: dict[str, Callable[..., jax.Array]] = {
    "softmax_cross_entropy": _cross_entropy,
    "sigmoid_cross_entropy": _sigmoid_cross_entropy,
    "kl_divergence": _kl_divergence,
    "hinge": lambda z, t, _: jnp.mean(jnp.maximum(0, 1 - t * z)),
    "squared_hinge": lambda z, t, _: jnp.mean(jnp.maximum(0, 1 - t * z) ** 2),
    "poisson": lambda z, t, _: jnp.mean(jnp.exp(z) - t * z),
    "mean_squared_error": lambda y, t, _: jnp.mean((y - t) ** 2),
    "half_squared_error": lambda y, t, _: 0.5 * jnp.mean((y - t) ** 2),
    "mean_absolute_error": lambda y, t, _: jnp.mean(jnp.abs(y - t)),
    "root_mean_squared_error": lambda y, t, _: jnp.sqrt(jnp.mean((y - t) ** 2)),
    "huber": _huber,
    "log_cosh": lambda y, t, _: jnp.mean(jnp.logaddexp(y - t, t - y)) - jnp.log(2),
}


def _loss(params: list[jax.Array], x: jax.Array, t: jax.Array, key: jax.Array | None, model: Model) -> jax.Array:
    activate = _ACTIVATIONS[model.activation]
    for layer in range(0, len(params) - 2, 2):
        x = activate(x @ params[layer] + params[layer + 1])
        if key is not None:
            kept = jax.random.bernoulli(jax.random.fold_in(key, layer), 1 - model.dropout, x.shape)
            x = jnp.where(kept, x / (1 - model.dropout), 0)
    return _LOSSES[model.loss](x @ params[-2] + params[-1], t, model.label_smoothing)


def _clipped(grads: Any, most: float) -> Any:
    norm = jnp.sqrt(sum(jnp.sum(g * g) for g in grads))
    factor = jnp.minimum(1, most / (norm + 1e-6))
    return [g * factor for g in grads]


def initial_state(model: Model, weights: list[NDArray]) -> dict[str, Any]:
    """What a step of the model needs and no more, for every array in it costs time; Unavailable if it has no step."""
    own(_ACTIVATIONS, "activation", model.activation)
    own(_LOSSES, "loss", model.loss)
    count, _ = own(UPDATES, "optimizer", model.optimizer)
    params = [jnp.array(w) for w in weights]
    state: dict[str, Any] = {
        "params": params,
        "moments": [tuple(jnp.zeros_like(w) for _ in range(count)) for w in params],
    }
    if model.optimizer in COUNTING:
        state["steps"] = jnp.zeros((), params[0].dtype)
    if model.optimizer in PRODUCTS:
        state["product"] = jnp.ones((), params[0].dtype)
    if model.dropout:
        state["key"] = jax.random.key(0)
    return state


def train_step(state: Any, x: jax.Array, t: jax.Array, *, model: Model) -> tuple[Any, jax.Array]:
    """The state after a step on x and t, and the loss before it."""
    params, moments, counted = state["params"], state["moments"], {}
    if "steps" in state:
        counted["steps"] = state["steps"] + 1
    if "product" in state:
        counted["product"] = state["product"] * PRODUCTS[model.optimizer](counted["steps"])
    own_key = None
    if "key" in state:
        counted["key"], own_key = jax.random.split(state["key"])
    loss, grads = jax.value_and_grad(_loss)(params, x, t, own_key, model)
    if model.clip_norm:
        grads = _clipped(grads, model.clip_norm)
    update, numbers = UPDATES[model.optimizer][1], (counted.get("steps"), counted.get("product"), model.lr)
    done = [update(w, g, m, *numbers) for w, g, m in zip(params, grads, moments, strict=True)]
    return {"params": [w for w, _ in done], "moments": [m for _, m in done], **counted}, loss


@lru_cache
def _compiled_step(model: Model) -> Any:
    """One function object per model, so that a second instance of a case finds the first one's compilation."""
    return jax.jit(partial(train_step, model=model), donate_argnums=0)


class JaxJit(Peer):
    """Any depth. float64 is switched on for float64 cases alone, as its users would."""

    @classmethod
    def prepare(cls, case: Case, batches: list[Batch]) -> list[Any]:
        jax.config.update("jax_enable_x64", case.dtype == "float64")
        targets = [case.model.targets(t.astype(np.int32), case.dtype) for _, t in batches]
        return [(jnp.asarray(x), jnp.asarray(t)) for (x, _), t in zip(batches, targets, strict=True)]

    def __init__(self, case: Case, weights: list[NDArray], inputs: list[Any]) -> None:
        self._inputs, self._initial, self._model = inputs, weights, case.model
        self._step = _compiled_step(case.model)
        self.restart()

    def restart(self) -> None:
        self._state = initial_state(self._model, self._initial)

    def step(self, k: int) -> jax.Array:
        x, t = self._inputs[k % len(self._inputs)]
        self._state, loss = self._step(self._state, x, t)
        return loss

    def synchronise(self, value: jax.Array) -> None:
        jax.block_until_ready((self._state, value))

    def weights(self) -> list[NDArray]:
        # Copies: the buffers are donated to the next step.
        return [np.array(w) for w in self._state["params"]]
