"""The cache between processes: what one leaves another loads, and those that start cold at once compile once."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from fastnn.kernel_cache import numba_cache, turns
from fastnn.kernel_cache.turns import Turns

from .conftest import hits_and_misses

PROGRAM = """
import numpy as np, fastnn
print("imported", flush=True)
fastnn.relu(np.ones(3, np.float32))
kernel = fastnn.relu.kernel
print(sum(kernel.stats.cache_hits.values()), sum(kernel.stats.cache_misses.values()))
"""

# A kernel that takes as long to compile as told, and says so.
SLOW = """
import sys, time
from numba.extending import overload
from fastnn.jit import kernel

def slow(x):
    pass

@overload(slow)
def _(x):
    print("compiling", flush=True)
    time.sleep(float(sys.argv[2]))
    return lambda x: x

@kernel
def slowly(x):
    return slow(x)
"""

CALL_SLOWLY = """
import sys
sys.path.insert(0, sys.argv[3])
from scratch import slowly  # imported, so that the kernel has the name that it has in the process of the tests
print("ready", flush=True)
sys.stdin.readline()
assert slowly({"int": int, "float": float}[sys.argv[1]](3)) == 3
print(sum(slowly.stats.cache_misses.values()), flush=True)
"""


def run(directory: Path, *options: str) -> subprocess.CompletedProcess:
    environment = {**os.environ, "FASTNN_CACHE_DIR": str(directory)}
    command = [sys.executable, *options, "-c", PROGRAM]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=120)


def test_second_process_loads_what_the_first_compiled(tmp_path: Path) -> None:
    assert run(tmp_path).stdout.split() == ["imported", "0", "1"]
    assert run(tmp_path).stdout.split() == ["imported", "1", "0"]


@pytest.mark.parametrize("options", [(), ("-W", "error")], ids=["warnings", "warnings as errors"])
def test_directory_that_cannot_be_made_costs_one_warning(tmp_path: Path, options: tuple[str, ...]) -> None:
    (tmp_path / "file").write_text("no directory")
    done = run(tmp_path / "file", *options)
    assert done.stdout.split() == ["imported", "0", "1"]
    assert done.stderr.count("FASTNN_CACHE_DIR") == 1


# Two kernels that call a third one, which runs on threads.
PARALLEL = """
import sys
import numpy as np
from numba import prange
from fastnn.jit import kernel, parallel_kernel

@parallel_kernel
def fill(x):
    for k in prange(x.size):
        x[k] = k

@kernel
def first(x):
    fill(x)

@kernel
def second(x):
    fill(x)

x = np.zeros(10)
vars()[sys.argv[1]](x)
assert x[9] == 9
print(sum(fill.stats.cache_hits.values()), sum(vars()[sys.argv[1]].stats.cache_hits.values()))
"""


def test_a_loaded_kernel_starts_the_threads_of_one_that_was_loaded_when_it_was_compiled(tmp_path: Path) -> None:
    """Without threads it would end the process with a segmentation fault."""
    file = tmp_path / "parallel.py"
    file.write_text(PARALLEL)
    environment = {**os.environ, "FASTNN_CACHE_DIR": str(tmp_path / "cache")}
    for name, hits in (("first", "0 0"), ("second", "1 0"), ("second", "0 1")):
        command = [sys.executable, str(file), name]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
        assert (done.returncode, done.stdout.strip()) == (0, hits), done.stderr


class Slow:
    """A process that compiles for a while, once it is told to go."""

    def __init__(self, file: Path, kind: str, seconds: float) -> None:
        command = [sys.executable, "-c", CALL_SLOWLY, kind, str(seconds), str(file.parent)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def line(self) -> str:
        return self.process.stdout.readline().strip()

    def go(self) -> None:
        assert self.line() == "ready"
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def slow(directory: Path, scratch: Path) -> Path:
    scratch.write_text(SLOW)
    return scratch


def test_processes_that_start_cold_compile_once(slow: Path) -> None:
    processes = [Slow(slow, "int", 1), Slow(slow, "int", 1), Slow(slow, "float", 1)]
    for process in processes:
        process.go()
    said = [process.process.communicate(timeout=120)[0].split() for process in processes]
    assert all(process.process.returncode == 0 for process in processes)
    assert sum(words.count("compiling") for words in said[:2]) == 1
    assert said[2] == ["compiling", "1"]


def test_lock_of_a_stopped_or_dead_process_does_not_block(
    slow: Path, load: Callable[[], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    holder = Slow(slow, "int", 600)
    holder.go()
    assert holder.line() == "compiling"
    module = _quick(slow, load, monkeypatch)
    monkeypatch.setattr(turns, "PATIENCE", 0.1)
    assert module.slowly(3) == 3
    assert hits_and_misses(module.slowly) == (0, 1)
    assert not numba_cache._TURNS._waits  # it waited once, and will not again
    module.slowly._cache.flush()

    holder.kill()
    module = _quick(slow, load, monkeypatch)
    assert module.slowly(3) == 3
    assert hits_and_misses(module.slowly) == (0, 1)
    assert numba_cache._TURNS._waits  # it did not have to


def _quick(slow: Path, load: Callable[[], ModuleType], monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The same kernels in this process, compiled at once."""
    monkeypatch.setattr(numba_cache, "_TURNS", Turns())
    monkeypatch.setattr(sys, "argv", ["", "int", "0"])
    return load()


@pytest.mark.parametrize("raised", [KeyboardInterrupt, ValueError])
def test_lock_is_released_by_a_compilation_that_fails(
    scratch: Path, load: Callable[[], ModuleType], directory: Path, raised: type[BaseException]
) -> None:
    scratch.write_text(SLOW.replace("time.sleep(float(sys.argv[2]))", f"raise {raised.__name__}"))
    module = load()
    with pytest.raises(raised):
        module.slowly(3)
    assert numba_cache._TURNS._held == []
    assert _is_unlocked(directory)


def test_lock_is_released_after_a_compilation(load: Callable[[], ModuleType], directory: Path) -> None:
    assert load().calling(3) == 9
    assert _is_unlocked(directory)


def _is_unlocked(directory: Path) -> bool:
    """Whether another process could take the lock of any entry."""
    pytest.importorskip("fcntl")
    (lock,) = directory.rglob("lock")
    program = "import fcntl, sys; fcntl.lockf(open(sys.argv[1], 'r+'), fcntl.LOCK_EX | fcntl.LOCK_NB)"
    return subprocess.run([sys.executable, "-c", program, str(lock)], stderr=subprocess.DEVNULL).returncode == 0
