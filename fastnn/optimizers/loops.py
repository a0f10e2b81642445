"""Loops over an update rule, generated from its function of vectors: the update by a gradient, with its masked end, and
the rank-one update.

A rule is a function of vectors, `rule(g, moments, c)`: the gradient, a tuple of moments and a tuple of constants. It
returns the new moments, and the numerator and denominator of what is subtracted from the weights; the denominator is
None if there is no division. Weight decay is not its concern: either the gradient takes it in before, or weights shrink
by a fraction apart from the gradient ("decoupled").
"""

from __future__ import annotations

from collections.abc import Callable

from numba.core import types
from numba.extending import intrinsic

from fastnn.intrinsics import (
    ESTIMATES_ROOTS,
    broadcast,
    broadcast_each,
    estimating,
    lanes_of,
    like,
    load,
    load_each,
    masked_load,
    masked_load_each,
    masked_store,
    masked_store_each,
    not_estimating,
    offset,
    store,
    store_each,
)
from fastnn.intrinsics.vector import Vector
from fastnn.jit import force_inline, overload_by_type

# The constants of every rule begin with the weight decay: g' = g + decay w. If it is decoupled, that is the fraction by
# which weights shrink: w ← (1 - decay) w - quotient.
DECAY = 0
FIRST_CONSTANT = 1


def _quotient(numerator, denominator):
    raise TypeError("for nopython code")


def _choose_quotient(numerator, denominator):
    if isinstance(denominator, types.NoneType):
        return lambda numerator, denominator: numerator
    return lambda numerator, denominator: numerator / denominator


overload_by_type(_quotient, _choose_quotient)


def only(fits: Callable[[types.Type], bool]) -> Callable:
    """A function that returns its argument, and is not compiled for other types than those that fit.

    An intrinsic, because Numba takes a tenth of a second for a few small functions.
    """

    @intrinsic
    def same(typing_context, value):
        kind = types.unliteral(value)
        return (kind(kind), lambda context, builder, signature, arguments: arguments[0]) if fits(kind) else None

    return same


_as_it_is = only(lambda kind: True)


def _of_a_rule(divides: bool) -> Callable:
    """What a rule returns. Numba itself lets a denominator be None in one turn of a loop and a vector in another."""
    last = Vector if divides else types.NoneType
    return only(lambda kind: isinstance(kind, types.BaseTuple) and len(kind) == 3 and isinstance(kind[2], last))


@force_inline
def _with_denominator(vector):
    return vector, vector


@force_inline
def _without_denominator(vector):
    return vector, None


@force_inline
def _stored_gradient(g, column, factor):
    return load(offset(g, column))


@force_inline
def _outer_product(d, column, factor):
    return factor * load(offset(d, column))


def _full_vectors(rule: Callable, divides: bool, decoupled: bool, gradient_of: Callable, by_turns: bool) -> Callable:
    """update_vectors(w, first, size, g, factor, moments, decays, decay, kept, c): of `size` weights, full vectors, from
    `first` on, by gradient_of(g, column, factor), the vector of their gradient from that column on.

    by_turns : every second vector leaves the divider to the other, with the same results.
    """
    returned = _of_a_rule(divides)

    def vector_update(enter: Callable, leave: Callable) -> Callable:
        """enter marks what the rule is given, leave what it returns."""

        @force_inline
        def update_vector(w, first, column, g, factor, moments, decays, decay, kept, c):
            k = first + column
            address, gradient = offset(w, k), gradient_of(g, column, factor)
            weights = load(address)
            if decays:
                gradient = decay * weights + gradient
            new, numerator, denominator = leave(returned(rule(enter(gradient), enter(load_each(moments, k)), enter(c))))
            store_each(new, moments, k)
            quotient = _quotient(numerator, denominator)
            # One of both is left when the loop is compiled.
            store(kept * weights - quotient if decoupled else weights - quotient, address)

        return update_vector

    update_vector = vector_update(_as_it_is, _as_it_is)
    if not by_turns:

        @force_inline
        def update_vectors(w, first, size, g, factor, moments, decays, decay, kept, c):
            for column in range(0, size, lanes_of(w)):
                update_vector(w, first, column, g, factor, moments, decays, decay, kept, c)

        return update_vectors
    other_vector = vector_update(estimating, not_estimating)

    @force_inline
    def update_vectors_by_turns(w, first, size, g, factor, moments, decays, decay, kept, c):
        lanes = lanes_of(w)
        pairs = size // (2 * lanes) * 2 * lanes
        for column in range(0, pairs, 2 * lanes):
            update_vector(w, first, column, g, factor, moments, decays, decay, kept, c)
            other_vector(w, first, column + lanes, g, factor, moments, decays, decay, kept, c)
        if pairs < size:
            update_vector(w, first, pairs, g, factor, moments, decays, decay, kept, c)

    return update_vectors_by_turns


def _pipelined(rule: Callable, divides: bool, decoupled: bool) -> Callable:
    """`_full_vectors` of a stored gradient: the division for one vector is made while the denominator of the next is
    computed. Out-of-order execution alone does not hide its latency if two threads share the registers of a core."""
    # What the loop carries has its types before the first turn, which does not use it.
    placeholder = _with_denominator if divides else _without_denominator
    returned = _of_a_rule(divides)

    @force_inline
    def update_vectors(w, first, size, g, factor, moments, decays, decay, kept, c):
        lanes = lanes_of(w)
        numerator, denominator = placeholder(decay)
        for k in range(0, size + lanes, lanes):
            numerator_before, denominator_before = numerator, denominator
            if k < size:
                gradient = load(offset(g, k))
                if decays:
                    gradient = decay * load(offset(w, k)) + gradient
                new, numerator, denominator = returned(rule(gradient, load_each(moments, k), c))
                store_each(new, moments, k)
            if k > 0:
                address, quotient = offset(w, k - lanes), _quotient(numerator_before, denominator_before)
                # One of both is left when the loop is compiled.
                store(kept * load(address) - quotient if decoupled else load(address) - quotient, address)

    return update_vectors


def _takes_turns(divides: bool) -> bool:
    """Whether a root and a division keep the divider busy for longer than all else that an update does."""
    return ESTIMATES_ROOTS and divides


def update_loop(rule: Callable, divides: bool, decoupled: bool, n_constants: int) -> Callable:
    """update(w, g, moments, size, constants) on addresses: of `size` weights by the gradient g."""
    constants_of, returned = broadcast_each(FIRST_CONSTANT, n_constants), _of_a_rule(divides)
    if _takes_turns(divides):
        update_vectors = _full_vectors(rule, divides, decoupled, _stored_gradient, by_turns=True)
    else:
        update_vectors = _pipelined(rule, divides, decoupled)

    @force_inline
    def update(w, g, moments, size, constants):
        lanes, decays = lanes_of(w), not decoupled and constants[DECAY] != 0
        decay, c = broadcast(like(w[0], constants[DECAY])), constants_of(constants, w)
        kept = broadcast(like(w[0], 1 - constants[DECAY]))
        full = size // lanes * lanes
        update_vectors(w, 0, full, g, decay, moments, decays, decay, kept, c)
        rest = size - full
        if rest > 0:
            address = offset(w, full)
            weights, gradient = masked_load(address, rest), masked_load(offset(g, full), rest)
            if decays:
                gradient = decay * weights + gradient
            new, numerator, denominator = returned(rule(gradient, masked_load_each(moments, full, rest), c))
            masked_store_each(new, moments, full, rest)
            quotient = _quotient(numerator, denominator)
            masked_store(kept * weights - quotient if decoupled else weights - quotient, address, rest)

    return update


def rank_one_loops(rule: Callable, divides: bool, decoupled: bool, n_constants: int) -> tuple[Callable, Callable]:
    """Two functions rank_one_update(w, factors, rows, d, width, moments, constants) on addresses: of `rows` rows of
    `width` weights, full vectors, by the gradient factors[row] d[:width].

    The second is for weights and moments in a near cache, with the same results; it may be the first.
    """
    constants_of = broadcast_each(FIRST_CONSTANT, n_constants)

    # A row of w at a time, for its gradient's factor is loaded once. Not pipelined: the moments come from the
    # second-level cache or beyond, and the fewer instructions a vector takes, the more of them are under way.
    def of_rows(by_turns: bool) -> Callable:
        update_vectors = _full_vectors(rule, divides, decoupled, _outer_product, by_turns)

        @force_inline
        def rank_one_update(w, factors, rows, d, width, moments, constants):
            decays = not decoupled and constants[DECAY] != 0
            decay, c = broadcast(like(w[0], constants[DECAY])), constants_of(constants, w)
            kept = broadcast(like(w[0], 1 - constants[DECAY]))
            for row in range(rows):
                factor = broadcast(factors[row])
                update_vectors(w, row * width, width, d, factor, moments, decays, decay, kept, c)

        return rank_one_update

    rank_one_update = of_rows(by_turns=False)
    return rank_one_update, of_rows(by_turns=True) if _takes_turns(divides) else rank_one_update
