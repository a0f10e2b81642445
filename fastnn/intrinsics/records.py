"""Records of numbers and addresses that Python fills and kernels read by name.

A record has one meaning on both sides: a NumPy structured array in Python, and in a kernel its address, of which a
field is one load. A wrong name is a typing error. A kernel takes a record as a plain integer, its address.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.core.typing.templates import AttributeTemplate
from numba.extending import infer_getattr, intrinsic, lower_getattr_generic, lower_setattr_generic, register_model
from numba.extending import models as data_models

# What a field may be, each of eight bytes: a number, or the address of an array's first element. `real` is the
# precision of the net.
_NUMBERS = {"int": types.int64, "float": types.float64}
_ELEMENTS = {"int32*": types.int32, "int64*": types.int64, "float64*": types.float64}


class RecordType(types.Type):
    """Numba's type of the address of one record, for one precision."""

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


def _place(context, builder, record: RecordType, base, field: str):
    kind = context.get_value_type(record.kinds[field])
    return builder.bitcast(builder.gep(base, [ir.IntType(64)(record.offsets[field])]), kind.as_pointer())


@lower_getattr_generic(RecordType)
def _load_field(context, builder, record, base, field):
    return builder.load(_place(context, builder, record, base, field))


@lower_setattr_generic(RecordType)
def _store_field(context, builder, signature, arguments, field):
    record = signature.args[0]
    value = context.cast(builder, arguments[1], signature.args[1], record.kinds[field])
    builder.store(value, _place(context, builder, record, arguments[0], field))


class RecordLayout:
    """The fields of a record, and what Python and kernels need of it.

    name : of the record, for error messages. fields : name to kind, "int", "float", or the address of an array's
    elements: "real*", "int32*", "int64*", "float64*".

    `dtype` is NumPy's, in which addresses are int64. `kind(real)` is Numba's type of a record's address. In kernels
    `at(address, index, like)` is the record with that index behind an address; `like` is a number, or another record,
    of the net's precision.
    """

    _by_name: ClassVar[dict[str, RecordLayout]] = {}

    def __init__(self, name: str, **fields: str) -> None:
        self._by_name[name] = self
        self.dtype = np.dtype([(field, "f8" if kind == "float" else "i8") for field, kind in fields.items()])
        self._records = {real: RecordType(name, fields, real) for real in (types.float32, types.float64)}
        self.at = _view(self._records, self.dtype.itemsize)

    @classmethod
    def named(cls, name: str) -> RecordLayout:
        """The record of that name."""
        return cls._by_name[name]

    def kind(self, real: types.Float) -> RecordType:
        """Numba's type of the address of such a record."""
        return self._records[real]

    def empty(self, count: int = 1) -> np.ndarray:
        """Records of zeros, for Python to fill."""
        return np.zeros(count, self.dtype)


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
