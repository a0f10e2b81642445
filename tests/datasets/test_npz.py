"""Keras' archive of MNIST: the same checks as for the IDX files, and no pickle is ever loaded."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastnn.datasets import DatasetError, load
from fastnn.datasets.npz import read_npz


def refusal(path: Path) -> str:
    with pytest.raises(DatasetError) as caught:
        load("mnist", path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def write_members(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def npy_bytes(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def test_loaded_arrays(mnist, tiny, tmp_path):
    loaded = load("mnist", tiny.write_npz(tmp_path / "mnist.npz"))
    assert tiny.equals(loaded)
    for x, t in loaded:
        assert (x.dtype, t.dtype) == (np.float32, np.int64)
        for array in (x, t):
            assert array.flags.c_contiguous
            assert array.flags.writeable


def test_compressed(mnist, tiny, tmp_path):
    np.savez_compressed(tmp_path / "mnist.npz", **tiny.keras)
    assert tiny.equals(load("mnist", tmp_path))


def test_fortran_order(mnist, tiny, tmp_path):
    path = tiny.write_npz(tmp_path / "mnist.npz", x_train=np.asfortranarray(tiny.keras["x_train"]))
    assert tiny.equals(load("mnist", path))


@pytest.mark.parametrize("key", ["x_train", "y_train", "x_test", "y_test"])
def test_array_that_is_missing(mnist, tiny, tmp_path, key):
    message = refusal(tiny.write_npz(tmp_path / "mnist.npz", **{key: None}))
    present = sorted({"x_train", "y_train", "x_test", "y_test"} - {key})
    assert f"has no array {key}; found {', '.join(present)}" in message


def test_arrays_of_other_shapes_and_types(mnist, tiny, tmp_path):
    path = tmp_path / "mnist.npz"
    images = tiny.keras["x_train"]
    for changed, says in (
        (images[:29], "shape (29, 2, 3), expected (30, 2, 3)"),
        (images.reshape(30, 6), "shape (30, 6), expected (30, 2, 3)"),
        (images.astype(np.float32), "dtype float32, expected uint8"),
        (images.astype(object), "dtype object, expected uint8"),
        (images.view([("a", np.uint8)]), "expected uint8"),
    ):
        message = refusal(tiny.write_npz(path, x_train=changed))
        assert "x_train" in message
        assert says in message


def test_a_pickle_is_not_loaded(mnist, tiny, tmp_path):
    class Trap:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (tmp_path / "sprung",))

    path = tiny.write_npz(tmp_path / "mnist.npz", y_train=np.array([Trap()] * 30, object))
    assert "expected uint8" in refusal(path)
    assert not (tmp_path / "sprung").exists()


def test_altered_pixel_and_label(mnist, tiny, tmp_path):
    for key in ("x_train", "x_test", "y_train", "y_test"):
        array = tiny.keras[key].copy()
        array.ravel()[-1] ^= 1
        message = refusal(tiny.write_npz(tmp_path / "mnist.npz", **{key: array}))
        assert f"(array {key}): not the file it should be" in message
        assert "SHA-256" in message


def test_label_above_9(mnist, tiny, tmp_path):
    labels = tiny.keras["y_test"].copy()
    labels[4] = 10
    assert "(array y_test): element 4 is 10, expected values from 0 to 9" in refusal(
        tiny.write_npz(tmp_path / "mnist.npz", y_test=labels)
    )


def test_not_an_archive(mnist, tmp_path):
    path = tmp_path / "mnist.npz"
    for content in (b"", b"<html>Please log in</html>", npy_bytes(np.zeros(3, np.uint8))):
        path.write_bytes(content)
        assert "damaged, or not a .npz archive" in refusal(path)


@pytest.mark.parametrize(
    "member", [b"", b"not an array", b"\x93NUMPY\x01\x00\xff\xff{", b"\x93NUMPY\x07\x00\x00\x00"], ids=range(4)
)
def test_member_that_is_no_array(mnist, tiny, tmp_path, member):
    members = {f"{key}.npy": npy_bytes(array) for key, array in tiny.keras.items()}
    assert "(array x_train): " in refusal(write_members(tmp_path / "mnist.npz", members | {"x_train.npy": member}))


def test_member_of_another_length_than_its_header_declares(mnist, tiny, tmp_path):
    members = {f"{key}.npy": npy_bytes(array) for key, array in tiny.keras.items()}
    whole = members["x_train.npy"]
    path = tmp_path / "mnist.npz"
    assert "(array x_train): truncated: 170 bytes" in refusal(
        write_members(path, members | {"x_train.npy": whole[:-10]})
    )
    assert "(array x_train): trailing bytes" in refusal(write_members(path, members | {"x_train.npy": whole + b"!"}))


def test_compression_that_numpy_does_not_write(mnist, tiny, tmp_path):
    path = tmp_path / "mnist.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        for key, array in tiny.keras.items():
            archive.writestr(f"{key}.npy", npy_bytes(array))
    content = bytearray(path.read_bytes())
    content[60] ^= 0xFF  # Python's decompressors raise errors of their own
    path.write_bytes(content)
    assert "expected deflated or stored" in refusal(path)


def test_huge_declared_shape_allocates_nothing(mnist, tiny, tmp_path):
    members = {f"{key}.npy": npy_bytes(array) for key, array in tiny.keras.items()}
    lying = members["x_train.npy"].replace(b"(30, 2, 3), }         ", b"(30000000, 2000, 3), }")
    assert lying != members["x_train.npy"]
    path = write_members(tmp_path / "mnist.npz", members | {"x_train.npy": lying})
    assert "shape (30000000, 2000, 3), expected (30, 2, 3)" in refusal(path)


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_any_damage_raises_the_declared_error_only(tiny, tmp_path_factory, data):
    """Either the right array comes out, or a DatasetError."""
    path = tmp_path_factory.mktemp("npz") / "mnist.npz"
    (np.savez_compressed if data.draw(st.booleans()) else np.savez)(path, x_train=tiny.keras["x_train"])
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(0, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    expected = tiny.entry("mnist", ()).train_images
    try:
        array = read_npz(path, expected.key, shape=expected.shape, sha256=expected.sha256)
    except DatasetError:
        return
    np.testing.assert_array_equal(array, tiny.keras["x_train"])
