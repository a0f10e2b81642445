"""What Numba has no word for, as LLVM intrinsics. Nothing outside this folder speaks LLVM IR."""

from fastnn.kernels.simd.along import products_along_rows
from fastnn.kernels.simd.host import TILE_ROWS, TILE_VECTORS, VECTOR_BYTES
from fastnn.kernels.simd.indirect import indirect_call
from fastnn.kernels.simd.lent import LentArray
from fastnn.kernels.simd.listed import add_listed_products
from fastnn.kernels.simd.nonzero import nonzero_columns
from fastnn.kernels.simd.pointers import address, lanes, moved, pointer, stack_room
from fastnn.kernels.simd.rows import scale_row, shift_row, subtract_row, sum_row
from fastnn.kernels.simd.scalars import (
    SCALES_BY_POWERS_OF_TWO,
    bits_to_float,
    float_to_bits,
    polynomial,
    prefer_full_vectors,
    times_power_of_two,
)
from fastnn.kernels.simd.subnormals import flush_subnormals, restore_subnormals
from fastnn.kernels.simd.tile import tile_product
from fastnn.kernels.simd.turn import turn_part, turn_square
from fastnn.kernels.simd.vector import everywhere, load, load_part, square_root_times, store, store_part

__all__ = [
    "SCALES_BY_POWERS_OF_TWO",
    "TILE_ROWS",
    "TILE_VECTORS",
    "VECTOR_BYTES",
    "LentArray",
    "add_listed_products",
    "address",
    "bits_to_float",
    "everywhere",
    "float_to_bits",
    "flush_subnormals",
    "indirect_call",
    "lanes",
    "load",
    "load_part",
    "moved",
    "nonzero_columns",
    "pointer",
    "polynomial",
    "prefer_full_vectors",
    "products_along_rows",
    "restore_subnormals",
    "scale_row",
    "shift_row",
    "square_root_times",
    "stack_room",
    "store",
    "store_part",
    "subtract_row",
    "sum_row",
    "tile_product",
    "times_power_of_two",
    "turn_part",
    "turn_square",
]
