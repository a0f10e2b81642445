"""Words of the command line: what is read from them, and what is said of them that cannot be taken."""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Iterable
from pathlib import Path

PATHS = ("--out", "--baseline")  # options that take one


class UsageError(Exception):
    """What the user asked for is not to be had; the message says what is."""


def names(text: str) -> tuple[str, ...]:
    """A comma-separated list without repeats."""
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names:
        raise argparse.ArgumentTypeError("names nothing")
    return names


def counts(text: str) -> tuple[int, ...]:
    return tuple(dict.fromkeys(count(name) for name in names(text)))


def count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 on")
    return int(text)


def number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 on")
    return number


def listed(names: Iterable[object]) -> str:
    return ", ".join(str(name) for name in names)


def known(option: str, names: tuple[str, ...], known: Iterable[str]) -> tuple[str, ...]:
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UsageError(f"{option}: unknown {listed(unknown)}; known are {listed(known)}")
    return names


def writable(out: Path) -> Path:
    """The folder, made if need be: better found out before the race than after it."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{out}: cannot be made: {error.strerror}") from error
    if not os.access(out, os.W_OK):
        raise UsageError(f"{out}: cannot be written to")
    return out


def without_paths(typed: list[str]) -> list[str]:
    """The arguments but for options with paths, which may tell a user's name."""
    kept, skip = [], False
    for word in typed:
        if not skip and word.split("=")[0] not in PATHS:
            kept.append(word)
        skip = word in PATHS
    return kept
