"""The README is true: its snippets run, its commands are those of CI, and its table is that of the committed report."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.report import headline, write_texts
from benchmarks.report.content import prepare
from benchmarks.results import Results

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
SNIPPETS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("number", range(len(SNIPPETS)))
def test_snippet_runs(number: int, tmp_path: Path) -> None:
    program = tmp_path / "snippet.py"
    program.write_text(SNIPPETS[number], encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, program], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    printed = done.stdout
    expected = {
        "net.fit": r"\{'loss': 0\.\d+, 'accuracy': 0\.9[5-9]\d*\} \[\d \d \d \d \d\]",
        "cross_val_score": r"\[0\.9\d+ 0\.9\d+ 0\.9\d+\]",
        "def entropy": r"\(c\)->\(c\) 1\.386",
        "Signum": "True True",
        "dropout": r"MLP\(\(784, 128, 64, 10\), activation=\('gelu', \('leaky_relu', 0\.1\)\)",
    }
    word = next(word for word in expected if word in SNIPPETS[number])
    assert re.search(expected[word], printed), printed


def test_commands_of_training_run(tmp_path: Path) -> None:
    """On the digits, which every machine has."""
    block = next(block for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) if "fastnn train" in block)
    for line in block.replace("784", "64").replace("mnist", "digits").splitlines():
        program, *arguments = shlex.split(line)
        assert program == "fastnn"
        command = [sys.executable, "-m", "fastnn", *arguments]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "MPLBACKEND": "agg"}
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"model.npz", "curves.png"}


REPORTS = (
    "activations", "dense", "dense-avx2", "epochs", "epochs-mnist", "mnist", "mnist-avx2", "optimizers", "sizes",
    "xeon-dense", "xeon-dense-avx2", "xeon-mnist", "xeon-mnist-avx2", "xeon16-dense", "xeon16-small", "zen4-dense",
    "zen4-mnist",
)  # fmt: skip


def test_headline_is_that_of_the_committed_report() -> None:
    runs = [Results.load(ROOT / "reports" / name / "results.json") for name in ("dense", "dense-avx2", "mnist")]
    assert headline.is_current(ROOT / "README.md", runs)


@pytest.mark.parametrize("report", REPORTS)
def test_report_is_what_its_results_render_to(report: str, tmp_path: Path) -> None:
    write_texts(prepare(Results.load(ROOT / "reports" / report / "results.json")), tmp_path)
    assert_is_committed(tmp_path, report)


def test_report_does_not_depend_on_the_cpu(tmp_path: Path) -> None:
    """Rendered by a NumPy that is held to what every CPU of the architecture has."""
    results = ROOT / "reports" / "dense" / "results.json"
    features = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])
    subprocess.run(
        [sys.executable, "-m", "benchmarks", "report", str(results), "--out", str(tmp_path)],
        cwd=ROOT,
        env=os.environ | {"NPY_DISABLE_CPU_FEATURES": " ".join(features)},
        capture_output=True,
        check=True,
        timeout=300,
    )
    assert_is_committed(tmp_path, "dense")


def assert_is_committed(rendered: Path, report: str) -> None:
    """Each text of a rendered report is the committed one."""
    committed = ROOT / "reports" / report
    texts = [path.name for path in rendered.iterdir() if path.suffix in (".md", ".csv")]
    assert sorted(texts) == sorted(path.name for path in committed.iterdir() if path.suffix in (".md", ".csv"))
    for name in texts:
        assert (rendered / name).read_text("utf-8") == (committed / name).read_text("utf-8"), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_that_a_page_names_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for path in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        assert path.startswith("http") or (page.parent / path).exists(), path
    if page.name != "lab_notebook.md":  # which is history
        for path in re.findall(r"`((?:fastnn|benchmarks|tests|docs|reports)/[\w/.]+)`", text):
            assert path == "reports/latest/" or (ROOT / path).exists(), path
