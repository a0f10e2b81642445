"""JAX: one jitted function from parameters, optimizer state and batch to the same after a step, buffers donated."""

from __future__ import annotations

from functools import lru_cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from benchmarks.cases import Case
from benchmarks.peers.base import Batch, Peer

_ACTIVATIONS = {"sigmoid": jax.nn.sigmoid, "tanh": jnp.tanh, "relu": jax.nn.relu}


def _loss(params: list[jax.Array], x: jax.Array, t: jax.Array, activation: str) -> jax.Array:
    for layer in range(0, len(params) - 2, 2):
        x = _ACTIVATIONS[activation](x @ params[layer] + params[layer + 1])
    z = x @ params[-2] + params[-1]
    return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(z), t[:, None], axis=1))


def _sgd_step(state: Any, x: jax.Array, t: jax.Array, *, activation: str, lr: float) -> tuple[Any, jax.Array]:
    loss, grads = jax.value_and_grad(_loss)(state, x, t, activation)
    return jax.tree.map(lambda w, g: w - lr * g, state, grads), loss


def _adam_step(state: Any, x: jax.Array, t: jax.Array, *, activation: str, lr: float) -> tuple[Any, jax.Array]:
    params, m, v, steps = state
    loss, grads = jax.value_and_grad(_loss)(params, x, t, activation)
    steps = steps + 1
    correction1, correction2 = 1 - 0.9**steps, 1 - 0.999**steps
    m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, grads)
    v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, grads)
    params = jax.tree.map(lambda w, m, v: w - lr * (m / correction1) / (jnp.sqrt(v / correction2) + 1e-8), params, m, v)
    return (params, m, v, steps), loss


@lru_cache
def _compiled_step(optimizer: str, activation: str, lr: float) -> Any:
    """One function object per model, so that a second instance of a case finds the first one's compilation."""
    step = {"sgd": _sgd_step, "adam": _adam_step}[optimizer]
    return jax.jit(partial(step, activation=activation, lr=lr), donate_argnums=0)


class JaxJit(Peer):
    """Any depth. float64 is switched on for float64 cases alone, as its users would."""

    @classmethod
    def prepare(cls, case: Case, batches: list[Batch]) -> list[Any]:
        jax.config.update("jax_enable_x64", case.dtype == "float64")
        return [(jnp.asarray(x), jnp.asarray(t.astype(np.int32))) for x, t in batches]

    def __init__(self, case: Case, weights: list[NDArray], inputs: list[Any]) -> None:
        self._inputs, self._initial = inputs, weights
        self._adam = {"sgd": False, "adam": True}[case.model.optimizer]
        self._step = _compiled_step(case.model.optimizer, case.model.activation, case.model.lr)
        self.restart()

    def restart(self) -> None:
        params = [jnp.array(w) for w in self._initial]
        m, v = [[jnp.zeros_like(w) for w in params] for _ in range(2)]
        self._state = (params, m, v, jnp.zeros((), params[0].dtype)) if self._adam else params

    def step(self, k: int) -> jax.Array:
        x, t = self._inputs[k % len(self._inputs)]
        self._state, loss = self._step(self._state, x, t)
        return loss

    def synchronise(self, value: jax.Array) -> None:
        jax.block_until_ready((self._state, value))

    def weights(self) -> list[NDArray]:
        # Copies: the buffers are donated to the next step.
        return [np.array(w) for w in (self._state[0] if self._adam else self._state)]
