"""The transpose of a matrix, by square blocks that are turned within registers."""

from __future__ import annotations

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from fastnn.kernels.jit import kernel
from fastnn.kernels.simd import _LLVM, VECTOR_BYTES, lanes, moved


@intrinsic
def _turn_block(typing_context, source, source_row, target, target_row, like):
    """target ← the transpose of a block of as many rows as a vector has lanes; steps from row to row in elements."""
    item = like.dtype.bitwidth // 8
    count = VECTOR_BYTES // item

    def generate(context, builder, signature, arguments):
        a, a_row, c, c_row, _ = arguments
        index, lane = ir.IntType(64), ir.IntType(32)
        vector = ir.VectorType(_LLVM[like.dtype], count)

        def place(base, step, r):
            return builder.bitcast(builder.gep(base, [builder.mul(step, index(r))]), vector.as_pointer())

        rows = []
        for r in range(count):
            row = builder.load(place(a, a_row, r))
            row.align = item
            rows.append(row)
        # Rows whose numbers differ in one bit exchange the elements whose places differ in it, bit after bit.
        distance = 1
        while distance < count:
            for r in range(count):
                if r & distance:
                    continue
                low, high = rows[r], rows[r + distance]
                first = [k + count - distance if k & distance else k for k in range(count)]
                second = [k + count if k & distance else k + distance for k in range(count)]
                for at, picked in ((r, first), (r + distance, second)):
                    mask = ir.Constant(ir.VectorType(lane, count), picked)
                    rows[at] = builder.shuffle_vector(low, high, mask)
            distance *= 2
        for r, row in enumerate(rows):
            builder.store(row, place(c, c_row, r)).align = item
        return context.get_dummy_value()

    return types.none(source, types.int64, target, types.int64, like), generate


@kernel
def transpose(rows, columns, source, source_row, target, target_row, like):
    """target (columns, rows) ← the transpose of source (rows, columns); addresses, and steps from row to row.

    `like` is any array of their dtype. Blocks at the edge begin earlier, and overlap those before.
    """
    count = lanes(like)
    if rows < count or columns < count:
        for r in range(rows):
            for c in range(columns):
                target[c * target_row + r] = source[r * source_row + c]
        return
    for r in range(0, rows, count):
        r = min(r, rows - count)
        for c in range(0, columns, count):
            c = min(c, columns - count)
            _turn_block(
                moved(source, r * source_row + c), source_row, moved(target, c * target_row + r), target_row, like
            )
