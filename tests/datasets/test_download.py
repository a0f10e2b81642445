"""Downloads from a server on this machine that behaves as badly as real ones do."""

import gzip
import io
import sys
import threading
import time
from pathlib import Path

import pytest

from fastnn.datasets import DatasetError, available, cache_directory, download, load
from fastnn.datasets.catalogue import IMAGE_SETS
from fastnn.datasets.progress import Progress

FIRST = "train-images-idx3-ubyte.gz"


@pytest.fixture
def served(mnist, mirror, monkeypatch):
    """The catalogue's MNIST is the tiny set, served by `mirror`."""
    entry = mnist._replace(mirrors=(mirror.url,))
    monkeypatch.setitem(IMAGE_SETS, "mnist", entry)
    return entry


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path / "target"


def assert_complete(folder: Path, tiny) -> None:
    """Exactly the four files and the lock: no part is left."""
    assert {path.name for path in folder.iterdir()} == {*tiny.zipped, ".lock"}
    for name, content in tiny.zipped.items():
        assert (folder / name).read_bytes() == content


def assert_nothing_final(folder: Path) -> None:
    assert not [path for path in folder.iterdir() if path.suffix == ".gz"]


def test_load_downloads_once_to_the_cache(served, mirror, tiny):
    assert not available("mnist")
    load("mnist")
    assert_complete(cache_directory() / "mnist", tiny)
    assert len(mirror.log) == 4
    assert available("mnist")
    load("mnist")
    assert len(mirror.log) == 4


def test_only_missing_files_are_fetched(served, mirror, tiny, folder):
    tiny.write(folder)
    (folder / "t10k-labels-idx1-ubyte.gz").unlink()
    download.fetch(served, folder)
    assert_complete(folder, tiny)
    assert [path for path, _ in mirror.log] == ["/t10k-labels-idx1-ubyte.gz"]


def test_server_that_tells_no_length(served, mirror, tiny, folder):
    mirror.tells_length = False
    download.fetch(served, folder)
    assert_complete(folder, tiny)


def test_resumes_after_a_broken_connection(served, mirror, tiny, folder):
    mirror.cuts = [20, 30]
    download.fetch(served, folder)
    assert_complete(folder, tiny)
    assert [wanted for path, wanted in mirror.log if path == f"/{FIRST}"] == [None, "bytes=20-", "bytes=50-"]


def test_resumes_what_an_earlier_process_left(served, mirror, tiny, folder):
    folder.mkdir()
    (folder / f"{FIRST}.part").write_bytes(tiny.zipped[FIRST][:50])
    download.fetch(served, folder)
    assert_complete(folder, tiny)
    assert mirror.log[0] == (f"/{FIRST}", "bytes=50-")


def test_starts_over_where_the_server_knows_no_ranges(served, mirror, tiny, folder):
    mirror.ranges = False
    mirror.cuts = [20]
    download.fetch(served, folder)
    assert_complete(folder, tiny)
    assert [wanted for path, wanted in mirror.log if path == f"/{FIRST}"] == [None, "bytes=20-"]


@pytest.mark.parametrize("length", [0, 1, 60, 10_000])
def test_starts_over_from_a_part_that_does_not_fit(served, mirror, tiny, folder, length):
    """Another mirror's bytes, or a part as long as the file or longer (the server answers 416)."""
    folder.mkdir()
    (folder / f"{FIRST}.part").write_bytes(b"x" * length)
    download.fetch(served, folder)
    assert_complete(folder, tiny)
    assert [wanted for path, wanted in mirror.log if path == f"/{FIRST}"][-1] is None


def test_starts_over_when_another_range_is_sent(served, mirror, tiny, folder):
    mirror.shifted_ranges = True
    mirror.cuts = [20]
    download.fetch(served, folder)
    assert_complete(folder, tiny)
    assert [wanted for path, wanted in mirror.log if path == f"/{FIRST}"] == [None, "bytes=20-", None]


def test_gives_up_on_a_connection_that_keeps_breaking(served, mirror, folder):
    mirror.cuts = [10] * 100
    with pytest.raises(DatasetError, match=r"connection closed after 40 of \d+ bytes"):
        download.fetch(served, folder)
    assert len(mirror.log) == 4
    assert_nothing_final(folder)
    assert (folder / f"{FIRST}.part").stat().st_size == 40


def test_gives_up_at_once_where_nothing_more_arrives(served, mirror, folder):
    mirror.cuts = [10, 0, 0, 0]
    with pytest.raises(DatasetError, match="connection closed after 10 of"):
        download.fetch(served, folder)
    assert len(mirror.log) == 2


def test_next_mirror_continues_where_the_first_broke_off(served, mirror, second_mirror, tiny, folder):
    mirror.cuts = [10, 0]
    download.fetch(served._replace(mirrors=(mirror.url, second_mirror.url)), folder)
    assert_complete(folder, tiny)
    assert second_mirror.log == [(f"/{FIRST}", "bytes=10-")]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"<html>Please log in to the hotel's network</html>", "not an IDX file"),
        (b"", "too short"),
        (b"\0" * 100_000, "cannot be this file"),
        (gzip.compress(bytes([0, 0, 8, 3, 0, 0, 0, 30, 0, 0, 0, 2, 0, 0, 0, 3]) + bytes(180)), "SHA-256"),
    ],
    ids=["login page", "empty", "endless", "altered"],
)
def test_wrong_content_never_takes_the_final_name(served, mirror, second_mirror, tiny, folder, content, says):
    mirror.files[FIRST] = content
    with pytest.raises(DatasetError, match=says):
        download.fetch(served, folder)
    assert_nothing_final(folder)
    assert not (folder / f"{FIRST}.part").exists()
    assert len(mirror.log) == 1
    download.fetch(served._replace(mirrors=(mirror.url, second_mirror.url)), folder)
    assert_complete(folder, tiny)


def test_endless_answer_is_cut_short(served, mirror, folder, monkeypatch):
    arrived = []
    monkeypatch.setattr(Progress, "update", lambda self, done: arrived.append(done))
    mirror.files[FIRST] = bytes(5_000_000)
    with pytest.raises(DatasetError, match="cannot be this file"):
        download.fetch(served, folder)
    assert max(arrived) < 200_000


def test_truncated_without_length_is_noticed(served, mirror, folder):
    mirror.tells_length = False
    mirror.cuts = [100]
    with pytest.raises(DatasetError, match="damaged gzip"):
        download.fetch(served, folder)
    assert_nothing_final(folder)


def test_all_failures_are_told(served, mirror, folder):
    del mirror.files[FIRST]
    with pytest.raises(DatasetError) as caught:
        download.fetch(served._replace(mirrors=("http://127.0.0.1:9/", mirror.url)), folder)
    first, second = str(caught.value).splitlines()
    assert first.startswith(f"http://127.0.0.1:9/{FIRST}: ")
    assert second == f"{mirror.url}{FIRST}: HTTP 404 Not Found"


def test_silent_server_times_out(served, mirror, folder, monkeypatch):
    monkeypatch.setattr(download, "TIMEOUT_S", 0.2)
    monkeypatch.setattr(mirror, "answer", lambda request: time.sleep(0.6))
    with pytest.raises(DatasetError, match="timed out"):
        download.fetch(served, folder)


def test_garbled_answer(served, mirror, folder, monkeypatch):
    monkeypatch.setattr(mirror, "answer", lambda request: request.wfile.write(b"this is not HTTP\r\n\r\n"))
    with pytest.raises(DatasetError, match="this is not HTTP"):
        download.fetch(served, folder)


def test_interrupted_process_leaves_no_half_file(served, mirror, tiny, folder, monkeypatch):
    def interrupt(*args: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Progress, "update", interrupt)
        with pytest.raises(KeyboardInterrupt):
            download.fetch(served, folder)
    assert_nothing_final(folder)
    download.fetch(served, folder)
    assert_complete(folder, tiny)


def test_two_downloads_at_once_share_the_work(served, mirror, tiny, folder):
    failures = []

    def work() -> None:
        try:
            download.fetch(served, folder)
        except DatasetError as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert_complete(folder, tiny)
    assert len(mirror.log) == 4


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_on_a_terminal(served, folder, monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    download.fetch(served, folder)
    lines = terminal.getvalue().splitlines()
    assert len([line for line in lines if line.startswith(f"mnist/{FIRST}: ")]) >= 1
    assert "100% of 0.0 MB" in terminal.getvalue()
    assert terminal.getvalue().endswith("\n")


def test_no_progress_elsewhere(served, folder, capsys, monkeypatch):
    download.fetch(served, folder)
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(sys, "stderr", None)
    download.fetch(served, folder / "again")


def test_progress_is_shown_ten_times_a_second_at_most(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    with Progress("file", 0, None) as progress:
        for k in range(100):
            now[0] += 0.01
            progress.update(k * 100_000)
    assert 9 <= terminal.getvalue().count("\r") <= 12
    assert terminal.getvalue().endswith("\rfile: 9.9 MB\n")
