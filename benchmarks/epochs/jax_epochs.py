"""JAX: a whole epoch as one jitted function, `lax.scan` over the steps, the state's buffers donated."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from benchmarks.epochs.base import EpochPeer
from benchmarks.epochs.cases import EpochCase
from benchmarks.peers.jax_jit import initial_state, train_step


def _rows(array: jax.Array, indices: jax.Array) -> jax.Array:
    return array.at[indices].get(mode="promise_in_bounds")


def _gathering(state: Any, x: jax.Array, t: jax.Array, order: jax.Array, *, step: Any, batch_size: int) -> Any:
    """Each step gathers its own rows."""

    def on(state: Any, indices: jax.Array) -> Any:
        return step(state, _rows(x, indices), _rows(t, indices))

    full = len(order) // batch_size * batch_size
    state, losses = jax.lax.scan(on, state, order[:full].reshape(-1, batch_size))
    total = batch_size * jnp.sum(losses)
    if rest := len(order) - full:
        state, loss = on(state, order[full:])
        total += rest * loss
    return state, total / len(order)


def _shuffling(state: Any, x: jax.Array, t: jax.Array, order: jax.Array, *, step: Any, batch_size: int) -> Any:
    """All rows are laid in the order, then each step takes the next ones."""
    x, t = _rows(x, order), _rows(t, order)
    full = len(order) // batch_size * batch_size
    batches = (a[:full].reshape(-1, batch_size, *a.shape[1:]) for a in (x, t))
    state, losses = jax.lax.scan(lambda state, batch: step(state, *batch), state, tuple(batches))
    total = batch_size * jnp.sum(losses)
    if rest := len(order) - full:
        state, loss = step(state, x[full:], t[full:])
        total += rest * loss
    return state, total / len(order)


class JaxEpochs(EpochPeer):
    """Any model."""

    _form = staticmethod(_gathering)

    def __init__(self, case: EpochCase, weights: list[NDArray], x: NDArray, t: NDArray) -> None:
        jax.config.update("jax_enable_x64", case.dtype == "float64")
        self._x, self._t = jnp.asarray(x), jnp.asarray(case.model.targets(t.astype(np.int32), case.dtype))
        self._state = initial_state(case.model, weights)
        step = partial(train_step, model=case.model)
        self._epoch = jax.jit(partial(self._form, step=step, batch_size=case.batch_size), donate_argnums=0)
        self._rng = np.random.default_rng(0)

    def epoch(self, order: NDArray | None) -> jax.Array:
        if order is None:
            order = self._rng.permutation(len(self._x))
        self._state, loss = self._epoch(self._state, self._x, self._t, order.astype(np.int32))
        return loss

    def synchronise(self, value: jax.Array) -> None:
        jax.block_until_ready((self._state, value))

    def weights(self) -> list[NDArray]:
        return [np.array(w) for w in self._state["params"]]


class JaxShuffledEpochs(JaxEpochs):
    _form = staticmethod(_shuffling)
