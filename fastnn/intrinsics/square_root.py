"""Square roots of vectors, and how they leave the divider free."""

from __future__ import annotations

import platform

from llvmlite import ir
from numba.core import cgutils, types

from fastnn.intrinsics.declared import intrinsic
from fastnn.intrinsics.host import FUSES, LLVM, VECTOR_BYTES
from fastnn.intrinsics.vector import Vector, signature_of

# Whether vectors of float32 can have their roots estimated, and rounded as the instruction rounds (`estimating`): with
# AVX and fused multiply-adds. AVX-512 estimates all.
ESTIMATES_ROOTS = VECTOR_BYTES == 32 and FUSES and platform.machine() in ("x86_64", "AMD64")


def _marked(kind: types.Type, estimates: bool) -> types.Type:
    """The type of vectors, or of tuples of them, with that mark."""
    if isinstance(kind, Vector):
        return Vector(kind.dtype, estimates and kind.dtype == types.float32)
    if isinstance(kind, types.BaseTuple):
        return types.Tuple.from_types([_marked(own, estimates) for own in kind.types])
    return kind


@intrinsic
def estimating(typing_context, vectors):
    """A vector, or a tuple of them, whose `square_root_times` leaves the divider free, with the same result to the bit.

    For every second vector of a loop that needs a root and a division of each, where `ESTIMATES_ROOTS`. float64 has no
    estimate, and stays as it is.
    """
    vectors = types.unliteral(vectors)
    return _marked(vectors, True)(vectors), lambda context, builder, signature, arguments: arguments[0]


@intrinsic
def not_estimating(typing_context, vectors):
    """What `estimating` was given."""
    vectors = types.unliteral(vectors)
    return _marked(vectors, False)(vectors), lambda context, builder, signature, arguments: arguments[0]


@intrinsic
def square_root_times(typing_context, vector, factor):
    """factor √v of a vector v, to within 2 units in the last place; NaN for v < 0. The factor must not be negative.

    vector, factor : vectors of one type, or one of them a number. Returns a vector of that type. If the result is only
    added to something, its last product is fused with that sum.

    AVX-512 approximates 1/√v to 14 bits, and Newton's iteration refines it. That takes half the time of the square root
    instruction, and leaves the divider free for a division that follows. The factor enters the iteration at no cost.
    """

    signature = signature_of(vector, factor)
    if signature is None:
        return None

    def generate(context, builder, signature, arguments):
        return _SquareRoot(builder, signature.return_type).times(*arguments)

    return signature, generate


@intrinsic
def square_root(typing_context, vector):
    """√v, to within 2 units in the last place; NaN for v < 0. See `square_root_times`.

    vector : v. Returns a vector of its type.
    """

    def generate(context, builder, signature, arguments):
        root = _SquareRoot(builder, vector)
        return root.times(arguments[0], root.constant(1.0))

    return (vector(vector), generate) if isinstance(vector, Vector) else None


class _SquareRoot:
    """Emits the code of `square_root_times`."""

    def __init__(self, builder, vector: Vector) -> None:
        self.builder, self.vector = builder, vector
        self.suffix = "ps" if vector.dtype == types.float32 else "pd"

    def times(self, v, factor):
        vector, builder = self.vector, self.builder
        if VECTOR_BYTES < 64:
            name = f"llvm.sqrt.v{vector.lanes}f{vector.dtype.bitwidth}"
            root = self._estimated(v) if vector.estimates else self._call(name, vector.llvm, v)
            return self._product(root, factor)
        mask = ir.IntType(vector.lanes)
        inverse = self._call(f"llvm.x86.avx512.rsqrt14.{self.suffix}.512", vector.llvm, v, v, mask(-1))
        # For v of 0 or infinity the estimate is infinity or 0, and v times it NaN. Clamped, it gives the right root.
        # (Zen 4 has min and max in its adders, comparisons in its multipliers.)
        least = 1e-30 if vector.dtype == types.float32 else 1e-300
        inverse = self._at_least(least, self._at_most(1 / least, inverse))
        if vector.dtype == types.float64:
            # One iteration for 28 bits; the one below refines the root itself.
            better = self._plus(inverse, self._half(inverse), self._rest(builder.fmul(v, inverse), inverse))
            inverse = self._at_least(least, better)
        # √v = v r (1 + (1 - v r²) / 2) for the estimate r. The last factor is positive unless v is infinite.
        root = builder.fmul(v, inverse)
        factor = self._plus(factor, self._half(factor), self._rest(root, inverse))
        factor = self._call(f"llvm.fabs.v{vector.lanes}f{vector.dtype.bitwidth}", vector.llvm, factor)
        return self._product(root, factor)

    def _estimated(self, v):
        """√v of float32, rounded correctly, but for v below 2^-102: there to within two units in the last place.

        The estimate y of 1/√v has 11.5 bits. The first terms of the binomial series of 1/√(1 - e) refine it: s is √v,
        h is 1/(2 √v). Then s is corrected by its own rest (Markstein, Computation of elementary functions on the IBM
        RISC System/6000 processor, 1990). The last constant is more than rounding adds, so that s is never above the
        root, and its correction never a tie. Subnormal numbers must be flushed.
        """
        builder, vector = self.builder, self.vector
        y = self._call("llvm.x86.avx.rsqrt.ps.256", vector.llvm, v)
        # For v of 0 or infinity y is infinity or 0, and v times it NaN.
        y = self._at_least(1e-30, self._at_most(1e30, y))
        t, half = builder.fmul(v, y), self._half(y)
        e = self._fused(builder.fneg(t), y, self.constant(1.0))
        q = self._fused(self._fused(e, self.constant(0.375), self.constant(0.5)), e, self.constant(-4e-8))
        s, h = self._fused(t, q, t), self._fused(half, q, half)
        root = self._fused(self._fused(builder.fneg(s), s, v), h, s)
        # For infinity s is infinite, and its rest NaN.
        return builder.select(builder.fcmp_ordered(">", root, s), root, s)

    def _fused(self, a, b, c):
        """a b + c, rounded once."""
        return self._call(f"llvm.fma.v{self.vector.lanes}f{self.vector.dtype.bitwidth}", self.vector.llvm, a, b, c)

    def _rest(self, a, b):
        """1 - a b."""
        return self.builder.fsub(self.constant(1.0), self._product(a, b), flags=["contract"])

    def _call(self, name: str, result, *arguments):
        kind = ir.FunctionType(result, [argument.type for argument in arguments])
        return self.builder.call(cgutils.get_or_insert_function(self.builder.module, kind, name), arguments)

    def constant(self, value: float):
        vector = self.vector
        return ir.Constant(vector.llvm, [ir.Constant(LLVM[vector.dtype], value)] * vector.lanes)

    # These comparisons are false for NaN, which is kept.
    def _at_most(self, limit: float, a):
        return self._instead_where(">", self.constant(limit), a)

    def _at_least(self, limit: float, a):
        return self._instead_where("<", self.constant(limit), a)

    def _instead_where(self, relation: str, limit, a):
        return self.builder.select(self.builder.fcmp_ordered(relation, a, limit), limit, a)

    def _product(self, a, b):
        """a b, which may be fused with an addition."""
        return self.builder.fmul(a, b, flags=["contract"])

    def _half(self, a):
        return self.builder.fmul(a, self.constant(0.5))

    def _plus(self, c, a, b):
        """c + a b."""
        return self.builder.fadd(c, self._product(a, b), flags=["contract"])
