"""Packages that only some functions need."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

# What pip calls a package where Python calls it otherwise.
_DISTRIBUTIONS = {"sklearn": "scikit-learn"}


def cure(package: str) -> str:
    """How to get a package that is missing: by its own name. An extra, `fastnn[...]`, would have pip look for fastnn on
    PyPI, where that name is another project's."""
    return f"get it with: pip install {_DISTRIBUTIONS.get(package, package)}"


@contextmanager
def needed(what: str, package: str) -> Iterator[None]:
    """Around an import: where the package is missing, the error says what needs it and how to get it."""
    try:
        yield
    except ImportError as error:
        if (error.name or "").partition(".")[0] != package:
            raise
        raise ImportError(f"{what} needs {package}; {cure(package)}", name=package) from error
