"""The machine code of a unit for a CPU that need not be this one: its innermost loops.

    python tests/intrinsics/generated_code.py                                  # counts, for every CPU of `CPUS`
    python tests/intrinsics/generated_code.py haswell float32 panel_product    # the longest loops themselves

Each CPU gets a process of its own, in which `fastnn/intrinsics/host.py` chooses vectors and micro-tile as it would on
that CPU, and Numba's own passes optimise for it. Nothing is run. LLVM must have been built with the CPU's architecture;
the wheels of llvmlite have x86-64 and AArch64.
"""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

_AVX2 = "+sse4.2,+popcnt,+avx,+avx2,+fma,+bmi,+bmi2,+f16c"
_AVX512 = f"{_AVX2},+avx512f,+avx512cd,+avx512bw,+avx512dq,+avx512vl"

# LLVM's name of a CPU -> its architecture, and the features by which fastnn chooses.
CPUS = {
    "x86-64": ("x86_64", "+sse2"),
    "nehalem": ("x86_64", "+sse4.2,+popcnt"),
    "sandybridge": ("x86_64", "+sse4.2,+popcnt,+avx"),
    "haswell": ("x86_64", _AVX2),
    "znver3": ("x86_64", _AVX2),
    "skylake-avx512": ("x86_64", _AVX512),
    "znver4": ("x86_64", _AVX512),
    "znver5": ("x86_64", _AVX512),
    "generic": ("aarch64", "+neon"),
    "neoverse-n1": ("aarch64", "+neon,+lse"),
    "apple-m1": ("aarch64", "+neon,+lse"),
    "neoverse-v1": ("aarch64", "+neon,+lse,+sve"),
    "neoverse-v2": ("aarch64", "+neon,+lse,+sve,+sve2"),
}

# AVX and AVX-512 with FMA; AVX and SSE without, where each multiplication stands for one; NEON; SVE.
_MULTIPLY_ADD = re.compile(r"vfn?m(add|sub)\d+p[sd]\b|v?mulp[sd]\b|fml[as]\s+[vz]\d+\.(4s|2d|s|d)")
_VECTOR = re.compile(r"%[xyz]mm\d|\b[vqz]\d")
_STACK = re.compile(r"\(%rsp\b|\[sp\b")
_PREFETCH = re.compile(r"prefetch|prfm")
# The last operand of x86 and the first of AArch64 is what is written.
_STORE = re.compile(r"v?mov.*\(%rsp\)$|st[pru]+\s")
_LABEL = re.compile(r"(\.L\w+):")
_JUMP = re.compile(r"(?:j\w+|b\.\w+|cbn?z|tbn?z)\s.*?(\.L\w+)$")
_WIDTHS = {"x": 16, "y": 32, "z": 64}


@dataclass(frozen=True)
class Loop:
    """An innermost loop of one basic block: what one turn of it executes."""

    instructions: list[str]

    @property
    def multiply_adds(self) -> int:
        """How many, of whole vectors."""
        return len(self._matching(_MULTIPLY_ADD))

    @property
    def fused(self) -> bool:
        """Whether each multiply-add is one instruction."""
        return all("fm" in line for line in self._matching(_MULTIPLY_ADD))

    @property
    def vector_bytes(self) -> set[int]:
        """The sizes of the registers that its multiply-adds write."""
        registers = [re.search(r"%([xyz])mm\d+$", line) for line in self._matching(_MULTIPLY_ADD)]
        return {_WIDTHS[found[1]] if found else 16 for found in registers}

    @property
    def prefetches(self) -> bool:
        return bool(self._matching(_PREFETCH))

    @property
    def on_stack(self) -> list[str]:
        """Instructions that read or write the stack."""
        return self._matching(_STACK)

    @property
    def spilled(self) -> list[str]:
        """Those of vectors, and those that write. What is left reads an integer that does not change in the loop."""
        return [line for line in self.on_stack if _VECTOR.search(line) or _STORE.match(line)]

    def _matching(self, pattern: re.Pattern) -> list[str]:
        return [line for line in self.instructions if pattern.search(line)]


@dataclass(frozen=True)
class Generated:
    """What fastnn chose for a CPU, and the innermost loops of a unit there that multiply and add."""

    vector_bytes: int
    rows: int  # of a micro-tile
    vectors: int
    loops: list[Loop]

    @property
    def longest(self) -> list[Loop]:
        """Those with the most multiply-adds: full tiles. Of panel products those that prefetch, as all full ones do."""
        loops = [loop for loop in self.loops if loop.prefetches] or self.loops
        most = max(loop.multiply_adds for loop in loops)
        return [loop for loop in loops if loop.multiply_adds == most]


def generated_code(cpu: str, dtype: str, unit: str) -> Generated:
    """Of one of the `CPUS`, in "float32" or "float64"; `unit` is a name of `fastnn.units.UNITS`."""
    # Vectors are chosen once in a process. An empty cache has no code for this CPU.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_CPU")}
    with tempfile.TemporaryDirectory() as cache:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", __file__, "--child", cpu, dtype, unit],
            env=environment | {"FASTNN_CACHE_DIR": cache, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    document = json.loads(done.stdout)
    return Generated(**document | {"loops": [Loop(**loop) for loop in document["loops"]]})


def innermost_loops(assembly: str) -> Iterator[Loop]:
    """Blocks that jump back to their own beginning."""
    label, block = "", []
    for line in assembly.splitlines():
        text = re.split(r"\s*(?:##|//)", line)[0].strip().replace("\t", " ")
        if found := _LABEL.match(text):
            label, block = found[1], []
        elif text and not text.startswith((".", "#")):
            block.append(text)
            if (jump := _JUMP.match(text)) and jump[1] == label:
                yield Loop(block[:])


class _Compiled(Exception):
    """Carries the assembly out of Numba, which would go on to load it."""


def _assembly(cpu: str, dtype: str, unit: str) -> str:
    """Compile in this process, which is good for nothing else afterwards."""
    import llvmlite.binding as llvm
    from numba.core import codegen, config, types
    from numba.core.registry import cpu_target

    architecture, features = CPUS[cpu]
    triple = f"{architecture}-unknown-linux-gnu"
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    machine = llvm.Target.from_triple(triple).create_target_machine(cpu=cpu, features=features, opt=3)

    # Numba's passes ask this machine what instructions cost, and fastnn what vectors it has.
    cpu_target.target_context.codegen()._tm = machine
    config.CPU_NAME, config.CPU_FEATURES = cpu, features
    platform.machine = lambda: architecture

    def optimise(library: Any, pass_by_pass: Any = codegen.CPUCodeLibrary._optimize_final_module) -> None:
        library._final_module.triple, library._final_module.data_layout = triple, str(machine.target_data)
        pass_by_pass(library)

    def emit(library: Any) -> None:
        defined = [function.name for function in library._final_module.functions if not function.is_declaration]
        if any(f"{unit}_unit" in name for name in defined):
            raise _Compiled(machine.emit_assembly(library._final_module))
        library._finalized = True  # a helper, which is linked to the unit and never run

    codegen.CPUCodeLibrary._optimize_final_module = optimise
    codegen.CPUCodeLibrary._finalize_final_module = emit
    type(cpu_target.target_context).get_executable = lambda *_: abs  # of helpers; any built-in function will do

    import fastnn.ops  # noqa: F401  with all units
    from fastnn.units import UNITS

    try:
        UNITS[unit].link(getattr(types, dtype))
    except _Compiled as compiled:
        return str(compiled)
    raise AssertionError(f"{unit} was compiled some other way")


def _child(cpu: str, dtype: str, unit: str) -> None:
    loops = [loop for loop in innermost_loops(_assembly(cpu, dtype, unit)) if loop.multiply_adds]
    from fastnn.intrinsics import MR, NR_VECTORS, VECTOR_BYTES

    json.dump(asdict(Generated(VECTOR_BYTES, MR, NR_VECTORS, loops)), sys.stdout)


def _print_counts(unit: str = "panel_product") -> None:
    print(f"{unit}: a line per kind of full micro-tile; per turn of its loop over k, which is unrolled")
    print("CPU             dtype    tile   vector  multiply-adds  instructions  stack reads  spills")
    for cpu in CPUS:
        for dtype in ("float32", "float64"):
            code = generated_code(cpu, dtype, unit)
            for loop in code.longest:
                counts = len(loop.instructions), len(loop.on_stack), len(loop.spilled)
                print(
                    f"{cpu:15} {dtype}  {code.rows} x {code.vectors}  {code.vector_bytes:3} B {loop.multiply_adds:12}"
                    "{:15}{:13}{:10}".format(*counts)
                )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        _child(*sys.argv[2:])
    elif len(sys.argv) == 4:
        for found in generated_code(*sys.argv[1:]).longest:
            print(*found.instructions, "", sep="\n")
    else:
        _print_counts(*sys.argv[1:])
