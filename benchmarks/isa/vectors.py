"""Does a library obey the switch that holds it to a width? Asked in a worker of its own, which has trained by then.

Two answers are kept. What each library says of itself; and, independent of all of them, what the system saw: Linux
notes for every thread when it was last switched out with state of AVX-512 (`/proc/PID/arch_status`). The registers
from 16 on and the masks hold such state, and nothing clears them: who has used them once is seen ever after.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from benchmarks.isa import NUMPY_WIDER, WIDER, cpu_features, numpy_core

TASKS = Path("/proc/self/task")
SECONDS = 0.3  # of work under watch
PAUSE = 0.001  # seconds, after which a thread has been switched out
TIMEOUT = 60.0  # seconds, of what is asked in another process


def found(imports: Iterable[str], work: Callable[[], object]) -> dict[str, Any]:
    """What is known of an implementation that needs these modules: {"avx512": whether the system saw AVX-512 used
    during `work`, None where it does not tell, "reports": what its libraries say, by name}."""
    seen = uses_avx512(work)
    reports = {name: say() for module in imports for name, say in REPORTS.get(module, {}).items()}
    return {"avx512": seen, "reports": reports}


def uses_avx512(work: Callable[[], object]) -> bool | None:
    """Whether a thread of this process uses AVX-512 while `work` is called for a while; None where the system does not
    tell."""
    if WIDER not in cpu_features():
        return False
    begin = time.monotonic()
    while time.monotonic() - begin < SECONDS:
        work()
        time.sleep(PAUSE)
    passed = 1000 * (time.monotonic() - begin)
    last = [_last_use(task / "arch_status") for task in TASKS.glob("*")]
    known = [milliseconds for milliseconds in last if milliseconds is not None]
    return any(0 <= milliseconds <= passed for milliseconds in known) if known else None


def _last_use(status: Path) -> int | None:
    """Milliseconds since a thread last used AVX-512, -1 for never; None where the system does not tell."""
    try:
        key, _, value = status.read_text().partition(":")
    except OSError:  # an older system, or a thread that has ended
        return None
    return int(value) if key == "AVX512_elapsed_ms" else None


def _numba() -> str:
    """The CPU that it compiles for, and the registers of a loop that it compiled."""
    import numba
    from numba.core.registry import cpu_target

    @numba.njit("void(f4[::1], f4[::1])")
    def add(a, b):
        for i in range(a.size):
            a[i] += b[i]

    code = add.inspect_asm(add.signatures[0])
    registers = next((name for name in ("zmm", "ymm", "xmm") if f"%{name}" in code), "none")
    _, cpu, _ = cpu_target.target_context.codegen().magic_tuple()
    return f"{cpu}, a loop in {registers}"


def _numpy() -> str:
    """The widest vectors that its loops are chosen for."""
    core = numpy_core()
    enabled = [name for name in core.__cpu_dispatch__ if core.__cpu_features__.get(name)]
    wider = [name for name in enabled if name.startswith(NUMPY_WIDER)]
    return f"loops for {(wider or enabled or ['the baseline'])[-1]}"


def _blas() -> str:
    """The kernels of every BLAS library that is loaded and tells."""
    import threadpoolctl

    loaded = threadpoolctl.threadpool_info()
    told = {f"{lib['internal_api']} {lib['architecture']}" for lib in loaded if lib.get("architecture")}
    return ", ".join(sorted(told))


def _torch() -> str:
    """The kernels that it chose, and the vectors that its compiler writes, where that is loaded."""
    import torch

    said = f"kernels for {torch.backends.cpu.get_cpu_capability()}"
    if "torch._inductor.codecache" in sys.modules:
        from torch._inductor import cpu_vec_isa

        said += f", compiled code for {cpu_vec_isa.pick_vec_isa()}"
    return said


def _xla() -> str:
    """What the system sees of JAX's parts, in another process."""
    command = [sys.executable, "-m", "benchmarks.isa.xla"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT)
    return done.stdout.strip() or "not known"


# What is asked of an implementation, by the modules that it needs. TensorFlow tells nothing; the system sees it.
REPORTS: dict[str, dict[str, Callable[[], str]]] = {
    "fastnn": {"Numba": _numba},
    "numba": {"Numba": _numba},
    "numpy": {"NumPy": _numpy, "BLAS": _blas},
    "scipy": {"BLAS": _blas},
    "sklearn": {"NumPy": _numpy, "BLAS": _blas},
    "torch": {"PyTorch": _torch},
    "jax": {"XLA": _xla},
}
