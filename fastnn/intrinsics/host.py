"""The vector registers of the CPU that Numba compiles for, and the LLVM types of numbers."""

from __future__ import annotations

import platform

import llvmlite.binding
from llvmlite import ir
from numba.core import config, types


def cpu_features() -> set[str]:
    """Names of the CPU features that Numba compiles for; `NUMBA_CPU_FEATURES` and `NUMBA_CPU_NAME` can narrow them."""
    if config.CPU_FEATURES is not None:
        return {name[1:] for name in config.CPU_FEATURES.split(",") if name.startswith("+")}
    return {name for name, present in llvmlite.binding.get_host_cpu_features().items() if present}


def _vector_bytes() -> int:
    features = cpu_features()
    return 64 if "avx512f" in features else 32 if "avx" in features else 16


# The width of the CPU's widest vector registers, in bytes.
VECTOR_BYTES = _vector_bytes()

# The micro-tile of the matrix product: MR rows by NR_VECTORS vectors of columns. Its registers are MR * NR_VECTORS
# accumulators, NR_VECTORS vectors of B and one broadcast element of A; and one for a product that is yet to be added,
# where no instruction does both.
_IS_ARM = platform.machine() in ("aarch64", "arm64")
_REGISTERS = 32 if VECTOR_BYTES == 64 or _IS_ARM else 16
# Whether it multiplies and adds in one instruction.
FUSES = _IS_ARM or "fma" in cpu_features()
MR, NR_VECTORS = (8, 3) if _REGISTERS == 32 else (4, 3) if FUSES else (4, 2)


def tile_rows(vectors: int) -> int:
    """Rows of a full micro-tile for panels of so many vectors: MR, or, for two of the three vectors of AVX2, as many as
    fill its registers as well."""
    return 6 if (MR, NR_VECTORS, vectors) == (4, 3, 2) else MR


# The constraint letter of a vector register in inline assembly; empty on architectures where it is not known.
REGISTER_CONSTRAINT = (
    ("v" if VECTOR_BYTES == 64 else "x") if platform.machine() in ("x86_64", "AMD64") else "w" * _IS_ARM
)

# Whether the CPU compresses vectors of any width (moves selected lanes to the front) in one instruction.
COMPRESSES = VECTOR_BYTES == 64 and "avx512vl" in cpu_features()

FLOAT_OF = {types.int32: types.float32, types.int64: types.float64}
INT_OF = {value: key for key, value in FLOAT_OF.items()}
LLVM = {
    types.int32: ir.IntType(32),
    types.int64: ir.IntType(64),
    types.float32: ir.FloatType(),
    types.float64: ir.DoubleType(),
}


def splat(builder, element, lanes: int):
    """A vector of `lanes` lanes, each of which holds `element`."""
    undefined, int32 = ir.Constant(ir.VectorType(element.type, lanes), ir.Undefined), ir.IntType(32)
    first = builder.insert_element(undefined, element, int32(0))
    return builder.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(int32, lanes), [0] * lanes))
