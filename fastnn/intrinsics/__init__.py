"""LLVM intrinsics for what Numba cannot express. No code outside this folder emits LLVM IR."""

from fastnn.intrinsics.atomics import try_lock, unlock
from fastnn.intrinsics.borrowed import BorrowedArray
from fastnn.intrinsics.compressed_row import compressed_row_product, compressed_row_update
from fastnn.intrinsics.dot_tile import dot_tile, dot_tile_of_panels
from fastnn.intrinsics.host import MR, NR_VECTORS, VECTOR_BYTES
from fastnn.intrinsics.indirect import indirect_call, opaque
from fastnn.intrinsics.memory import fetch_ahead
from fastnn.intrinsics.micro_tile import CACHE_LINE, micro_tile
from fastnn.intrinsics.nonzero import nonzero_columns
from fastnn.intrinsics.parallel_region import enter_parallel_region, leave_parallel_region
from fastnn.intrinsics.pointers import (
    address_of_pointer,
    element,
    evenly_spaced,
    keep_alive,
    lanes_of,
    offset,
    pointer,
    read_each,
    stack_alloc,
    write_each,
)
from fastnn.intrinsics.records import RecordLayout, RecordType
from fastnn.intrinsics.rows import scale_row, shift_row, subtract_row, sum_row
from fastnn.intrinsics.scalars import (
    SCALES_BY_POWERS_OF_TWO,
    a_number,
    bits_to_float,
    float_to_bits,
    like,
    polynomial,
    prefer_full_vectors,
    times_power_of_two,
)
from fastnn.intrinsics.sparse_rank_update import sparse_rank_update
from fastnn.intrinsics.subnormals import flush_subnormals, restore_subnormals
from fastnn.intrinsics.transpose_tile import transpose_partial_tile, transpose_tile
from fastnn.intrinsics.vector import (
    absolute,
    broadcast,
    broadcast_each,
    load,
    load_each,
    masked_load,
    masked_load_each,
    masked_store,
    masked_store_each,
    maximum,
    sign,
    square_root,
    square_root_times,
    store,
    store_each,
    where_greater,
)

__all__ = [
    "CACHE_LINE",
    "MR",
    "NR_VECTORS",
    "SCALES_BY_POWERS_OF_TWO",
    "VECTOR_BYTES",
    "BorrowedArray",
    "RecordLayout",
    "RecordType",
    "a_number",
    "absolute",
    "address_of_pointer",
    "bits_to_float",
    "broadcast",
    "broadcast_each",
    "compressed_row_product",
    "compressed_row_update",
    "dot_tile",
    "dot_tile_of_panels",
    "element",
    "enter_parallel_region",
    "evenly_spaced",
    "fetch_ahead",
    "float_to_bits",
    "flush_subnormals",
    "indirect_call",
    "keep_alive",
    "lanes_of",
    "leave_parallel_region",
    "like",
    "load",
    "load_each",
    "masked_load",
    "masked_load_each",
    "masked_store",
    "masked_store_each",
    "maximum",
    "micro_tile",
    "nonzero_columns",
    "offset",
    "opaque",
    "pointer",
    "polynomial",
    "prefer_full_vectors",
    "read_each",
    "restore_subnormals",
    "scale_row",
    "shift_row",
    "sign",
    "sparse_rank_update",
    "square_root",
    "square_root_times",
    "stack_alloc",
    "store",
    "store_each",
    "subtract_row",
    "sum_row",
    "times_power_of_two",
    "transpose_partial_tile",
    "transpose_tile",
    "try_lock",
    "unlock",
    "where_greater",
    "write_each",
]
