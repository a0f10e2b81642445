"""The results file: what is written is what is read, and what is broken says so."""

import json
import subprocess
import sys

import pytest

from benchmarks.results import Results, ResultsError, Vectors, write_atomically


def test_round_trip_keeps_everything(results, tmp_path):
    path = tmp_path / "deep" / "results.json"
    results.save(path)
    loaded = Results.load(path)
    ok_first = sorted(results.cells, key=lambda cell: cell.status != "ok")
    assert loaded.cells == ok_first
    for name in ("datetime", "fastnn_version", "machine", "commit", "conditions", "ceilings", "startups"):
        assert getattr(loaded, name) == getattr(results, name), name
    assert loaded.kernel_errors == results.kernel_errors
    assert loaded.calls == results.calls
    assert len(loaded.calls) > 2
    assert loaded.scaling == results.scaling
    assert (loaded.isa, loaded.vectors) == ("native", [])
    assert len(loaded.scaling["batch"]) > 2
    assert loaded.to_json() == Results.load(path).to_json()
    assert [entry.name for entry in path.parent.iterdir()] == ["results.json"]


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.999])
def test_file_cut_off_is_refused_by_name(results, tmp_path, share):
    path = tmp_path / "results.json"
    results.save(path)
    text = path.read_text()
    path.write_text(text[: int(share * len(text))])
    with pytest.raises(ResultsError, match=r"results\.json.*cut off"):
        Results.load(path)


@pytest.mark.parametrize(
    "content",
    ["[]", "null", "3", '{"benchmarks": []}', '{"fastnn": {"format": 1}, "benchmarks": []}', '{"fastnn": []}'],
)
def test_other_json_is_refused_by_name(tmp_path, content):
    path = tmp_path / "other.json"
    path.write_text(content)
    with pytest.raises(ResultsError, match=r"other\.json"):
        Results.load(path)


def test_binary_is_refused_by_name(tmp_path):
    path = tmp_path / "noise.json"
    path.write_bytes(bytes(range(256)))
    with pytest.raises(ResultsError, match=r"noise\.json"):
        Results.load(path)


def test_missing_file_and_folder_are_refused_by_name(tmp_path):
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(ResultsError, match=str(path)):
            Results.load(path)


def test_a_later_format_is_refused(results, tmp_path):
    document = results.to_json()
    document["fastnn"]["format"] = 99
    path = tmp_path / "later.json"
    path.write_text(json.dumps(document))
    with pytest.raises(ResultsError, match="format 99"):
        Results.load(path)


def test_the_width_that_all_were_held_to_is_kept(made_up, tmp_path):
    results = made_up(batch_sizes=(8,), threads=(1,), isa="avx2", vectors=[Vectors("jax", {"XLA": "so"}, True, "why")])
    results.save(tmp_path / "results.json")
    loaded = Results.load(tmp_path / "results.json")
    assert (loaded.isa, loaded.vectors) == (results.isa, results.vectors)


def test_a_file_from_before_some_things_were_measured_still_loads(results, tmp_path):
    document = results.to_json()
    for key in ("calls", "scaling", "isa", "vectors"):
        del document["fastnn"][key]
    path = tmp_path / "earlier.json"
    path.write_text(json.dumps(document))
    loaded = Results.load(path)
    assert (loaded.calls, loaded.scaling, loaded.isa, loaded.vectors) == ([], {}, "native", [])


def test_atomic_write_leaves_the_old_file_when_it_fails(tmp_path):
    path = tmp_path / "file"
    write_atomically(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(path, "\ud800")
    assert path.read_text() == "old"
    write_atomically(path, b"\x00\xff")
    assert path.read_bytes() == b"\x00\xff"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_atomic_write_replaces_the_file_under_its_readers(tmp_path):
    path = tmp_path / "file"
    write_atomically(path, "old")
    with path.open() as reader:
        write_atomically(path, "new")
        assert reader.read() == "old"
    assert path.read_text() == "new"


def test_atomic_write_that_cannot_rename_leaves_nothing_behind(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        write_atomically(tmp_path / "folder", "text")
    assert [entry.name for entry in tmp_path.iterdir()] == ["folder"]


def test_statistics_are_those_of_pytest_benchmark(results):
    from pytest_benchmark.stats import Stats

    entry = results.to_json()["benchmarks"][0]
    theirs = Stats()
    for value in entry["stats"]["data"]:
        theirs.update(value)
    for name in ("min", "max", "mean", "median", "stddev", "rounds", "total", "ops"):
        assert entry["stats"][name] == pytest.approx(getattr(theirs, name)), name


def test_pytest_benchmark_compares_the_file(made_up, tmp_path):
    path = tmp_path / "0001_results.json"
    made_up(implementations=("fastnn", "numpy"), batch_sizes=(8,), threads=(1,)).save(path)
    command = [sys.executable, "-m", "pytest_benchmark", "compare", str(path), "--columns=median,ops", "--sort=name"]
    found = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=True, timeout=60)
    assert "784-50-10-sigmoid-sgd/b8/float32/t1[fastnn]" in found.stdout
