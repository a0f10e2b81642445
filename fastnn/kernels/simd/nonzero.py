"""Which elements of a row are not zero, without a branch that the CPU would guess wrong."""

from __future__ import annotations

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from fastnn.kernels.simd.host import LLVM, VECTOR_BYTES, splat


@intrinsic
def append_nonzero(typing_context, row, first, places):
    """Of the vector of elements from `first` on, write down where in the row those lie that are not zero; returns how
    many. NaN is not zero. `places` (int32) has room for as many as the vector has.
    """
    lanes = VECTOR_BYTES * 8 // row.dtype.bitwidth

    def generate(context, builder, signature, arguments):
        row, first, places = arguments
        number, whole = LLVM[signature.args[0].dtype], ir.IntType(32)
        place = builder.bitcast(builder.gep(row, [first]), ir.VectorType(number, lanes).as_pointer())
        elements = builder.load(place)
        elements.align = signature.args[0].dtype.bitwidth // 8
        nonzero = builder.fcmp_unordered("!=", elements, ir.Constant(elements.type, None))
        vector = ir.VectorType(whole, lanes)
        counting = ir.Constant(vector, [whole(k) for k in range(lanes)])
        found = builder.add(splat(builder, builder.trunc(first, whole), lanes), counting)
        if VECTOR_BYTES == 64:
            kind = ir.FunctionType(vector, [vector, vector, nonzero.type])
            compress = cgutils.get_or_insert_function(
                builder.module, kind, f"llvm.x86.avx512.mask.compress.v{lanes}i32"
            )
            packed = builder.call(compress, [found, ir.Constant(vector, None), nonzero])
            builder.store(packed, builder.bitcast(places, vector.as_pointer())).align = 4
            bits = builder.bitcast(nonzero, ir.IntType(lanes))
            return builder.zext(builder.ctpop(bits), ir.IntType(64))
        count = ir.IntType(64)(0)
        for lane in range(lanes):
            builder.store(builder.extract_element(found, whole(lane)), builder.gep(places, [count]))
            one = builder.extract_element(nonzero, whole(lane))
            count = builder.add(count, builder.zext(one, ir.IntType(64)))
        return count

    return types.int64(row, types.int64, types.CPointer(types.int32)), generate
