"""Where fastnn keeps what it can make or fetch again: compiled kernels and downloaded data."""

import os
import sys
from pathlib import Path


def cache_directory() -> Path | None:
    """The user's cache folder for fastnn, whether or not it exists; None where no home directory can be told.

    `$XDG_CACHE_HOME/fastnn` or `~/.cache/fastnn`; `~/Library/Caches/fastnn` on macOS; `%LOCALAPPDATA%\\fastnn\\Cache`
    on Windows.
    """
    try:
        if sys.platform == "win32":
            local = os.environ.get("LOCALAPPDATA")
            return (Path(local) if local else Path.home() / "AppData" / "Local") / "fastnn" / "Cache"
        if sys.platform == "darwin":
            return Path.home() / "Library" / "Caches" / "fastnn"
        xdg = os.environ.get("XDG_CACHE_HOME", "")
        # The XDG specification has relative paths ignored.
        return (Path(xdg) if os.path.isabs(xdg) else Path.home() / ".cache") / "fastnn"
    except RuntimeError:  # Path.home() in a container without HOME and without a passwd entry
        return None
