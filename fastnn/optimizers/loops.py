"""Loops over an update rule, generated from its function of vectors: the update of the step with its masked end, the
rank-one update, and the array kernel.

A rule is a function of vectors, `rule(g, moments, c)`: the gradient, a tuple of moments and a tuple of constants. It
returns the new moments, and the numerator and denominator of what is subtracted from the weights; the denominator is
None if there is no division. Weight decay is not its concern: either the gradient takes it in before, or weights shrink
by a fraction apart from the gradient ("decoupled").
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numba.core import types
from numba.core.dispatcher import Dispatcher
from numba.extending import intrinsic

from fastnn.intrinsics import (
    broadcast,
    broadcast_each,
    element,
    evenly_spaced,
    flush_subnormals,
    lanes_of,
    like,
    load,
    load_each,
    masked_load,
    masked_load_each,
    masked_store,
    masked_store_each,
    offset,
    pointer,
    read_each,
    restore_subnormals,
    stack_alloc,
    store,
    store_each,
    write_each,
)
from fastnn.intrinsics.vector import Vector
from fastnn.jit import force_inline, inner_kernel, kernel, named, overload_by_type

# The constants of every rule begin with the weight decay: g' = g + decay w. If it is decoupled, that is the fraction by
# which weights shrink: w ← (1 - decay) w - quotient.
DECAY = 0
FIRST_CONSTANT = 1

# The most constants, and the most hyper-parameters, of a rule; both include the weight decay.
MOST_NUMBERS = 16

_alloc_numbers = stack_alloc(MOST_NUMBERS)


def _quotient(numerator, denominator):
    raise TypeError("for nopython code")


def _choose_quotient(numerator, denominator):
    if isinstance(denominator, types.NoneType):
        return lambda numerator, denominator: numerator
    return lambda numerator, denominator: numerator / denominator


overload_by_type(_quotient, _choose_quotient)


def _only(fits: Callable[[types.Type], bool]) -> Callable:
    """A function that returns its argument, and is not compiled for other types than those that fit.

    An intrinsic, because Numba takes a tenth of a second for a few small functions.
    """

    @intrinsic
    def same(typing_context, value):
        kind = types.unliteral(value)
        return (kind(kind), lambda context, builder, signature, arguments: arguments[0]) if fits(kind) else None

    return same


def _of_length(count: int) -> Callable:
    """Tuples of so many: what is behind would be cut off unseen."""
    return _only(lambda kind: isinstance(kind, types.BaseTuple) and len(kind) == count)


def _of_a_rule(divides: bool) -> Callable:
    """What a rule returns. Numba itself lets a denominator be None in one turn of a loop and a vector in another."""
    last = Vector if divides else types.NoneType
    return _only(lambda kind: isinstance(kind, types.BaseTuple) and len(kind) == 3 and isinstance(kind[2], last))


@force_inline
def _with_denominator(vector):
    return vector, vector


@force_inline
def _without_denominator(vector):
    return vector, None


def _loops(rule: Callable, divides: bool, decoupled: bool, n_constants: int) -> tuple[Callable, Callable]:
    """Two functions on addresses. `update` is that of `size` weights by the gradient g. `rank_one_update` is that of
    `rows` rows of `width` weights, full vectors, by the gradient factors[row] d[:width]."""
    constants_of = broadcast_each(FIRST_CONSTANT, n_constants)
    # What the loops carry has its types before the first turn, which does not use it.
    placeholder = _with_denominator if divides else _without_denominator
    returned = _of_a_rule(divides)

    # Software-pipelined: the division for one vector is made while the denominator of the next is computed.
    # Out-of-order execution alone does not hide its latency if two threads share the registers of a core.
    @force_inline
    def update(w, g, moments, size, constants):
        lanes, decays = lanes_of(w), not decoupled and constants[DECAY] != 0
        decay, c = broadcast(like(w[0], constants[DECAY])), constants_of(constants, w)
        kept = broadcast(like(w[0], 1 - constants[DECAY]))
        full = size // lanes * lanes
        numerator, denominator = placeholder(decay)
        for k in range(0, full + lanes, lanes):
            numerator_before, denominator_before = numerator, denominator
            if k < full:
                gradient = load(offset(g, k))
                if decays:
                    gradient = gradient + decay * load(offset(w, k))
                new, numerator, denominator = returned(rule(gradient, load_each(moments, k), c))
                store_each(new, moments, k)
            if k > 0:
                address, quotient = offset(w, k - lanes), _quotient(numerator_before, denominator_before)
                # One of both is left when the loop is compiled.
                store(kept * load(address) - quotient if decoupled else load(address) - quotient, address)
        rest = size - full
        if rest > 0:
            address = offset(w, full)
            weights, gradient = masked_load(address, rest), masked_load(offset(g, full), rest)
            if decays:
                gradient = gradient + decay * weights
            new, numerator, denominator = returned(rule(gradient, masked_load_each(moments, full, rest), c))
            masked_store_each(new, moments, full, rest)
            quotient = _quotient(numerator, denominator)
            masked_store(kept * weights - quotient if decoupled else weights - quotient, address, rest)

    # A row of w at a time, for its gradient's factor is loaded once. Not pipelined: the moments come from the
    # second-level cache or beyond, and the fewer instructions a vector takes, the more of them are under way.
    @force_inline
    def rank_one_update(w, factors, rows, d, width, moments, constants):
        lanes, decays = lanes_of(w), not decoupled and constants[DECAY] != 0
        decay, c = broadcast(like(w[0], constants[DECAY])), constants_of(constants, w)
        kept = broadcast(like(w[0], 1 - constants[DECAY]))
        for row in range(rows):
            factor = broadcast(factors[row])
            for column in range(0, width, lanes):
                k = row * width + column
                address, gradient = offset(w, k), factor * load(offset(d, column))
                weights = load(address)
                if decays:
                    gradient = gradient + decay * weights
                new, numerator, denominator = returned(rule(gradient, load_each(moments, k), c))
                store_each(new, moments, k)
                quotient = _quotient(numerator, denominator)
                # One of both is left when the loop is compiled.
                store(kept * weights - quotient if decoupled else weights - quotient, address)

    return update, rank_one_update


def step_kernels(
    name: str,
    rule: Callable,
    divides: bool,
    decoupled: bool,
    constants: Callable,
    n_moments: int,
    n_hyper: int,
    n_constants: int,
) -> tuple[Dispatcher, Dispatcher, Dispatcher]:
    """The kernels of the training step (`step/plan.py`): update, rank_one_update and compute_constants."""
    update, rank_one_update = _loops(rule, divides, decoupled, n_constants)
    moments_from, hyper_at = evenly_spaced(n_moments), read_each(n_hyper)
    all_constants = _of_length(FIRST_CONSTANT + n_constants)

    def step_update(w, g, moments, stride, size, constants):
        update(w, g, moments_from(moments, stride), size, constants)

    def step_rank_one_update(w, factors, rows, d, width, moments, stride, constants):
        rank_one_update(w, factors, rows, d, width, moments_from(moments, stride), constants)

    def compute_constants(hyper, step, computed):
        write_each(all_constants(constants(step, hyper_at(hyper))), computed)

    return (
        inner_kernel(named(f"{name}_step", step_update)),
        inner_kernel(named(f"{name}_step_rank_one", step_rank_one_update)),
        inner_kernel(named(f"{name}_step_constants", compute_constants)),
    )


def array_kernel(
    name: str,
    rule: Callable,
    divides: bool,
    decoupled: bool,
    constants: Callable,
    moments: Sequence[str],
    numbers: Sequence[str],
    n_constants: int,
) -> Dispatcher:
    """The kernel (w, g, *moments, *numbers) on arrays of one dimension. The numbers are the hyper-parameters, after the
    number of the step if `numbers` begins with it."""
    update, _ = _loops(rule, divides, decoupled, n_constants)
    all_constants = _of_length(FIRST_CONSTANT + n_constants)

    @force_inline
    def update_arrays(w, g, moments, step, hyper):
        numbers = _alloc_numbers(pointer(0, np.float64(0)))
        write_each(all_constants(constants(step, hyper)), numbers)
        update(element(w, 0), element(g, 0), moments, w.size, numbers)

    step = "step" if "step" in numbers else "1"
    hyper = "".join(f"np.float64({number}), " for number in numbers if number != "step")
    addresses = "".join(f"element({moment}, 0), " for moment in moments)
    call = f"update_arrays(w, g, ({addresses}), {step}, ({hyper}))"
    # A moment whose gradient stays zero decays into subnormal numbers.
    body = f"before = flush_subnormals(); {call}; restore_subnormals(before)" if moments else call
    names = {
        "np": np,
        "element": element,
        "update_arrays": update_arrays,
        "flush_subnormals": flush_subnormals,
        "restore_subnormals": restore_subnormals,
    }
    source = f"def {name}({', '.join(['w', 'g', *moments, *numbers])}): {body}"
    exec(compile(source, f"<{name} of {__name__}>", "exec"), names)
    function = names[name]
    function.__module__ = __name__
    return kernel(named(name, function))
