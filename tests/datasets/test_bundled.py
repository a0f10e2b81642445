"""digits and pima: the right values, the same split everywhere, small files with their sources."""

import csv
import gzip
import hashlib
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from fastnn import datasets
from fastnn.datasets.split import stratified_split

DATA = files("fastnn.datasets") / "data"


@pytest.mark.parametrize(
    ("name", "train", "test", "features", "classes"),
    [("digits", 1437, 360, 64, 10), ("pima", 614, 154, 8, 2)],
)
def test_shapes_types_and_proportions(name, train, test, features, classes):
    parts = datasets.load(name)
    counts = []
    for (x, t), rows in zip(parts, (train, test), strict=True):
        assert (x.shape, x.dtype) == ((rows, features), np.float32)
        assert (t.shape, t.dtype) == ((rows,), np.int64)
        for array in (x, t):
            assert array.flags.c_contiguous
            assert array.flags.writeable
            assert array.flags.aligned
        counts.append(np.bincount(t, minlength=classes))
    assert len(counts[0]) == len(counts[1]) == classes
    fair = (counts[0] + counts[1]) * test / (train + test)
    assert np.all(np.abs(counts[1] - fair) < 1)


@pytest.mark.parametrize("name", ["digits", "pima"])
def test_split_parts_are_the_whole_file(name):
    """Nothing is lost, doubled, or parted from its label."""
    lines = gzip.decompress((DATA / f"{name}.csv.gz").read_bytes()).decode("ascii").splitlines()
    rows = [tuple(map(float, row)) for row in csv.reader(lines[1:])]
    scale = {"digits": 16, "pima": 1}[name]
    expected = np.array(rows)
    expected[:, :-1] /= scale
    loaded = np.vstack([np.column_stack([x, t]) for x, t in datasets.load(name)])
    assert sorted(map(tuple, loaded.astype(np.float32))) == sorted(map(tuple, expected.astype(np.float32)))


@pytest.mark.parametrize(
    ("name", "pinned"),
    [
        ("digits", "e9855c7ad75fe3c0bf3baf899a20368128bed36ff2dc4c50edfe7d7a186fe99c"),
        ("pima", "9ff2029d758208462fa44549c58764cedd68151779689685b542ba467a8ad644"),
    ],
)
def test_values_and_split_never_change(name, pinned):
    digest = hashlib.sha256()
    for x, t in datasets.load(name):
        digest.update(x.astype("<f4").tobytes())
        digest.update(t.astype("<i8").tobytes())
    assert digest.hexdigest() == pinned


def test_digits_are_those_of_scikit_learn():
    source = pytest.importorskip("sklearn.datasets").load_digits()
    (x_train, t_train), (x_test, t_test) = datasets.load("digits")
    loaded = np.column_stack([np.vstack([x_train, x_test]) * 16, np.concatenate([t_train, t_test])])
    expected = np.column_stack([source.data, source.target])
    assert sorted(map(tuple, loaded)) == sorted(map(tuple, expected))


def test_digits_lie_between_0_and_1():
    (x, _), _ = datasets.load("digits")
    assert x.min() == 0
    assert x.max() == 1


def test_pima_is_the_published_table():
    (x_train, t_train), (x_test, t_test) = datasets.load("pima")
    x = np.vstack([x_train, x_test])
    assert t_train.sum() + t_test.sum() == 268
    np.testing.assert_allclose(
        x.astype(np.float64).mean(axis=0),
        [3.8450521, 120.8945313, 69.1054688, 20.5364583, 79.7994792, 31.9925781, 0.4718763, 33.2408854],
        rtol=1e-6,
    )
    first = np.float32([6, 148, 72, 35, 0, 33.6, 0.627, 50])
    assert (x == first).all(axis=1).sum() == 1


def test_a_caller_may_overwrite_what_it_got():
    (x, t), _ = datasets.load("pima")
    x[:] = -1
    t[:] = -1
    (again, labels), _ = datasets.load("pima")
    assert again.min() >= 0
    assert labels.min() >= 0


def test_a_directory_makes_no_sense():
    with pytest.raises(ValueError, match="^directory: got 'somewhere', expected None, for digits ships with fastnn"):
        datasets.load("digits", directory="somewhere")


def test_files_are_small_and_name_their_source():
    assert sum(len(path.read_bytes()) for path in DATA.iterdir()) < 100_000
    sources = (DATA / "SOURCES.txt").read_text(encoding="utf-8")
    for word in ("digits.csv.gz", "CC BY 4.0", "pima.csv.gz", "CC0 1.0"):
        assert word in sources


@pytest.mark.parametrize("test_rows", [1, 2, 33, 99, 100])
def test_split_is_a_stratified_permutation(test_rows):
    t = np.repeat([0, 1, 2], [70, 25, 5])
    train, test = stratified_split(t, test_rows, seed=3)
    assert len(test) == test_rows
    assert sorted([*train, *test]) == list(range(100))
    assert np.all(np.abs(np.bincount(t[test], minlength=3) - np.array([70, 25, 5]) * test_rows / 100) < 1)


def test_split_is_shuffled_by_its_seed():
    t = np.zeros(100, np.int64)
    train, test = stratified_split(t, 20, seed=3)
    assert not np.array_equal(train, np.sort(train))
    assert not np.array_equal(test, np.sort(test))
    assert np.array_equal(test, stratified_split(t, 20, seed=3)[1])
    assert not np.array_equal(test, stratified_split(t, 20, seed=4)[1])


def test_needs_numpy_alone_and_no_network_code_at_import():
    package = Path(datasets.__file__).parents[1]
    code = f"""
import sys, types
parent = types.ModuleType("fastnn")
parent.__path__ = [{str(package)!r}]
sys.modules["fastnn"] = parent
import fastnn.datasets
fastnn.datasets.load("digits")
unwanted = {{"urllib.request", "http.client", "ssl", "numba", "scipy", "pandas", "sklearn"}} & set(sys.modules)
sys.exit(", ".join(sorted(unwanted)) or 0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.strip()) == (0, "")
