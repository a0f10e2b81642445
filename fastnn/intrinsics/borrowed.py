"""Arrays lent to a kernel from Python: Numba's arrays, but for how they get there.

For each array Numba keeps an object alive, and for that allocates a handle: a fifth of the time of a call on small
arrays. Whoever calls with lent arrays holds them meanwhile, and has seen that they are what the kernel is compiled for:
their number of dimensions may differ, for the leading ones are flattened into one on the way.
"""

from __future__ import annotations

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.datamodel.models import ArrayModel
from numba.extending import NativeValue, register_model, unbox
from numba.np.arrayobj import populate_array

from fastnn.intrinsics import ndarray_layout


class BorrowedArray(types.Array):
    """A C-contiguous array of Numba's type `dtype` that the kernel sees with `ndim` dimensions."""

    def __init__(self, dtype: types.Type, ndim: int) -> None:
        super().__init__(dtype, ndim, "C", name=f"lent({dtype}, {ndim}d)")

    @property
    def key(self) -> tuple:
        return "lent", *super().key


register_model(BorrowedArray)(ArrayModel)


@unbox(BorrowedArray)
def _unbox(kind: BorrowedArray, array, c) -> NativeValue:
    builder, whole = c.builder, ir.IntType(64)
    start = builder.ptrtoint(array, whole)

    def field(offset: int, bits: int):
        place = builder.inttoptr(builder.add(start, whole(offset)), ir.IntType(bits).as_pointer())
        return builder.load(place)

    lengths = builder.inttoptr(field(ndarray_layout.SHAPE, 64), whole.as_pointer())
    dimensions = builder.sext(field(ndarray_layout.DIMENSIONS, 32), whole)
    leading = builder.sub(dimensions, whole(kind.ndim - 1))
    first = cgutils.alloca_once_value(builder, whole(1))
    with cgutils.for_range(builder, leading) as loop:
        length = builder.load(builder.gep(lengths, [loop.index]))
        builder.store(builder.mul(builder.load(first), length), first)
    shape = [builder.load(first)]
    for k in range(kind.ndim - 1):
        shape.append(builder.load(builder.gep(lengths, [builder.add(leading, whole(k))])))

    itemsize = whole(c.context.get_abi_sizeof(c.context.get_data_type(kind.dtype)))
    strides = [itemsize]
    for length in reversed(shape[1:]):
        strides.insert(0, builder.mul(strides[0], length))
    view = c.context.make_array(kind)(c.context, builder)
    data = builder.inttoptr(field(ndarray_layout.DATA, 64), view.data.type)
    populate_array(view, data=data, shape=shape, strides=strides, itemsize=itemsize, meminfo=None)
    return NativeValue(view._getvalue())
