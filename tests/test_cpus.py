"""The CPUs that a process may use: quotas of control groups as Linux writes them, and environment variables."""

from __future__ import annotations

from pathlib import Path

import pytest

from fastnn import cpus


def files(root: Path, texts: dict[str, str]) -> None:
    for name, text in texts.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


@pytest.mark.parametrize(
    ("own", "texts", "expected"),
    [
        ("0::/\n", {"fs/cpu.max": "150000 100000\n"}, 1.5),  # in a container
        ("0::/a/b\n", {"fs/a/b/cpu.max": "max 100000\n", "fs/a/cpu.max": "200000 100000\n"}, 2.0),
        ("0::/a/b\n", {"fs/a/b/cpu.max": "50000 100000\n", "fs/a/cpu.max": "200000 100000\n"}, 0.5),
        ("0::/a\n", {"fs/a/cpu.max": "max 100000\n"}, None),
        ("5:cpu,cpuacct:/a\n", {"fs/cpu/a/cpu.cfs_quota_us": "300000", "fs/cpu/a/cpu.cfs_period_us": "100000"}, 3.0),
        ("5:cpu:/host/a\n", {"fs/cpu/cpu.cfs_quota_us": "100000", "fs/cpu/cpu.cfs_period_us": "50000"}, 2.0),
        ("5:cpu:/\n", {"fs/cpu/cpu.cfs_quota_us": "-1", "fs/cpu/cpu.cfs_period_us": "100000"}, None),
        ("6:cpuset:/\n4:memory:/a\n0::/\n", {}, None),
    ],
)
def test_quota(own: str, texts: dict[str, str], expected: float | None, tmp_path: Path) -> None:
    files(tmp_path, {"own": own, **texts})
    assert cpus.cpu_quota(tmp_path / "fs", tmp_path / "own") == expected


def test_no_quota_where_the_system_has_no_control_groups(tmp_path: Path) -> None:
    assert cpus.cpu_quota(tmp_path, tmp_path / "own") is None


@pytest.mark.parametrize(
    ("quota", "expected"), [("10000 100000\n", 1), ("as many as you like\n", cpus.physical_cores())]
)
def test_a_quota_limits_the_threads(quota: str, expected: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files(tmp_path, {"own": "0::/\n", "fs/cpu.max": quota})
    monkeypatch.setattr(cpus, "_CONTROL_GROUPS", tmp_path / "fs")
    monkeypatch.setattr(cpus, "_OWN_CONTROL_GROUPS", tmp_path / "own")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(cpus.numba.config, "NUMBA_NUM_THREADS", 10_000)
    assert cpus.usable_threads() == expected


@pytest.mark.parametrize(
    ("value", "expected"), [("4", 4), (" 3, 2", 3), ("", None), ("0", None), ("-1", None), ("x", None)]
)
def test_omp_num_threads(value: str, expected: int | None) -> None:
    assert cpus.omp_num_threads(value) == expected
