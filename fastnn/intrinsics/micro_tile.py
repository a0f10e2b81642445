"""The micro-kernel of the matrix product (BLIS: an MR x NR micro-tile of C)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from llvmlite import ir
from numba.core import cgutils, types

from fastnn.intrinsics.declared import intrinsic
from fastnn.intrinsics.host import LLVM, MR, NR_VECTORS, REGISTER_CONSTRAINT, VECTOR_BYTES, splat
from fastnn.intrinsics.loop import loop_over_sums
from fastnn.intrinsics.memory import FIRST_LEVEL, SECOND_LEVEL, prefetch

# Sums that hide the latency of multiply-adds: two are begun in a cycle, and each takes four.
_SUMS_UNDER_WAY = 8


def sets_of_sums(rows: int, vectors: int) -> int:
    """How many sets of sums a micro-tile has, for i in turn: one of few sums is bound by the latency of additions,
    which several sets hide."""
    return next((sets for sets in (1, 2, 4) if sets * rows * vectors >= _SUMS_UNDER_WAY), 4)


def micro_tile(
    rows: int,
    vectors: int,
    fetch_ahead: bool = False,
    fetch_rows: bool = False,
    fetch_columns: bool = False,
    fetch_target: bool = False,
    active_columns: bool = False,
    in_order: bool = False,
    along_rows: bool = False,
) -> Callable:
    """The micro-kernel for a micro-tile of `rows` rows and `vectors` vectors of columns.

    tile(a, a_row, a_k, b, b_k, start, start_row, c, c_row, k, ahead, ahead_k):
    c[r, :] = start[r, :] + Σ a[r, i] b[i, :] over i < k.

    `a`, `b`, `start`, `c` and `ahead` are addresses; `a_row`, `a_k`, `ahead_k` and so on are the elements from one row,
    or one i, to the next. All sums stay in registers: for each i the vectors of b are loaded once and each element of a
    is broadcast once. Vectors of b, start and c are read and written in full, so that their rows must be padded to a
    multiple of the lanes.

    fetch_ahead : prefetch the memory from `ahead` on into the second-level cache, `ahead_k` elements for each i; for
        every two i these may be no more than LINES_AHEAD cache lines, with `fetch_columns` LINES_AHEAD_OF_AN_UPDATE.
    fetch_rows : prefetch the next `rows` rows of a into the second-level cache; with `along_rows`. The hardware
        prefetcher does not: each row begins on another page, on which it must first see a pattern.
    fetch_columns : a_row is 1, whatever is given. Prefetch into the first-level cache for each i what of a lies a cache
        line further on, which the next micro-tiles read. The hardware prefetcher does not: from one i to the next is
        another page.
    fetch_target : prefetch into the first-level cache the micro-tile of c, for writing.
    active_columns : in place of `ahead_k` the micro-kernel takes the address of k int32 indices, and sums over these i
        instead of all below k. It prefetches a cache line from `ahead` for each.
    in_order : each sum is added up in the order of i, as if those that are zero were left out; else as hides the
        latency of additions (`sets_of_sums`).
    along_rows : a_k is 1, whatever is given. x86 has few registers for integers, and needs one less.
    """
    sets = 1 if in_order else sets_of_sums(rows, vectors)
    options = (fetch_ahead, fetch_rows, fetch_columns, fetch_target), along_rows

    if active_columns:

        @intrinsic
        def sparse_tile(typing_context, a, a_row, a_k, b, b_k, start, start_row, c, c_row, k, ahead, indices):
            int64, int32s = types.int64, types.CPointer(types.int32)
            signature = types.none(a, int64, int64, a, int64, a, int64, a, int64, int64, a, int32s)
            return signature, _MicroTile(rows, vectors, sets, *options, a.dtype, sparse=True).generate

        return sparse_tile

    @intrinsic
    def tile(typing_context, a, a_row, a_k, b, b_k, start, start_row, c, c_row, k, ahead, ahead_k):
        int64 = types.int64
        signature = types.none(a, int64, int64, a, int64, a, int64, a, int64, int64, a, int64)
        return signature, _MicroTile(rows, vectors, sets, *options, a.dtype).generate

    return tile


# Bytes that caches fetch at a time, on nearly all CPUs.
CACHE_LINE = 64


# How many lines of what lies ahead a full micro-tile prefetches for every two i at most. Of what an update is about to
# read, weights and two moments, that is all of a micro-tile's where there are 36 i or more.
LINES_AHEAD, LINES_AHEAD_OF_AN_UPDATE = 1, max(1, MR * NR_VECTORS * VECTOR_BYTES // (6 * CACHE_LINE))


class _MicroTile:
    """Emits one micro-kernel."""

    def __init__(
        self,
        rows: int,
        vectors: int,
        sets: int,
        fetches: tuple[bool, bool, bool, bool],
        along_rows: bool,
        dtype: types.Float,
        sparse: bool = False,
    ) -> None:
        self.along_rows = along_rows
        self.rows, self.vectors, self.sets, self.sparse = rows, vectors, sets, sparse
        self.fetch_ahead, self.fetch_rows, self.fetch_columns, self.fetch_target = fetches
        self.unrolled = max(2, sets)
        self.item = dtype.bitwidth // 8
        self.lanes = VECTOR_BYTES // self.item
        self.vector = ir.VectorType(LLVM[dtype], self.lanes)
        self.fused_name = f"llvm.fmuladd.v{self.lanes}f{dtype.bitwidth}"

    def generate(self, context, builder, signature, arguments):
        """The code of one call, inline: sums stay in registers from the first load to the last store."""
        a, a_row, a_k, b, b_k, start, start_row, c, c_row, k, ahead, last = arguments
        ahead_k = ir.IntType(64)(CACHE_LINE // self.item) if self.sparse else last
        self.builder, index = builder, ir.IntType(64)
        a_row, a_k = index(1) if self.fetch_columns else a_row, index(1) if self.along_rows else a_k
        kind = ir.FunctionType(self.vector, [self.vector] * 3)
        fused = cgutils.get_or_insert_function(builder.module, kind, self.fused_name)
        tile = [(r, v) for r in range(self.rows) for v in range(self.vectors)]
        odd_rows = self._odd_row_offsets(a_row)
        zero = ir.Constant(self.vector, None)
        sums = [zero] * (self.sets * len(tile))

        def multiply_add(first, sums, unrolled):
            """The body of the loop over k, for `unrolled` values of i from `first` on."""
            if self.fetch_ahead and unrolled > 1:
                self._fetch_ahead(ahead, ahead_k, first)
            if self.fetch_rows and unrolled > 1:
                self._fetch_rows(a, a_row, first)
            for u in range(unrolled):
                i, first_sum = builder.add(first, index(u)), u % self.sets * len(tile)
                if self.sparse:
                    i = builder.zext(builder.load(builder.gep(last, [i])), index)
                b_vectors = [self._load(b, b_k, i, v) for v in range(self.vectors)]
                row_0 = self._opaque(builder.gep(a, [builder.mul(i, a_k)]))
                if self.fetch_columns:
                    prefetch(builder, builder.gep(row_0, [index(CACHE_LINE // self.item)]), FIRST_LEVEL)
                for r in range(self.rows):
                    element = splat(builder, builder.load(self._row(row_0, r, odd_rows)), self.lanes)
                    for v in range(self.vectors):
                        s = first_sum + r * self.vectors + v
                        sums[s] = builder.call(fused, [element, b_vectors[v], sums[s]])
                    row = slice(first_sum + r * self.vectors, first_sum + (r + 1) * self.vectors)
                    sums[row] = self._in_order(sums[row])
            return sums

        if self.fetch_target:
            for r, v in tile:
                prefetch(builder, self._address(c, c_row, index(r), v), FIRST_LEVEL, to_write=True)
        full = builder.sub(k, builder.srem(k, index(self.unrolled)))
        body = partial(multiply_add, unrolled=self.unrolled)
        sums = loop_over_sums(builder, index(0), full, self.unrolled, sums, body)
        sums = loop_over_sums(builder, full, k, 1, sums, partial(multiply_add, unrolled=1))
        for s, (r, v) in enumerate(tile):
            total, *other_sets = sums[s :: len(tile)]
            for other in other_sets:
                total = builder.fadd(total, other)
            # `start` comes last: a weight that a gradient is added to is then rounded once, not once per row of a.
            total = builder.fadd(self._load(start, start_row, index(r), v), total)
            builder.store(total, self._address(c, c_row, index(r), v)).align = self.item
        return context.get_dummy_value()

    def _odd_row_offsets(self, a_row):
        """The bytes from row 0 to rows 1, 3, 5 and so on, unless a row is one element.

        x86 addresses are a base plus an index times 1, 2, 4 or 8. These offsets, so scaled, reach every row below MR
        without an addition, which would compete with multiply-adds for execution ports.
        """
        if self.fetch_columns:
            return {}
        offsets = {r: self.builder.mul(a_row, ir.IntType(64)(r * self.item)) for r in range(1, self.rows, 2)}
        return {r: self._opaque(offset) for r, offset in offsets.items()}

    def _row(self, row_0, r, odd_rows):
        """The address of row r."""
        if r == 0:
            return row_0
        if self.fetch_columns:
            return self.builder.gep(row_0, [ir.IntType(64)(r)])
        power_of_two = r & -r
        offset = self.builder.mul(odd_rows[r // power_of_two], ir.IntType(64)(power_of_two))
        byte = self.builder.bitcast(row_0, ir.IntType(8).as_pointer())
        return self.builder.bitcast(self.builder.gep(byte, [offset]), row_0.type)

    def _opaque(self, value):
        """The same value; in a full micro-tile it passes through empty inline assembly, so that LLVM does not rewrite
        the addresses as a chain of additions."""
        if self.rows < MR:
            return value
        return self.builder.asm(ir.FunctionType(value.type, [value.type]), "", "=r,0", [value], False)

    def _fetch_ahead(self, ahead, ahead_k, i):
        """Prefetch what lies ahead for the iteration that begins with i."""
        builder, index = self.builder, ir.IntType(64)
        of_two = 2 if self.sparse else LINES_AHEAD_OF_AN_UPDATE if self.fetch_columns else LINES_AHEAD
        lines = of_two * self.unrolled // 2
        begin = builder.gep(ahead, [builder.mul(i, ahead_k)])
        # x86 has few registers for integers: these addresses are one of two, or that plus twice this step.
        step = self._opaque(builder.sdiv(builder.mul(ahead_k, index(self.unrolled)), index(lines)))
        starts = [begin, self._opaque(builder.gep(begin, [step]))] if lines > 1 else [begin]
        for line in range(lines):
            past = builder.mul(step, index(line - line % 2))
            prefetch(builder, builder.gep(starts[line % 2], [past]), SECOND_LEVEL)

    def _fetch_rows(self, a, a_row, i):
        """Prefetch i's cache line of the rows below the micro-tile: a few rows in each iteration on that line."""
        builder, index = self.builder, ir.IntType(64)
        line = CACHE_LINE // self.item
        rows_per_iteration = -(-self.rows * self.unrolled // line)
        iteration = builder.sdiv(builder.and_(i, index(line - 1)), index(self.unrolled))
        for r in range(rows_per_iteration):
            row = builder.add(builder.mul(iteration, index(rows_per_iteration)), index(self.rows + r))
            address = builder.gep(a, [builder.add(builder.mul(row, a_row), builder.and_(i, index(-line)))])
            prefetch(builder, address, SECOND_LEVEL)

    def _in_order(self, sums):
        """The same sums, through empty inline assembly that LLVM moves no load across.

        Otherwise LLVM loads elements of `a` long before their use and spills registers, which takes twice the time.
        """
        if not REGISTER_CONSTRAINT or self.rows < MR:
            return sums
        kinds = [self.vector] * len(sums)
        returned = self.vector if len(sums) == 1 else ir.LiteralStructType(kinds)
        outputs = [f"={REGISTER_CONSTRAINT}"] * len(sums)
        constraint = ",".join([*outputs, *map(str, range(len(sums))), "~{memory}"])
        ordered = self.builder.asm(ir.FunctionType(returned, kinds), "", constraint, sums, True)
        return [ordered] if len(sums) == 1 else [self.builder.extract_value(ordered, v) for v in range(len(sums))]

    def _address(self, base, row, r, v):
        offset = self.builder.add(self.builder.mul(row, r), ir.IntType(64)(v * self.lanes))
        return self.builder.bitcast(self.builder.gep(base, [offset]), self.vector.as_pointer())

    def _load(self, base, row, r, v):
        value = self.builder.load(self._address(base, row, r, v))
        value.align = self.item
        return value
