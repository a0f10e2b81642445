"""What Numba has no word for, as LLVM intrinsics. No other file speaks LLVM IR."""

from __future__ import annotations

import platform
from collections.abc import Callable

import llvmlite.binding
from llvmlite import ir
from numba.core import cgutils, config, types
from numba.extending import intrinsic


def _features() -> set[str]:
    """Names of the CPU features that Numba compiles for; `NUMBA_CPU_FEATURES` and `NUMBA_CPU_NAME` can narrow them."""
    if config.CPU_FEATURES is not None:
        return {name[1:] for name in config.CPU_FEATURES.split(",") if name.startswith("+")}
    return {name for name, present in llvmlite.binding.get_host_cpu_features().items() if present}


def _vector_bytes() -> int:
    features = _features()
    return 64 if "avx512f" in features else 32 if "avx" in features else 16


# The widest registers that the CPU has, and the tile of a matrix product that fits in them: TILE_ROWS times
# TILE_VECTORS accumulators, a vector of B for each column of vectors, and a broadcast element of A.
VECTOR_BYTES = _vector_bytes()
_REGISTERS = 32 if VECTOR_BYTES == 64 or platform.machine() in ("aarch64", "arm64") else 16
TILE_ROWS, TILE_VECTORS = (8, 3) if _REGISTERS == 32 else (4, 3)

_FLOAT_OF = {types.int32: types.float32, types.int64: types.float64}
_INT_OF = {value: key for key, value in _FLOAT_OF.items()}
_LLVM = {
    types.int32: ir.IntType(32),
    types.int64: ir.IntType(64),
    types.float32: ir.FloatType(),
    types.float64: ir.DoubleType(),
}


def _reinterpret(source: types.Type, target: types.Type | None):
    if target is None:
        return None

    def generate(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], _LLVM[target])

    return target(source), generate


@intrinsic
def bits_to_float(typing_context, bits):
    """The float32 (float64) whose bits are the given int32 (int64)."""
    return _reinterpret(bits, _FLOAT_OF.get(bits))


@intrinsic
def float_to_bits(typing_context, value):
    """The bits of a float32 (float64) as int32 (int64)."""
    return _reinterpret(value, _INT_OF.get(value))


@intrinsic
def prefer_full_vectors(typing_context):
    """Ask LLVM to vectorise the enclosing function's loops with the widest registers that the CPU has.

    LLVM halves AVX-512 registers by default, for the sake of the clock of older CPUs.
    """

    def generate(context, builder, signature, arguments):
        # llvmlite lists the attributes it knows; this one LLVM reads as a string pair.
        set.add(builder.function.attributes, '"prefer-vector-width"="512"')
        return context.get_dummy_value()

    return types.none(), generate


@intrinsic
def lanes(typing_context, array):
    """How many elements of the array fill a vector register; a constant for the compiler."""
    count = VECTOR_BYTES // (array.dtype.bitwidth // 8)

    def generate(context, builder, signature, arguments):
        return ir.Constant(ir.IntType(64), count)

    return types.int64(array), generate


@intrinsic
def address(typing_context, array, offset):
    """The address of the element at that offset of a C-contiguous array, counted in elements."""

    def generate(context, builder, signature, arguments):
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        return builder.gep(data, [arguments[1]])

    return types.CPointer(array.dtype)(array, types.int64), generate


@intrinsic
def moved(typing_context, pointer, offset):
    """The address so many elements further on."""

    def generate(context, builder, signature, arguments):
        return builder.gep(arguments[0], [arguments[1]])

    return pointer(pointer, types.int64), generate


def _everywhere(builder, element, count: int):
    """A vector that holds the element in each of its lanes."""
    undefined, lane = ir.Constant(ir.VectorType(element.type, count), ir.Undefined), ir.IntType(32)
    first = builder.insert_element(undefined, element, lane(0))
    return builder.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(lane, count), [0] * count))


def tile_product(rows: int, vectors: int, fetch_ahead: bool = False) -> Callable:
    """The micro-kernel of the matrix product, for a tile of so many rows and so many vectors of columns.

    tile(a, a_row, a_k, b, b_k, start, start_row, c, c_row, k): c[r, :] = start[r, :] + sum over k of a[r, k] b[k, :].
    Arguments are addresses, and steps in elements from one row, or one k, to the next. All sums stay in registers:
    for each k the vectors of b are loaded once, each element of a is broadcast once. Every vector of b, start and c is
    read and written whole, so that their rows must be padded to whole vectors.

    With `fetch_ahead`, for a whose rows are contiguous, the rows behind the tile are fetched into the second-level
    cache meanwhile. The hardware does not: each row begins on another page, where it must first learn to look ahead.
    """
    # One row has few sums, and each waits for its last: several sets of them, for every other k, fill the time.
    sets = max(1, min(4, TILE_ROWS * TILE_VECTORS // (2 * rows * vectors)))

    @intrinsic
    def tile(typing_context, a, a_row, a_k, b, b_k, start, start_row, c, c_row, k):
        step = types.int64
        signature = types.none(a, step, step, a, step, a, step, a, step, step)
        return signature, _TileProduct(rows, vectors, sets, fetch_ahead, a.dtype).generate

    return tile


class _TileProduct:
    """Emits one micro-kernel."""

    def __init__(self, rows: int, vectors: int, sets: int, fetch_ahead: bool, dtype: types.Float) -> None:
        self.rows, self.vectors, self.sets, self.fetch_ahead = rows, vectors, sets, fetch_ahead
        self.unrolled = max(2, sets)
        self.item = dtype.bitwidth // 8
        self.lanes = VECTOR_BYTES // self.item
        self.vector = ir.VectorType(_LLVM[dtype], self.lanes)
        self.fused_name = f"llvm.fmuladd.v{self.lanes}f{dtype.bitwidth}"

    def generate(self, context, builder, signature, arguments):
        """The code of one call: all of it in line, registers from the first load to the last store."""
        a, a_row, a_k, b, b_k, start, start_row, c, c_row, k = arguments
        self.builder, index = builder, ir.IntType(64)
        kind = ir.FunctionType(self.vector, [self.vector] * 3)
        fused = cgutils.get_or_insert_function(builder.module, kind, self.fused_name)
        places = [(r, v) for r in range(self.rows) for v in range(self.vectors)]
        a_rows = [builder.gep(a, [builder.mul(a_row, index(r))]) for r in range(self.rows)]
        zero = ir.Constant(self.vector, None)
        sums = [[zero] * len(places) for _ in range(self.sets)]

        def steps(first, sums, count):
            if self.fetch_ahead and count > 1:
                self._fetch(a, a_row, first)
            for u in range(count):
                at, own = builder.add(first, index(u)), sums[u % self.sets]
                bs = [self._load(b, b_k, at, v) for v in range(self.vectors)]
                for r in range(self.rows):
                    element = _everywhere(
                        builder, builder.load(builder.gep(a_rows[r], [builder.mul(at, a_k)])), self.lanes
                    )
                    for v in range(self.vectors):
                        place = r * self.vectors + v
                        own[place] = builder.call(fused, [element, bs[v], own[place]])
            return sums

        whole = builder.sub(k, builder.srem(k, index(self.unrolled)))
        sums = self._loop(index(0), whole, self.unrolled, sums, steps)
        sums = self._loop(whole, k, 1, sums, steps)
        for place, (r, v) in enumerate(places):
            total = sums[0][place]
            for other in sums[1:]:
                total = builder.fadd(total, other[place])
            # Last, so that a weight to which a gradient is added is rounded once, and not once for each row.
            total = builder.fadd(self._load(start, start_row, index(r), v), total)
            builder.store(total, self._place(c, c_row, index(r), v)).align = self.item
        return context.get_dummy_value()

    def _loop(self, first, last, step, sums, body):
        """for at in range(first, last, step): sums = body(at, sums, step), with the sums in registers."""
        builder = self.builder
        before, function = builder.block, builder.function
        test, loop, after = (function.append_basic_block(name) for name in ("test", "loop", "after"))
        builder.branch(test)
        builder.position_at_end(test)
        at = builder.phi(ir.IntType(64))
        at.add_incoming(first, before)
        kept = [[builder.phi(self.vector) for _ in own] for own in sums]
        self._incoming(kept, sums, before)
        builder.cbranch(builder.icmp_signed("<", at, last), loop, after)
        builder.position_at_end(loop)
        changed = body(at, [list(phis) for phis in kept], step)
        at.add_incoming(builder.add(at, ir.IntType(64)(step)), builder.block)
        self._incoming(kept, changed, builder.block)
        builder.branch(test)
        builder.position_at_end(after)
        return [list(phis) for phis in kept]

    def _fetch(self, a, a_row, k):
        """Fetch what the rows behind the tile have in k's cache line: each step its share of the rows."""
        builder, index = self.builder, ir.IntType(64)
        line = 64 // self.item
        share = -(-self.rows * self.unrolled // line)
        step = builder.sdiv(builder.and_(k, index(line - 1)), index(self.unrolled))
        byte, flag = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, flag, flag, flag])
        prefetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
        for r in range(share):
            row = builder.add(builder.mul(step, index(share)), index(self.rows + r))
            place = builder.gep(a, [builder.add(builder.mul(row, a_row), builder.and_(k, index(-line)))])
            builder.call(prefetch, [builder.bitcast(place, byte), flag(0), flag(2), flag(1)])

    def _incoming(self, kept, sums, block):
        for phis, own in zip(kept, sums, strict=True):
            for phi, value in zip(phis, own, strict=True):
                phi.add_incoming(value, block)

    def _place(self, base, step, r, v):
        offset = self.builder.add(self.builder.mul(step, r), ir.IntType(64)(v * self.lanes))
        return self.builder.bitcast(self.builder.gep(base, [offset]), self.vector.as_pointer())

    def _load(self, base, step, r, v):
        value = self.builder.load(self._place(base, step, r, v))
        value.align = self.item
        return value


class _RowLoop:
    """Emits a loop over the vectors of one row, the lanes beyond its columns masked."""

    def __init__(self, builder, dtype: types.Float, columns) -> None:
        self.builder, self.columns, self.dtype = builder, columns, dtype
        self.item = dtype.bitwidth // 8
        self.lanes = VECTOR_BYTES // self.item
        self.scalar = _LLVM[dtype]
        self.vector = ir.VectorType(self.scalar, self.lanes)
        self.suffix = f"v{self.lanes}f{dtype.bitwidth}"

    def constant(self, value: float):
        return ir.Constant(self.vector, [ir.Constant(self.scalar, value)] * self.lanes)

    def everywhere(self, element):
        return _everywhere(self.builder, element, self.lanes)

    def run(self, state, body):
        """state = body(offset, mask, state) for each vector; the last state."""
        builder, index = self.builder, ir.IntType(64)
        before, function = builder.block, builder.function
        loop, after = function.append_basic_block("vectors"), function.append_basic_block("after")
        builder.branch(loop)
        builder.position_at_end(loop)
        offset, kept = builder.phi(index), builder.phi(self.vector)
        offset.add_incoming(index(0), before)
        kept.add_incoming(state, before)
        wide = ir.VectorType(index, self.lanes)
        left = self.everywhere(builder.sub(self.columns, offset))
        mask = builder.icmp_signed("<", ir.Constant(wide, [index(k) for k in range(self.lanes)]), left)
        changed = body(offset, mask, kept)
        following = builder.add(offset, index(self.lanes))
        offset.add_incoming(following, builder.block)
        kept.add_incoming(changed, builder.block)
        builder.cbranch(builder.icmp_signed("<", following, self.columns), loop, after)
        builder.position_at_end(after)
        return changed

    def load(self, base, offset, mask, otherwise):
        place = self._place(base, offset)
        kind = ir.FunctionType(self.vector, [place.type, ir.IntType(32), mask.type, self.vector])
        name = f"llvm.masked.load.{self.suffix}.p0{self.suffix}"
        function = cgutils.get_or_insert_function(self.builder.module, kind, name)
        return self.builder.call(function, [place, ir.IntType(32)(self.item), mask, otherwise])

    def store(self, value, base, offset, mask):
        place = self._place(base, offset)
        kind = ir.FunctionType(ir.VoidType(), [self.vector, place.type, ir.IntType(32), mask.type])
        name = f"llvm.masked.store.{self.suffix}.p0{self.suffix}"
        function = cgutils.get_or_insert_function(self.builder.module, kind, name)
        self.builder.call(function, [value, place, ir.IntType(32)(self.item), mask])

    def store_whole(self, value, base, offset):
        self.builder.store(value, self._place(base, offset)).align = self.item

    def reduce(self, name, *arguments, flags):
        kind = ir.FunctionType(self.scalar, [argument.type for argument in arguments])
        function = cgutils.get_or_insert_function(self.builder.module, kind, f"llvm.vector.reduce.{name}.{self.suffix}")
        return self.builder.call(function, list(arguments), fastmath=flags)

    def _place(self, base, offset):
        return self.builder.bitcast(self.builder.gep(base, [offset]), self.vector.as_pointer())


@intrinsic
def shift_row(typing_context, z, columns, y):
    """y ← z - the maximum of the row z, and -infinity in the padding of y, a row of whole vectors.

    A NaN does not count as the maximum, and stays NaN. y may be z.
    """

    def generate(context, builder, signature, arguments):
        source, count, target = arguments
        row = _RowLoop(builder, signature.args[0].dtype, count)
        lowest = row.constant(float("-inf"))

        def larger(offset, mask, largest):
            value = row.load(source, offset, mask, lowest)
            return builder.select(builder.fcmp_ordered(">", value, largest), value, largest)

        largest = row.everywhere(row.reduce("fmax", row.run(lowest, larger), flags=["nnan"]))

        def shift(offset, mask, state):
            value = builder.fsub(row.load(source, offset, mask, lowest), largest)
            row.store_whole(builder.select(mask, value, lowest), target, offset)
            return state

        row.run(lowest, shift)
        return context.get_dummy_value()

    return types.none(z, types.int64, z), generate


@intrinsic
def sum_row(typing_context, y, columns):
    """The sum of a row, in any order."""

    def generate(context, builder, signature, arguments):
        source, count = arguments
        row = _RowLoop(builder, signature.args[0].dtype, count)
        zero = row.constant(0.0)
        total = row.run(zero, lambda offset, mask, total: builder.fadd(total, row.load(source, offset, mask, zero)))
        return row.reduce("fadd", ir.Constant(row.scalar, 0.0), total, flags=["reassoc"])

    return y.dtype(y, types.int64), generate


@intrinsic
def scale_row(typing_context, y, factor, columns, out):
    """out ← y factor, over a row. out may be y."""

    def generate(context, builder, signature, arguments):
        source, value, count, target = arguments
        row = _RowLoop(builder, signature.args[0].dtype, count)
        zero, factors = row.constant(0.0), row.everywhere(value)

        def scale(offset, mask, state):
            row.store(builder.fmul(row.load(source, offset, mask, zero), factors), target, offset, mask)
            return state

        row.run(zero, scale)
        return context.get_dummy_value()

    return types.none(y, y.dtype, types.int64, y), generate


# Whether LLVM turns `times_power_of_two` into the one instruction that AVX-512 has for it, and not into a call each.
SCALES_BY_POWERS_OF_TWO = VECTOR_BYTES == 64 and llvmlite.binding.llvm_version_info[0] >= 22


@intrinsic
def times_power_of_two(typing_context, value, exponent):
    """value 2**exponent, rounded once, with overflow and subnormal numbers; only where SCALES_BY_POWERS_OF_TWO."""

    def generate(context, builder, signature, arguments):
        real, whole = (argument.type for argument in arguments)
        name = f"llvm.ldexp.f{signature.args[0].bitwidth}.i{whole.width}"
        scale = cgutils.get_or_insert_function(builder.module, ir.FunctionType(real, [real, whole]), name)
        return builder.call(scale, arguments)

    return value(value, exponent), generate


@intrinsic
def polynomial(typing_context, x, coefficients):
    """The polynomial in x with this tuple of coefficients, the highest power first, by Horner's rule.

    Unrolled here: LLVM unrolls a loop over a long tuple only sometimes, and then vectorises the loop around it.
    """

    def generate(context, builder, signature, arguments):
        variable, table = arguments
        value = builder.extract_value(table, 0)
        for k in range(1, len(signature.args[1])):
            product = builder.fmul(value, variable, flags=["contract"])
            value = builder.fadd(product, builder.extract_value(table, k), flags=["contract"])
        return value

    return x(x, coefficients), generate
