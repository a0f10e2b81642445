"""JAX: many steps in one jitted call, `lax.scan` over the batches, the state's buffers donated."""

from __future__ import annotations

from functools import lru_cache, partial
from typing import Any

import jax
import jax.numpy as jnp

from benchmarks.cases import Case, Model
from benchmarks.peers.base import Batch
from benchmarks.peers.jax_jit import JaxJit, initial_state, train_step


def _train_steps(state: Any, x: jax.Array, t: jax.Array, first: int, *, model: Model, count: int) -> Any:
    """The state after `count` steps round the batches x[k], t[k], and the loss before each (count,)."""

    def on(state: Any, k: jax.Array) -> tuple[Any, jax.Array]:
        batch = (jax.lax.dynamic_index_in_dim(a, k, keepdims=False) for a in (x, t))
        return train_step(state, *batch, model=model)

    return jax.lax.scan(on, state, (first + jnp.arange(count, dtype=jnp.int32)) % len(x))


@lru_cache
def _compiled_steps(model: Model, count: int) -> Any:
    """One function object for each model and number of steps; see `jax_jit`."""
    return jax.jit(partial(_train_steps, model=model, count=count), donate_argnums=0)


class JaxScan(JaxJit):
    """Any depth. The batches lie one after the other in one array, as a user would lay them for a scan."""

    in_one_call = True

    @classmethod
    def prepare(cls, case: Case, batches: list[Batch]) -> list[Any]:
        return [jnp.stack(arrays) for arrays in zip(*super().prepare(case, batches), strict=True)]

    def ready(self, count: int) -> None:
        state = initial_state(self._model, self._initial)
        jax.block_until_ready(_compiled_steps(self._model, count)(state, *self._inputs, 0))

    def step(self, k: int) -> jax.Array:
        return self.steps(k, 1)[0]

    def steps(self, first: int, count: int) -> jax.Array:
        self._state, losses = _compiled_steps(self._model, count)(self._state, *self._inputs, first)
        return losses

    def first_losses(self, count: int) -> list[float]:
        return self.steps(0, count).tolist()
