"""The command line: what it refuses, what it writes, and one small race from end to end."""

from __future__ import annotations

import io
import json
import re
import shutil
import signal
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from benchmarks import __main__ as cli
from benchmarks import ceilings, machine, run, scaling, sizes, startup
from benchmarks.cases import MODELS, Case, grid
from benchmarks.cli import files, steps
from benchmarks.cli import sizes as command
from benchmarks.peers import PEERS
from benchmarks.progress import LineProgress, progress
from benchmarks.results import Ceiling, Results, StartUp
from benchmarks.transport import ProcessTransport

SMALL = ["--data", "digits", "--models", "64-50-10-sigmoid-sgd", "--threads", "1", "--peers", "numpy", "--rounds", "3"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["sizes", "--widths", "4096"], ["--widths: got 4096, expected at most 2048"]),
        (["--peers", "numpy,tensorflow"], ["tensorflow", *PEERS]),
        (["--models", "784-5-10-sigmoid-sgd"], ["784-5-10-sigmoid-sgd", *(model.name for model in MODELS)]),
        (["--threads", "4096"], ["4096", "CPUs"]),
        (["--peers", "fastnn-baseline"], ["unknown fastnn-baseline", *PEERS]),
        (["--baseline", "no-such-folder"], ["--baseline", "no-such-folder", "checkout"]),
        (["report", "no-such-file.json"], ["no-such-file.json"]),
        (["compare", "no-such-file.json", "nor-this.json"], ["no-such-file.json"]),
    ],
)
def test_what_is_not_to_be_had_is_refused_with_what_is(
    arguments: list[str], says: list[str], tmp_path: Path, capsys: pytest.CaptureFixture
):
    out = [] if arguments[0] in ("report", "compare") else ["--out", str(tmp_path)]
    assert cli.main([*out, *arguments]) == 2
    captured = capsys.readouterr()
    said = (captured.err + captured.out).replace("\n", "")
    assert all(word in said for word in says)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--batch-sizes", "1,-2"],
        ["--batch-sizes", "x"],
        ["--rounds", "0"],
        ["--peers", ","],
        ["--quick", "--full"],
        ["nonsense"],
    ],
)
def test_what_makes_no_sense_is_refused(arguments: list[str], capsys: pytest.CaptureFixture):
    with pytest.raises(SystemExit) as left:
        cli.main(arguments)
    assert left.value.code == 2


def test_a_folder_that_cannot_be_made_is_refused_before_the_race(tmp_path: Path, capsys: pytest.CaptureFixture):
    (tmp_path / "file").write_text("")
    assert cli.main(["--out", str(tmp_path / "file" / "out")]) == 2
    assert "cannot be made" in capsys.readouterr().err


def options(*arguments: str) -> run.Options:
    return steps.options(cli.parser().parse_args(["--data", "digits", *arguments]), list(arguments))[0]


def test_the_default_is_everything_and_quick_is_less():
    whole, quick = options(), options("--quick")
    assert whole.peers == tuple(PEERS)
    assert quick.peers == ("fastnn", *(name for name, peer in PEERS.items() if peer.kind == "usual"))
    assert [model.name for model in whole.models] == [
        "64-50-10-sigmoid-sgd",
        "64-128-10-relu-adam",
        "8-128-128-2-relu-adam",
        "64-1024-1024-10-relu-adam",
    ]
    assert [model.data for model in whole.models] == ["digits", "digits", "pima", "digits"]
    assert whole.startup_models == whole.models[:1]
    assert options("--full").startup_models == whole.models[:2]
    assert (whole.batch_sizes[0], whole.batch_sizes[-1]) == (1, 8192)
    wide = grid(options("--full").models, (8192,), (1,), most_flops=options("--full").most_flops)
    assert len(wide) == len(MODELS)
    assert len(grid(whole.models, (8192,), (1,), most_flops=whole.most_flops)) == len(MODELS) - 1
    assert options("--batch-sizes", "8192").most_flops == options("--full").most_flops
    assert whole.threads == tuple(range(1, min(2, machine.usable_cpus()) + 1))
    assert (len(quick.batch_sizes), quick.threads, len(quick.startup_models)) == (3, (1,), 1)
    assert whole.calls
    assert whole.sweeps
    assert whole.error_dtypes
    assert (quick.calls, quick.sweeps, quick.error_dtypes) == ((), {}, ())
    assert (quick.startup_peers, whole.startup_peers) == (("fastnn",), whole.peers)
    assert [case.threads for case in whole.sweeps["threads"]] == list(whole.threads)
    assert all(case.model.sizes[0] == 64 for case in whole.sweeps["width"])
    assert quick.plan.case_seconds < whole.plan.case_seconds < options("--full").plan.case_seconds


def test_rounds_are_exact_and_fastnn_always_runs():
    chosen = options("--rounds", "5", "--peers", "numba,numpy", "--models", "784-50-10-sigmoid-sgd")
    assert (chosen.plan.rounds, chosen.plan.min_rounds) == (5, 5)
    assert chosen.peers == ("fastnn", "numba", "numpy")
    assert [model.name for model in chosen.models] == ["64-50-10-sigmoid-sgd"]
    assert [model.sizes for model in options("--models", "2-3-2-2-sigmoid-sgd").models] == [(2, 3, 2, 2)]


def test_many_steps_in_one_call_are_compared_with_as_many_of_fastnn():
    assert options("--peers", "numpy,jax-scan").peers == ("fastnn", "fastnn-epoch", "numpy", "jax-scan")
    assert options("--peers", "numpy,jax").peers == ("fastnn", "numpy", "jax")


def test_the_race_over_sizes_has_nets_of_every_width_and_rows_for_them():
    typed = ["sizes", "--widths", "4,2048", "--threads", "1", "--rounds", "3"]
    chosen, data = command.options(cli.parser().parse_args(typed), typed)
    assert [model.sizes for model in chosen.models] == [(4, 4, 4, 10), (2048, 2048, 2048, 10)]
    assert chosen.peers == sizes.PEERS
    assert (chosen.plan.rounds, chosen.plan.min_rounds, chosen.calls, chosen.sweeps) == (3, 3, (), {})
    cases = grid(chosen.models, chosen.batch_sizes, chosen.threads, most_flops=chosen.most_flops)
    assert len(cases) == 2 * len(sizes.BATCH_SIZES) - 1
    x, labels = data[chosen.models[0].data]
    for case in cases[:1] + cases[-1:]:
        assert {batch.shape for batch, _ in case.batches(x, labels)} == {(case.batch_size, case.model.sizes[0])}
    assert np.mean(x == 0) < 1e-6
    assert set(labels) == set(range(10))


def test_the_command_is_kept_without_where_it_wrote():
    assert (
        options("--quick", "--out", "/home/ann/x", "--rounds", "3").command == "python -m benchmarks --quick --rounds 3"
    )
    assert "ann" not in options("--out=/home/ann/x").command


def test_a_baseline_takes_part_in_the_race_of_steps_and_may_be_the_only_peer(checkout: Path):
    chosen = options("--baseline", str(checkout))
    assert chosen.peers == ("fastnn", "fastnn-baseline", *list(PEERS)[1:])
    assert (chosen.calls, chosen.sweeps, chosen.error_dtypes) == ((), {}, ())
    assert chosen.plan == options().plan
    assert str(checkout) not in chosen.command
    for peers in ("fastnn", "fastnn-baseline"):
        assert options("--baseline", str(checkout), "--peers", peers).peers == ("fastnn", "fastnn-baseline")


@pytest.fixture
def _short(monkeypatch: pytest.MonkeyPatch):
    """Without the parts that take seconds and are tested elsewhere."""
    monkeypatch.setattr(ceilings, "measure", lambda threads, dtype: Ceiling(threads, dtype, 1e11, 1e10))
    monkeypatch.setattr(startup, "measure", lambda peer, case, *_: StartUp(peer, case.model.name, "ok", "", 0.1, 2, 1))
    monkeypatch.setattr(run, "_kernel_errors", lambda results, options, shown: None)
    monkeypatch.setattr(run, "_calls", lambda results, options, shown: None)
    monkeypatch.setattr(scaling, "sweeps", lambda on, threads, dtype: {"batch": [Case(on(MODELS[0]), 4, dtype)]})


def test_parts_that_are_left_out_are_not_said_to_be_done(capsys: pytest.CaptureFixture) -> None:
    nothing = types.SimpleNamespace(calls=(), peers=("fastnn",), error_dtypes=())
    results = Results("2026-01-01", "0.1.0", {}, {}, {}, [])
    with LineProgress(1.0, sys.stderr) as shown:
        for part in (run._calls, run._kernel_errors):
            part(results, nothing, shown)
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("_short")
def test_a_small_race_from_end_to_end(tmp_path: Path, capsys: pytest.CaptureFixture):
    out = tmp_path / "report"
    assert cli.main([*SMALL, "--batch-sizes", "1,64", "--out", str(out)]) == 0
    results = Results.load(out / "results.json")
    assert [(cell.batch_size, cell.implementation, cell.status) for cell in results.cells] == [
        (n, peer, "ok") for n in (1, 64) for peer in ("fastnn", "numpy")
    ]
    for cell in results.cells:
        assert len(cell.samples) == 3
        assert 1e-7 < min(cell.samples) < max(cell.samples) < 1
        assert 0 < cell.max_error < 1
    assert results.conditions["data"] == ["digits"]
    assert re.fullmatch(r"\d\d% of inputs zero", results.conditions["zeros"]["digits"])
    assert f"data: digits ({results.conditions['zeros']['digits']})" in (out / "report.md").read_text()
    assert {cell.data for cell in results.cells} == {"digits"}
    assert results.conditions["command"].startswith("python -m benchmarks --data digits")
    assert (len(results.ceilings), len(results.startups)) == (1, 2)
    assert [(cell.implementation, cell.status, cell.model) for cell in results.scaling["batch"]] == [
        (peer, "ok", "64-50-10-sigmoid-sgd") for peer in ("fastnn", "numpy")
    ]
    assert (out / "report.html").exists()
    assert (out / "results.csv").exists()
    text = (out / "results.json").read_text()
    assert str(tmp_path) not in text
    assert str(Path.home()) + "/" not in text
    captured = capsys.readouterr()
    assert "64-50-10 sigmoid SGD" in captured.out
    assert "64-50-10-sigmoid-sgd/b64/float32/t1" in captured.err
    assert "data: digits (" in captured.err
    assert captured.out.endswith(f"\n{out / 'results.json'}\n")

    again = tmp_path / "again"
    assert cli.main(["report", str(out / "results.json"), "--out", str(again)]) == 0
    assert (again / "report.md").read_text() == (out / "report.md").read_text()
    assert cli.main(["compare", str(out / "results.json"), str(out / "results.json"), "--fail-if-slower", "5"]) == 0


@pytest.mark.usefixtures("_short")
def test_a_race_against_the_fastnn_of_another_checkout(checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(steps, "OWN", "numpy")  # which compiles nothing
    arguments = [*SMALL, "--batch-sizes", "4", "--baseline", str(checkout), "--out", str(tmp_path / "out")]
    assert cli.main(arguments) == 0
    results = Results.load(tmp_path / "out" / "results.json")
    assert [(cell.implementation, cell.status, cell.reason) for cell in results.cells] == [
        ("numpy", "ok", ""),
        ("fastnn-baseline", "ok", ""),
    ]
    assert (checkout / "fastnn" / "imported").exists()
    assert str(checkout) not in (tmp_path / "out" / "results.json").read_text()


@pytest.mark.usefixtures("_short")
def test_ctrl_c_writes_what_was_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    request = ProcessTransport.request

    def interrupted(self: ProcessTransport, message: dict, timeout: float) -> dict:
        if message["do"] == "burst" and Path(tmp_path / "go").exists():
            raise KeyboardInterrupt
        if message["do"] == "burst":
            bursts.append(1)
            if len(bursts) == 3:
                (tmp_path / "go").touch()
        return request(self, message, timeout)

    bursts: list[int] = []
    monkeypatch.setattr(ProcessTransport, "request", interrupted)
    monkeypatch.setattr(steps, "OWN", "numpy")  # one worker is enough here
    assert cli.main([*SMALL, "--batch-sizes", "1,64", "--out", str(tmp_path)]) == 128 + signal.SIGINT
    results = Results.load(tmp_path / "results.json")
    assert [cell.status for cell in results.cells] == ["ok", "interrupted"]
    assert "interrupted" in capsys.readouterr().err
    assert not list(tmp_path.glob(".*.part"))


@pytest.mark.usefixtures("_short")
def test_ctrl_c_before_the_first_case_is_no_crash_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def interrupt(*_) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ceilings, "measure", interrupt)
    assert cli.main([*SMALL, "--batch-sizes", "1", "--out", str(tmp_path)]) == 128 + signal.SIGINT
    assert {cell.status for cell in Results.load(tmp_path / "results.json").cells} == {"interrupted"}


def test_the_headline_is_written_into_a_readme(results: Results, tmp_path: Path, capsys: pytest.CaptureFixture):
    from benchmarks.report.headline import BEGIN, END

    results.save(tmp_path / "results.json")
    readme = tmp_path / "README.md"
    readme.write_text(f"# x\n{BEGIN}\nstale words\n{END}\n")
    files = [str(tmp_path / "results.json")] * 2
    assert cli.main(["headline", *files, str(readme), "--check"]) == 1
    assert "stale words" in readme.read_text()
    assert cli.main(["headline", *files, str(readme)]) == 0
    assert "stale words" not in readme.read_text()
    assert "rewritten" in capsys.readouterr().out
    assert cli.main(["headline", *files, str(readme), "--check"]) == 0
    assert cli.main(["headline", *files[1:], str(readme), "--check"]) == 1
    readme.write_text("no markers")
    assert cli.main(["headline", *files, str(readme)]) == 2


def test_a_results_file_cut_in_half_is_refused(results: Results, tmp_path: Path, capsys: pytest.CaptureFixture):
    path = tmp_path / "results.json"
    results.save(path)
    path.write_text(path.read_text()[: path.stat().st_size // 2])
    assert cli.main(["report", str(path)]) == 2
    assert "cut off" in capsys.readouterr().err


def test_a_fastnn_without_a_time_fails_the_run(
    results: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
):
    document = results.to_json()
    broken = Results.load(_saved(document, tmp_path / "r.json"))
    next(cell for cell in broken.cells if cell.implementation == "fastnn").status = "wrong"
    monkeypatch.setattr(run, "run", lambda options, data, interruptible: (broken, False))
    monkeypatch.setattr(files, "show", lambda results, out: None)
    assert cli.main([*SMALL, "--out", str(tmp_path / "out")]) == 1
    assert "fastnn wrong" in capsys.readouterr().err


def _saved(document: dict, path: Path) -> Path:
    path.write_text(json.dumps(document))
    return path


def test_lines_tell_the_time_left():
    now = [0.0]
    stream = io.StringIO()
    lines = LineProgress(4, stream, lambda: now[0])
    for _ in range(4):
        now[0] += 50
        lines.advance(1)
        lines.done("a case")
    first, *_, last = stream.getvalue().splitlines()
    assert first == "[ 25%, about 2 min 30 s left] a case"
    assert last == "[100%] a case"


def test_a_stream_that_is_no_terminal_gets_lines():
    assert isinstance(progress(1, io.StringIO()), LineProgress)


def test_git_is_not_needed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", "")
    assert shutil.which("git") is None
    assert machine.commit_info() == {}
