"""The sizes of the CPU's caches, as the system tells them."""

from __future__ import annotations

import ctypes
import ctypes.util
import re
import sys
from functools import cache
from pathlib import Path

_LINUX = Path("/sys/devices/system/cpu/cpu0/cache")
_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30}
_MACOS = {"L1d": b"hw.l1dcachesize", "L2": b"hw.l2cachesize", "L3": b"hw.l3cachesize"}

# What a core of most CPUs has at least, where the system does not tell.
_FIRST_LEVEL, _SECOND_LEVEL = 32 * 2**10, 512 * 2**10


def cache_sizes() -> dict[str, int]:
    """Bytes by name, for example {"L1d": 49152, "L2": 2097152}; empty where the system does not tell."""
    return _told_by_macos() if sys.platform == "darwin" else _told_by_linux()


@cache
def first_level_bytes() -> int:
    """Of a core's first-level data cache, for all that is sized by it; 32 KiB where the system does not tell."""
    return cache_sizes().get("L1d", _FIRST_LEVEL)


@cache
def second_level_bytes() -> int:
    """Of a core's second-level cache; 512 KiB where the system does not tell."""
    return cache_sizes().get("L2", _SECOND_LEVEL)


def _told_by_linux() -> dict[str, int]:
    sizes = {}
    for index in sorted(_LINUX.glob("index*")):
        level, kind, size = (_read(index / name) for name in ("level", "type", "size"))
        found = re.fullmatch(r"(\d+)([KMG]?)", size)
        if found and kind != "Instruction":
            sizes[f"L{level}{'d' if kind == 'Data' else ''}"] = int(found[1]) * _UNITS[found[2]]
    return sizes


def _told_by_macos() -> dict[str, int]:
    library = ctypes.util.find_library("c")
    if library is None:
        return {}
    ask, sizes = ctypes.CDLL(library).sysctlbyname, {}
    for name, key in _MACOS.items():
        value = ctypes.c_int64(0)
        length = ctypes.c_size_t(ctypes.sizeof(value))
        if ask(key, ctypes.byref(value), ctypes.byref(length), None, ctypes.c_size_t(0)) == 0 and value.value > 0:
            sizes[name] = value.value
    return sizes


def _read(path: Path) -> str:
    """Without the line's end; "" where it is not to be read."""
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""
