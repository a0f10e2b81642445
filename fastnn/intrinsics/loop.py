"""A loop whose accumulators stay in registers."""

from __future__ import annotations

from collections.abc import Callable

from llvmlite import ir


def loop_over_sums(builder, first, last, step: int, sums: list, body: Callable) -> list:
    """Emit `for i in range(first, last, step): sums = body(i, sums)`; returns the final sums."""
    before, function, index = builder.block, builder.function, ir.IntType(64)
    test, loop, after = (function.append_basic_block(name) for name in ("test", "loop", "after"))
    builder.branch(test)
    builder.position_at_end(test)
    i = builder.phi(index)
    i.add_incoming(first, before)
    phis = [builder.phi(total.type) for total in sums]
    _add_incoming(phis, sums, before)
    builder.cbranch(builder.icmp_signed("<", i, last), loop, after)
    builder.position_at_end(loop)
    updated = body(i, list(phis))
    i.add_incoming(builder.add(i, index(step)), builder.block)
    _add_incoming(phis, updated, builder.block)
    builder.branch(test)
    builder.position_at_end(after)
    return list(phis)


def _add_incoming(phis: list, values: list, block) -> None:
    for phi, value in zip(phis, values, strict=True):
        phi.add_incoming(value, block)
