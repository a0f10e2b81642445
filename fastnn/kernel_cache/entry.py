"""One file of the cache: it contains its key and a checksum, so that a damaged file is recognised and ignored."""

from __future__ import annotations

import hashlib
import os
import secrets
from contextlib import suppress
from pathlib import Path

# The first bytes of a file. Its last digit is the version of the format: MAGIC, SHA-256 of the rest, length of the key
# in 8 bytes, key, payload.
MAGIC = b"fastnn kernel 1\n"
_DIGEST_END = len(MAGIC) + hashlib.sha256().digest_size
_KEY_START = _DIGEST_END + 8


def read_entry(path: Path, key: bytes) -> bytes | None:
    """The payload that was written with this key; None if there is none, or if the file is damaged."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    stated = MAGIC + hashlib.sha256(content[_DIGEST_END:]).digest() + len(key).to_bytes(8, "little") + key
    return content[len(stated) :] if content.startswith(stated) else None


def write_entry(path: Path, key: bytes, payload: bytes) -> None:
    """Write a file atomically, replacing any that exists. Raises OSError if that cannot be done.

    A reader sees the old file or the new one. Damage by a crash or a full disk is found by the checksum.
    """
    rest = len(key).to_bytes(8, "little") + key + payload
    # open() and not tempfile, because only the owner may read tempfile's files.
    written = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    try:
        with open(written, "xb") as file:
            file.write(MAGIC + hashlib.sha256(rest).digest() + rest)
        os.replace(written, path)
    except BaseException:
        with suppress(OSError):
            written.unlink()
        raise
