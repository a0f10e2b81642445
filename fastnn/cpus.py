"""How many CPUs the process may use: by affinity, by the quota of its control group, and by what the user has set."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import numba

_CONTROL_GROUPS = Path("/sys/fs/cgroup")
_OWN_CONTROL_GROUPS = Path("/proc/self/cgroup")


def usable_threads() -> int:
    """The smallest of: physical cores by affinity, the CPU quota rounded up, OMP_NUM_THREADS and NUMBA_NUM_THREADS."""
    limits = [physical_cores(), numba.config.NUMBA_NUM_THREADS, omp_num_threads(os.environ.get("OMP_NUM_THREADS", ""))]
    try:
        quota = cpu_quota(_CONTROL_GROUPS, _OWN_CONTROL_GROUPS)
    except ValueError:  # a sandbox that writes these files in its own way
        quota = None
    limits.append(None if quota is None else max(1, math.ceil(quota)))
    return min(limit for limit in limits if limit is not None)


def physical_cores() -> int:
    """Cores, not hardware threads, that the process may use: two threads of one core share its arithmetic units."""
    cores: set[Any] = set()
    for cpu in _allowed_cpus():
        topology = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology")
        try:
            cores.add(((topology / "physical_package_id").read_text(), (topology / "core_id").read_text()))
        except OSError:
            cores.add(cpu)
    return len(cores)


def _allowed_cpus() -> set[int]:
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


def omp_num_threads(value: str) -> int | None:
    """The number of threads that OMP_NUM_THREADS asks for; None where it is no positive number, as OpenMP has it.

    A list, "4,2", gives the number for each level of nested parallelism: the first counts.
    """
    first = value.split(",")[0].strip()
    return int(first) if first.isdecimal() and int(first) > 0 else None


def cpu_quota(root: Path, own: Path) -> float | None:
    """CPUs that the control groups of the process grant it; None without a limit.

    root : where control groups are mounted. own : the list of those that the process is in, /proc/self/cgroup. A group
    is held to the limits of all groups above it too. Raises ValueError for what Linux does not write.
    """
    quotas = []
    for line in _lines(own):
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            mounts, read = (root, root / "unified"), _quota_v2
        elif "cpu" in controllers.split(","):
            mounts, read = (root / "cpu", root / controllers), _quota_v1
        else:
            continue
        group = Path(path.lstrip("/"))
        quotas += [read(mount / part) for mount in mounts for part in (group, *group.parents)]
    return min((quota for quota in quotas if quota is not None), default=None)


def _quota_v2(group: Path) -> float | None:
    """From `cpu.max`: "150000 100000", or "max 100000"."""
    for line in _lines(group / "cpu.max"):
        quota, period = line.split()
        return None if quota == "max" else int(quota) / int(period)
    return None


def _quota_v1(group: Path) -> float | None:
    """From two files; -1 is no limit."""
    for quota, period in zip(_lines(group / "cpu.cfs_quota_us"), _lines(group / "cpu.cfs_period_us"), strict=False):
        return None if int(quota) <= 0 else int(quota) / int(period)
    return None


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text().splitlines()
    except OSError:
        return []
