"""The peers: one file each, one interface (`base.Peer`), one registry (`PEERS`).

Importing this package imports no peer and none of their libraries; that happens in the worker process of each.
To add a peer, write its file and add a row here.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from benchmarks.peers.base import Peer


# "own": forms of fastnn. "usual": peers as their users write them. "strongest": as an expert would. "floor": no peer,
# but a part of the step alone.
Kind = Literal["own", "usual", "strongest", "floor"]


class Unavailable(Exception):
    """A peer cannot run here, or has no way to run this case; the message says why, in one sentence."""


@dataclass(frozen=True)
class PeerInfo:
    """A row of the registry: what is known of a peer without importing it."""

    id: str  # stable: results files are matched by it
    target: str  # "module:Class" of the implementation
    imports: tuple[str, ...]  # modules that it needs, as a user imports them
    packages: tuple[str, ...]  # distributions that provide them: what pip installs, whose versions are reported
    environment: Mapping[str, str] = field(default_factory=dict)  # variables to set before anything is imported
    kind: Kind = "usual"
    in_one_call: bool = False  # whether it makes many steps in one call
    caveat: str = ""  # where it is not held to what fastnn does: other input, or no care for NaN and infinity

    def missing(self) -> str:
        """Why this peer cannot run here, or "" when everything it needs is installed. Imports nothing."""
        absent = [name for name in self.imports if importlib.util.find_spec(name) is None]
        if not absent:
            return ""
        return f"not installed: {', '.join(absent)} (pip install {' '.join(self.packages)})"

    def versions(self) -> dict[str, str]:
        """Installed versions by distribution; those not installed as distributions are left out."""
        found = {}
        for package in self.packages:
            try:
                found[package] = importlib.metadata.version(package)
            except importlib.metadata.PackageNotFoundError:
                continue
        return found

    def load(self) -> type[Peer]:
        """Import the implementation, with the libraries that it needs."""
        module, name = self.target.split(":")
        return getattr(importlib.import_module(module), name)


_FASTNN, _JAX = ("fastnn", "numba", "numpy"), ("jax", "jaxlib")
_NUMBA = ("numba", "scipy"), ("numba", "scipy")
# Threads are Numba's alone, and BLAS runs on each of them: two pools wait, spinning, for each other's cores (measured:
# up to 100 times one thread's time). Those of OpenMP meet in a microsecond, those of Numba's workqueue in 75.
_ONE_POOL = {"OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "NUMBA_THREADING_LAYER_PRIORITY": "omp tbb workqueue"}
_FAST_MATH = " ".join(
    f"--xla_cpu_{flag}"
    for flag in (
        "enable_fast_math=true",
        "fast_math_honor_nans=false",
        "fast_math_honor_infs=false",
        "fast_math_honor_division=false",
        "fast_math_honor_functions=false",
        "enable_fast_min_max=true",
    )
)

_ROWS = (
    PeerInfo("fastnn", "benchmarks.peers.fastnn_mlp:FastnnMLP", ("fastnn",), _FASTNN, kind="own"),
    PeerInfo(
        "fastnn-epoch", "benchmarks.peers.fastnn_epoch:FastnnEpoch", ("fastnn",), _FASTNN, kind="own", in_one_call=True
    ),
    PeerInfo("numpy-notes", "benchmarks.peers.notes:Notes", ("numpy",), ("numpy",)),
    PeerInfo("numpy", "benchmarks.peers.tuned_numpy:TunedNumPy", ("numpy",), ("numpy",)),
    PeerInfo("numba", "benchmarks.peers.handwritten:Handwritten", *_NUMBA),
    PeerInfo(
        "numba-expert",
        "benchmarks.peers.numba_expert:NumbaExpert",
        *_NUMBA,
        _ONE_POOL,
        "strongest",
        in_one_call=True,
    ),
    PeerInfo(
        "numba-csr",
        "benchmarks.peers.numba_expert:NumbaCompressed",
        *_NUMBA,
        _ONE_POOL,
        "strongest",
        in_one_call=True,
        caveat="which takes its rows as CSR, their conversion not timed",
    ),
    PeerInfo("pytorch", "benchmarks.peers.torch_eager:TorchEager", ("torch",), ("torch",)),
    PeerInfo("pytorch-whole", "benchmarks.peers.torch_whole:TorchWhole", ("torch",), ("torch",), kind="strongest"),
    PeerInfo("jax", "benchmarks.peers.jax_jit:JaxJit", _JAX, _JAX),
    PeerInfo("jax-scan", "benchmarks.peers.jax_scan:JaxScan", _JAX, _JAX, kind="strongest", in_one_call=True),
    PeerInfo(
        "jax-scan-fast-math",
        "benchmarks.peers.jax_scan:JaxScan",
        _JAX,
        _JAX,
        {"XLA_FLAGS": _FAST_MATH},
        "strongest",
        in_one_call=True,
        caveat="which has no care for NaN and infinity",
    ),
    PeerInfo("scikit-learn", "benchmarks.peers.sklearn_mlp:SklearnMLP", ("sklearn",), ("scikit-learn",)),
)

PEERS = {row.id: row for row in _ROWS}

FLOORS = {
    row.id: row
    for row in (
        PeerInfo(
            "products-numpy",
            "benchmarks.peers.products:NumPyProducts",
            ("numpy",),
            ("numpy",),
            kind="floor",
        ),
        PeerInfo(
            "products-pytorch", "benchmarks.peers.torch_products:TorchProducts", ("torch",), ("torch",), kind="floor"
        ),
    )
}

# The fastnn of another checkout, which takes part where one is given.
BASELINE = PeerInfo("fastnn-baseline", "benchmarks.peers.fastnn_mlp:FastnnMLP", ("fastnn",), _FASTNN[1:], kind="own")


def known(peer_id: str) -> PeerInfo:
    """Of PEERS or FLOORS, or the baseline."""
    return BASELINE if peer_id == BASELINE.id else (PEERS | FLOORS)[peer_id]
