"""Each model's rows: of its own data set, scaled, and the same in every worker."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import rows
from benchmarks.cases import MODELS, TINY, Case
from fastnn import datasets

PIMA = next(model for model in MODELS if model.data == "pima")


def test_models_of_images_go_where_the_images_are_and_others_stay():
    on_digits = [rows.on_images(model, "digits") for model in MODELS]
    assert {model.sizes[0] for model in on_digits if model.data == "digits"} == {64}
    assert rows.on_images(PIMA, "digits") == PIMA
    assert [rows.on_images(model, "mnist") for model in on_digits] == list(MODELS)


def test_auto_is_mnist_where_it_is_at_hand(monkeypatch: pytest.MonkeyPatch):
    for at_hand, expected in ((True, "mnist"), (False, "digits")):
        monkeypatch.setattr(datasets, "available", lambda name, found=at_hand: found)
        assert rows.images("auto") == expected
        assert rows.images("mnist") == "mnist"


def test_every_data_set_fits_its_models_and_is_scaled():
    models = [rows.on_images(model, "digits") for model in MODELS]
    data = rows.read(models)
    assert set(data) == {"digits", "pima"}
    for model in models:
        x, t = data[model.data]
        assert (x.shape[1], int(t.max()) + 1) == (model.sizes[0], model.sizes[-1])
        assert x.dtype == np.float32
    np.testing.assert_allclose(data["pima"][0].mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(data["pima"][0].std(axis=0), 1, atol=1e-5)
    assert (data["digits"][0].min(), data["digits"][0].max()) == (0, 1)


def test_a_model_with_few_inputs_takes_the_first_columns():
    x, t = rows.read([TINY])["pima"]
    batches = Case(TINY, 3).batches(x, t)
    np.testing.assert_array_equal(batches[0][0], x[:3, :2])
    assert batches[0][0].flags.c_contiguous


def test_standardized_images_have_no_zeros(monkeypatch: pytest.MonkeyPatch):
    x, t = np.zeros((4, 784), np.float32), np.arange(4)
    x[:, ::5] = 0.8
    monkeypatch.setattr(datasets, "load", lambda name: {"mnist": ((x, t), None)}[name])
    model = rows.on_images(MODELS[0], "mnist-standardized")
    read, labels = rows.read([model])["mnist-standardized"]
    assert read.dtype == np.float32
    assert np.all(read != 0)
    assert (read.mean(), read.std()) == (pytest.approx(0, abs=1e-5), pytest.approx(1, abs=1e-5))
    assert labels is t


def test_data_sets_lie_side_by_side(tmp_path: Path):
    data = {name: (np.full((3, 2), k, np.float32), np.full(3, k)) for k, name in enumerate(("one", "other"))}
    folder = rows.save(tmp_path, data)
    for name, (x, t) in data.items():
        np.testing.assert_array_equal(rows.load(folder, name)[0], x)
        np.testing.assert_array_equal(rows.load(folder, name)[1], t)


def test_how_much_of_the_data_is_zero_is_said_in_words():
    x = np.ones((10, 10), np.float32)
    assert rows.zeros(x) == "no input zero"
    x[:4, 0] = 0
    assert rows.zeros(x) == "4% of inputs zero"


@pytest.mark.parametrize("data", ["digits", "mnist-standardized"])
def test_the_pytest_suite_says_which_data_it_times(data: str):
    """Its training steps are those of `python -m benchmarks`, on the data of the same option."""
    collected = subprocess.run(
        [sys.executable, "-m", "pytest", "benchmarks/test_train_step.py", "--collect-only", "--data", data],
        cwd=Path(rows.__file__).parents[1],
        capture_output=True,
        text=True,
    ).stdout
    assert f"benchmarks: training steps on {data} and pima (see --data)" in collected
    for model in MODELS:
        assert f"{rows.on_images(model, data).name}/b32/float32/t1" in collected
