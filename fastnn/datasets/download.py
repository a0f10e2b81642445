"""Download of IDX files: several mirrors, resumed where it broke off, verified, and in place all at once or not at all.

A file arrives as `<name>.gz.part`, is checked against its shape and SHA-256, and only then takes its final name. A
part that is left behind by a broken connection or an interrupted process is continued by the next attempt.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fastnn.datasets.catalogue import IdxFile, ImageSet
from fastnn.datasets.errors import DatasetError
from fastnn.datasets.idx import read_idx
from fastnn.datasets.locate import file_in
from fastnn.datasets.progress import Progress

TIMEOUT_S = 30.0
_ATTEMPTS_PER_MIRROR = 4
_CHUNK_BYTES = 1 << 16


def fetch(dataset: ImageSet, folder: Path) -> None:
    """Download into `folder` those of the data set's four files that it lacks.

    Raises:
        DatasetError: the folder cannot be written, or a file could be had from no mirror; one line for each attempt.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _one_process_at_a_time(folder):
            for file in dataset.files:
                if file_in(folder, file.name) is None:
                    _fetch_file(dataset, file, folder / f"{file.name}.gz")
    except DatasetError:
        raise
    except OSError as error:
        raise DatasetError(f"{folder}: cannot be written ({error.strerror or error})") from error


def _fetch_file(dataset: ImageSet, file: IdxFile, target: Path) -> None:
    failures = []
    for mirror in dataset.mirrors:
        url = mirror + target.name
        try:
            _fetch_from(url, file, target, label=f"{dataset.name}/{target.name}")
        except DatasetError as error:
            failures.append(f"{url}: {error}")
        else:
            return
    raise DatasetError("\n".join(failures))


def _fetch_from(url: str, file: IdxFile, target: Path, label: str) -> None:
    part = target.with_name(f"{target.name}.part")
    for attempt in range(1, _ATTEMPTS_PER_MIRROR + 1):
        before = _size(part)
        try:
            # Incompressible data grows a little under gzip; more than this is not the file.
            _transfer(url, part, limit=file.content_bytes + file.content_bytes // 100 + 1024, label=label)
        except DatasetError:
            if attempt == _ATTEMPTS_PER_MIRROR or _size(part) == before:
                raise
            continue
        try:
            read_idx(part, shape=file.shape, sha256=file.sha256)
        except DatasetError:
            part.unlink()
            # A part begun elsewhere may not fit what this mirror serves: that deserves one try from the start.
            if attempt == _ATTEMPTS_PER_MIRROR or before == 0:
                raise
            continue
        os.replace(part, target)
        return


def _transfer(url: str, part: Path, limit: int, label: str) -> None:
    """Bring `part` to completion from `url`; on failure what has arrived stays, unless it is useless."""
    # Imported here: urllib and what it pulls in cost tens of milliseconds, which `import fastnn` should not pay.
    from http.client import HTTPException
    from urllib.error import HTTPError
    from urllib.request import Request, urlopen

    done = _size(part)
    request = Request(url, headers={"User-Agent": "fastnn"})
    if done:
        request.add_header("Range", f"bytes={done}-")
    try:
        with urlopen(request, timeout=TIMEOUT_S) as response:
            # Should it be another range than the one asked for, the checksum tells.
            resumes = response.status == 206
            done = done if resumes else 0
            total = None if response.length is None else done + response.length
            with open(part, "ab" if resumes else "wb") as out, Progress(label, done, total) as progress:
                while done <= limit and (chunk := response.read(_CHUNK_BYTES)):
                    out.write(chunk)
                    done += len(chunk)
                    progress.update(done)
    except HTTPError as error:
        error.close()
        if error.code == 416:  # the part is at least as long as the file: it can only be wrong
            part.unlink(missing_ok=True)
        raise DatasetError(f"HTTP {error.code} {error.reason}") from error
    except (OSError, HTTPException) as error:
        raise DatasetError(str(getattr(error, "reason", None) or error) or type(error).__name__) from error
    if done > limit:
        part.unlink()
        raise DatasetError(f"sends more than {limit} bytes, which cannot be this file")
    if total is not None and done < total:
        raise DatasetError(f"connection closed after {done} of {total} bytes")


def _size(path: Path) -> int:
    return os.path.getsize(path) if os.path.exists(path) else 0


@contextmanager
def _one_process_at_a_time(folder: Path) -> Iterator[None]:
    """Hold a lock on the folder, so that two processes do not write the same part file.

    The operating system drops the lock when its holder dies. Where locks are not supported (some network drives) the
    download goes on without: two writers then spoil the part, which its checksum shows.
    """
    with open(folder / ".lock", "wb") as lock:
        with suppress(OSError):
            if sys.platform == "win32":
                import msvcrt

                msvcrt.locking(lock.fileno(), msvcrt.LK_LOCK, 1)
            else:
                import fcntl

                fcntl.flock(lock, fcntl.LOCK_EX)
        yield
