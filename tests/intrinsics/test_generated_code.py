"""The machine code of the micro-kernels for CPUs that need not be this one: sums stay in registers.

`python tests/intrinsics/generated_code.py` prints what is counted here.
"""

from __future__ import annotations

import llvmlite.binding
import pytest

from tests.intrinsics.generated_code import CPUS, generated_code, innermost_loops

# Units whose innermost loops are full micro-tiles, with the most instructions for a multiply-add: cores take in four to
# six for each two that they can do. The last is not unrolled. Then units of dot tiles.
MICRO_TILES = {"panel_product": 2.5, "sparse_forward": 2.5, "sparse_gradient": 3.0}
DOT_TILES = ("gemv_transposed", "multiply_transposed", "tail_forward")
NOT_FUSED = ("x86-64", "nehalem", "sandybridge")


ALL = [(cpu, dtype, unit) for cpu in CPUS for dtype in ("float32", "float64") for unit in (*MICRO_TILES, *DOT_TILES)]
# Two seconds each, in a process of its own.
QUICK = [(cpu, "float32", "panel_product") for cpu in ("haswell", "skylake-avx512", "neoverse-n1")]
CASES = QUICK + [pytest.param(*case, marks=pytest.mark.exhaustive) for case in ALL if case not in QUICK]


@pytest.mark.parametrize(("cpu", "dtype", "unit"), CASES)
def test_sums_stay_in_registers(cpu: str, dtype: str, unit: str) -> None:
    llvmlite.binding.initialize_all_targets()
    try:
        llvmlite.binding.Target.from_triple(f"{CPUS[cpu][0]}-unknown-linux-gnu")
    except RuntimeError as error:
        pytest.skip(f"this LLVM has no such code: {error}")
    code = generated_code(cpu, dtype, unit)
    assert code.longest
    for loop in code.longest:
        assert not loop.spilled
        assert loop.vector_bytes == {code.vector_bytes}
        assert loop.fused == (cpu not in NOT_FUSED)
        if unit in MICRO_TILES:
            assert loop.multiply_adds % (code.rows * code.vectors) == 0
            # Integers that do not change. x86 has 16 registers for integers, AArch64 31.
            assert len(loop.on_stack) <= (loop.multiply_adds / 10 if CPUS[cpu][0] == "x86_64" else 1)
            most = MICRO_TILES[unit] + (0 if loop.fused else 3)  # SSE shuffles to broadcast, copies, and adds
            assert len(loop.instructions) <= most * loop.multiply_adds


def test_spills_are_seen() -> None:
    x86 = """
.LBB0_1:
	vmovups	96(%rsp), %ymm1
	vfmadd231ps	(%rsi), %ymm1, %ymm2
	addq	-32(%rsp), %rsi
	movq	%rsi, 8(%rsp)
	addq	$2, %rax
	jl	.LBB0_1
	vmovups	%ymm2, (%rsp)
"""
    (loop,) = innermost_loops(x86)
    assert (loop.multiply_adds, len(loop.instructions), len(loop.on_stack)) == (1, 6, 3)
    assert loop.spilled == ["vmovups 96(%rsp), %ymm1", "movq %rsi, 8(%rsp)"]
    arm = """
.LBB0_1:                                // =>This Inner Loop Header: Depth=1
	ldr	q8, [sp, #32]                   // 16-byte Folded Reload
	fmla	v31.4s, v8.4s, v11.s[0]
	str	x9, [sp, #8]
	ldr	x9, [sp]
	b.lt	.LBB0_1
"""
    (loop,) = innermost_loops(arm)
    assert (loop.multiply_adds, len(loop.instructions), len(loop.on_stack)) == (1, 5, 3)
    assert loop.spilled == ["ldr q8, [sp, #32]", "str x9, [sp, #8]"]
