"""The history: numbers by epoch, a frame, curves."""

from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import pytest

from fastnn.training import optional
from fastnn.training.history import History


def history_of(epochs: int, first: int = 1) -> History:
    made = History()
    for k in range(epochs):
        loss = 1 / (k + 1)
        own = {"loss": loss, "val_loss": loss + 0.1, "val_accuracy": 1 - loss / 2}
        made.add(first + k, {**own, "lr": 0.1, "seconds": 2})
    made.ended = "finished"
    return made


def test_numbers_by_name() -> None:
    history = history_of(3, first=5)
    assert history["loss"] == [1, 0.5, 1 / 3]
    assert history.epochs == [5, 6, 7]
    assert list(history) == history.names == ["loss", "val_loss", "val_accuracy", "lr", "seconds"]
    assert "loss" in history
    assert "accuracy" not in history
    assert len(history) == 3
    with pytest.raises(KeyError, match="'accuracy': this history has 'loss', 'val_loss', 'val_accuracy'"):
        history["accuracy"]
    with pytest.raises(KeyError, match="no epoch"):
        History()["loss"]


def test_an_epoch_that_was_not_finished_has_gaps() -> None:
    history = history_of(1)
    history.add(2, {"loss": np.nan})
    np.testing.assert_array_equal(history["val_loss"], [1.1, np.nan])


def test_frame() -> None:
    pd = pytest.importorskip("pandas")
    frame = history_of(3, first=5).frame
    assert list(frame.index) == [5, 6, 7]
    assert frame.index.name == "epoch"
    assert list(frame.columns) == ["loss", "val_loss", "val_accuracy", "lr", "seconds"]
    assert (frame.dtypes == "float64").all()
    assert frame["val_loss"].idxmin() == 7
    assert isinstance(History().frame, pd.DataFrame)


def test_repr_and_pickle() -> None:
    history = history_of(2)
    assert repr(history) == (
        "History(2 epochs, finished; epoch 2: loss=0.5, val_loss=0.6, val_accuracy=0.75, lr=0.1, seconds=2)"
    )
    assert repr(History()) == "History(no epoch, failed)"
    again = pickle.loads(pickle.dumps(history))
    assert (again.epochs, again["loss"], again.ended) == (history.epochs, history["loss"], "finished")


@pytest.mark.parametrize("epochs", [1, 3, 40])
def test_plot(epochs, tmp_path) -> None:
    pytest.importorskip("matplotlib")
    path = tmp_path / "curves.png"
    figure = history_of(epochs).plot(path)
    assert path.read_bytes().startswith(b"\x89PNG")
    loss, accuracy = figure.axes
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["loss", "accuracy"]
    assert [line.get_label() for line in loss.lines] == ["training", "validation"]
    assert [line.get_marker() not in ("", "None") for line in loss.lines] == [epochs <= 30] * 2
    np.testing.assert_array_equal(loss.lines[1].get_ydata(), history_of(epochs)["val_loss"])
    assert [line.get_label() for line in accuracy.lines] == ["validation"]
    assert loss.get_xlabel() == "epoch"
    assert all(float(label).is_integer() for label in loss.get_xticks())


def test_plot_on_own_axes_and_of_names(tmp_path) -> None:
    pytest.importorskip("matplotlib")
    from matplotlib.figure import Figure

    own = Figure()
    ax = own.add_subplot()
    assert history_of(3).plot(ax=ax) is own
    assert [line.get_label() for line in ax.lines] == ["training", "validation"]
    assert len(history_of(3).plot(names=["lr"]).axes) == 1
    wide = history_of(3)
    wide.add(4, {"loss": 1e-4})
    assert wide.plot(names=["loss"]).axes[0].get_yscale() == "log"
    svg = tmp_path / "curves.svg"
    history_of(3).plot(svg)
    assert "<svg" in svg.read_text()


def test_plot_refuses() -> None:
    pytest.importorskip("matplotlib")
    with pytest.raises(ValueError, match="history: got no epoch"):
        History().plot()
    with pytest.raises(ValueError, match="names: got 'acc', expected some of 'loss'"):
        history_of(1).plot(names=["acc"])
    with pytest.raises(ValueError, match="names: got none"):
        history_of(1).plot(names=[])


def test_packages_that_are_missing() -> None:
    program = """
import sys
for package in ("pandas", "matplotlib", "sklearn", "rich"):
    sys.modules[package] = None
import fastnn
net = fastnn.MLP((2, 3, 2))
for use in (
    lambda: fastnn.History().frame, lambda: fastnn.History().plot(), lambda: net.evaluate([[1, 2]], [0], ["sklearn:f1"])
):
    try:
        use()
    except ImportError as error:
        print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.splitlines() == [
        "history.frame needs pandas; get it with: pip install pandas",
        "history.plot needs matplotlib; get it with: pip install matplotlib",
        "a scorer needs sklearn; get it with: pip install scikit-learn",
    ]


def test_other_import_errors_stay() -> None:
    with pytest.raises(ImportError, match="broken"), optional.needed("history.plot", "matplotlib"):
        raise ImportError("broken", name="numpy")
