"""A Pima table of one's own, as CSV: it is found under the names people have, and is that table or an error."""

import gzip
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from fastnn.datasets import DatasetError, available, load

HEADER, *ROWS = gzip.decompress((files("fastnn.datasets") / "data" / "pima.csv.gz").read_bytes()).decode().splitlines()
NAMES = (
    "pima-indians-diabetes.csv",
    "pima-indians-diabetes.data.csv",
    "pima-indians-diabetes.data",
    "pima.csv",
    "diabetes.csv",
)


def write(folder: Path, *lines: str, name: str = "pima.csv") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / name


def refusal(path: Path) -> str:
    with pytest.raises(DatasetError) as caught:
        load("pima", path.parent)
    assert str(path) in str(caught.value)
    return str(caught.value)


def assert_is_pima(loaded) -> None:
    """The same rows in the same split as from the table that ships with the package."""
    for (x, t), (x_bundled, t_bundled) in zip(loaded, load("pima"), strict=True):
        assert (x.dtype, t.dtype) == (np.float32, np.int64)
        np.testing.assert_array_equal(x, x_bundled)
        np.testing.assert_array_equal(t, t_bundled)


@pytest.mark.parametrize("header", [True, False], ids=["header", "bare"])
@pytest.mark.parametrize("name", [*NAMES, "Diabetes.CSV"])
def test_names(tmp_path, name, header):
    path = write(tmp_path, *([HEADER] if header else []), *ROWS, name=name)
    for directory in (tmp_path, str(tmp_path), path):
        assert available("pima", directory)
        assert_is_pima(load("pima", directory))


@pytest.mark.parametrize("below", ["pima", "Pima"])
def test_subfolder(tmp_path, below):
    write(tmp_path / below, *ROWS, name="diabetes.csv")
    assert_is_pima(load("pima", tmp_path))


@pytest.mark.parametrize(
    "text",
    [
        "\r\n".join([HEADER, *ROWS]),
        "\ufeff" + "\n".join([HEADER, *ROWS]),
        "\ufeff" + "\n".join(ROWS),
        "\n".join([HEADER, *ROWS, "", " ", ""]),
        "\n".join([",".join(f'"{name}"' for name in HEADER.split(",")), *(row.replace(",", ", ") for row in ROWS)]),
        "\n".join(["preg,plas,pres,skin,test,mass,pedi,age,class", *ROWS]),
    ],
    ids=["crlf", "byte order mark", "byte order mark, bare", "blank lines", "quotes and spaces", "other header"],
)
def test_spellings_of_csv(tmp_path, text):
    (tmp_path / "pima.csv").write_bytes(text.encode("utf-8"))
    assert_is_pima(load("pima", tmp_path))


def test_nothing_found_says_what_was_looked_for(tmp_path):
    assert not available("pima", tmp_path)
    with pytest.raises(DatasetError) as caught:
        load("pima", tmp_path)
    for part in (str(tmp_path), *NAMES, 'load("pima")'):
        assert part in str(caught.value)
    with pytest.raises(DatasetError, match="nowhere: no such folder"):
        load("pima", tmp_path / "nowhere")


@pytest.mark.parametrize("line", [1, 2, 400, 769])
def test_wrong_number_of_columns(tmp_path, line):
    lines = [HEADER, *ROWS]
    for changed, found in ((lines[line - 1] + ",1", 10), (lines[line - 1].rpartition(",")[0], 8), ("7", 1)):
        path = write(tmp_path, *lines[: line - 1], changed, *lines[line:])
        assert f"line {line}: {found} columns, expected 9: Pregnancies, Glucose" in refusal(path)


@pytest.mark.parametrize("bad", ["", "abc", "1;2", "0x10", "tested_positive"])
def test_what_is_not_a_number(tmp_path, bad):
    row = ROWS[4].split(",")
    for column, name in enumerate(HEADER.split(",")):
        path = write(tmp_path, *ROWS[:4], ",".join([*row[:column], bad, *row[column + 1 :]]), *ROWS[5:])
        assert f"line 5: {name} is {bad!r}, expected a number" in refusal(path)


def test_first_row_with_a_word_is_no_header(tmp_path):
    path = write(tmp_path, ROWS[0].replace("148", "none"), *ROWS[1:])
    assert "line 1: Glucose is 'none', expected a number" in refusal(path)


def test_wrong_number_of_rows(tmp_path):
    for rows, found in ((ROWS[:500], "500 rows"), ([*ROWS, ROWS[0]], "more than 768 rows"), ([], "0 rows")):
        assert f"{found}, expected 768" in refusal(write(tmp_path, HEADER, *rows))
    (tmp_path / "pima.csv").write_bytes(b"")
    assert "0 rows, expected 768" in refusal(tmp_path / "pima.csv")


@pytest.mark.parametrize("value", ["149", "nan", "inf", "-148", "148.001"])
def test_altered_value(tmp_path, value):
    path = write(tmp_path, HEADER, ROWS[0].replace("148", value), *ROWS[1:])
    message = refusal(path)
    assert f"line 2: Glucose is {value}, expected 148" in message
    assert "not the table it should be" in message


def test_cut_off_within_a_row(tmp_path):
    path = tmp_path / "pima.csv"
    path.write_text("\n".join([HEADER, *ROWS])[:5000])
    assert "pima.csv: line " in refusal(path)


@pytest.mark.parametrize(
    "content", [b"\xff\xfe\x00", b"\x00" * 100, b"1,2\x003,4\n", b'"' + b"x" * 200_000], ids=range(4)
)
def test_what_is_no_text(tmp_path, content):
    (tmp_path / "pima.csv").write_bytes(content)
    refusal(tmp_path / "pima.csv")


def test_better_name_first(tmp_path):
    """diabetes.csv may be another table."""
    write(tmp_path, "a,b", "1,2", name="diabetes.csv")
    write(tmp_path, *ROWS, name="pima-indians-diabetes.data.csv")
    assert_is_pima(load("pima", tmp_path))
