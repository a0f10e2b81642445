"""Tables of users: what is read, and that everything else is refused by column and row."""

from __future__ import annotations

import gzip
import io
import sys
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from fastnn.cli.errors import UsageError
from fastnn.cli.tables import MISSING, columns, read

FLOWERS = "length,width,species\n5.1,3.5,setosa\n7.0,3.2,versicolor\n6.3,3.3,setosa\n"


@pytest.fixture
def write(tmp_path: Path):
    def write(text: str | bytes, name: str = "rows.csv") -> str:
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return str(path)

    return write


def test_features_and_a_target_of_texts(write) -> None:
    table = read(write(FLOWERS), ["species"])
    assert (table.features, table.targets) == (("length", "width"), ("species",))
    assert table.x.tolist() == [[5.1, 3.5], [7.0, 3.2], [6.3, 3.3]]
    assert table.t.tolist() == ["setosa", "versicolor", "setosa"]


@pytest.mark.parametrize("target", ["species", "3", "-1"])
def test_a_target_by_name_or_number(write, target: str) -> None:
    assert read(write(FLOWERS), [target]).targets == ("species",)


def test_a_name_is_looked_for_before_a_number(write) -> None:
    assert read(write("3,1\n8,9\n".replace("3,1", "a3,1")), ["1"]).t.tolist() == [9]


def test_without_a_header_columns_have_numbers(write) -> None:
    table = read(write("6,148,1\n1,85,0\n"), ["3"])
    assert table.features == ("1", "2")
    assert table.x.tolist() == [[6, 148], [1, 85]]
    assert table.t.tolist() == [1, 0]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters(write, delimiter: str) -> None:
    assert read(write(FLOWERS.replace(",", delimiter)), ["species"]).x.shape == (3, 2)


def test_what_spreadsheets_write(write) -> None:
    """A byte order mark, Windows line ends, quotes, blanks, blank lines, numbers in quotes, TRUE."""
    table = read(write('\ufeff"a, b", c ,d\r\n"1", 2,True\r\n\r\n3,4e1,False\r\n'), ["c"])
    assert table.features == ("a, b", "d")
    assert table.x.tolist() == [[1, 1], [3, 0]]
    assert table.t.tolist() == [2.0, 40.0]


def test_compressed_and_from_standard_input(write, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(read(write(gzip.compress(FLOWERS.encode()), "rows.csv.gz"), ["species"])) == 3
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(FLOWERS.encode())))
    assert len(read("-", [], ["species"])) == 3


@pytest.mark.parametrize(
    ("texts", "kind", "expected"),
    [
        (["1", "0", "-3"], "i", [1, 0, -3]),
        (["1.0", "2.5", "-3e2"], "f", [1.0, 2.5, -300.0]),
        (["01", "02", "10"], "U", ["01", "02", "10"]),
        (["0.0", "2.0", "-1.0"], "i", [0, 2, -1]),
        (["1", "2.0", "3e2"], "i", [1, 2, 300]),
        (["no", "nothing", "Nan"], "U", ["no", "nothing", "Nan"]),
        (["1", "b", "1.0"], "U", ["1", "b", "1.0"]),
        (["True", "False", "True"], "U", ["True", "False", "True"]),
        (["9" * 25, "1", "2"], "f", [1e25, 1, 2]),
    ],
)
def test_targets_are_whole_numbers_numbers_or_texts(write, texts: list[str], kind: str, expected: list) -> None:
    t = read(write("x,t\n" + "".join(f"1,{text}\n" for text in texts)), ["t"]).t
    assert (t.dtype.kind, t.tolist()) == (kind, expected)


def test_several_targets_are_numbers(write) -> None:
    table = read(write("a,b,c\n1,2,3\n4,5,6\n"), ["c", "a"])
    assert (table.targets, table.t.tolist()) == (("c", "a"), [[3, 1], [6, 4]])
    with pytest.raises(UsageError, match=r"column 'species', row 1: 'setosa' is no number"):
        read(write(FLOWERS), ["species", "width"])
    with pytest.raises(UsageError, match=r"column 'b', row 2: has no value \(NA\), expected a target"):
        read(write("a,b,c\n1,2,3\n4,NA,6\n"), ["c", "b"])


def test_drop(write) -> None:
    assert read(write(FLOWERS), ["species"], ["length"]).features == ("width",)
    assert read(write(",a,t\n0,1,2\n1,3,4\n"), ["t"], ["1"]).features == ("a",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b,t\n1,2,0\n3,,1\n", r"column 'b', row 2: has no value; .*--drop b"),
        ("a,b,t\n1,2,0\n3\n", r"column 'b', row 2: has no value"),
        ("a,b,t\n1,2,0\n3,Paris,1\n", r"column 'b', row 2: 'Paris' is no number; .*pandas.get_dummies.*--drop b"),
        ("a,b,t\n1,2,0\n3,NA,1\n", r"column 'b', row 2: has no value \(NA\); fill it in, .*--drop b"),
        ("a,b,t\n1,2,0\n3,nan,1\n", r"column 'b', row 2: has no value \(nan\); fill it in"),
        ("a,b,t\n1,2,0\n3, NaN ,1\n", r"column 'b', row 2: has no value \(NaN\); fill it in"),
        ("a,b,t\n1,2,0\n3,NAN,1\n", r"column 'b', row 2: has no value \(nan\); fill it in"),
        ("a,b,t\n1,2,0\n3,Paris,1\n4,N/A,1\n", r"column 'b', row 2: 'Paris' is no number"),
        ("a,b,t\n1,2,0\n3,inf,1\n", r"column 'b', row 2: inf is no finite number"),
        ("a,b,t\n1,2,0\n3,1_0,1\n", r"column 'b', row 2: '1_0' is no number"),
        ("a,b,t\n1,2,0\n3,4,\n", r"column 't', row 2: has no value, expected a target"),
        ("a,b,t\n1,2,0\n3,4, NA \n", r"column 't', row 2: has no value \(NA\), expected a target"),
        ("a,b,t\n1,2,0\n3,4,5,6\n", r"Expected 3 fields in line 3, saw 4"),
        ("a,b,t\n1,2,0,9\n3,4,5,6\n", r"rows have more fields than the first line, which has 3"),
        ('a,b,t\n1,"2,0\n', r"EOF inside string"),
        ("a,b,t\n", r"has a header and no rows"),
        ("", r"is empty"),
        ("\n \n", r"is empty"),
        (",b,t\n0,1,2\n", r"column 1 has no name in the header; .*--drop 1"),
        ("b,b,t\n0,1,2\n", r"two columns are named 'b'; .*--drop 2"),
        ("t\n0\n", r"no column beside those of --target"),
        ("a,b\n1,2\n", r"--target: got 't', expected a column of .*: a, b"),
        (b"a,t\n\xff,1\n", r"is no text in UTF-8 .* at byte 4"),
        (b"PK\x03\x04\0\0", r"is no text, expected a CSV file, or an NPZ file"),
        (b"\x1f\x8b\x08", r"cannot be read"),
    ],
)  # fmt: skip
def test_what_is_no_table(write, text: str | bytes, message: str) -> None:
    with pytest.raises(UsageError, match=message) as refused:
        read(write(text), ["t"])
    assert "rows.csv" in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("text", sorted(MISSING))
@pytest.mark.parametrize("others", ["0 1 2", "0.5 1.5 2.5", "cat dog cow"])
def test_a_target_that_is_missing(write, text: str, others: str) -> None:
    rows = [*others.split(), text]
    with pytest.raises(UsageError, match=r"column 't', row 4: has no value( \(.*\))?, expected a target$"):
        read(write("x,t\n" + "".join(f"1,{row}\n" for row in rows)), ["t"])


def test_what_is_missing_is_what_pandas_takes_for_it() -> None:
    pandas = pytest.importorskip("pandas")
    lines = "".join(f'"{text}",x\n' for text in MISSING)
    assert pandas.read_csv(io.StringIO("a,b\n" + lines))["a"].isna().all()
    from pandas._libs.parsers import STR_NA_VALUES  # it has no public name

    assert MISSING == STR_NA_VALUES


@pytest.mark.parametrize("missing", ["NA", " NA "])
def test_a_first_row_with_a_missing_number_is_no_header(write, missing: str) -> None:
    with pytest.raises(UsageError, match=r"column '2', row 1: has no value \(NA\)"):
        read(write(f"5.1,{missing},0\n4.9,3.0,1\n"), ["3"])


def test_a_header_of_numbers_over_an_index(write) -> None:
    """As pandas writes a frame whose columns have no names."""
    table = read(write(",0,1\n0,5,6\n1,7,8\n"), ["1"], ["-3"])
    assert (table.features, table.x.tolist(), table.t.tolist()) == (("0",), [[5], [7]], [6, 8])


def test_a_first_row_of_numbers_and_a_class_is_no_header(write) -> None:
    """As the UCI repository has its iris.data."""
    table = read(write("5.1,3.5,Iris-setosa\n4.9,3.0,Iris-setosa\n7.0,3.2,Iris-versicolor\n"), ["-1"])
    assert (table.features, table.x.tolist()) == (("1", "2"), [[5.1, 3.5], [4.9, 3.0], [7.0, 3.2]])
    assert table.t.tolist() == ["Iris-setosa", "Iris-setosa", "Iris-versicolor"]


@pytest.mark.parametrize("rows", ["5.1,3.5,setosa\n7.0,3.2,versicolor\n", "5.1,3.5," + 200_000 * "a"])
def test_a_header_of_numbers_and_a_name(write, rows: str) -> None:
    """As pandas writes a frame with a column of its own beside those that have no names."""
    assert columns(write(f"0,1,species\n{rows}")) == ["0", "1", "species"]


@pytest.mark.parametrize("number", ["0", "4", "-4"])
def test_a_number_of_no_column(write, number: str) -> None:
    with pytest.raises(UsageError, match=rf"--drop: got column {number}, but .* has 3 columns"):
        read(write(FLOWERS), ["species"], [number])


def test_without_pandas(write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(UsageError, match=r"rows.csv: CSV files need pandas; .*: pip install pandas \("):
        read(write(FLOWERS), ["species"])


finite = st.floats(allow_nan=False, allow_infinity=False)
words = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Z"]), min_size=1, max_size=8).filter(
    lambda word: word not in MISSING and word.lower().lstrip("+-") not in ("inf", "infinity", "nan")
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(finite, finite, words), min_size=1, max_size=8))
def test_what_pandas_writes_comes_back(tmp_path: Path, rows: list[tuple[float, float, str]]) -> None:
    pandas = pytest.importorskip("pandas")
    path = tmp_path / "written.csv"
    pandas.DataFrame(rows, columns=["first", "second", "name"]).to_csv(path, index=False)
    table = read(str(path), ["name"])
    np.testing.assert_allclose(table.x, [[a, b] for a, b, _ in rows], rtol=1e-15)  # before pandas 3 not exactly
    if table.t.dtype.kind == "U":
        assert table.t.tolist() == [name for _, _, name in rows]


def npz(path: Path, **arrays) -> str:
    np.savez(path / "rows.npz", **arrays)
    return str(path / "rows.npz")


def test_npz(tmp_path: Path) -> None:
    images, names = np.arange(24, dtype=np.uint8).reshape(2, 3, 4), np.array(["a", "b"])
    table = read(npz(tmp_path, x=images, t=names), ["t"])
    assert (table.x.shape, table.t.tolist()) == ((2, 12), ["a", "b"])
    path = npz(tmp_path, rows=images, labels=np.array([[True], [False]]))
    assert read(path, ["labels"], features="rows").t.tolist() == [1, 0]
    assert read(path, [], features="rows").t is None
    assert read(npz(tmp_path, x=images, t=np.eye(2, dtype=np.float32)), ["t"]).t.dtype == np.float64


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": np.ones((2, 3))}, r"has no array 't', .*; it has x"),
        ({"t": np.ones(2)}, r"has no array 'x', .*; it has t"),
        ({"x": np.ones(2), "t": np.ones(2)}, r"array 'x' has dtype float64 and shape \(2,\)"),
        ({"x": np.ones((0, 3)), "t": np.ones(0)}, r"array 'x' has .* shape \(0, 3\)"),
        ({"x": np.ones((2, 3)), "t": np.ones(3)}, r"array 't' has .* shape \(3,\), expected .* \(2,\)"),
        ({"x": np.array([["a"], ["b"]]), "t": np.ones(2)}, r"array 'x' has dtype <U1"),
        ({"x": np.ones((2, 3)), "t": np.array([1.0, np.nan])}, r"array 't': expected finite"),
        (
            {"x": np.ones((2, 3)), "t": np.array(["a", "nan"])},
            r"array 't', row 2: has no value \(nan\), expected a target",
        ),
        ({"x": np.array([[1.0, 2], [3, np.inf]]), "t": np.ones(2)}, r"array 'x', row 2, column 2: inf is no finite"),
        ({"x": np.array([[1.0, np.nan], [3, 4]]), "t": np.ones(2)}, r"array 'x', row 1, column 2: nan is no finite"),
        ({"x": np.ones((2, 3)), "t": np.array([{}, {}])}, r"cannot be read \(.*allow_pickle"),
    ],
)
def test_npz_that_is_none(tmp_path: Path, arrays: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read(npz(tmp_path, **arrays), ["t"])


def test_options_of_the_other_kind_of_file(tmp_path: Path, write) -> None:
    with pytest.raises(UsageError, match="--features: names an array of an NPZ file"):
        read(write(FLOWERS), ["species"], features="x")
    with pytest.raises(UsageError, match="--drop: leaves out columns of a CSV file"):
        read(npz(tmp_path, x=np.ones((2, 2)), t=np.ones(2)), ["t"], ["a"])
    with pytest.raises(UsageError, match="--target: got 2 names"):
        read(npz(tmp_path, x=np.ones((2, 2)), t=np.ones(2)), ["t", "x"])
    with pytest.raises(UsageError, match=r"none.npz: cannot be read \(No such file"):
        read(str(tmp_path / "none.npz"), ["t"])
    with pytest.raises(UsageError, match=r"bad.npz: cannot be read \(damaged"):
        read(write(b"no archive", "bad.npz"), ["t"])
