"""The micro-kernel of the matrix product."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from fastnn.intrinsics.host import LLVM, MR, NR_VECTORS, REGISTER_CONSTRAINT, VECTOR_BYTES, splat
from fastnn.intrinsics.loop import loop_over_sums
from fastnn.intrinsics.memory import FIRST_LEVEL, SECOND_LEVEL, prefetch


def micro_tile(
    rows: int,
    vectors: int,
    fetch_ahead: bool = False,
    fetch_rows: bool = False,
    fetch_target: bool = False,
    listed: bool = False,
) -> Callable:
    """The micro-kernel of the matrix product, for a tile of so many rows and so many vectors of columns.

    tile(a, a_row, a_k, b, b_k, start, start_row, c, c_row, k, ahead):
    c[r, :] = start[r, :] + sum over k of a[r, k] b[k, :].
    Arguments are addresses, and steps in elements from one row, or one k, to the next. All sums stay in registers:
    for each k the vectors of b are loaded once, each element of a is broadcast once. Every vector of b, start and c is
    read and written whole, so that their rows must be padded to whole vectors.

    With `fetch_ahead` what lies from the address `ahead` on is fetched into the second-level cache meanwhile, a cache
    line for every two k. With `fetch_rows`, for a whose rows are contiguous, the rows behind the tile are fetched
    there. The hardware does not: each row begins on another page, where it must first learn to look ahead.
    With `fetch_target` the tile of c is fetched into the first-level cache while the sums are made, to be written, and
    the next k elements of each row of a into the second-level cache, where these rows lie side by side.

    A `listed` one takes one argument more, the address of int32, sums over the k that the first `k` of them name, and
    fetches twice as much ahead.
    """
    # One row has few sums, and each waits for its last: several sets of them, for every other k, fill the time.
    sets = max(1, min(4, MR * NR_VECTORS // (2 * rows * vectors)))
    fetches = fetch_ahead, fetch_rows, fetch_target

    if listed:

        @intrinsic
        def listed_tile(typing_context, a, a_row, a_k, b, b_k, start, start_row, c, c_row, k, ahead, places):
            step, place = types.int64, types.CPointer(types.int32)
            signature = types.none(a, step, step, a, step, a, step, a, step, step, a, place)
            return signature, _TileProduct(rows, vectors, sets, fetches, a.dtype).generate

        return listed_tile

    @intrinsic
    def tile(typing_context, a, a_row, a_k, b, b_k, start, start_row, c, c_row, k, ahead):
        step = types.int64
        signature = types.none(a, step, step, a, step, a, step, a, step, step, a)
        return signature, _TileProduct(rows, vectors, sets, fetches, a.dtype).generate

    return tile


# Bytes of a cache line.
LINE = 64


class _TileProduct:
    """Emits one micro-kernel."""

    def __init__(
        self, rows: int, vectors: int, sets: int, fetches: tuple[bool, bool, bool], dtype: types.Float
    ) -> None:
        self.rows, self.vectors, self.sets = rows, vectors, sets
        self.fetch_ahead, self.fetch_rows, self.fetch_target = fetches
        self.unrolled = max(2, sets)
        self.item = dtype.bitwidth // 8
        self.lanes = VECTOR_BYTES // self.item
        self.vector = ir.VectorType(LLVM[dtype], self.lanes)
        self.fused_name = f"llvm.fmuladd.v{self.lanes}f{dtype.bitwidth}"

    def generate(self, context, builder, signature, arguments):
        """The code of one call: all of it in line, registers from the first load to the last store."""
        a, a_row, a_k, b, b_k, start, start_row, c, c_row, k, ahead, *named = arguments
        self.builder, index = builder, ir.IntType(64)
        kind = ir.FunctionType(self.vector, [self.vector] * 3)
        fused = cgutils.get_or_insert_function(builder.module, kind, self.fused_name)
        places = [(r, v) for r in range(self.rows) for v in range(self.vectors)]
        odd_steps = self._odd_steps(a_row)
        zero = ir.Constant(self.vector, None)
        sums = [zero] * (self.sets * len(places))

        def steps(first, sums, count):
            if self.fetch_ahead and count > 1:
                line = LINE // self.item
                step = index(line if named else line // 2)
                for more in range(0, line * (2 if named else 1), line):
                    place = builder.add(builder.mul(first, step), index(more))
                    prefetch(builder, builder.gep(ahead, [place]), SECOND_LEVEL)
            if self.fetch_rows and count > 1:
                self._fetch(a, a_row, first)
            for u in range(count):
                at, own = builder.add(first, index(u)), u % self.sets * len(places)
                if named:
                    at = builder.zext(builder.load(builder.gep(named[0], [at])), index)
                if self.fetch_target:
                    prefetch(builder, builder.gep(a, [builder.mul(builder.add(at, k), a_k)]), SECOND_LEVEL)
                bs = [self._load(b, b_k, at, v) for v in range(self.vectors)]
                first_row = self._hidden(builder.gep(a, [builder.mul(at, a_k)]))
                for r in range(self.rows):
                    element = splat(builder, builder.load(self._row(first_row, r, odd_steps)), self.lanes)
                    for v in range(self.vectors):
                        place = own + r * self.vectors + v
                        sums[place] = builder.call(fused, [element, bs[v], sums[place]])
                    row = slice(own + r * self.vectors, own + (r + 1) * self.vectors)
                    sums[row] = self._in_order(sums[row])
            return sums

        if self.fetch_target:
            for r, v in places:
                prefetch(builder, self._place(c, c_row, index(r), v), FIRST_LEVEL, to_write=True)
        whole = builder.sub(k, builder.srem(k, index(self.unrolled)))
        sums = loop_over_sums(builder, index(0), whole, self.unrolled, sums, partial(steps, count=self.unrolled))
        sums = loop_over_sums(builder, whole, k, 1, sums, partial(steps, count=1))
        for place, (r, v) in enumerate(places):
            total, *others = sums[place :: len(places)]
            for other in others:
                total = builder.fadd(total, other)
            # Last, so that a weight to which a gradient is added is rounded once, and not once for each row.
            total = builder.fadd(self._load(start, start_row, index(r), v), total)
            builder.store(total, self._place(c, c_row, index(r), v)).align = self.item
        return context.get_dummy_value()

    def _odd_steps(self, a_row):
        """The bytes from row 0 to rows 1, 3, 5 and so on: that times 1, 2 or 4 is in reach of any row up to the eighth
        without an addition, as x86 has addresses of a base and a scaled step. Additions take the places of
        multiply-adds."""
        steps = {r: self.builder.mul(a_row, ir.IntType(64)(r * self.item)) for r in range(1, self.rows, 2)}
        return {r: self._hidden(step) for r, step in steps.items()}

    def _row(self, first_row, r, odd_steps):
        """The address of row r."""
        if r == 0:
            return first_row
        power_of_two = r & -r
        offset = self.builder.mul(odd_steps[r // power_of_two], ir.IntType(64)(power_of_two))
        byte = self.builder.bitcast(first_row, ir.IntType(8).as_pointer())
        return self.builder.bitcast(self.builder.gep(byte, [offset]), first_row.type)

    def _hidden(self, value):
        """The same value, in a full tile by way of nothing, so that LLVM does not make a chain of additions of the
        addresses."""
        if self.rows < MR:
            return value
        return self.builder.asm(ir.FunctionType(value.type, [value.type]), "", "=r,0", [value], False)

    def _fetch(self, a, a_row, k):
        """Fetch what the rows behind the tile have in k's cache line: each step its share of the rows."""
        builder, index = self.builder, ir.IntType(64)
        line = LINE // self.item
        share = -(-self.rows * self.unrolled // line)
        step = builder.sdiv(builder.and_(k, index(line - 1)), index(self.unrolled))
        for r in range(share):
            row = builder.add(builder.mul(step, index(share)), index(self.rows + r))
            place = builder.gep(a, [builder.add(builder.mul(row, a_row), builder.and_(k, index(-line)))])
            prefetch(builder, place, SECOND_LEVEL)

    def _in_order(self, sums):
        """The sums, by way of nothing that LLVM may look into or move a load across: else it loads elements of a long
        before their use, runs out of registers, and takes twice the time."""
        if not REGISTER_CONSTRAINT or self.rows < MR:
            return sums
        kinds = [self.vector] * len(sums)
        returned = self.vector if len(sums) == 1 else ir.LiteralStructType(kinds)
        outputs = [f"={REGISTER_CONSTRAINT}"] * len(sums)
        constraint = ",".join([*outputs, *map(str, range(len(sums))), "~{memory}"])
        found = self.builder.asm(ir.FunctionType(returned, kinds), "", constraint, sums, True)
        return [found] if len(sums) == 1 else [self.builder.extract_value(found, v) for v in range(len(sums))]

    def _place(self, base, step, r, v):
        offset = self.builder.add(self.builder.mul(step, r), ir.IntType(64)(v * self.lanes))
        return self.builder.bitcast(self.builder.gep(base, [offset]), self.vector.as_pointer())

    def _load(self, base, step, r, v):
        value = self.builder.load(self._place(base, step, r, v))
        value.align = self.item
        return value
