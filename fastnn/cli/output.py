"""Printing that cannot end a command: readers go away (`| head`, a closed terminal), not every terminal is UTF-8."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from typing import Any, TextIO

# For encodings that lack the sign; any other is printed as a question mark.
PLAIN = str.maketrans({"µ": "u", "\N{MULTIPLICATION SIGN}": "x", "≈": "~", "·": "|", "\N{EM DASH}": "-", "…": "..."})


class OutputLostError(OSError):
    """Results could not be written."""


class Tolerant:
    """A text stream that replaces what its encoding lacks, and drops everything once it cannot be written to any more.

    fatal : whether that is an error unless a reader has gone away: of results, which a full disk must not lose.
    """

    def __init__(self, stream: TextIO, fatal: bool = False) -> None:
        self._stream, self._fatal = stream, fatal

    def write(self, text: str) -> int:
        """Of the characters of `text`, as if all of them had been written."""
        encoding = self._stream.encoding or "utf-8"
        try:
            text.encode(encoding)
            printable = text
        except UnicodeEncodeError:
            printable = text.translate(PLAIN).encode(encoding, "replace").decode(encoding)
        try:
            self._stream.write(printable)
        except OSError as error:
            self._drop(error)
        return len(text)

    def flush(self) -> None:
        """Hand on what is in buffers."""
        try:
            self._stream.flush()
        except OSError as error:
            self._drop(error)

    def _drop(self, error: OSError) -> None:
        """What is still in buffers, too: Python would try again at exit, and fail."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)
        if self._fatal and not isinstance(error, BrokenPipeError):
            raise OutputLostError(error.errno, error.strerror) from error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def tolerant_output(results: bool = False) -> Iterator[None]:
    """Standard output and standard error are `Tolerant`; one that was closed from the start stays so.

    results : whether standard output has results, which it is an error to lose: OutputLostError.
    """
    with ExitStack() as stack:
        for stream, redirect in ((sys.stdout, redirect_stdout), (sys.stderr, redirect_stderr)):
            if stream is not None:
                tolerant = Tolerant(stream, fatal=results and stream is sys.stdout)
                stack.callback(tolerant.flush)
                stack.enter_context(redirect(tolerant))
        yield
