"""A loop whose sums stay in registers."""

from __future__ import annotations

from collections.abc import Callable

from llvmlite import ir


def loop_over_sums(builder, first, last, step: int, sums: list, body: Callable) -> list:
    """for at in range(first, last, step): sums = body(at, sums); the last of them."""
    before, function, index = builder.block, builder.function, ir.IntType(64)
    test, loop, after = (function.append_basic_block(name) for name in ("test", "loop", "after"))
    builder.branch(test)
    builder.position_at_end(test)
    at = builder.phi(index)
    at.add_incoming(first, before)
    kept = [builder.phi(total.type) for total in sums]
    _incoming(kept, sums, before)
    builder.cbranch(builder.icmp_signed("<", at, last), loop, after)
    builder.position_at_end(loop)
    changed = body(at, list(kept))
    at.add_incoming(builder.add(at, index(step)), builder.block)
    _incoming(kept, changed, builder.block)
    builder.branch(test)
    builder.position_at_end(after)
    return list(kept)


def _incoming(kept: list, values: list, block) -> None:
    for phi, value in zip(kept, values, strict=True):
        phi.add_incoming(value, block)
