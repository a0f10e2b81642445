"""A machine without data sets, a tiny image set, and a mirror that can be told to misbehave."""

import gzip
import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from fastnn.datasets import catalogue
from fastnn.datasets.catalogue import IdxFile, ImageSet
from fastnn.datasets.split import Split


def idx_bytes(array: np.ndarray) -> bytes:
    """The array as an IDX file, written independently of the reader under test."""
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    return header + np.ascontiguousarray(array, np.uint8).tobytes()


class TinySet:
    """An image set of 30 + 10 images of 2x3 random pixels, with its content."""

    def __init__(self) -> None:
        rng = np.random.default_rng(7)
        self.arrays = {
            "train-images-idx3-ubyte": rng.integers(0, 256, (30, 2, 3), np.uint8),
            "train-labels-idx1-ubyte": rng.integers(0, 10, 30, np.uint8),
            "t10k-images-idx3-ubyte": rng.integers(0, 256, (10, 2, 3), np.uint8),
            "t10k-labels-idx1-ubyte": rng.integers(0, 10, 10, np.uint8),
        }
        self.plain = {name: idx_bytes(array) for name, array in self.arrays.items()}
        self.zipped = {f"{name}.gz": gzip.compress(content, mtime=0) for name, content in self.plain.items()}

        self.keras = dict(zip(("x_train", "y_train", "x_test", "y_test"), self.arrays.values(), strict=True))

    def entry(self, name: str, mirrors: tuple[str, ...]) -> ImageSet:
        files = (
            IdxFile(file, key, self.arrays[file].shape, hashlib.sha256(content).hexdigest())
            for (file, content), key in zip(self.plain.items(), self.keras, strict=True)
        )
        return ImageSet(name, *files, mirrors=mirrors)

    def write(self, folder: Path, compressed: bool = True, dots: bool = False) -> Path:
        """The four files; with `dots` under names such as train-images.idx3-ubyte."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in (self.zipped if compressed else self.plain).items():
            (folder / (name.replace("-idx", ".idx") if dots else name)).write_bytes(content)
        return folder

    def write_npz(self, path: Path, **changes: object) -> Path:
        """The archive that Keras keeps, with `changes` to its arrays; None leaves one out."""
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, **{key: array for key, array in (self.keras | changes).items() if array is not None})
        return path

    def equals(self, loaded: Split) -> bool:
        """Whether the loaded arrays are this set's."""
        (x_train, t_train), (x_test, t_test) = loaded
        images, labels, test_images, test_labels = self.arrays.values()
        return (
            np.array_equal(x_train, (images.reshape(30, 6) / np.float32(255)).astype(np.float32))
            and np.array_equal(t_train, labels)
            and np.array_equal(x_test, (test_images.reshape(10, 6) / np.float32(255)).astype(np.float32))
            and np.array_equal(t_test, test_labels)
        )


class Mirror:
    """An HTTP server of files in memory, with its faults."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = dict(files)
        self.ranges = True  # answers Range requests with 206
        self.shifted_ranges = False  # answers them with another range than asked for
        self.cuts: list[int] = []  # for each coming response: bytes of the body after which the connection drops
        self.tells_length = True
        self.log: list[tuple[str, str | None]] = []  # path and Range header of each request
        mirror = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                mirror.answer(self)

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        self._thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        wanted = request.headers.get("Range")
        self.log.append((request.path, wanted))
        content = self.files.get(request.path.lstrip("/"))
        if content is None:
            request.send_error(404, "Not Found")
            return
        start = 0
        if wanted and self.ranges:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if start >= len(content):
                request.send_error(416, "Range Not Satisfiable")
                return
            start = 0 if self.shifted_ranges else start
            request.send_response(206)
            request.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            request.send_response(200)
        body = content[start:]
        if self.tells_length:
            request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body[: self.cuts.pop(0)] if self.cuts else body)

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()


@pytest.fixture(autouse=True)
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No data set is configured or cached; returns the user's (empty) home."""
    home = tmp_path / "home"
    home.mkdir()
    for variable in ("FASTNN_DATA", "XDG_CACHE_HOME", "KERAS_HOME"):
        monkeypatch.delenv(variable, raising=False)
    for variable in ("HOME", "USERPROFILE", "LOCALAPPDATA"):
        monkeypatch.setenv(variable, str(home))
    monkeypatch.setenv("no_proxy", "*")
    return home


@pytest.fixture(scope="session")
def tiny() -> TinySet:
    return TinySet()


@pytest.fixture
def mirror(tiny: TinySet) -> Iterator[Mirror]:
    server = Mirror(tiny.zipped)
    yield server
    server.close()


@pytest.fixture
def second_mirror(tiny: TinySet) -> Iterator[Mirror]:
    server = Mirror(tiny.zipped)
    yield server
    server.close()


@pytest.fixture
def mnist(tiny: TinySet, monkeypatch: pytest.MonkeyPatch) -> ImageSet:
    """The catalogue's MNIST replaced by the tiny set, with no mirror that answers."""
    dead = "http://127.0.0.1:9/"  # the discard port: refused at once
    entry = tiny.entry("mnist", (dead,))
    monkeypatch.setitem(catalogue.IMAGE_SETS, "mnist", entry)
    return entry


@pytest.fixture
def fashion(tiny: TinySet, monkeypatch: pytest.MonkeyPatch) -> ImageSet:
    """The catalogue's Fashion-MNIST replaced by the tiny set, with no mirror at all."""
    entry = tiny.entry("fashion_mnist", ())
    monkeypatch.setitem(catalogue.IMAGE_SETS, "fashion_mnist", entry)
    return entry
