"""Which parts of JAX use AVX-512: `python -m benchmarks.isa.xla` prints it in words.

In a process of its own, since a thread that has used AVX-512 once is seen to hold its state ever after: what XLA
compiles itself is tried before the products, which it leaves to another library.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from benchmarks.isa.vectors import uses_avx512

WORDS = {True: "with AVX-512", False: "without AVX-512", None: "not known"}
PARTS = {"compiled loops": lambda x: jnp.exp(x) * x, "products": lambda x: x @ x}


def said() -> str:
    """For example "compiled loops without AVX-512, products with AVX-512"."""
    x = jnp.ones((256, 256), "float32")
    words = []
    for name, function in PARTS.items():
        compiled = jax.jit(function)
        seen = uses_avx512(lambda compiled=compiled: compiled(x).block_until_ready())
        words.append(f"{name} {WORDS[seen]}")
    return ", ".join(words)


if __name__ == "__main__":
    print(said())
