"""The workers' shares of a step on threads: the crew of a parallel region.

Each thread of the crew, a member, goes through the phases of a step. In each it does its own shares, then waits until
the shares of all are done, and meanwhile takes those that nobody has begun: a member that the system has not woken
yet, or has put to sleep, costs no more than the share that it is doing. Nobody waits for a member that may not have a
thread, so that any threading layer of Numba will do. Who does a share changes nothing in what is computed.

Between phases members meet at a word in memory, in 0.1 to 0.3 microseconds; another parallel loop of Numba takes two.

Linux may wake a thread on the CPU of the one that it is to help, and leave it there for up to seconds, while both take
turns of milliseconds. A member that finds another one's mark on its CPU moves to one that nobody has marked.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from fastnn.intrinsics import (
    ARRIVED,
    CLAIM,
    CLAIMS,
    CPU_WORDS,
    CPUS,
    DONE,
    JOB,
    MARKS,
    NUMBER,
    add_to_word,
    current_cpu,
    enter_parallel_region,
    exchange_word,
    get_affinity,
    leave_parallel_region,
    opaque,
    pointer,
    read_word,
    relax,
    replace_word,
    set_affinity,
    sleep,
    stack_alloc,
    this_thread,
    yield_cpu,
)
from fastnn.jit import force_inline, kernel, parallel_kernel
from fastnn.step.phases import call_phase

# How often a member looks, some tens of cycles apart, before it takes the share of another, and before it lets other
# threads have its CPU: some 3 and some 100 microseconds.
_LOOKS_BEFORE_HELPING, _LOOKS_BEFORE_YIELDING = 128, 4096

# How often, and for how many microseconds, the first member sleeps before it leaves, for one that has not come yet.
# Where they share a CPU, a thread that only yields it may be the one that runs next.
_SLEEPS, _SLEEP = 4, 50

# Bits of a mark that tell the thread; the others tell the region, by the number of its first phase.
_THREAD_BITS = 24

# Slots of phases that one region may have.
_PHASES = 3

_alloc_mask = stack_alloc(CPU_WORDS)


@force_inline
def _words(region, place):
    """The address of a word of the region."""
    return pointer(region + 8 * place, np.int64(0))


@force_inline
def _try_share(slot, address, worker, stage, region, number):
    """Do the share of that worker in the phase with that number, unless somebody has begun it."""
    claim = _words(region, CLAIMS + CLAIM * worker)
    before = read_word(claim)
    if before < number and replace_word(claim, before, number):
        call_phase(slot, opaque(address), worker, stage)
        add_to_word(_words(region, DONE), 1)


@kernel
def _take_part(slot, stage, first, last, region, number, until):
    """Do the shares of the workers from `first` to `last` in a phase; come back when `until` shares were done in the
    region, which are all of this phase."""
    done, job = _words(region, DONE), _words(region, JOB)
    address, workers = job[_PHASES], job[_PHASES + 1]
    looks = 0
    while True:
        if looks == 0:
            begin, end = first, last
        else:
            begin, end = 0, workers
        for worker in range(begin, end):
            _try_share(slot, address, worker, stage, region, number)
        for _ in range(_LOOKS_BEFORE_HELPING):
            if read_word(done) >= until:
                return
            relax()
        looks += _LOOKS_BEFORE_HELPING
        if looks > _LOOKS_BEFORE_YIELDING:
            yield_cpu()


@kernel
def _arrive(region, number):
    """Mark the CPU of the thread; leave it where another thread marked it in the same region, known by its `number`."""
    cpu = current_cpu()
    if 0 <= cpu < CPUS:
        mark = number << _THREAD_BITS | (this_thread() >> 12) & ((1 << _THREAD_BITS) - 1)
        before = exchange_word(_words(region, MARKS + cpu), mark)
        if before >> _THREAD_BITS == number and before != mark:
            _change_cpu(region, number)
    add_to_word(_words(region, ARRIVED), 1)


@kernel
def _change_cpu(region, number):
    """Move to a CPU that no member has marked, if the thread may run on one."""
    before, mask = _alloc_mask(_words(region, 0)), _alloc_mask(_words(region, 0))
    if not get_affinity(before):
        return
    left = 0
    for k in range(CPU_WORDS):
        mask[k] = before[k]
        for bit in range(64):
            if read_word(_words(region, MARKS + 64 * k + bit)) >> _THREAD_BITS == number:
                mask[k] &= ~(1 << bit)
        left |= mask[k]
    if left != 0 and set_affinity(mask):
        set_affinity(before)


@kernel
def _member(region, me, members, number, done):
    """What one of so many members does in a region whose first phase has the number `number` + 1, before which `done`
    shares were done."""
    job = _words(region, JOB)
    workers, stages = job[_PHASES + 1], job[_PHASES + 2]
    _arrive(region, number)
    first, last = workers * me // members, workers * (me + 1) // members
    for k in range(_PHASES):
        for stage in range(0 if job[k] == 0 else stages if k == 0 else 1):
            done, number = done + workers, number + 1
            _take_part(job[k], stage, first, last, region, number, done)


@kernel
def _wait_for_the_late(region, until):
    """Let members that have not come yet have the CPU, for which they may be waiting: the loop ends after they came."""
    arrived = _words(region, ARRIVED)
    for k in range(_LOOKS_BEFORE_YIELDING + _SLEEPS):
        if read_word(arrived) >= until:
            return
        if k < _LOOKS_BEFORE_YIELDING:
            relax()
        else:
            sleep(_SLEEP)


@parallel_kernel
def _on_threads(region, members, number, done, arrived):
    for me in prange(members):
        _member(region, me, members, number, done)
        if me == 0:
            _wait_for_the_late(region, arrived)


@kernel
def in_parallel(first, stages, second, third, address, workers, region):
    """Up to three phases, one after the other, each of all workers, on the threads of a parallel region. The first has
    so many stages, each of which is a phase.

    first, second, third : slots, 0 for none. address : of the plan. region : the address of the parallel region.
    """
    threads = enter_parallel_region(region)
    members = min(workers, _words(region, 1)[0])
    job, number = _words(region, JOB), _words(region, NUMBER)
    job[0], job[1], job[2] = first, second, third
    job[_PHASES], job[_PHASES + 1], job[_PHASES + 2] = address, workers, stages
    done, arrived = _words(region, DONE)[0], _words(region, ARRIVED)[0]
    _on_threads(region, members, number[0], done, arrived + members)
    number[0] += stages + _PHASES - 1
    leave_parallel_region(region, threads)
