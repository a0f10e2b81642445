"""`fastnn predict` and `fastnn evaluate`: rows as they are in, classes as they are called out."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import fastnn
from fastnn.cli.main import main

Run = Callable[..., str]


@pytest.fixture
def model(run: Run, flowers: str, tmp_path: Path) -> str:
    """A model of the flowers."""
    path = str(tmp_path / "model.npz")
    run("train", flowers, "--target", "species", "--standardize", "--lr", "0.03", "--epochs", "40", "--save", path)
    return path


def table(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


NEW = "width,colour,length\n1.0,red,5000\n0.0,blue,5300\n1.0,red,5600\n"
EXPECTED = [["species"], ["setosa"], ["versicolor"], ["virginica"]]


def test_columns_are_found_by_name(run: Run, fails: Run, model: str, tmp_path: Path, monkeypatch) -> None:
    rows = tmp_path / "new.csv"
    rows.write_text(NEW.replace("colour", "shade").replace("red", "1").replace("blue", "2"))
    assert table(run("predict", model, str(rows))) == EXPECTED
    # Columns that the model does not take may be texts.
    rows.write_text(NEW)
    assert table(run("predict", model, str(rows))) == EXPECTED
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(NEW.encode())))
    assert table(run("predict", model, "-")) == EXPECTED
    rows.write_text("width,colour\n1.0,red\n")
    assert "has no column 'length'; the net was trained on length, width" in fails(2, "predict", model, str(rows))


def test_a_data_set_is_no_file(run: Run, fails: Run, model: str, flowers: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    message = "digits: no such file, and names of data sets are not taken here"
    assert fails(2, "predict", model, "digits") == message
    assert fails(2, "train", flowers, "--target", "species", "--validation", "digits") == message
    Path("digits").write_text(NEW)
    assert table(run("predict", model, "digits")) == EXPECTED


def test_without_a_header_columns_are_taken_as_they_lie(run: Run, fails: Run, model: str, tmp_path: Path) -> None:
    rows = tmp_path / "new.csv"
    rows.write_text("5000,1.0\n5300,0.0\n5600,1.0\n")
    assert table(run("predict", model, str(rows))) == EXPECTED
    rows.write_text("5000,1.0,3\n")
    assert "has 3 features, and the net takes 2" in fails(2, "predict", model, str(rows))


def test_a_target_in_the_middle_of_a_file_without_a_header(run: Run, tmp_path: Path) -> None:
    rows, path = tmp_path / "rows.csv", str(tmp_path / "model.npz")
    rows.write_text("".join(f"{k},{k % 2},{10 * (k % 2)}\n" for k in range(20)))
    run("train", str(rows), "--target", "2", "--standardize", "--epochs", "60", "--lr", "0.03", "--save", path)
    whole = run("predict", path, str(rows))
    assert table(whole)[1:] == [[str(k % 2)] for k in range(20)]
    rows.write_text("".join(f"{k},{10 * (k % 2)}\n" for k in range(20)))
    assert run("predict", path, str(rows)) == whole


def test_probabilities_in_a_file(run: Run, model: str, flowers: str, tmp_path: Path) -> None:
    out = tmp_path / "predictions.csv"
    assert run("predict", model, flowers, "--proba", "--out", str(out)) == ""
    header, *rows = table(out.read_text())
    assert header == ["species", "probability_setosa", "probability_versicolor", "probability_virginica"]
    p = np.array([row[1:] for row in rows], float)
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-5)
    assert [row[0] for row in rows] == [header[1:][k].removeprefix("probability_") for k in p.argmax(axis=1)]
    assert [path.name for path in tmp_path.glob("*predictions*")] == ["predictions.csv"]


def test_numbers(run: Run, fails: Run, houses: str, tmp_path: Path) -> None:
    path = str(tmp_path / "model.npz")
    run("train", houses, "--target", "price", "--target", "age", "--epochs", "1", "--save", path)
    header, first, *_ = table(run("predict", path, houses))
    x = np.genfromtxt(houses, delimiter=",", skip_header=1)[:1, :2].astype(np.float32)
    assert header == ["price", "age"]
    assert first == [str(value) for value in fastnn.load(path).predict(x)[0]]
    assert fails(2, "predict", path, houses, "--proba").startswith("--proba: a net with the loss mean_squared_error")


def test_two_classes_of_one_output(run: Run, tmp_path: Path) -> None:
    rows, path = tmp_path / "rows.csv", str(tmp_path / "model.npz")
    rows.write_text("x,t\n" + "".join(f"{k - 10},{'yes' if k > 10 else 'no'}\n" for k in range(20)))
    run("train", str(rows), "--target", "t", "--loss", "sigmoid_cross_entropy", "--epochs", "1", "--save", path)
    header, *lines = table(run("predict", path, str(rows), "--proba"))
    assert header == ["t", "probability_no", "probability_yes"]
    for name, no, yes in lines:
        assert abs(float(no) + float(yes) - 1) < 1e-6
        assert name == ("yes" if float(yes) > 0.5 else "no")


def test_a_column_of_probabilities_for_each_class(run: Run, tmp_path: Path) -> None:
    rows, path = tmp_path / "rows.csv", str(tmp_path / "model.npz")
    rows.write_text("x,rain,sun\n" + "".join(f"{k - 5},{k / 10},{1 - k / 10}\n" for k in range(11)))
    arguments = ("--target", "rain", "--target", "sun", "--loss", "kl_divergence", "--epochs", "200", "--lr", "0.03")
    run("train", str(rows), *arguments, "--save", path)
    header, *lines = table(run("predict", path, str(rows), "--proba"))
    assert header == ["prediction", "probability_rain", "probability_sun"]
    assert (lines[0][0], lines[-1][0]) == ("sun", "rain")
    assert "accuracy" in run("evaluate", path, str(rows))


def test_a_net_that_was_saved_in_python(run: Run, tmp_path: Path) -> None:
    net, path, rows = fastnn.MLP((2, 3, 4)), str(tmp_path / "net.npz"), tmp_path / "rows.csv"
    net.save(path)
    rows.write_text("a,b,t\n1,2,3\n4,5,0\n")
    labels = net.predict(np.array([[1, 2], [4, 5]], np.float32))
    assert table(run("predict", path, str(rows), "--drop", "t")) == [["prediction"], *([str(k)] for k in labels)]
    assert "accuracy" in run("evaluate", path, str(rows), "--target", "t")
    assert "optimizer          none" in run("info", path)


def test_what_does_not_fit_a_model(fails: Run, model: str, flowers: str, tmp_path: Path) -> None:
    rows = tmp_path / "new.csv"
    rows.write_text(Path(flowers).read_text().replace("virginica", "rose", 1))
    said = fails(2, "evaluate", model, str(rows))
    assert "the target is 'rose' in row 3, and the net was trained on the classes setosa, versicolor, virginica" in said
    assert "digits: has 64 features, and the net takes 2" in fails(2, "evaluate", model, "digits")
    assert fails(2, "predict", flowers, flowers).startswith(f"{flowers}: ")
    assert "no such file" in fails(2, "predict", model, "none.csv")
    assert fails(2, "predict", model, flowers, "--out", "nowhere/x.csv").startswith("--out: there is no folder nowhere")


def test_class_names_that_standard_output_lacks(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows, path = tmp_path / "rows.csv", str(tmp_path / "model.npz")
    rows.write_text("x,t\n1,caf\u00e9\n2,th\u00e9\n", encoding="utf-8")
    run("train", str(rows), "--target", "t", "--epochs", "1", "--save", path)
    assert "caf\u00e9" in run("predict", path, str(rows)) + "caf\u00e9"
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), "ascii"))
    assert main(["predict", path, str(rows)]) == 1
    assert "--out" in capsys.readouterr().err
