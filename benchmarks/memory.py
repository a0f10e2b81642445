"""Memory of this process, on Linux; elsewhere nothing is known (None)."""

from __future__ import annotations

import ctypes
import gc
import sys
from pathlib import Path

_STATUS = Path("/proc/self/status")
_CLEAR_REFS = Path("/proc/self/clear_refs")


def resident() -> int | None:
    """Bytes of physical memory that the process holds now."""
    return _status("VmRSS")


def peak() -> int | None:
    """The most that `resident` has been since `reset_peak`, bytes."""
    return _status("VmHWM")


def reset_peak() -> bool:
    """Start counting `peak` anew; False where the system cannot."""
    try:
        _CLEAR_REFS.write_text("5")
    except OSError:
        return False
    return True


def release() -> None:
    """Give freed memory back to the system, so that the next case does not find it free of charge."""
    gc.collect()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc has it, musl has not
        if trim is not None:
            trim(0)


def _status(field: str) -> int | None:
    try:
        lines = _STATUS.read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    return None
