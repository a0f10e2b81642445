"""The file format: only an undamaged file with the right key is an entry."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fastnn.kernel_cache.entry import read_entry, write_entry

KEY, PAYLOAD = b"a key", bytes(range(64))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """An entry."""
    write_entry(tmp_path / "entry", KEY, PAYLOAD)
    return tmp_path / "entry"


def test_what_was_written_is_read(path: Path) -> None:
    assert read_entry(path, KEY) == PAYLOAD
    write_entry(path, KEY, b"")
    assert read_entry(path, KEY) == b""
    assert os.listdir(path.parent) == ["entry"]


@pytest.mark.parametrize("key", [b"", b"a ke", b"a key\0", b"A key"])
def test_another_key_reads_nothing(path: Path, key: bytes) -> None:
    assert read_entry(path, key) is None


def test_no_file_and_no_readable_file_read_nothing(tmp_path: Path) -> None:
    assert read_entry(tmp_path / "none", KEY) is None
    assert read_entry(tmp_path, KEY) is None


def test_any_cut_and_any_changed_byte_is_found(path: Path) -> None:
    content = path.read_bytes()
    for k in range(len(content)):
        path.write_bytes(content[:k])
        assert read_entry(path, KEY) is None
        path.write_bytes(content[:k] + bytes([content[k] ^ 0x10]) + content[k + 1 :])
        assert read_entry(path, KEY) is None
    path.write_bytes(content + b"\0")
    assert read_entry(path, KEY) is None


def test_file_that_cannot_be_written_leaves_none_behind(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(source: Path, target: Path) -> None:
        raise OSError("full")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="full"):
        write_entry(path, KEY, b"new")
    assert read_entry(path, KEY) == PAYLOAD
    assert os.listdir(path.parent) == ["entry"]


def test_others_may_read_what_the_umask_lets_them(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        write_entry(tmp_path / "entry", KEY, PAYLOAD)
    finally:
        os.umask(before)
    if os.name == "posix":
        assert (tmp_path / "entry").stat().st_mode & 0o777 == 0o644
