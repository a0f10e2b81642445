"""Printing that cannot end a command: readers go away (`| head`, a closed terminal), not every terminal is UTF-8."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from typing import Any, TextIO

# For encodings that lack the sign; any other is printed as a question mark.
PLAIN = str.maketrans({"µ": "u", "\N{MULTIPLICATION SIGN}": "x", "≈": "~", "·": "|", "\N{EM DASH}": "-", "…": "..."})


class Tolerant:
    """A text stream that replaces what its encoding lacks, and drops everything once nobody reads it any more."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

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
        except OSError:
            self._drop()
        return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError:
            self._drop()

    def _drop(self) -> None:
        """What is still in buffers, too: Python would try again at exit, and fail."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def tolerant_output() -> Iterator[None]:
    """Standard output and standard error are `Tolerant`; one that was closed from the start stays so."""
    with ExitStack() as stack:
        for stream, redirect in ((sys.stdout, redirect_stdout), (sys.stderr, redirect_stderr)):
            if stream is not None:
                tolerant = Tolerant(stream)
                stack.callback(tolerant.flush)
                stack.enter_context(redirect(tolerant))
        yield
