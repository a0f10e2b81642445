"""Races at a chosen width: what is switched, who is asked, and that the answer can be no."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import __main__ as cli
from benchmarks import isa, run
from benchmarks.isa import vectors
from benchmarks.isa.__main__ import main
from benchmarks.isa.ask import ask
from benchmarks.progress import LineProgress
from benchmarks.results import Results, Vectors
from benchmarks.transport import WorkerLost, worker_environment

# Whether this machine can be held to AVX2, and whether that makes a difference on it.
HOLDS = sys.platform == "linux" and platform.machine() == "x86_64" and {"avx2", "fma"} <= isa.cpu_features()
WIDER = HOLDS and isa.WIDER in isa.cpu_features() and isa.held() == isa.NATIVE
TELLS = WIDER and Path("/proc/self/arch_status").exists()


@pytest.fixture
def _capable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system and a CPU that can be held, and are not yet."""
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr(isa, "cpu_features", lambda: {"avx2", "fma", "avx512f"})
    monkeypatch.delenv(isa.MARK, raising=False)


@pytest.mark.usefixtures("_capable")
def test_every_switch_is_set_and_others_settings_are_kept():
    base = {"HOME": "/home", "XLA_FLAGS": "--xla_dump_to=x", "NUMBA_CPU_NAME": "znver5"}
    found = isa.environment("avx2", base)
    assert base["NUMBA_CPU_NAME"] == "znver5"
    assert (found["HOME"], found["NUMBA_CPU_NAME"], found[isa.MARK]) == ("/home", "haswell", "avx2")
    assert found["XLA_FLAGS"] == "--xla_dump_to=x --xla_cpu_max_isa=AVX2"
    assert found["GLIBC_TUNABLES"].startswith("glibc.cpu.hwcaps=-AVX512F,")
    assert found[isa.NUMPY_SWITCH].split() == isa.numpy_features()
    assert isa.environment("avx2", {"GLIBC_TUNABLES": "a=1"})["GLIBC_TUNABLES"].startswith("a=1:glibc.")
    assert isa.environment("avx2", found) == found


def test_at_the_native_width_no_library_is_held(monkeypatch: pytest.MonkeyPatch):
    """Some machines are set up with a variable that halves one peer's speed."""
    for name in isa.HOLDING:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv(isa.MARK, raising=False)
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    assert "OPENBLAS_CORETYPE" not in worker_environment(1)
    assert run.begun([], {"data": "x"}).conditions == {
        "data": "x",
        "left_out_of_the_environment": ["OPENBLAS_CORETYPE=Haswell"],
    }
    monkeypatch.setenv(isa.MARK, "avx2")
    assert worker_environment(1)["OPENBLAS_CORETYPE"] == "Haswell"
    assert run.begun([], {"data": "x"}).conditions == {"data": "x"}
    assert {"NUMBA_CPU_NAME", "NPY_DISABLE_CPU_FEATURES", "ATEN_CPU_CAPABILITY"} < set(isa.HOLDING)


@pytest.mark.usefixtures("_capable")
def test_what_a_machine_cannot_be_held_to_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture):
    with pytest.raises(isa.IsaError, match="unknown sse; known are avx2"):
        isa.environment("sse", {})
    monkeypatch.setenv(isa.MARK, "avx2")
    with pytest.raises(isa.IsaError, match="native: this process is held to AVX2 already"):
        isa.environment("native", {})
    monkeypatch.delenv(isa.MARK)
    monkeypatch.setattr(isa, "cpu_features", lambda: {"avx2", "sse2"})
    assert cli.main(["--isa", "avx2"]) == 2
    assert "error: --isa: avx2: this CPU has no fma" in capsys.readouterr().err
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert main(["avx2", "true"]) == 2
    assert "on Linux and x86-64 alone" in capsys.readouterr().err
    assert main(["avx2"]) == 2
    assert "usage:" in capsys.readouterr().err


@pytest.mark.parametrize("command", [[], ["epochs"]])
def test_a_race_at_another_width_is_started_anew(command: list[str], monkeypatch: pytest.MonkeyPatch):
    def become(name: str, arguments: list[str]) -> None:
        raise KeyboardInterrupt(name, arguments)  # which no command survives, and `main` answers

    seen: list[Any] = []
    monkeypatch.setattr(isa, "run", lambda *arguments: seen.append(arguments) or become(*arguments))
    monkeypatch.delenv(isa.MARK, raising=False)
    assert cli.main([*command, "--isa", "avx2", "--rounds", "3"]) == 130
    assert seen == [("avx2", [sys.executable, "-m", "benchmarks", *command, "--isa", "avx2", "--rounds", "3"])]


@pytest.mark.skipif(not HOLDS, reason="cannot be held to AVX2")
def test_libraries_obey_and_the_system_sees_it():
    """The peers need not be installed: what tells of all of them is asked of NumPy and Numba."""
    code = """
import json, numpy as np
from benchmarks.isa import vectors
x = np.ones((256, 256), np.float32)
print(json.dumps(vectors.found(["numpy", "numba"], lambda: np.exp(x) @ x)))
"""
    command = [sys.executable, "-m", "benchmarks.isa", "avx2", sys.executable, "-W", "error", "-c", code]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout)
    assert not found["avx512"]
    assert found["reports"]["Numba"] == "haswell, a loop in ymm"
    assert found["reports"]["NumPy"] in ("loops for X86_V3", "loops for AVX2", "loops for FMA3")
    assert "SkylakeX" not in found["reports"]["BLAS"]


@pytest.mark.skipif(not TELLS, reason="has no AVX-512, or a system that does not tell of it")
def test_the_system_sees_avx512_where_it_is_used():
    x = np.ones(4096, np.float32)
    assert vectors.uses_avx512(lambda: np.exp(x))
    assert vectors._numpy().removeprefix("loops for ").startswith(isa.NUMPY_WIDER)


@pytest.mark.parametrize(
    ("records", "seen"),
    [
        (["AVX512_elapsed_ms:\t-1\n", "AVX512_elapsed_ms:\t0\n"], True),
        (["AVX512_elapsed_ms:\t-1\n", "AVX512_elapsed_ms:\t90000\n"], False),
        (["something_else:\t1\n"], None),
        ([], None),
    ],
)
def test_what_the_system_records_is_read(records: list[str], seen: bool | None, tmp_path: Path, monkeypatch):
    for number, record in enumerate(records):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "arch_status").write_text(record)
    (tmp_path / "ended").mkdir()
    monkeypatch.setattr(vectors, "TASKS", tmp_path)
    monkeypatch.setattr(vectors, "SECONDS", 0.002)
    monkeypatch.setattr(vectors, "cpu_features", lambda: {"avx512f"})
    assert vectors.uses_avx512(lambda: None) is seen
    monkeypatch.setattr(vectors, "cpu_features", lambda: {"avx2"})
    assert vectors.uses_avx512(lambda: None) is False


class Answers:
    """A worker that answers as told; it can train on cases below `most`."""

    def __init__(self, most: int, last: dict[str, Any]) -> None:
        self.most, self.last, self.closed = most, last, False

    def request(self, message: dict[str, Any], timeout: float) -> dict[str, Any]:
        if message["do"] == "prepare" and message["case"] >= self.most:
            return {"status": "missing", "reason": f"no case {message['case']}"}
        return self.last if message["do"] == "vectors" else {"status": "ok"}

    def close(self) -> None:
        self.closed = True


def test_a_peer_is_asked_on_the_first_case_that_it_can_train():
    started: list[Answers] = []

    def start(most: int, last: dict[str, Any]) -> Callable[[str, int], Answers]:
        return lambda peer, threads: started.append(Answers(most, last)) or started[-1]

    told = {"status": "ok", "reports": {"XLA": "so"}, "avx512": True}
    assert ask("jax", [{"case": 5}, {"case": 1}], start(3, told)) == Vectors("jax", {"XLA": "so"}, True)
    assert ask("jax", [{"case": 5}, {"case": 4}], start(3, told)) == Vectors("jax", {}, None, "no case 4")
    died = {"status": "died", "reason": "raised"}
    assert ask("jax", [{"case": 1}], start(3, died)) == Vectors("jax", {}, None, "raised")
    assert ask("jax", [], start(3, died)).reason == "there is no case"
    assert len(started) == 5
    assert all(worker.closed for worker in started)


def test_nobody_is_asked_at_the_native_width(results: Results, monkeypatch: pytest.MonkeyPatch):
    def start(peer: str, threads: int) -> None:
        raise WorkerLost("died", "not here")

    asked: list[str] = []
    monkeypatch.setattr(run, "ask", lambda peer, requests, start: asked.append(peer) or Vectors(peer, {}, False))
    shown = LineProgress(2, sys.stderr)
    monkeypatch.delenv(isa.MARK, raising=False)
    fresh = Results(**vars(results) | {"vectors": []})
    run.measure_vectors(fresh, ["fastnn"], [], "", start, shown)
    assert (fresh.vectors, run.vector_units(["fastnn"])) == ([], 0)
    monkeypatch.setenv(isa.MARK, "avx2")
    run.measure_vectors(fresh, ["fastnn", "jax"], [], "", start, shown)
    assert [found.implementation for found in fresh.vectors] == asked == ["fastnn", "jax"]
    assert run.vector_units(asked) > 0
    assert run.begun([], {}).isa == "avx2"
