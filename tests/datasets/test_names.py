"""The names under which people have the files: other spellings, torchvision's folders, Keras' archive."""

import os
from pathlib import Path

import pytest

from fastnn.datasets import DatasetError, available, cache_directory, load
from fastnn.datasets.catalogue import IMAGE_SETS


@pytest.mark.parametrize("compressed", [True, False], ids=["gz", "plain"])
@pytest.mark.parametrize("dots", [True, False], ids=["dot", "dash"])
@pytest.mark.parametrize("below", [".", "raw", "mnist", "MNIST", "Mnist", "mnist/raw", "MNIST/raw"])
def test_mnist(mnist, tiny, tmp_path, monkeypatch, below, dots, compressed):
    tiny.write(tmp_path / "data" / below, compressed, dots)
    assert available("mnist", tmp_path / "data")
    assert tiny.equals(load("mnist", tmp_path / "data"))
    monkeypatch.setenv("FASTNN_DATA", str(tmp_path / "data"))
    assert available("mnist")
    assert tiny.equals(load("mnist"))


@pytest.mark.parametrize("raw", [".", "raw"])
@pytest.mark.parametrize(
    "below", [".", "FashionMNIST", "fashionmnist", "fashion_mnist", "fashion-mnist", "Fashion-MNIST", "FASHION_MNIST"]
)
def test_fashion_mnist(fashion, tiny, tmp_path, below, raw):
    tiny.write(tmp_path / below / raw)
    assert available("fashion_mnist", tmp_path)
    assert tiny.equals(load("fashion_mnist", tmp_path))


def test_torchvision_leaves_both_forms(mnist, tiny, tmp_path):
    tiny.write(tmp_path / "MNIST" / "raw", compressed=True)
    tiny.write(tmp_path / "MNIST" / "raw", compressed=False)
    assert tiny.equals(load("mnist", tmp_path))


def test_folder_named_like_a_file(mnist, tiny, tmp_path):
    """An archive of MNIST that is passed around holds each file twice: with a dot, and in a folder of its own name."""
    tiny.write(tmp_path, compressed=False, dots=True)
    for name, content in tiny.plain.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / name).write_bytes(content)
    assert tiny.equals(load("mnist", tmp_path))


def test_the_other_data_set_is_not_taken(mnist, fashion, tiny, tmp_path):
    tiny.write(tmp_path / "FashionMNIST" / "raw")
    tiny.write(tmp_path / "emnist")
    assert not available("mnist", tmp_path)
    assert available("fashion_mnist", tmp_path)


def test_exact_name_before_another_spelling(mnist, tiny, tmp_path):
    for name in ("MNIST", "mnist", "Mnist"):
        (tmp_path / name).mkdir(exist_ok=True)
    if len(os.listdir(tmp_path)) < 3:
        pytest.skip("this file system takes the three names for one")
    for name in ("MNIST", "Mnist"):
        for file in tiny.write(tmp_path / name).iterdir():
            file.write_bytes(b"spoilt")
    tiny.write(tmp_path / "mnist")
    assert tiny.equals(load("mnist", tmp_path))


@pytest.mark.parametrize(
    "below", ["mnist.npz", "mnist/mnist.npz", "MNIST/mnist.npz", "MNIST/MNIST.npz", "MNIST/raw/mnist.npz"]
)
def test_archive(mnist, tiny, tmp_path, below):
    tiny.write_npz(tmp_path / below)
    assert available("mnist", tmp_path)
    assert tiny.equals(load("mnist", tmp_path))
    assert tiny.equals(load("mnist", tmp_path / below))


def test_archive_of_fashion(fashion, tiny, tmp_path):
    tiny.write_npz(tmp_path / "fashion-mnist.npz")
    tiny.write_npz(tmp_path / "mnist.npz", x_train=None)
    assert tiny.equals(load("fashion_mnist", tmp_path))


@pytest.mark.parametrize("own_home", [False, True])
def test_where_keras_keeps_its_downloads(mnist, fashion, tiny, bare_machine, tmp_path, monkeypatch, own_home):
    if own_home:
        monkeypatch.setenv("KERAS_HOME", str(tmp_path / "elsewhere"))
    keras = (tmp_path / "elsewhere" if own_home else bare_machine / ".keras") / "datasets"
    for name in ("mnist", "fashion_mnist"):
        assert not available(name)
    tiny.write_npz(keras / "mnist.npz")
    tiny.write(keras / "fashion-mnist")
    for name in ("mnist", "fashion_mnist"):
        assert available(name)
        assert tiny.equals(load(name))


def test_cache_before_keras(mnist, tiny, bare_machine):
    tiny.write(cache_directory() / "mnist")
    (bare_machine / ".keras" / "datasets").mkdir(parents=True)
    (bare_machine / ".keras" / "datasets" / "mnist.npz").write_bytes(b"spoilt")
    assert tiny.equals(load("mnist"))


def test_debian_has_fashion_mnist():
    assert "/usr/share/datasets/fashion-mnist" in IMAGE_SETS["fashion_mnist"].system_folders


NAMES_SOUGHT = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
    ".gz",
    "mnist.npz",
    "raw",
    "Case",
)


def test_what_was_looked_for_in_a_given_directory(mnist, tmp_path):
    with pytest.raises(DatasetError) as caught:
        load("mnist", tmp_path)
    for part in (str(tmp_path), *NAMES_SOUGHT):
        assert part in str(caught.value)


def test_what_was_looked_for_anywhere(mnist, tiny, bare_machine, tmp_path, monkeypatch):
    tiny.write(tmp_path / "MNIST" / "raw", dots=True)
    (tmp_path / "MNIST" / "raw" / "t10k-images.idx3-ubyte.gz").unlink()
    monkeypatch.setenv("FASTNN_DATA", str(tmp_path))
    with pytest.raises(DatasetError) as caught:
        load("mnist")
    message = str(caught.value)
    for part in (
        f"FASTNN_DATA: {tmp_path / 'MNIST' / 'raw'}: lacks t10k-images-idx3-ubyte.gz",
        f"Keras: {bare_machine / '.keras' / 'datasets'}: no such folder",
        *NAMES_SOUGHT,
    ):
        assert part in message


def test_a_file_is_given_for_a_folder(mnist, tiny, tmp_path):
    file = tiny.write(tmp_path) / "train-images-idx3-ubyte.gz"
    assert not available("mnist", file)
    with pytest.raises(DatasetError, match=r"ubyte\.gz: is a file, expected a folder or a \.npz archive"):
        load("mnist", file)


def test_folder_that_cannot_be_listed(mnist, tiny, tmp_path, monkeypatch):
    locked = tiny.write(tmp_path / "mnist")
    list_folder = os.listdir

    def refuse(folder: Path) -> list[str]:
        if Path(folder) == locked:
            raise PermissionError(13, "Permission denied")
        return list_folder(folder)

    monkeypatch.setattr(os, "listdir", refuse)
    with pytest.raises(DatasetError, match=r"mnist: cannot be read \(Permission denied\)"):
        load("mnist", tmp_path)


def test_advice_after_damage_fits_the_place(mnist, tiny, tmp_path, monkeypatch):
    """Where the caller names the place, no other is searched after the file is deleted."""
    folder = tiny.write(tmp_path / "data")
    (folder / "t10k-labels-idx1-ubyte.gz").write_bytes(b"spoilt")
    with pytest.raises(DatasetError) as caught:
        load("mnist", folder)
    assert str(caught.value).endswith("Replace this file")
    monkeypatch.setenv("FASTNN_DATA", str(folder))
    with pytest.raises(DatasetError, match="delete it to have another place searched"):
        load("mnist")
