"""The kernels of an update rule: those of the training step, and the array kernel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numba.core import types
from numba.core.dispatcher import Dispatcher

from fastnn.intrinsics import (
    element,
    evenly_spaced,
    flush_subnormals,
    pointer,
    read_each,
    restore_subnormals,
    stack_alloc,
    write_each,
)
from fastnn.jit import force_inline, inner_kernel, kernel, named
from fastnn.optimizers.loops import FIRST_CONSTANT, only, rank_one_loops, update_loop

# The most constants, and the most hyper-parameters, of a rule; both include the weight decay.
MOST_NUMBERS = 16

_alloc_numbers = stack_alloc(MOST_NUMBERS)


def _of_length(count: int) -> Callable:
    """Tuples of so many: what is behind would be cut off unseen."""
    return only(lambda kind: isinstance(kind, types.BaseTuple) and len(kind) == count)


class StepKernels(NamedTuple):
    """See `fastnn.optimizers.loops`. `near_rank_one_update` may be `rank_one_update`."""

    update: Dispatcher
    rank_one_update: Dispatcher
    near_rank_one_update: Dispatcher
    compute_constants: Dispatcher


def step_kernels(
    name: str,
    rule: Callable,
    divides: bool,
    decoupled: bool,
    constants: Callable,
    n_moments: int,
    n_hyper: int,
    n_constants: int,
) -> StepKernels:
    """The kernels that the training step calls by their addresses (`step/plan.py`)."""
    moments_from, hyper_at = evenly_spaced(n_moments), read_each(n_hyper)
    all_constants = _of_length(FIRST_CONSTANT + n_constants)
    update = update_loop(rule, divides, decoupled, n_constants)

    def step_update(w, g, moments, stride, size, constants):
        update(w, g, moments_from(moments, stride), size, constants)

    def rank_one(loop: Callable, suffix: str) -> Dispatcher:
        def step_rank_one_update(w, factors, rows, d, width, moments, stride, constants):
            loop(w, factors, rows, d, width, moments_from(moments, stride), constants)

        return inner_kernel(named(f"{name}_step_rank_one{suffix}", step_rank_one_update))

    def compute_constants(hyper, step, computed):
        write_each(all_constants(constants(step, hyper_at(hyper))), computed)

    loop, near_loop = rank_one_loops(rule, divides, decoupled, n_constants)
    rank_one_update = rank_one(loop, "")
    return StepKernels(
        inner_kernel(named(f"{name}_step", step_update)),
        rank_one_update,
        rank_one_update if near_loop is loop else rank_one(near_loop, "_near"),
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
    update = update_loop(rule, divides, decoupled, n_constants)
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
