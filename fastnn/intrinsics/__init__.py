"""What Numba has no word for, as LLVM intrinsics. Nothing outside this folder speaks LLVM IR."""

from fastnn.intrinsics.atomics import try_lock, unlock
from fastnn.intrinsics.borrowed import BorrowedArray
from fastnn.intrinsics.dot_tile import dot_tile
from fastnn.intrinsics.host import MR, NR_VECTORS, VECTOR_BYTES
from fastnn.intrinsics.indirect import indirect_call
from fastnn.intrinsics.micro_tile import micro_tile
from fastnn.intrinsics.nonzero import nonzero_columns
from fastnn.intrinsics.parallel_region import enter_parallel_region, leave_parallel_region
from fastnn.intrinsics.pointers import element, lanes_of, offset, pointer, stack_alloc
from fastnn.intrinsics.rows import scale_row, shift_row, subtract_row, sum_row
from fastnn.intrinsics.scalars import (
    SCALES_BY_POWERS_OF_TWO,
    bits_to_float,
    float_to_bits,
    polynomial,
    prefer_full_vectors,
    times_power_of_two,
)
from fastnn.intrinsics.sparse_rank_update import sparse_rank_update
from fastnn.intrinsics.subnormals import flush_subnormals, restore_subnormals
from fastnn.intrinsics.transpose_tile import transpose_partial_square, transpose_square
from fastnn.intrinsics.vector import broadcast, load, masked_load, masked_store, square_root_times, store

__all__ = [
    "MR",
    "NR_VECTORS",
    "SCALES_BY_POWERS_OF_TWO",
    "VECTOR_BYTES",
    "BorrowedArray",
    "bits_to_float",
    "broadcast",
    "dot_tile",
    "element",
    "enter_parallel_region",
    "float_to_bits",
    "flush_subnormals",
    "indirect_call",
    "lanes_of",
    "leave_parallel_region",
    "load",
    "masked_load",
    "masked_store",
    "micro_tile",
    "nonzero_columns",
    "offset",
    "pointer",
    "polynomial",
    "prefer_full_vectors",
    "restore_subnormals",
    "scale_row",
    "shift_row",
    "sparse_rank_update",
    "square_root_times",
    "stack_alloc",
    "store",
    "subtract_row",
    "sum_row",
    "times_power_of_two",
    "transpose_partial_square",
    "transpose_square",
    "try_lock",
    "unlock",
]
