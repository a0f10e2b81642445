"""Calls through cells: words in memory that hold the address of a kernel, and are reached by a symbol."""

from __future__ import annotations

from llvmlite import ir
from numba.core import cgutils

# The symbol of the function (address of the cell) that fills an empty cell.
FILL_CELL = "fastnn_fill_cell"


def load_target(builder, symbol: str, kind: ir.FunctionType):
    """The function of that type whose address is in the cell of that symbol. An empty cell is filled first."""
    word, module = ir.IntType(64), builder.module
    cell = module.globals.get(symbol) or ir.GlobalVariable(module, word, symbol)
    with builder.if_then(builder.icmp_unsigned("==", builder.load(cell), word(0)), likely=False):
        fill = cgutils.get_or_insert_function(module, ir.FunctionType(ir.VoidType(), [word]), FILL_CELL)
        builder.call(fill, [builder.ptrtoint(cell, word)])
    return builder.inttoptr(builder.load(cell), kind.as_pointer())
