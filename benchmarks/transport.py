"""How the race talks to its workers: one process per implementation and thread count, killed when it hangs."""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from benchmarks import isa

ROOT = Path(__file__).resolve().parent.parent  # the folder that holds the package `benchmarks`
STDERR_TAIL = 300  # characters of the last line of standard error that a cell without a time quotes

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMBA_NUM_THREADS",
)


class WorkerLost(Exception):
    """The worker is gone. `status` ("died" or "timeout") and the message become those of a cell without a time."""

    def __init__(self, status: str, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Transport(Protocol):
    """One running worker."""

    def request(self, message: dict[str, Any], timeout: float) -> dict[str, Any]:
        """The reply to `message`, waiting `timeout` seconds at most; WorkerLost when there will be none."""

    def close(self) -> None:
        """End the worker, at once if need be; harmless when it is gone."""


class ProcessTransport:
    """A worker in a fresh Python process, with threads, caches and CPUs set before any library is imported."""

    def __init__(self, command: list[str], environment: Mapping[str, str]) -> None:
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the worker
        # Its own process group: Ctrl-C is the race's to handle, and a hung worker dies with the compilers it started.
        group: dict[str, Any] = (
            {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
            if sys.platform == "win32"
            else {"start_new_session": True}
        )
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            env=dict(environment),
            **group,
        )
        self._replies: queue.SimpleQueue[Any] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def request(self, message: dict[str, Any], timeout: float) -> dict[str, Any]:
        """The reply to `message`, waiting `timeout` seconds at most; WorkerLost when there will be none."""
        try:
            pickle.dump(message, self._process.stdin)
            self._process.stdin.flush()
        except OSError:
            raise self._lost() from None
        try:
            reply = self._replies.get(timeout=timeout)
        except queue.Empty:
            self.close()
            raise WorkerLost("timeout", f"no answer within {timeout:g} s") from None
        if isinstance(reply, dict):
            return reply
        raise self._lost(garbage=not isinstance(reply, EOFError))

    def close(self) -> None:
        """End the worker and what it started."""
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        self._kill()
        self._process.wait()
        self._process.stdout.close()
        self._stderr.close()

    def _read(self) -> None:
        """Pass replies on, then what ended them."""
        while True:
            try:
                self._replies.put(pickle.load(self._process.stdout))
            except Exception as error:  # unpickling garbage can raise anything
                self._replies.put(error)
                return

    def _lost(self, garbage: bool = False) -> WorkerLost:
        """Why there is no reply: garbage, or the end of the process, with the last that it said."""
        if garbage:
            self.close()
            return WorkerLost("died", "answered with something that is no reply")
        try:
            code = self._process.wait(timeout=5)
            how = f"exit code {code}" if code >= 0 else f"killed by {_signal_name(-code)}"
        except subprocess.TimeoutExpired:
            how = "closed its pipes"
        self._stderr.seek(0)
        lines = self._stderr.read().decode(errors="replace").strip().splitlines()
        self.close()
        said = f": {without_paths(lines[-1].strip())[:STDERR_TAIL]}" if lines else ""
        return WorkerLost("died", how + said)

    def _kill(self) -> None:
        with contextlib.suppress(OSError):
            if sys.platform == "win32":
                self._process.kill()
            else:
                os.killpg(self._process.pid, signal.SIGKILL)


def start_worker(
    peer_id: str,
    threads: int,
    extra: Mapping[str, str] | None = None,
    checkout: Path | None = None,
    module: str = "benchmarks.worker",
) -> ProcessTransport:
    """A process of `module`; `extra` overrides environment variables, `checkout` is where fastnn lies."""
    command = [sys.executable, "-m", module, peer_id, str(threads)]
    command += [str(checkout.resolve())] if checkout else []
    return ProcessTransport(command, worker_environment(threads) | dict(extra or {}))


def worker_environment(threads: int) -> dict[str, str]:
    """This process's environment, with the number of threads set for every library that a peer uses, and none held to
    a width unless all are."""
    environment = isa.as_chosen(os.environ)
    environment |= dict.fromkeys(THREAD_VARIABLES, str(threads))
    if threads == 1:
        # XLA stops reading at a word that does not begin with dashes, and others add flags: no other word may be here.
        flag = "--xla_cpu_multi_thread_eigen=false"
        environment["XLA_FLAGS"] = f"{environment.get('XLA_FLAGS', '')} {flag}".strip()
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, [environment.get("PYTHONPATH")])])
    return environment


def without_paths(text: str) -> str:
    """Absolute paths shortened to their last part: results travel, and whose machine it was is nobody's business."""
    return re.sub(r"(?<![\w/])(?:[A-Za-z]:)?(?:[\\/][\w.+@~-]+)+[\\/](?=[\w.+@~-])", "", text)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
