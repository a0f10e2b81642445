"""The scripts of `examples/` print what their docstrings say and draw their figures, on small settings where they train
for long."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import fastnn

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
NUMBER = re.compile(r"[-+]?\d+(?:\.\d*)?(?:e[-+]?\d+)?")
# Their modules are imported here; "own_items" is run in a process of its own, for its items would stay.
NOTES = [
    "activations_gallery",
    "forward_2_3_2_2",
    "keras_784_128_10",
    "mnist_784_50_10",
    "optimizers",
    "pima_8_128_128_1",
    "regressions_one_and_two_units",
    "softmax_and_losses",
]
# How far numbers may be off where a net is trained: other CPUs sum in another order.
TRAINED = {"optimizers": 0.02, "pima_8_128_128_1": 0.02}
# These train on MNIST: its images take long, and are not everywhere.
ON_MNIST = ["keras_784_128_10", "mnist_784_50_10"]
SHORT = [name for name in NOTES if name not in ON_MNIST]


@pytest.fixture
def script(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(EXAMPLES)
    return importlib.import_module(request.param)


def run(path: Path, *arguments: str, folder: Path = ROOT) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, path, *arguments], capture_output=True, text=True, env=environment, cwd=folder, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def promised(script: ModuleType) -> list[str]:
    """The lines that its docstring says it prints."""
    block = re.search(r"[Ii]t prints[^:]*:\n\n((?: {4}.*\n)+)", script.__doc__)
    return [line[4:] for line in block[1].splitlines()]


def words(line: str) -> list[str]:
    return NUMBER.sub(" # ", line).split()


def hold(promised: list[str], printed: list[str], relative: float | None) -> None:
    """The lines have the same words, and numbers within a unit in the last place that is printed, or within `relative`
    of what was promised; where that is None numbers are not compared, nor are seconds ever. "..." is any lines."""
    if "..." in promised:
        where = promised.index("...")
        behind = len(promised) - where - 1
        assert len(printed) >= len(promised) - 1
        printed = [*printed[:where], "...", *printed[len(printed) - behind :]]
    assert len(printed) == len(promised)
    for said, line in zip(promised, printed, strict=True):
        assert words(said) == words(line)
        for expected, got in zip(NUMBER.finditer(said), NUMBER.finditer(line), strict=True):
            if relative is None or said[expected.end() :].startswith(" s"):
                continue
            digits, _, exponent = expected[0].partition("e")
            unit = 10.0 ** (int(exponent or 0) - len(digits.partition(".")[2]))
            off = abs(float(got[0]) - float(expected[0]))
            assert off <= max(1.01 * unit * (unit < 1), relative * abs(float(expected[0]))), (said, line)


def test_what_holds_a_script_to_its_docstring() -> None:
    hold(["a 1.00 b", "...", "3e-44, 1.5 s"], ["a 1.01 b", "x", "y", "3e-44, 9.5 s"], 0.0)
    hold(["2.000"], ["2.1"], 0.1)
    hold(["step 10"], ["step 11"], None)
    for said, line in (
        ("1.00", "1.02"),
        ("step 10", "step 11"),
        ("a 1", "b 1"),
        ("3.72e-44", "3.78e-44"),
        ("1", "1 1"),
    ):
        with pytest.raises(AssertionError):
            hold([said], [line], 0.0)
    with pytest.raises(AssertionError):
        hold(["a", "...", "b"], ["a", "c"], 0.0)


@pytest.mark.parametrize("script", SHORT, indirect=True)
def test_prints_what_its_docstring_says(script: ModuleType, capsys: pytest.CaptureFixture) -> None:
    script.main([])
    hold(promised(script), capsys.readouterr().out.splitlines(), TRAINED.get(script.__name__, 0.0))


def accuracies(lines: list[str]) -> list[float]:
    """Of the test images: the last number of each line that has one of the kind."""
    return [float(found) for found in re.findall(r" (0\.\d{4})(?: test)?$", "\n".join(lines), re.MULTILINE)]


@pytest.mark.parametrize(
    ("script", "option"),
    [("keras_784_128_10", ["--epochs", "8"]), ("mnist_784_50_10", ["--steps", "1400"])],
    indirect=["script"],
)
def test_learns_the_digits(
    script: ModuleType, option: list[str], capsys: pytest.CaptureFixture, tmp_path: Path
) -> None:
    """Those of MNIST, on the digits that ship with fastnn: the words are the same."""
    script.main(["--data", "digits", *option, "--out", str(tmp_path)])
    *lines, figure = capsys.readouterr().out.splitlines()
    hold(promised(script), lines, None)
    assert accuracies(lines)[0] < accuracies(lines)[-1]
    assert accuracies(lines)[-1] > 0.7
    assert Path(figure.removeprefix("figure: ")).read_bytes().startswith(b"\x89PNG")


@pytest.mark.exhaustive
@pytest.mark.parametrize("script", ON_MNIST, indirect=True)
def test_learns_mnist(script: ModuleType, capsys: pytest.CaptureFixture) -> None:
    if not fastnn.datasets.available("mnist"):
        pytest.skip("MNIST is not on this machine")
    script.main([])
    lines = capsys.readouterr().out.splitlines()
    hold(promised(script), lines, None)
    assert accuracies(lines)[-1] == pytest.approx(accuracies(promised(script))[-1], abs=0.004)


@pytest.mark.parametrize("script", SHORT, indirect=True)
def test_draws_its_figure(script: ModuleType, capsys: pytest.CaptureFixture, tmp_path: Path) -> None:
    arguments = ["--epochs", "2"] if script.__name__ == "optimizers" else []
    script.main([*arguments, "--out", str(tmp_path / "new" / "folder")])
    path = tmp_path / "new" / "folder" / f"{script.__name__}.png"
    assert capsys.readouterr().out.endswith(f"figure: {path}\n")
    assert path.read_bytes().startswith(b"\x89PNG")


def test_runs_in_any_folder(tmp_path: Path) -> None:
    assert "0.5108" in run(EXAMPLES / "softmax_and_losses.py", folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("script", ["mnist_784_50_10"], indirect=True)
def test_says_where_data_is_missing(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise fastnn.datasets.DatasetError(f"{name} is nowhere")

    monkeypatch.setattr(fastnn.datasets, "load", missing)
    with pytest.raises(SystemExit, match="mnist is nowhere\nWithout a network, --data digits"):
        script.main([])


def test_own_items() -> None:
    lines = run(EXAMPLES / "own_items.py", "--epochs", "3").splitlines()
    assert re.fullmatch(r"gradients: \d+ compared, the largest error is \S+ of what is allowed", lines[0])
    assert lines[1] == "update: equal to NumPy's"
    losses = [float(line.rpartition(" ")[2]) for line in lines if line.startswith("epoch")]
    assert len(losses) == 3
    assert losses[-1] < losses[0]
    assert float(lines[-1].rpartition(" ")[2]) > 0.5


def test_every_example_is_run_and_listed() -> None:
    """`lesson` is what the others share."""
    assert sorted(path.stem for path in EXAMPLES.glob("*.py")) == sorted([*NOTES, "lesson", "own_items"])
    page = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    for name in NOTES:
        assert f"[{name}.py]({name}.py)" in page
        figure = re.search(rf"!\[{name}: [^\]]+\]\((\S+\.png)\)", page)
        assert (EXAMPLES / figure[1]).is_file()
    assert "[own_items.py](own_items.py)" in page
