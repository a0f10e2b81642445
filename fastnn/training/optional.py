"""Packages that only some functions need."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def needed(what: str, package: str, extra: str = "train") -> Iterator[None]:
    """Around an import: where the package is missing, the error says what needs it and how to get it."""
    try:
        yield
    except ImportError as error:
        if (error.name or "").partition(".")[0] != package:
            raise
        cure = f'pip install "fastnn[{extra}]"'
        raise ImportError(f"{what} needs {package}; get it with: {cure}", name=package) from error
