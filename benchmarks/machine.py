"""Where and on what a run was measured, without names of users or hosts and without paths."""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.peers import PeerInfo
from benchmarks.transport import worker_environment
from fastnn.caches import cache_sizes

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ("fastnn", "numpy", "numba", "llvmlite", "scipy", "pandas", "threadpoolctl", "pytest-benchmark")


def machine_info() -> dict[str, Any]:
    """The machine, under pytest-benchmark's keys where it has them; `node` is empty on purpose."""
    return {
        "node": "",
        "processor": platform.processor(),
        "machine": platform.machine(),
        "system": platform.system(),
        "release": platform.release(),
        "python_implementation": platform.python_implementation(),
        "python_version": platform.python_version(),
        "python_compiler": platform.python_compiler(),
        "cpu": {"brand_raw": cpu_name(), "count": os.cpu_count(), "usable": usable_cpus()},
        "cache_bytes": cache_sizes(),
        "memory_bytes": total_memory(),
    }


def cpu_name() -> str:
    """As the system calls it."""
    info = _read(Path("/proc/cpuinfo"))
    found = re.search(r"^(?:model name|Model)\s*:\s*(.+)$", info, re.MULTILINE)
    return found[1].strip() if found else platform.processor() or platform.machine()


def usable_cpus() -> int:
    """How many CPUs this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def largest_cache() -> int:
    """Bytes; 32 MiB where the system does not tell."""
    return max(cache_sizes().values(), default=32 * 2**20)


def total_memory() -> int | None:
    """Bytes of physical memory; None where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def available_memory() -> int:
    """Bytes that can be taken without swapping; 2 GiB where the system does not tell."""
    found = re.search(r"^MemAvailable:\s*(\d+) kB$", _read(Path("/proc/meminfo")), re.MULTILINE)
    return int(found[1]) * 1024 if found else 2 * 2**30


def load_average() -> list[float] | None:
    """Over 1, 5 and 15 minutes; None where the system has none."""
    try:
        return [round(value, 2) for value in os.getloadavg()]
    except (AttributeError, OSError):
        return None


def versions(peers: Iterable[PeerInfo]) -> dict[str, str]:
    """Installed distributions that matter to a run with these peers."""
    found = {}
    names = dict.fromkeys([*TOOLS, *(name for peer in peers for name in peer.packages)])
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def blas() -> list[str]:
    """BLAS libraries that NumPy and SciPy load in a worker, for example "openblas 0.3.30 SkylakeX (numpy)"."""
    command = [sys.executable, "-m", "benchmarks.machine"]
    done = subprocess.run(command, env=worker_environment(1), capture_output=True, text=True, check=True, timeout=60)
    return json.loads(done.stdout)


def loaded_blas() -> list[str]:
    """The same of this process."""
    import numpy  # noqa: F401 - loads its BLAS
    import threadpoolctl

    with contextlib.suppress(ImportError):
        import scipy.linalg  # noqa: F401 - loads its BLAS
    found = []
    for library in threadpoolctl.threadpool_info():
        if library["user_api"] != "blas":
            continue
        folder = Path(library["filepath"]).parent.name  # of a wheel: "numpy.libs"
        owner = f"({folder.removesuffix('.libs')})" if folder.endswith(".libs") else ""
        parts = (library["internal_api"], library["version"], library.get("architecture"), owner)
        found.append(" ".join(part for part in parts if part))
    return sorted(found)


def commit_info(checkout: Path = ROOT) -> dict[str, Any]:
    """What is measured, by default this checkout: id, branch, dirty; empty outside git."""
    identity = _git(checkout, "rev-parse", "HEAD")
    if not identity:
        return {}
    branch = _git(checkout, "rev-parse", "--abbrev-ref", "HEAD")
    return {"id": identity, "branch": branch, "dirty": bool(_git(checkout, "status", "-s"))}


def _git(checkout: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=checkout, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


if __name__ == "__main__":
    print(json.dumps(loaded_blas()))
