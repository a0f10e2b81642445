"""Printing that outlives its readers, and says so where results are lost."""

from __future__ import annotations

import io
import os

import pytest

from fastnn.cli.output import OutputLostError, Tolerant

needs_full = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no full device here")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_characters_that_an_encoding_lacks_are_replaced(encoding: str) -> None:
    raw = io.BytesIO()
    stream = Tolerant(io.TextIOWrapper(raw, encoding))
    stream.write("5 µs 2\N{MULTIPLICATION SIGN} ≈ ─ \udcff")
    stream.flush()
    expected = {"ascii": "5 us 2x ~ ? ?", "latin-1": "5 us 2x ~ ? ?", "utf-8": "5 us 2x ~ ─ ?"}
    assert raw.getvalue().decode(encoding) == expected[encoding]


@needs_full
def test_a_stream_that_cannot_be_written_to_is_dropped_for_good() -> None:
    with open("/dev/full", "w") as full:
        stream = Tolerant(full)
        stream.write("words")
        stream.flush()
        stream.write("more words")
    assert stream.closed


@needs_full
def test_results_that_are_lost_are_an_error() -> None:
    with open("/dev/full", "w") as full:
        stream = Tolerant(full, fatal=True)
        stream.write("words")
        with pytest.raises(OutputLostError, match="No space left"):
            stream.flush()


def test_a_reader_that_goes_away_is_none() -> None:
    reads, writes = os.pipe()
    os.close(reads)
    with open(writes, "w") as pipe:
        stream = Tolerant(pipe, fatal=True)
        stream.write("words")
        stream.flush()
        stream.write("more words")
