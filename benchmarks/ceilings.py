"""What the machine can do at most: fused multiply-adds from registers, and bytes through memory.

    python -m benchmarks.ceilings THREADS DTYPE

measures both in a process of its own, confined like the workers, and prints them as JSON. The best of several
repetitions counts: a ceiling is what the machine does undisturbed.

- Arithmetic: chains of independent vector multiply-adds that never leave the registers, as many as hide the latency.
- Memory: the better of STREAM's triad (a = b + s * c, counted as three arrays, the read of `a` before its
  overwriting not counted) and of a sum (one array, read only). The arrays are four times the largest cache in total,
  as STREAM asks, but no more than 1 GiB (virtual machines report the cache of a whole socket, of which little is
  theirs) and no more than an eighth of the memory that is available.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from benchmarks.machine import available_memory, largest_cache
from benchmarks.results import Ceiling
from benchmarks.transport import worker_environment
from benchmarks.worker import confine
from fastnn.intrinsics.host import FUSES, VECTOR_BYTES

# Two units of latency 4 need 8 multiply-adds under way; 12, with their two operands, still fit 16 registers.
CHAINS = 12
FMA_SECONDS = 0.05
REPETITIONS = 5
SMALLEST_ARRAYS, LARGEST_ARRAYS = 192 * 2**20, 2**30  # bytes in total
TIMEOUT = 120.0  # seconds, compilation included


def vector_bits() -> int:
    """Width of the widest floating-point registers that Numba compiles for."""
    return 8 * VECTOR_BYTES


@intrinsic
def multiply_add_chains(typing_context, iterations, factor, term):
    """CHAINS vectors, each `iterations` times x = x * factor + term; the sum of their first elements."""
    if not isinstance(iterations, types.Integer) or factor not in (types.float32, types.float64) or term != factor:
        return None

    def generate(context, builder, signature, arguments):
        count, factor_value, term_value = arguments
        element = context.get_value_type(factor)
        lanes = vector_bits() // factor.bitwidth
        vector = ir.VectorType(element, lanes)
        int32 = ir.IntType(32)

        def splat(value):
            first = builder.insert_element(ir.Constant(vector, ir.Undefined), value, int32(0))
            return builder.shuffle_vector(first, first, ir.Constant(ir.VectorType(int32, lanes), [0] * lanes))

        factors, terms = splat(factor_value), splat(term_value)
        multiply_add = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(vector, [vector, vector, vector]),
            f"llvm.fma.v{lanes}f{factor.bitwidth}",
        )
        # LLVM turns these slots into registers; different starts keep it from merging the chains.
        slots = []
        for k in range(CHAINS):
            slots.append(cgutils.alloca_once(builder, vector))
            builder.store(builder.fmul(terms, splat(ir.Constant(element, float(k)))), slots[k])
        with cgutils.for_range(builder, count):
            for slot in slots:
                x = builder.load(slot)
                if FUSES:
                    x = builder.call(multiply_add, [x, factors, terms])
                else:
                    x = builder.fadd(builder.fmul(x, factors), terms)
                builder.store(x, slot)
        total = ir.Constant(vector, [0.0] * lanes)
        for slot in slots:
            total = builder.fadd(total, builder.load(slot))
        return builder.extract_element(total, int32(0))

    return factor(iterations, factor, term), generate


@njit(nogil=True)
def spin(iterations, factor, term):
    """Nothing but multiply-adds."""
    return multiply_add_chains(iterations, factor, term)


@njit(nogil=True)
def triad(a, b, c, s):
    for i in range(a.size):
        a[i] = b[i] + s * c[i]


@njit(nogil=True, fastmath={"reassoc", "nsz"})
def total(a):
    found = a.dtype.type(0)
    for i in range(a.size):
        found += a[i]
    return found


def best_seconds(work: Callable[[int], object], threads: int, repetitions: int = REPETITIONS) -> float:
    """Shortest of so many repetitions in which each of `threads` threads calls work(its number)."""
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, range(threads)))  # compiles, and touches the memory
        best = np.inf
        for _ in range(repetitions):
            begin = time.perf_counter()
            list(pool.map(work, range(threads)))
            best = min(best, time.perf_counter() - begin)
    return best


def flops_per_second(
    threads: int, dtype: str, least_seconds: float = FMA_SECONDS, repetitions: int = REPETITIONS
) -> float:
    """Floating-point operations, two per multiply-add and element; each repetition takes at least so long."""
    scalar = np.dtype(dtype).type
    factor, term = scalar(0.5), scalar(1)  # tends to 2: neither denormal nor infinite, however long
    lanes = vector_bits() // (8 * np.dtype(dtype).itemsize)
    iterations = 1000
    while True:
        seconds = best_seconds(partial(_spin, iterations, factor, term), threads, repetitions)
        if seconds >= least_seconds:
            return 2.0 * threads * iterations * CHAINS * lanes / seconds
        iterations = int(iterations * min(100.0, 1.3 * least_seconds / seconds)) + 1


def _spin(iterations: int, factor: np.floating, term: np.floating, thread: int) -> np.floating:
    return spin(iterations, factor, term)


def array_bytes() -> int:
    """Of the three arrays together."""
    return max(SMALLEST_ARRAYS, min(4 * largest_cache(), LARGEST_ARRAYS, available_memory() // 8))


def bytes_per_second(threads: int, dtype: str) -> float:
    """Through memory, the better of triad and sum."""
    size = array_bytes() // (3 * threads * np.dtype(dtype).itemsize)
    arrays = [[np.empty(size, dtype) for _ in range(3)] for _ in range(threads)]
    s = np.dtype(dtype).type(3)

    def touch(k: int) -> None:
        for array in arrays[k]:
            array[:] = 1

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(touch, range(threads)))
    moved = float(threads * arrays[0][0].nbytes)
    triad_seconds = best_seconds(lambda k: triad(*arrays[k], s), threads)
    total_seconds = best_seconds(lambda k: total(arrays[k][0]), threads)
    return max(3 * moved / triad_seconds, moved / total_seconds)


def measure(threads: int, dtype: str) -> Ceiling:
    """Both ceilings, from a fresh process; RuntimeError with the reason when that fails."""
    command = [sys.executable, "-m", "benchmarks.ceilings", str(threads), dtype]
    try:
        done = subprocess.run(
            command, env=worker_environment(threads), capture_output=True, text=True, timeout=TIMEOUT, check=True
        )
        return Ceiling(**json.loads(done.stdout))
    except subprocess.CalledProcessError as error:
        said = error.stderr.strip().splitlines() or [""]
        raise RuntimeError(f"exit code {error.returncode}: {said[-1]}") from error
    except (subprocess.TimeoutExpired, ValueError, TypeError) as error:
        raise RuntimeError(f"no result: {error}") from error


if __name__ == "__main__":
    thread_count, dtype_name = int(sys.argv[1]), sys.argv[2]
    confine(thread_count)
    print(
        json.dumps(
            {
                "threads": thread_count,
                "dtype": dtype_name,
                "flops_per_second": flops_per_second(thread_count, dtype_name),
                "bytes_per_second": bytes_per_second(thread_count, dtype_name),
            }
        )
    )
