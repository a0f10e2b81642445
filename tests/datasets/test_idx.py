"""The IDX reader: right answers from good files, DatasetError and nothing else from every other."""

import gzip
import hashlib
import tempfile
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fastnn.datasets import DatasetError
from fastnn.datasets.idx import read_idx

GOOD = bytes([0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 10, 11, 12, 13, 14, 15])


def read_bytes(content: bytes, **checks: object) -> np.ndarray:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file-under-test"
        path.write_bytes(content)
        return read_idx(path, **checks)


def refusal(content: bytes, **checks: object) -> str:
    with pytest.raises(DatasetError) as caught:
        read_bytes(content, **checks)
    message = str(caught.value)
    assert "file-under-test" in message
    return message


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_reads_known_bytes(pack):
    array = read_bytes(pack(GOOD), shape=(2, 3), highest=15, sha256=hashlib.sha256(GOOD).hexdigest())
    assert array.dtype == np.uint8
    assert array.flags.c_contiguous
    assert not array.flags.writeable
    np.testing.assert_array_equal(array, [[10, 11, 12], [13, 14, 15]])


def test_reads_gzip_of_several_members():
    array = read_bytes(gzip.compress(GOOD[:7]) + gzip.compress(GOOD[7:]))
    np.testing.assert_array_equal(array, [[10, 11, 12], [13, 14, 15]])


@given(
    array=hnp.arrays(np.uint8, hnp.array_shapes(min_dims=1, max_dims=8, min_side=1, max_side=4)),
    zipped=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_round_trip(array, zipped):
    content = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape) + array.tobytes()
    read = read_bytes(gzip.compress(content) if zipped else content, shape=array.shape)
    assert read.shape == array.shape
    np.testing.assert_array_equal(read, array)


def test_larger_than_one_chunk():
    array = np.arange(3_000_001, dtype=np.uint32).astype(np.uint8)
    content = bytes([0, 0, 8, 1]) + len(array).to_bytes(4, "big") + array.tobytes()
    np.testing.assert_array_equal(read_bytes(content), array)
    np.testing.assert_array_equal(read_bytes(gzip.compress(content, 1)), array)


@pytest.mark.parametrize("end", range(len(GOOD)))
def test_truncated_anywhere(end):
    for content in (GOOD[:end], gzip.compress(GOOD[:end])):
        assert "truncated" in refusal(content) or end < 4


@pytest.mark.parametrize("end", range(len(gzip.compress(GOOD))))
def test_truncated_gzip_anywhere(end):
    refusal(gzip.compress(GOOD)[:end])


@given(data=st.data(), zipped=st.booleans())
@settings(max_examples=200, deadline=None)
def test_mutated_file_is_refused_or_read_as_it_says(data, zipped):
    content = bytearray(gzip.compress(GOOD, mtime=0) if zipped else GOOD)
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        array = read_bytes(bytes(content))
    except DatasetError:
        return
    assert array.size == 6
    assert array.dtype == np.uint8


@given(content=st.binary(max_size=64), zipped=st.booleans())
@settings(max_examples=100, deadline=None)
def test_random_bytes_raise_the_declared_error_only(content, zipped):
    for prefix in (b"", b"\0\0\x08", b"\x1f\x8b\x08"):
        body = prefix + content
        try:
            read_bytes(gzip.compress(body) if zipped else body)
        except DatasetError:
            continue


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "0 bytes long"),
        (b"<html>no such file</html>", "not an IDX file: starts with bytes 3c 68 74 6d"),
        (GOOD[:2] + b"\x0d" + GOOD[3:], "element type is 0x0d, expected 0x08"),
        (GOOD[:3] + b"\0" + GOOD[4:], "0 dimensions"),
        (GOOD[:3] + b"\xff" + GOOD[4:] + bytes(2000), "255 dimensions"),
        (bytes([0, 0, 8, 2]) + bytes(4) + b"\xff" * 4, "empty array"),
        (GOOD + b"!", "trailing bytes after the 6 elements"),
        (gzip.compress(GOOD + b"!"), "trailing bytes after the 6 elements"),
        (gzip.compress(GOOD) + b"!", "damaged gzip"),
        (gzip.compress(GOOD)[:-1], "damaged gzip"),
        (gzip.compress(GOOD, mtime=0)[:-8] + bytes(8), "damaged gzip"),
        (b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + b"\xff" * 40, "damaged gzip"),
    ],
)
def test_says_what_is_wrong(content, says):
    assert says in refusal(content)


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("dimensions", [1, 3, 8])
def test_huge_declared_size_allocates_nothing(pack, dimensions):
    content = pack(bytes([0, 0, 8, dimensions]) + b"\xff" * (4 * dimensions) + bytes(100))
    tracemalloc.start()
    try:
        message = refusal(content)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert "truncated: 100 bytes of elements" in message
    assert peak < 20e6


def test_gzip_bomb_is_not_inflated_past_the_declared_size():
    bomb = gzip.compress(GOOD + bytes(50_000_000), 1)
    tracemalloc.start()
    try:
        assert "trailing bytes" in refusal(bomb)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20e6


def test_shape_that_was_expected():
    assert "declares shape (2, 3), expected (3, 2)" in refusal(GOOD, shape=(3, 2))
    assert "declares shape (2, 3), expected (6,)" in refusal(GOOD, shape=(6,))


def test_element_out_of_range():
    assert "element 5 is 15, expected values from 0 to 14" in refusal(GOOD, highest=14)


def test_checksum():
    wrong = "0" * 64
    message = refusal(GOOD, sha256=wrong)
    assert wrong in message
    assert hashlib.sha256(GOOD).hexdigest() in message
    altered_header = bytes([0, 0, 8, 2, 0, 0, 0, 3, 0, 0, 0, 2]) + GOOD[12:]
    assert "SHA-256" in refusal(altered_header, sha256=hashlib.sha256(GOOD).hexdigest())


def test_file_that_cannot_be_read(tmp_path):
    with pytest.raises(DatasetError, match=r"nowhere: cannot be read \(No such file"):
        read_idx(tmp_path / "nowhere")
    with pytest.raises(DatasetError, match="cannot be read"):
        read_idx(tmp_path)


def test_error_is_an_os_error():
    assert issubclass(DatasetError, OSError)
