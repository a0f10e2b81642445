"""load and available: which files are taken, what is made of them, and what is said where there are none."""

import gzip
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from fastnn import datasets
from fastnn.datasets import DatasetError, available, cache_directory, load
from fastnn.datasets.catalogue import IMAGE_SETS

REAL_DATA = os.environ.get("FASTNN_DATA")  # read before `bare_machine` hides it


@pytest.mark.parametrize("compressed", [True, False], ids=["gz", "plain"])
@pytest.mark.parametrize("below", [".", "mnist"])
def test_given_directory(mnist, tiny, tmp_path, compressed, below):
    tiny.write(tmp_path / "data" / below, compressed)
    for directory in (tmp_path / "data", str(tmp_path / "data")):
        assert available("mnist", directory)
        loaded = load("mnist", directory)
        assert tiny.equals(loaded)
        for x, t in loaded:
            assert (x.dtype, t.dtype) == (np.float32, np.int64)
            for array in (x, t):
                assert array.flags.c_contiguous
                assert array.flags.writeable
            assert x.min() >= 0
            assert x.max() <= 1


def test_plain_and_compressed_may_be_mixed_and_misnamed(mnist, tiny, tmp_path):
    """Browsers unpack a .gz and keep its name: the content decides."""
    tiny.write(tmp_path / "data")
    (tmp_path / "data" / "t10k-labels-idx1-ubyte.gz").write_bytes(tiny.plain["t10k-labels-idx1-ubyte"])
    (tmp_path / "data" / "train-labels-idx1-ubyte.gz").unlink()
    (tmp_path / "data" / "train-labels-idx1-ubyte").write_bytes(tiny.plain["train-labels-idx1-ubyte"])
    assert tiny.equals(load("mnist", tmp_path / "data"))


def test_home_is_expanded(mnist, tiny, bare_machine, monkeypatch):
    tiny.write(bare_machine / "data")
    assert tiny.equals(load("mnist", "~/data"))
    monkeypatch.setenv("FASTNN_DATA", "~/data")
    assert tiny.equals(load("mnist"))


@pytest.mark.parametrize("below", [".", "mnist"])
def test_environment_variable(mnist, tiny, tmp_path, monkeypatch, below):
    tiny.write(tmp_path / "data" / below)
    assert not available("mnist")
    monkeypatch.setenv("FASTNN_DATA", str(tmp_path / "data"))
    assert available("mnist")
    assert tiny.equals(load("mnist"))


def test_cache(mnist, tiny):
    tiny.write(cache_directory() / "mnist")
    assert available("mnist")
    assert tiny.equals(load("mnist"))


def test_system_folder(mnist, tiny, tmp_path, monkeypatch):
    tiny.write(tmp_path / "system")
    monkeypatch.setitem(IMAGE_SETS, "mnist", mnist._replace(system_folders=(str(tmp_path / "system"),)))
    assert available("mnist")
    assert tiny.equals(load("mnist"))


def test_order_of_the_places(mnist, tiny, tmp_path, monkeypatch):
    """Each place is spoilt in turn, so that an error names the one that was taken."""
    folders = [tmp_path / "given", tmp_path / "env", cache_directory() / "mnist", tmp_path / "system"]
    monkeypatch.setenv("FASTNN_DATA", str(folders[1]))
    monkeypatch.setitem(IMAGE_SETS, "mnist", mnist._replace(system_folders=(str(folders[3]),)))
    for folder in folders:
        tiny.write(folder)
        (folder / "train-labels-idx1-ubyte.gz").write_bytes(b"spoilt")
    for k, folder in enumerate(folders):
        with pytest.raises(DatasetError) as caught:
            load("mnist", folders[0] if k == 0 else None)
        assert str(folder / "train-labels-idx1-ubyte.gz") in str(caught.value)
        assert ("delete it" in str(caught.value)) == (k > 0)
        (folder / "train-labels-idx1-ubyte.gz").unlink()


def test_named_subfolder_before_the_folder_itself(mnist, tiny, tmp_path):
    """Fashion-MNIST's files have MNIST's names: mnist/ is the better hint."""
    tiny.write(tmp_path / "mnist")
    for name in tiny.zipped:
        (tmp_path / name).write_bytes(b"another data set")
    assert tiny.equals(load("mnist", tmp_path))


def test_incomplete_folder_is_passed_over(mnist, tiny, tmp_path, monkeypatch):
    tiny.write(tmp_path / "env")
    (tmp_path / "env" / "t10k-labels-idx1-ubyte.gz").unlink()
    monkeypatch.setenv("FASTNN_DATA", str(tmp_path / "env"))
    tiny.write(cache_directory() / "mnist")
    assert tiny.equals(load("mnist"))


def test_given_directory_that_lacks_files(mnist, mirror, tiny, tmp_path, monkeypatch):
    """It is an error, although the cache has the files and a mirror would send them."""
    monkeypatch.setitem(IMAGE_SETS, "mnist", mnist._replace(mirrors=(mirror.url,)))
    tiny.write(cache_directory() / "mnist")
    with pytest.raises(DatasetError, match=r"not in the given directory: .*nowhere: no such folder"):
        load("mnist", tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match=r"empty: holds none of the files, neither itself nor in mnist"):
        load("mnist", tmp_path / "empty")
    tiny.write(tmp_path / "partial" / "mnist")
    (tmp_path / "partial" / "mnist" / "train-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(DatasetError, match=r"mnist: lacks train-labels-idx1-ubyte\.gz\n"):
        load("mnist", tmp_path / "partial")
    for folder in ("nowhere", "empty", "partial"):
        assert not available("mnist", tmp_path / folder)
    assert mirror.log == []


def test_images_and_labels_of_different_counts(mnist, tiny, tmp_path):
    folder = tiny.write(tmp_path / "data")
    (folder / "train-labels-idx1-ubyte.gz").write_bytes(tiny.zipped["t10k-labels-idx1-ubyte.gz"])
    with pytest.raises(DatasetError, match=r"train-labels.*declares shape \(10,\), expected \(30,\)"):
        load("mnist", folder)


def test_label_above_9(mnist, tiny, tmp_path):
    folder = tiny.write(tmp_path / "data")
    content = bytearray(tiny.plain["t10k-labels-idx1-ubyte"])
    content[8 + 4] = 10
    (folder / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(content))
    with pytest.raises(DatasetError, match=r"t10k-labels.*element 4 is 10, expected values from 0 to 9"):
        load("mnist", folder)


@pytest.mark.parametrize("name", ["train-images-idx3-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"])
def test_one_altered_byte_is_noticed(mnist, tiny, tmp_path, name):
    folder = tiny.write(tmp_path / "data", compressed=False)
    content = bytearray(tiny.plain[name])
    content[-1] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(DatasetError, match=f"{name}: not the file it should be"):
        load("mnist", folder)


def test_offline_says_what_was_tried_and_what_to_do(mnist, tmp_path, monkeypatch):
    monkeypatch.setenv("FASTNN_DATA", str(tmp_path / "nowhere"))
    monkeypatch.setitem(IMAGE_SETS, "mnist", mnist._replace(system_folders=(str(tmp_path / "no-package"),)))
    with pytest.raises(DatasetError) as caught:
        load("mnist")
    message = str(caught.value)
    for part in (
        "mnist is not on this machine",
        f"FASTNN_DATA: {tmp_path / 'nowhere'}: no such folder",
        f"cache: {cache_directory()}",
        f"system: {tmp_path / 'no-package'}: no such folder",
        "http://127.0.0.1:9/train-images-idx3-ubyte.gz: ",
        "set FASTNN_DATA",
        "t10k-labels-idx1-ubyte.gz",
        'load("digits")',
    ):
        assert part in message
    assert caught.value.__suppress_context__
    assert not available("mnist")


def test_offline_names_an_unset_variable(mnist, monkeypatch):
    for value in (None, ""):
        if value is not None:
            monkeypatch.setenv("FASTNN_DATA", value)
        with pytest.raises(DatasetError, match="FASTNN_DATA: not set"):
            load("mnist")


def test_no_home_directory(mnist, monkeypatch):
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)
    monkeypatch.delenv("LOCALAPPDATA")
    assert cache_directory() is None
    assert not available("mnist")
    with pytest.raises(DatasetError, match=r"(?s)cache: not set.*no home directory"):
        load("mnist")


@pytest.mark.skipif(os.name == "nt" or not hasattr(os, "geteuid") or os.geteuid() == 0, reason="needs a plain user")
def test_cache_that_cannot_be_written(mnist, bare_machine):
    bare_machine.chmod(0o500)
    with pytest.raises(DatasetError, match="cannot be written"):
        load("mnist")


def test_cache_path_taken_by_a_file(mnist, bare_machine, monkeypatch):
    (bare_machine / "taken").write_text("a file")
    monkeypatch.setenv("XDG_CACHE_HOME", str(bare_machine / "taken"))
    monkeypatch.setattr(sys, "platform", "linux")
    with pytest.raises(DatasetError, match="cannot be written"):
        load("mnist")


@pytest.mark.parametrize("call", [load, available])
def test_unknown_name(call):
    with pytest.raises(ValueError, match="^name: got 'cifar', expected one of 'digits', 'pima', 'mnist'"):
        call("cifar")


def test_bundled_sets_are_always_available():
    assert datasets.NAMES == ("digits", "pima", "mnist", "fashion_mnist")
    assert available("digits")
    assert available("pima")


@pytest.mark.parametrize(
    ("platform", "environment", "expected"),
    [
        ("linux", {}, ".cache/fastnn"),
        ("linux", {"XDG_CACHE_HOME": "{home}/xdg"}, "xdg/fastnn"),
        ("linux", {"XDG_CACHE_HOME": "relative"}, ".cache/fastnn"),
        ("darwin", {"XDG_CACHE_HOME": "{home}/xdg"}, "Library/Caches/fastnn"),
        ("win32", {"LOCALAPPDATA": "{home}/local"}, "local/fastnn/Cache"),
        ("win32", {"LOCALAPPDATA": ""}, "AppData/Local/fastnn/Cache"),
    ],
)
def test_cache_directory(bare_machine, monkeypatch, platform, environment, expected):
    monkeypatch.setattr(sys, "platform", platform)
    for name, value in environment.items():
        monkeypatch.setenv(name, value.format(home=bare_machine))
    assert cache_directory() == bare_machine / expected


@pytest.mark.skipif(not REAL_DATA, reason="FASTNN_DATA is not set")
@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_the_real_files(monkeypatch, name):
    monkeypatch.setenv("FASTNN_DATA", REAL_DATA)
    if not available(name):
        pytest.skip(f"{name} is not on this machine")
    (x_train, t_train), (x_test, t_test) = load(name)
    assert (x_train.shape, t_train.shape) == ((60000, 784), (60000,))
    assert (x_test.shape, t_test.shape) == ((10000, 784), (10000,))
    assert (x_train.min(), x_train.max()) == (0, 1)
    assert (
        np.bincount(t_test).tolist()
        == {
            "mnist": [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009],
            "fashion_mnist": [1000] * 10,
        }[name]
    )
