"""The file: what NumPy reads of it, where it may lie, and what is refused."""

from __future__ import annotations

import io
import json
import os
import pickle
import re
import stat
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

import fastnn
from fastnn import saving
from fastnn.saving import files
from fastnn.saving.replacing import replacing
from tests.saving.test_resume import T, X, assert_same_weights, net_of, train

GOLDEN = Path(__file__).with_name("format_1.npz")


@pytest.fixture
def trained() -> fastnn.MLP:
    net = net_of()
    train(net, fastnn.Adam(0.01), 2)
    return net


def golden() -> fastnn.MLP:
    """Of which the file of format 1 was made."""
    net = fastnn.MLP(
        (3, 5, 4, 2), [("leaky_relu", 0.2), "gelu"], ("softmax_cross_entropy", {"label_smoothing": 0.1}),
        dropout=0.25, l2=1e-4, seed=3,
    )  # fmt: skip
    lr = fastnn.schedules.WarmUp(3, fastnn.schedules.Cosine(0.02, total_steps=50))
    optimizer = fastnn.AdamW(lr=lr, clip_norm=1.0)
    x = np.linspace(-1, 1, 24, dtype=np.float32).reshape(8, 3)
    for _ in range(2):
        net.train_epoch(x, np.arange(8) % 2, optimizer, 3)
    return net


def test_format_1_stays_readable() -> None:
    net, x = fastnn.load(GOLDEN), np.linspace(-1, 1, 24, dtype=np.float32).reshape(8, 3)
    assert repr(net) == (
        "MLP((3, 5, 4, 2), activation=(('leaky_relu', 0.2), 'gelu'), loss=('softmax_cross_entropy', "
        "{'label_smoothing': 0.1}), dtype='float32', dropout=(0.25, 0.25), l2=0.0001)"
    )
    assert repr(net.optimizer) == (
        "AdamW(lr=WarmUp(steps=3, after=Cosine(lr=0.02, total_steps=50, min_lr=0.0), "
        "start_factor=0.3333333333333333), beta1=0.9, beta2=0.999, eps=1e-08, weight_decay=0.01, amsgrad=False, "
        "clip_norm=1.0)"
    )
    assert net.epochs == 2
    np.testing.assert_allclose(net.forward(x)[[0, 3, 7]], LOGITS, rtol=1e-5, atol=1e-6)
    loss = net.train_epoch(x, np.arange(8) % 2, net.optimizer, 3)
    assert loss == pytest.approx(NEXT_LOSS, rel=1e-5)


LOGITS = [[-4.17262697, 0.63937974], [-0.42510158, 0.07824565], [0.68450761, -0.26166141]]
NEXT_LOSS = 1.582925147


def test_numpy_reads_it(trained, tmp_path) -> None:
    trained.save(tmp_path / "net.npz")
    with np.load(tmp_path / "net.npz", allow_pickle=False) as archive:
        np.testing.assert_array_equal(archive["w2"], trained.get_weights()[2])
        assert archive["optimizer.v.w1"].shape == (5, 17)
        header = json.loads(archive["fastnn.json"])
    assert header["format"] == 1
    assert header["fastnn"] == fastnn.__version__


def test_the_same_net_is_the_same_bytes(trained, tmp_path) -> None:
    trained.save(tmp_path / "a")
    fastnn.load(tmp_path / "a").save(tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_the_path_is_taken_as_it_is(trained, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for path in ("net", Path("net.bin"), b"net.npz"):
        trained.save(path)
        assert_same_weights(fastnn.load(path), trained)
    assert sorted(os.listdir()) == ["net", "net.bin", "net.npz"]


def test_without_the_optimizer(trained, tmp_path) -> None:
    trained.save(tmp_path / "net", optimizer=False)
    other = fastnn.load(tmp_path / "net")
    assert other.optimizer is None
    assert_same_weights(other, trained)
    with pytest.raises(TypeError, match="^optimizer: got None, expected True or False"):
        trained.save(tmp_path / "net", optimizer=None)


def test_metadata(trained, tmp_path) -> None:
    metadata = {"classes": ["a", "b"], "mean": [0.1, 2], "of": {"more": None, "yes": True}, "\u00e9": ""}
    trained.save(tmp_path / "net.npz", metadata=metadata)
    assert saving.read_metadata(tmp_path / "net.npz") == metadata
    assert_same_weights(fastnn.load(tmp_path / "net.npz"), trained)
    trained.save(tmp_path / "net.npz")
    assert saving.read_metadata(tmp_path / "net.npz") == {}
    assert saving.read_metadata(Path(__file__).with_name("format_1.npz")) == {}


@pytest.mark.parametrize("metadata", [[1], {"a": np.float32(1)}, {"a": (1, 2)}, {"a": float("nan")}, {1: "a"}])
def test_metadata_that_json_cannot_hold(metadata, trained, tmp_path) -> None:
    with pytest.raises(TypeError, match="^metadata: got "):
        trained.save(tmp_path / "net.npz", metadata=metadata)
    assert list(tmp_path.iterdir()) == []


def test_every_damage_is_refused(trained, tmp_path) -> None:
    path = tmp_path / "net"
    trained.save(path)
    whole = path.read_bytes()
    for position in range(0, len(whole), 7):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 4]) + whole[position + 1 :])
        with pytest.raises(
            fastnn.FileError, match=r"net: (damaged: its SHA-256|not a file that fastnn saved, or its end)"
        ):
            fastnn.load(path)
    for end in (0, 1, 70, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:end])
        with pytest.raises(fastnn.FileError, match="net: not a file that fastnn saved, or its end is missing"):
            fastnn.load(path)
    path.write_bytes(whole + b"\0")
    with pytest.raises(ValueError, match="its end is missing"):
        fastnn.load(path)


def write(path: Path, header: dict, arrays: dict) -> None:
    with replacing(path) as file:
        files.write(file, header, arrays)


def test_a_newer_format_is_refused(trained, tmp_path) -> None:
    trained.save(tmp_path / "net")
    header, arrays = files.read(tmp_path / "net")
    write(tmp_path / "net", {**header, "format": 2, "fastnn": "9.1"}, arrays)
    with pytest.raises(fastnn.FileError, match="net: has format 2, of fastnn 9.1, expected at most 1; update fastnn"):
        fastnn.load(tmp_path / "net")


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("net", {"sizes": [5]}),
        ("net", {"sizes": [5, 10**12, 3]}),
        ("net", {"sizes": "517"}),
        ("net", {"dtype": "float64"}),
        ("net", {"dtype": "O"}),
        ("net", {"activations": []}),
        ("net", {"activations": [{"name": "relu", "module": "fastnn.x", "numbers": {"slope": 1.0}}]}),
        ("net", {"dropout": [0.5, 0.5]}),
        ("net", {"key": -1}),
        ("net", {"steps": 1.5}),
        ("net", {"epochs": None}),
        ("optimizer", {"hyper": {"lr": -1.0}}),
        ("optimizer", {"hyper": {"lr": {"schedule": "Rate"}}}),
        ("optimizer", {"hyper": {"lr": {"schedule": "Cosine", "lr": 0.1}}}),
        ("optimizer", {"hyper": {"rate": 0.1}}),
        ("optimizer", {"hyper": []}),
        ("optimizer", {"moments": ["v", "m"]}),
        ("optimizer", {"moments": ["m", "w"]}),
        ("optimizer", {"steps": -1}),
    ],
)
def test_what_describes_no_net_is_refused(part, change, trained, tmp_path) -> None:
    trained.save(tmp_path / "net")
    header, arrays = files.read(tmp_path / "net")
    write(tmp_path / "net", {**header, part: {**header[part], **change}}, arrays)
    with pytest.raises(fastnn.FileError, match="net: (describes no net|has the moments)"):
        fastnn.load(tmp_path / "net")


def test_class_weights_must_fit_the_outputs(trained, tmp_path) -> None:
    """Kernels read one for each output."""
    trained.save(tmp_path / "net")
    header, arrays = files.read(tmp_path / "net")
    header["net"]["loss"]["options"]["class_weight"] = [1.0, 1.0]
    write(tmp_path / "net", header, arrays)
    with pytest.raises(fastnn.FileError, match=r"class_weight: got shape \(2,\), expected \(3,\)"):
        fastnn.load(tmp_path / "net")


def test_an_own_item_is_not_taken_for_one_of_fastnn(trained, tmp_path) -> None:
    trained.save(tmp_path / "net")
    header, arrays = files.read(tmp_path / "net")
    header["net"]["activations"][0]["module"] = "mine"
    write(tmp_path / "net", header, arrays)
    with pytest.raises(
        fastnn.FileError, match="net: needs the activation 'sigmoid', which is not declared here; .*mine"
    ):
        fastnn.load(tmp_path / "net")
    header["net"]["activations"][0] = {"name": "later", "module": "fastnn.activations", "numbers": {}}
    write(tmp_path / "net", header, arrays)
    with pytest.raises(fastnn.FileError, match="net: needs the activation 'later', .* version of fastnn does not have"):
        fastnn.load(tmp_path / "net")


def signed(members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    """An archive with a right digest."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        archive.comment = b"fastnn sha256 " + b"0" * 64
    digest = files._digest(file)
    return file.getvalue()[:-64] + digest


class Trap:
    def __reduce__(self):
        return os.mkdir, ("trapped",)


def npy(array: np.ndarray, **options) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, array, **options)
    return file.getvalue()


HUGE = npy(np.zeros(1)).replace(b"(1,), }" + b" " * 18, b"(1152921504606846976,), }", 1)
assert b"(1152" in HUGE


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"w1.npy": npy(np.zeros(1))},
        {"fastnn.json": b"{}"},
        {"fastnn.json": b"[]"},
        {"fastnn.json": b"{" * 100_000},
        {"fastnn.json": b"[" * 100_000},
        {"fastnn.json": b'{"format": 0}'},
        {"fastnn.json": b'{"format": 1}'},
        {"fastnn.json": b'{"format": 1}', "w1.npy": pickle.dumps(Trap())},
        {"fastnn.json": b'{"format": 1}', "w1.npy": npy(np.array([Trap()], object), allow_pickle=True)},
        {"fastnn.json": b'{"format": 1}', "w1.npy": npy(np.zeros(3, ">f4"))},
        {"fastnn.json": b'{"format": 1}', "w1.npy": npy(np.zeros((3, 2), order="F"))},
        {"fastnn.json": b'{"format": 1}', "w1.npy": npy(np.zeros(3))[:-1]},
        {"fastnn.json": b'{"format": 1}', "w1.npy": HUGE},
        {"fastnn.json": b'{"format": 1}', "w1.npy": npy(np.zeros(3), version=(2, 0))},
        {"fastnn.json": b'{"format": 1}', "w1": b""},
    ],
)
def test_what_only_looks_like_a_file_of_fastnn(members, tmp_path, monkeypatch) -> None:
    """Nothing in it is run, and nothing allocated that it only declares."""
    monkeypatch.chdir(tmp_path)
    Path("net").write_bytes(signed(members))
    with pytest.raises(fastnn.FileError, match="^net: (not a file that fastnn saved|describes no net)"):
        fastnn.load("net")
    assert os.listdir() == ["net"]


def test_compressed_members_are_refused(tmp_path) -> None:
    (tmp_path / "net").write_bytes(signed({"fastnn.json": b'{"format": 1}'}, zipfile.ZIP_DEFLATED))
    with pytest.raises(fastnn.FileError, match="fastnn.json is compressed"):
        fastnn.load(tmp_path / "net")


def test_other_files(tmp_path) -> None:
    np.savez(tmp_path / "other.npz", w1=np.zeros((3, 2)))
    with pytest.raises(fastnn.FileError, match=r"other.npz: not a file that fastnn saved, or its end is missing"):
        fastnn.load(tmp_path / "other.npz")
    with pytest.raises(FileNotFoundError):
        fastnn.load(tmp_path / "none")


@pytest.mark.parametrize("path", [None, 3, io.BytesIO()])
def test_what_is_no_path(path, trained) -> None:
    for call in (trained.save, fastnn.load):
        with pytest.raises(TypeError, match=r"^path: got .*, expected the path of a file, a str or an os.PathLike"):
            call(path)


def test_where_no_file_can_be(trained, tmp_path) -> None:
    """The error names the path as it was given."""
    with pytest.raises(IsADirectoryError, match=re.escape(f"{str(tmp_path)!r}")):
        trained.save(tmp_path)
    path = os.path.join(tmp_path, "none", "net.npz")
    with pytest.raises(FileNotFoundError) as refused:
        trained.save(path)
    assert refused.value.filename == path
    with pytest.raises(OSError, match="a device or a pipe"):
        trained.save("/dev/null")
    assert os.listdir(tmp_path) == []


def test_an_own_schedule_cannot_be_saved(trained, tmp_path) -> None:
    trained.save(tmp_path / "net")
    before = (tmp_path / "net").read_bytes()
    for own in (lambda steps: 0.1, fastnn.schedules.WarmUp(2, lambda steps: 0.1)):
        trained.optimizer.lr = own
        with pytest.raises(TypeError, match=r"^optimizer: lr: got .*, or a schedule of fastnn.schedules; .*=False\)"):
            trained.save(tmp_path / "net")
    assert (tmp_path / "net").read_bytes() == before
    trained.save(tmp_path / "net", optimizer=False)
    assert fastnn.load(tmp_path / "net").optimizer is None


def test_a_link_and_permissions_stay(trained, tmp_path) -> None:
    if sys.platform == "win32":
        pytest.skip("needs POSIX")
    target, link = tmp_path / "folder" / "target", tmp_path / "link"
    target.parent.mkdir()
    target.write_bytes(b"")
    target.chmod(0o640)
    link.symlink_to(target)
    trained.save(link)
    assert link.is_symlink()
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert_same_weights(fastnn.load(target), trained)
    assert os.listdir(target.parent) == ["target"]


def test_a_new_file_has_the_permissions_of_new_files(trained, tmp_path) -> None:
    (tmp_path / "other").touch()
    trained.save(tmp_path / "net")
    assert (tmp_path / "net").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_it_is_not_written_through_a_link_of_somebody_else(trained, tmp_path) -> None:
    if not hasattr(os, "O_NOFOLLOW"):
        pytest.skip("needs O_NOFOLLOW")
    (tmp_path / "precious").write_text("kept")
    (tmp_path / ".net.saving").symlink_to(tmp_path / "precious")
    with pytest.raises(OSError, match="symbolic links"):
        trained.save(tmp_path / "net")
    assert (tmp_path / "precious").read_text() == "kept"


def test_it_still_trains_what_it_read(trained, tmp_path) -> None:
    trained.save(tmp_path / "net")
    net = fastnn.load(tmp_path / "net")
    (tmp_path / "net").unlink()
    assert net.train_step(X.astype(np.float32), T, fastnn.SGD(0.1)) > 0
