"""Saves that are killed, fail or meet: the file is whole, the old one or the new one, and nothing piles up."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import fastnn
from fastnn.saving import replacing as replacing_module
from fastnn.saving.replacing import replacing
from tests.saving.test_resume import assert_same_weights, net_of, train

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs fork and SIGKILL")

# Trains and saves after each step, in children that are killed: each goes on from the file. Nearly all of their time is
# that of saves; it goes on until so many are killed within one.
PROGRAM = """
import json, os, random, signal, sys, time
import numpy as np
import fastnn

path, kills = sys.argv[1], int(sys.argv[2])
x, t = np.linspace(-1, 1, 60, dtype=np.float32).reshape(12, 5), np.arange(12) % 3
folder, name = os.path.split(path)


def made():
    return fastnn.MLP((5, 17, 3), dropout=0.3), fastnn.Adam(lr=fastnn.schedules.Cosine(0.01, 5_000))


def save_and_time(net):
    began = time.perf_counter()
    net.save(path)
    return time.perf_counter() - began


net, optimizer = made()
net.train_step(x, t, optimizer)
took = sorted(save_and_time(net) for _ in range(9))[4]
at, torn, leftovers, pause = [], 0, set(), random.Random(0)
while torn < kills:
    child = os.fork()
    if child == 0:
        net = fastnn.load(path)
        while True:
            net.train_step(x, t, net.optimizer)
            net.save(path)
    time.sleep(pause.uniform(0, 8 * took))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    net = fastnn.load(path)
    at.append(net.optimizer.kept(net)[0])
    left = set(os.listdir(folder)) - {name}
    torn, leftovers = torn + bool(left), leftovers | left
for _ in range(5):
    net.train_step(x, t, net.optimizer)
net.save(path)
expected, optimizer = made()
for _ in range(at[-1] + 5):
    expected.train_step(x, t, optimizer)
same = [w.tobytes() for w in net.get_weights()] == [w.tobytes() for w in expected.get_weights()]
print(json.dumps({"at": at, "torn": torn, "leftovers": sorted(leftovers), "same": same, "left": os.listdir(folder)}))
"""


@pytest.mark.parametrize("kills", [4, pytest.param(100, marks=pytest.mark.exhaustive)])
def test_killed_at_random_moments(kills, tmp_path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "net"), str(kills)],
        capture_output=True, text=True, check=True, timeout=600, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    result = json.loads(done.stdout)
    print(f"{result['torn']} of {len(result['at'])} were killed within a save, at {result['at'][-1]} steps the last")
    assert result["at"] == sorted(result["at"])
    assert result["leftovers"] in ([], [".net.saving"])
    assert result["left"] == ["net"]
    assert result["same"]


# What a save asks of the operating system, in order: a process is killed before each.
CALLS = ["open", "truncate", "write", "flush", "fsync", "replace", "open folder", "fsync folder"]


@pytest.mark.parametrize("moment", range(8))
def test_killed_before_each_call(moment, tmp_path, monkeypatch) -> None:
    path = tmp_path / "net"
    path.write_bytes(b"old")
    child = os.fork()
    if child == 0:
        counted = iter(range(9))

        def or_killed(function):
            def call(*arguments):
                if next(counted) == moment:
                    os.kill(os.getpid(), signal.SIGKILL)
                return function(*arguments)

            return call

        class File:
            def __init__(self, file):
                self.truncate, self.write, self.flush = map(or_killed, (file.truncate, file.write, file.flush))
                self.fileno, self.close = file.fileno, file.close

            def __enter__(self):
                return self

            def __exit__(self, *_):
                self.close()

        fdopen = os.fdopen
        monkeypatch.setattr(os, "fdopen", lambda *arguments: File(fdopen(*arguments, buffering=0)))
        for name in ("open", "fsync", "replace"):
            monkeypatch.setattr(os, name, or_killed(getattr(os, name)))
        with replacing(path) as file:
            file.write(b"the new one")
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    renamed = CALLS.index("replace") < moment
    assert path.read_bytes() == (b"the new one" if renamed else b"old")
    left = moment > 0 and not renamed
    assert sorted(os.listdir(tmp_path)) == [".net.saving"] * left + ["net"]
    with replacing(path) as file:
        file.write(b"third")
    assert path.read_bytes() == b"third"
    assert os.listdir(tmp_path) == ["net"]


def test_a_save_that_fails_leaves_the_old_file(tmp_path, monkeypatch) -> None:
    net = net_of()
    net.save(tmp_path / "net")
    old = (tmp_path / "net").read_bytes()
    train(net, fastnn.SGD(0.1), 1)

    def full(*_):
        raise OSError(28, "No space left on device")

    for name in ("fsync", "replace"):
        with monkeypatch.context() as patched:
            patched.setattr(os, name, full)
            with pytest.raises(OSError, match="No space left"):
                net.save(tmp_path / "net")
        assert (tmp_path / "net").read_bytes() == old
        assert os.listdir(tmp_path) == ["net"]


def test_an_interrupted_save_leaves_the_old_file(tmp_path) -> None:
    (tmp_path / "net").write_bytes(b"old")

    def interrupted() -> None:
        with replacing(tmp_path / "net") as file:
            file.write(b"new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert (tmp_path / "net").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["net"]


def test_saves_at_once_take_turns(tmp_path) -> None:
    """Threads here, by the same lock as processes."""
    nets = [net_of(seed=seed) for seed in range(3)]
    errors = []

    def save(net: fastnn.MLP) -> None:
        try:
            for _ in range(20):
                net.save(tmp_path / "net")
                fastnn.load(tmp_path / "net")
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=save, args=(net,)) for net in nets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert os.listdir(tmp_path) == ["net"]
    last = fastnn.load(tmp_path / "net")
    assert any((last.get_weights()[0] == net.get_weights()[0]).all() for net in nets)


def test_without_locks_it_saves_too(tmp_path, monkeypatch) -> None:
    """As on some network drives."""

    def unsupported(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(replacing_module.fcntl, "flock", unsupported)
    net = net_of()
    net.save(tmp_path / "net")
    assert_same_weights(fastnn.load(tmp_path / "net"), net)
