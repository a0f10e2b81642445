"""Records of numbers and addresses that Python fills and kernels read by name.

In Python a record is an element of a NumPy structured array. In a kernel it is the address of that element, and reading
a field is one load; a wrong field name is a typing error. A kernel takes a record from Python as an integer, the
address.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.core.typing.templates import AttributeTemplate
from numba.extending import infer_getattr, lower_getattr_generic, lower_setattr_generic, register_model
from numba.extending import models as data_models

from fastnn.intrinsics.declared import intrinsic

# The kinds of fields, each of eight bytes: a number, or the address of an array's first element. "real*" is the address
# of elements in the precision of the net.
_NUMBERS = {"int": types.int64, "float": types.float64}
_ELEMENTS = {"int32*": types.int32, "int64*": types.int64, "float64*": types.float64}


class RecordType(types.Type):
    """Numba's type of the address of a record, for one precision of the net."""

    def __init__(self, name: str, fields: dict[str, str], real: types.Float) -> None:
        self.real = real
        self.offsets = {field: 8 * k for k, field in enumerate(fields)}
        self.kinds = {field: _field_type(kind, real) for field, kind in fields.items()}
        super().__init__(f"{name}[{real}]")


def _field_type(kind: str, real: types.Float) -> types.Type:
    if kind in _NUMBERS:
        return _NUMBERS[kind]
    return types.CPointer(real if kind == "real*" else _ELEMENTS[kind])


@register_model(RecordType)
class _RecordModel(data_models.PrimitiveModel):
    def __init__(self, manager, record: RecordType) -> None:
        super().__init__(manager, record, ir.IntType(8).as_pointer())


@infer_getattr
class _Fields(AttributeTemplate):
    key = RecordType

    def generic_resolve(self, record: RecordType, field: str) -> types.Type | None:
        return record.kinds.get(field)


def _field_address(context, builder, record: RecordType, base, field: str):
    kind = context.get_value_type(record.kinds[field])
    return builder.bitcast(builder.gep(base, [ir.IntType(64)(record.offsets[field])]), kind.as_pointer())


@lower_getattr_generic(RecordType)
def _load_field(context, builder, record, base, field):
    return builder.load(_field_address(context, builder, record, base, field))


@lower_setattr_generic(RecordType)
def _store_field(context, builder, signature, arguments, field):
    record = signature.args[0]
    value = context.cast(builder, arguments[1], signature.args[1], record.kinds[field])
    builder.store(value, _field_address(context, builder, record, arguments[0], field))


class RecordLayout:
    """The layout of a kind of record, for Python and for kernels.

    name : appears in error messages. fields : maps a field's name to its kind: "int", "float", or an address of
    elements, "real*", "int32*", "int64*" or "float64*".

    `dtype` is the NumPy structured dtype, in which addresses are int64. In kernels `at(address, index, like)` is the
    record at that index of the array at `address`; `like` is a number or another record in the net's precision.
    """

    _by_name: ClassVar[dict[str, RecordLayout]] = {}

    def __init__(self, name: str, **fields: str) -> None:
        self._by_name[name] = self
        self.dtype = np.dtype([(field, "f8" if kind == "float" else "i8") for field, kind in fields.items()])
        self._records = {real: RecordType(name, fields, real) for real in (types.float32, types.float64)}
        self.at = _view(self._records, self.dtype.itemsize)

    @classmethod
    def named(cls, name: str) -> RecordLayout:
        """The layout that was declared under that name."""
        return cls._by_name[name]

    def kind(self, real: types.Float) -> RecordType:
        """Numba's type of the address of such a record."""
        return self._records[real]

    def empty(self, size: int = 1) -> np.ndarray:
        """An array of `size` records of zeros, for Python to fill."""
        return np.zeros(size, self.dtype)


def _view(records: dict[types.Type, RecordType], size: int) -> Callable:
    @intrinsic
    def at(typing_context, address, index, like):
        record = records.get(like.real if isinstance(like, RecordType) else like)
        if record is None or not isinstance(address, types.Integer) or not isinstance(index, types.Integer):
            return None

        def generate(context, builder, signature, arguments):
            base = builder.inttoptr(arguments[0], ir.IntType(8).as_pointer())
            return builder.gep(base, [builder.mul(arguments[1], ir.IntType(64)(size))])

        return record(types.int64, types.int64, like), generate

    return at
