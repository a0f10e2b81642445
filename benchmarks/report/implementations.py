"""How each implementation is called and drawn: one row per name, the same in every table and figure.

Looks are tied to the name, not to the order of a run, so that a colour means the same implementation in every
report, also in one where some rivals are missing.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass

from benchmarks.peers import BASELINE, PEERS
from benchmarks.results import Status

OWN = "fastnn"
AT_ONCE = "fastnn-epoch"  # its form of many steps in one call
# Other forms of fastnn: the loop of bare steps, and many steps in one call.
FORMS = ("fastnn-steps", AT_ONCE)
# Those, and fastnn of another checkout: they are no peers.
KIN = (BASELINE.id, *FORMS)


Marker = str | tuple[int, int, int]


@dataclass(frozen=True)
class Look:
    """Label, colours on a light and on a dark page (#rrggbb), matplotlib marker and line style."""

    label: str
    light: str
    dark: str
    marker: Marker
    line: str = "-"


# Hues after Okabe and Ito, shifted in lightness until each has a contrast of 3:1 to both pages (tested); what a
# colour-blind reader may still confuse differs in marker. Ways of running one library share a hue.
LOOKS = {
    "fastnn": Look("fastnn", "#d1400f", "#ff7a45", "o"),
    "fastnn-epoch": Look("fastnn, epoch in one call", "#b3530a", "#ffb070", "o", "--"),
    "fastnn-steps": Look("fastnn's step loop", "#8f3a1c", "#ffab8a", "d", "--"),
    "numpy-notes": Look("NumPy notes (float64)", "#737373", "#a3a3a3", "v"),
    "numpy": Look("Tuned NumPy", "#00508f", "#6aa5ff", "s"),
    "numba": Look("Hand-written Numba", "#00875f", "#2fc797", "D"),
    "numba-expert": Look("Expert Numba", "#00664a", "#5fd6ae", "D", "--"),
    "numba-csr": Look("Expert Numba, input as CSR", "#5b7a2e", "#a9cc6b", "s", "-."),
    "pytorch": Look("PyTorch", "#b04f8c", "#e58cc0", "^"),
    "pytorch-whole": Look("PyTorch, whole step compiled", "#8d2f6e", "#d97cba", (4, 1, 0), "-."),
    "pytorch-compiled": Look("PyTorch compiled", "#7a1f5c", "#c05d9f", "<", "--"),
    "jax": Look("JAX", "#1c8fce", "#5ccdf2", "P"),
    "jax-scan": Look("JAX lax.scan", "#12607f", "#7fd0e8", "P", "--"),
    "jax-scan-fast-math": Look("JAX lax.scan, fast-math", "#3f6fd1", "#a3c0ff", "*", "-."),
    "jax-shuffled": Look("JAX, rows shuffled", "#0a6a99", "#8fd8ff", "*", "--"),
    "keras-jax": Look("Keras on JAX", "#3f7f7f", "#7fc4c4", "H", "-."),
    "keras-tensorflow": Look("Keras on TensorFlow", "#8a5a44", "#c99a83", "8"),
    "keras-tensorflow-32": Look("Keras on TensorFlow, by 32", "#5f3c2c", "#a97d68", ">", "--"),
    "scikit-learn": Look("scikit-learn", "#a87600", "#e3b341", "X"),
}

# Parts of the step alone, drawn as lines and in no table of peers.
FLOOR_LABELS = {"products-numpy": "NumPy's BLAS", "products-pytorch": "PyTorch's BLAS"}

# For names that have no row above: picked by the name's checksum, so that they are stable as well.
SPARE_LOOKS = (
    ("#5a5fc7", "#9a9ef5", "p"),
    ("#6b7d00", "#b5c94b", "h"),
)

# The others read as they are.
STATUS_WORDS: dict[Status, str] = {"missing": "not available", "timeout": "timed out"}
NOT_RUN = "not run"


def look(implementation: str) -> Look:
    """The row of a known implementation, a stable stand-in that carries the name itself for any other."""
    if implementation in LOOKS:
        return LOOKS[implementation]
    light, dark, marker = SPARE_LOOKS[zlib.crc32(implementation.encode()) % len(SPARE_LOOKS)]
    return Look(implementation, light, dark, marker, ":")


def label(implementation: str) -> str:
    """The name for people."""
    return look(implementation).label


def at_once(implementation: str) -> bool:
    """Whether it makes many steps in one call."""
    return implementation in PEERS and PEERS[implementation].in_one_call


def opponent(implementation: str) -> str:
    """The form of fastnn that it is compared with: many steps in one call with many, one with one."""
    return AT_ONCE if at_once(implementation) and implementation != AT_ONCE else OWN


def is_usual(implementation: str) -> bool:
    """Whether it is written as its library's users write it; so are those of older runs that are known no more."""
    return implementation not in (OWN, *KIN) and (implementation not in PEERS or PEERS[implementation].kind == "usual")


def caveat(implementation: str) -> str:
    """Where it is not held to what fastnn does; "" where it is."""
    return PEERS[implementation].caveat if implementation in PEERS else ""


def in_order(implementations: Iterable[str]) -> list[str]:
    """Without repeats: the known ones in the order above (fastnn first), then the others by name."""
    known = list(LOOKS)
    return sorted(set(implementations), key=lambda name: (known.index(name) if name in LOOKS else len(known), name))


def status_word(status: Status) -> str:
    """How a cell without a time reads in a table: "wrong", "not available", "died", "timed out", "interrupted"."""
    return STATUS_WORDS.get(status, status)
