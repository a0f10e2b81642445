"""Made-up results of a race: as large as a real run, deterministic, and without a winner known in advance."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import scaling
from benchmarks.cases import BATCH_SIZES, MODELS, Case, grid
from benchmarks.results import CallCell, Ceiling, Cell, KernelError, Results, StartUp

# Seconds of overhead per step and achieved operations per second, roughly what these implementations do on one core.
SPEEDS = {
    "fastnn": (4e-6, 60e9),
    "numpy-notes": (350e-6, 20e9),
    "numpy": (150e-6, 42e9),
    "numba": (2e-6, 33e9),
    "pytorch": (500e-6, 38e9),
    "pytorch-compiled": (180e-6, 61e9),
    "jax": (150e-6, 48e9),
    "scikit-learn": (3e-3, 25e9),
}
STARTUPS = {
    "fastnn": (0.45, 9.8, 0.9),
    "numpy-notes": (0.12, 0.13, 0.13),
    "numpy": (0.12, 0.13, 0.13),
    "numba": (0.42, 3.9, 0.6),
    "pytorch": (1.9, 2.0, 2.0),
    "pytorch-compiled": (1.9, 34.0, 11.0),
    "jax": (1.1, 1.9, 1.7),
    "scikit-learn": (1.3, 1.4, 1.4),
}
# (implementation, batch size or None for all, threads or None for all) -> (status, reason)
UNTIMED = {
    ("jax", None, 2): ("missing", "No module named 'jax'"),
    ("pytorch-compiled", 8192, None): ("died", "killed by signal 9 <out of memory> | exit -9"),
    ("scikit-learn", 1, 1): ("timeout", "no step within 20 s"),
    ("numba", 512, 2): ("wrong", "loss differs from the reference by 3.1 times the tolerance"),
}


def make_cell(
    case: Case, implementation: str, rng: np.random.Generator, drift: np.ndarray, slower: float = 1.0
) -> Cell:
    """A cell whose samples share the machine's drift with its rivals; without a time where UNTIMED says so."""
    overhead, speed = SPEEDS.get(implementation, (100e-6, 30e9))
    for (name, batch_size, threads), (status, reason) in UNTIMED.items():
        if name == implementation and batch_size in (None, case.batch_size) and threads in (None, case.threads):
            return _cell(case, implementation, status=status, reason=reason)
    seconds = slower * (overhead + case.flops / speed / case.threads**0.85)
    samples = seconds * drift * rng.lognormal(0.0, 0.03, len(drift))
    memory = 300_000 if implementation == "fastnn" else case.batch_size * case.model.sizes[0] * 12 + 200_000
    return _cell(case, implementation, status="ok", samples=samples.tolist(), max_error=0.02, peak_memory=int(memory))


def _cell(case: Case, implementation: str, **rest: Any) -> Cell:
    return Cell(
        model=case.model.name,
        model_label=case.model.label,
        batch_size=case.batch_size,
        dtype=case.dtype,
        threads=case.threads,
        implementation=implementation,
        flops=case.flops,
        bytes_moved=case.bytes_moved,
        **rest,
    )


def make_results(
    implementations: tuple[str, ...] = tuple(SPEEDS),
    batch_sizes: tuple[int, ...] = BATCH_SIZES,
    threads: tuple[int, ...] = (1, 2),
    models: tuple = MODELS[:2],
    rounds: int = 15,
    seed: int = 0,
    slower: dict[str, float] | None = None,
    machine_factor: float = 1.0,
    **rest: Any,
) -> Results:
    """A run. `slower` multiplies one implementation's times, `machine_factor` those of all (a busier machine); `rest`
    are fields of `Results`."""
    rng = np.random.default_rng(seed)
    cells = []
    for case in grid(models, batch_sizes, threads):
        drift = machine_factor * rng.lognormal(0.0, 0.12, rounds)
        cells += [make_cell(case, name, rng, drift, (slower or {}).get(name, 1.0)) for name in implementations]
    sweeps = scaling.sweeps(lambda model: model, threads, "float32")
    return Results(
        datetime="2026-05-09T07:35:25+00:00",
        fastnn_version="0.1.0",
        machine={
            "cpu": "Imaginary Processor 7 @ 3.00GHz",
            "cores": 2,
            "memory": "16 GB",
            "node": "secret-host",
            "system": "Linux",
            "python": "3.11.7",
        },
        commit={"id": "0123456789abcdef", "branch": "main", "dirty": False},
        conditions={
            "command": "python -m benchmarks --threads 1,2",
            "rounds": rounds,
            "data": "MNIST, 60,000 rows",
            "versions": {"numpy": "2.4.6", "numba": "0.61.0"},
            "blas": "OpenBLAS 0.3.29",
            "load before": [0.1, 0.2, 0.1],
        },
        cells=cells,
        ceilings=[Ceiling(k, "float32", 96e9 * k, 14e9 * k**0.5) for k in threads],
        startups=[_startup(name, model.name) for model in models for name in implementations],
        kernel_errors=[
            KernelError("affine_forward", "float32", 0.12, 3.4, 120),
            KernelError("affine_forward", "float64", 0.05, 2.1, 120),
            KernelError("softmax", "float32", 0.31, 1.9, 240),
        ],
        calls=make_calls(),
        scaling={
            sweep: [
                make_cell(case, name, rng, np.ones(rounds))
                for case in cases
                for name in implementations
                if name in scaling.PEERS
            ]
            for sweep, cases in sweeps.items()
        },
        **rest,
    )


# (family, function, size, dtype, flops, bytes, {implementation: seconds}); None is a cell that was wrong.
CALLS = [
    ("forward", "affine_forward", "32 x 784 x 50", "float32", 2.5e6, 2.6e5, {"fastnn": 2e-5, "numpy": 3e-5}),
    ("forward", "affine_forward", "1 x 784 x 50", "float32", 7.8e4, 1.6e5, {"fastnn": 5e-6, "numpy": 4e-6}),
    ("activations", "exp", "4,096", "float64", 4e3, 6.5e4, {"fastnn": 2e-6, "numpy": 2e-6, "pytorch": None}),
]


def make_calls(rounds: int = 9) -> list[CallCell]:
    """One call that fastnn wins, one that it loses, and one without a clear difference, all as close as can be."""
    cells = []
    for family, function, size, dtype, flops, moved, speeds in CALLS:
        for name, seconds in speeds.items():
            cell = CallCell(family, function, size, dtype, name, "ok", "", [], flops, moved, 0.1)
            if seconds is None:
                cell.status, cell.reason = "wrong", "off by 3.1 times the tolerance"
            else:
                swing = 0.1 if function == "exp" and name == "numpy" else 0.0
                cell.samples = [seconds * (1 + (-1) ** k * swing) for k in range(rounds)]
            cells.append(cell)
    return cells


def _startup(name: str, model: str) -> StartUp:
    if name == "jax":
        return StartUp(name, model, "missing", "No module named 'jax'")
    return StartUp(name, model, "ok", "", *STARTUPS.get(name, (0.5, 1.0, 1.0)))


# A fastnn with the public names that a race needs and no others: another version is laid out in another way.
OTHER_FASTNN = """
from pathlib import Path

from benchmarks.peers.base import one_hot
from benchmarks.peers.notes import SGD, TwoLayerNet

Path(__file__).with_name("imported").touch()
Adam = None


class MLP:
    def __init__(self, sizes, activation, dtype):
        self._classes, self._activation = sizes[-1], activation

    def set_weights(self, weights):
        params = zip(("W1", "b1", "W2", "b2"), (w.astype("float64") for w in weights))
        self._net = TwoLayerNet(dict(params), self._activation)

    def get_weights(self):
        return list(self._net.params.values())

    def train_step(self, x, t, optimizer):
        loss, grads = self._net.gradient(x.astype("float64"), one_hot(t, self._classes, "float64"))
        optimizer.update(self._net.params, grads)
        return loss
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Another checkout, whose `fastnn` touches the file `imported` beside it."""
    package = tmp_path / "checkout" / "fastnn"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(OTHER_FASTNN)
    return package.parent


@pytest.fixture(scope="session")
def made_up() -> Callable[..., Results]:
    """The factory `make_results`, for tests that need a run of their own."""
    return make_results


@pytest.fixture(scope="session")
def results() -> Results:
    """A whole run: 2 models, 1 and 2 threads, 7 batch sizes, 8 implementations, some cells without a time.

    Do not change it.
    """
    return make_results()
