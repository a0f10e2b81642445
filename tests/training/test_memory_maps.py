"""A file larger than memory: rows are read as they are needed, and what was read can be given back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import sys
import numpy as np, fastnn
from fastnn.training import epoch
from fastnn.training.sources import order_of, source_of

class Enough(Exception):
    pass

def report(rows, loss):
    if optimizer.state(net).steps >= 100:
        raise Enough

epoch._IN_ONE_CALL = 0.0  # a report after each step
x = np.memmap(sys.argv[1], np.float32, "r").reshape(-1, 784)
net, optimizer = fastnn.MLP((784, 128, 10)), fastnn.Adam()
source = source_of(net, x, np.zeros(len(x), np.int64))
try:
    epoch.run_epoch(net, source, optimizer, 32, order_of(net, len(x), None), report=report)
except Enough:
    print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc")
def test_a_file_of_20_gigabytes_trains_in_less_than_half_a_gigabyte(tmp_path: Path) -> None:
    rows = 20_000_000_000 // (784 * 4)
    with (tmp_path / "x").open("wb") as file:
        file.truncate(rows * 784 * 4)  # a sparse file: it takes no room on the disk
    (tmp_path / "few").write_bytes(bytes(784 * 4 * 33))
    for name in ("few", "x"):  # the first compiles the kernels, which takes memory
        command = [sys.executable, "-c", PROGRAM, str(tmp_path / name)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    (tmp_path / "x").unlink()
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 500_000, f"{done.stdout} kilobytes"
