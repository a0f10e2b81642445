"""The parser of the command line, and options that several commands have."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any, NoReturn

from fastnn.cli.errors import UsageError, arguments_as_options
from fastnn.threads import get_num_threads, set_num_threads


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, takes options by their whole names alone, and keeps the lines of its texts."""

    def __init__(self, **parts: Any) -> None:
        super().__init__(**{"allow_abbrev": False, "formatter_class": argparse.RawDescriptionHelpFormatter, **parts})

    def error(self, message: str) -> NoReturn:
        """Raises UsageError."""
        message = message.removeprefix("argument ").replace("the following arguments are required:", "missing:")
        raise UsageError(f"{message} (see {self.prog} --help)")


def count(text: str) -> int:
    """A whole number of at least 1."""
    return _whole(text, 1)


def count_or_zero(text: str) -> int:
    """A whole number of at least 0."""
    return _whole(text, 0)


def _whole(text: str, low: int) -> int:
    if not text.isdecimal() or int(text) < low:
        raise argparse.ArgumentTypeError(f"got {text!r}, expected a whole number of at least {low}")
    return int(text)


def number(text: str) -> float:
    """A number; its range is checked where it is used."""
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"got {text!r}, expected a number") from None


def names(text: str) -> tuple[str, ...]:
    """Names with commas between them."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def add_threads(parser: argparse._ActionsContainer) -> None:
    """--threads."""
    parser.add_argument(
        "--threads", type=count, metavar="N", help="use at most so many threads (default: the cores it may use)"
    )


class threads_of:
    """Within it, so many threads as --threads says. Raises UsageError where that are too many."""

    def __init__(self, threads: int | None) -> None:
        self._threads, self._before = threads, get_num_threads()

    def __enter__(self) -> None:
        if self._threads is not None:
            with arguments_as_options({"count": "--threads"}):
                set_num_threads(self._threads)

    def __exit__(self, *_: object) -> None:
        if self._threads is not None:
            set_num_threads(self._before)


def check_can_write(option: str, path: str | None) -> None:
    """Raises UsageError where a file could not be written at the end of a long job."""
    if path is None:
        return
    folder = Path(path).parent
    if Path(path).is_dir() or not Path(path).name:
        raise UsageError(f"{option}: {path} is a folder, expected the name of a file")
    if not folder.is_dir():
        raise UsageError(f"{option}: there is no folder {folder}")
    if not os.access(folder, os.W_OK):
        raise UsageError(f"{option}: the folder {folder} cannot be written to")
