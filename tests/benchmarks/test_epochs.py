"""The race of epochs: peers train as the reference does, rows and order included, and what the worker times."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import __main__ as cli
from benchmarks import ceilings, machine
from benchmarks.cases import DROPS_NOTHING, Case, Model
from benchmarks.cli import epochs as command
from benchmarks.epochs.cases import EPOCH_BATCH_SIZES, EPOCH_MODELS, EpochCase
from benchmarks.epochs.peers import EPOCH_PEERS, HOW
from benchmarks.epochs.run import EpochOptions, epoch_cases, expectations
from benchmarks.epochs.worker import LONG, LONGEST, EpochWorker
from benchmarks.race import Plan
from benchmarks.report.content import prepare
from benchmarks.report.implementations import KIN, LOOKS
from benchmarks.report.summary import sentences, summarize
from benchmarks.results import Ceiling, Results
from benchmarks.verify import STEPS, Verdict

RNG = np.random.default_rng(5)
X, T = RNG.standard_normal((300, 20), np.float32), RNG.integers(0, 4, 300)
DATA = {"mnist": (X, T)}
EXPECT = expectations(DATA)
ADAM = Model((20, 16, 4), "relu", "adam", 1e-2)
DROPS = replace(ADAM, dropout=0.2)


def case(model: Model = ADAM, batch_size: int = 32, rows: int | None = None) -> EpochCase:
    options = EpochOptions("", (model,), (batch_size,), (1,), "float32", ("fastnn",), Plan(), rows)
    return epoch_cases(options, DATA)[0]


def made(peer: str, of: EpochCase) -> Any:
    if reason := EPOCH_PEERS[peer].missing():
        pytest.skip(reason)
    return EPOCH_PEERS[peer].load()(of, of.model.initial_weights(of.dtype), *of.data(X, T))


def judged(of: EpochCase, model: Any, loss: Any) -> Verdict:
    return EXPECT(of, model.formulation).judge([model.loss(loss)], model.weights())


# Compiled PyTorch takes 20 s, and Keras has one backend in a process.
QUICK = [peer for peer in EPOCH_PEERS if peer != "pytorch-whole" and not peer.startswith("keras")]


@pytest.mark.parametrize(("model", "batch_size"), [(ADAM, 1), (DROPS, 32)])
@pytest.mark.parametrize("peer", QUICK)
def test_a_peer_trains_an_epoch_as_the_reference_does(peer: str, model: Model, batch_size: int):
    of = case(model, batch_size)
    trained = made(peer, of.verified)
    verdict = judged(of, trained, trained.epoch(of.verified.order()))
    assert not verdict.reason
    assert verdict.error < 0.5


@pytest.mark.exhaustive
@pytest.mark.parametrize("peer", [peer for peer in EPOCH_PEERS if peer not in QUICK])
def test_so_do_those_that_need_a_process_of_their_own(peer: str, tmp_path: Path):
    if reason := EPOCH_PEERS[peer].missing():
        pytest.skip(reason)
    chosen = ["--threads", "1", "--rows", "200", "--rounds", "1", "--batch-sizes", "32", "--out", str(tmp_path)]
    assert cli.main(["epochs", "--data", "digits", "--peers", peer, *chosen]) == 0
    results = Results.load(tmp_path / "results.json")
    assert [(cell.status, cell.reason) for cell in results.cells] == [("ok", "")] * len(results.cells)


@pytest.mark.parametrize("peer", QUICK)
def test_epochs_in_orders_of_their_own_learn(peer: str):
    model = made(peer, case(batch_size=40))
    losses = [model.loss(model.steps(k, 1)) for k in range(25)]
    model.synchronise(losses[-1])
    assert losses[-1] < 0.7 * losses[0]
    assert len(set(losses)) == len(losses)


def test_another_order_or_a_batch_left_out_is_wrong():
    of = case()
    order = of.verified.order()
    for wrong in (order[::-1], np.sort(order), order[: STEPS * 32], np.append(order[:-1], order[0])):
        model = made("scikit-learn", of.verified)
        assert judged(of, model, model.epoch(wrong)).reason
    model = made("scikit-learn", of.verified)
    assert judged(of, model, model.epoch(None)).reason, "shuffled"


def test_a_case_is_an_epoch_of_all_rows_or_fewer():
    whole, few = case(), case(rows=64)
    assert (whole.rows, few.rows, whole.trained_rows) == (300, 64, 300)
    assert whole.flops == 9 * Case(ADAM, 32).flops + Case(ADAM, 12).flops
    assert few.bytes_moved == 2 * Case(ADAM, 32).bytes_moved
    assert whole.name == "20-16-4-relu-adam/b32/float32/t1"


def test_what_is_verified_ends_with_a_smaller_batch_and_drops_nothing():
    verified = case(DROPS).verified
    assert verified.model.dropout == DROPS_NOTHING
    assert [len(t) for _, t in verified.ordered_batches(X, T)] == [32] * STEPS + [11]
    assert len(case(batch_size=1).verified.order()) == STEPS + 1
    assert case(batch_size=512).verified.rows == 300


def test_rows_are_the_peers_own_copies():
    x, t = case(rows=5).data(X, T)
    x[:], t[:] = 7, 7
    assert not (X[:5] == 7).any()
    assert t.dtype == np.int64
    assert T.max() < 7


class Trainer:
    """Takes `seconds` per epoch on the clock that it is."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.now, self.epochs = seconds, 0.0, 0

    def __call__(self) -> float:
        return self.now

    def steps(self, first: int, count: int) -> None:
        self.epochs += count
        self.now += count * self.seconds

    def synchronise(self, value: None) -> None:
        return


def worker(trainer: Trainer) -> EpochWorker:
    found = EpochWorker("fastnn", 1, clock=trainer)
    found._model = trainer
    return found


@pytest.mark.parametrize(("seconds", "steps"), [(0.02, 5), (3.0, 1)])
def test_short_epochs_are_timed_several_at_a_time(seconds: float, steps: int):
    assert worker(Trainer(seconds)).do_calibrate(0.1) == {"steps": steps}


def test_an_epoch_warms_up_for_the_next_unless_it_is_long():
    short, long = Trainer(0.04), Trainer(0.1 * LONG)
    for trainer, epochs in ((short, 1 + 3 + 2), (long, 1 + 2)):
        found = worker(trainer)
        found.do_calibrate(0.1)
        assert found.do_burst(2, 0.1) == {"seconds": pytest.approx(2 * trainer.seconds)}
        assert trainer.epochs == epochs


def test_an_epoch_that_takes_too_long_is_not_raced_and_its_time_is_told():
    reply = worker(Trainer(LONGEST + 13)).handle({"do": "calibrate", "target": 0.1})
    assert reply == {"status": "missing", "reason": "an epoch takes 33 s, and those over 20 s are not raced"}


def options(*arguments: str) -> EpochOptions:
    return command.options(cli.parser().parse_args(["epochs", "--data", "digits", *arguments]), [])[0]


def test_the_default_is_every_peer_and_both_networks():
    whole = options()
    assert whole.peers == tuple(EPOCH_PEERS) == tuple(HOW)
    assert [model.name for model in whole.models] == ["64-128-10-relu-adam", "64-128-10-relu-adam-dropout_0.2"]
    assert (whole.batch_sizes, whole.most_rows, whole.dtype) == (EPOCH_BATCH_SIZES, None, "float32")
    chosen = options("--models", EPOCH_MODELS[1].name, "--peers", "jax", "--rows", "9", "--rounds", "3")
    assert (chosen.peers, chosen.most_rows, chosen.plan.min_rounds) == (("fastnn", "jax"), 9, 3)
    assert [model.dropout for model in chosen.models] == [0.2]
    assert {model.dropout for model in options("--dropout", "0.5").models} == {0.5}


def test_options_may_stand_before_the_command():
    chosen = cli.parser().parse_args(["--data", "digits", "--threads", "1", "epochs", "--rounds", "4"])
    assert (chosen.data, chosen.threads, chosen.rounds, chosen.dtype) == ("digits", (1,), 4, "float32")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--quick", "epochs"], "--quick"),
        (["epochs", "--peers", "numba"], "unknown numba"),
        (["epochs", "--models", "nonsense"], "unknown nonsense"),
    ],
)
def test_what_is_not_to_be_had_is_refused(
    arguments: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture
):
    assert cli.main([*arguments, "--out", str(tmp_path)]) == 2
    assert says in capsys.readouterr().err


def test_a_small_race_from_end_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture):
    monkeypatch.setattr(ceilings, "measure", lambda threads, dtype: Ceiling(threads, dtype, 1e11, 1e10))
    monkeypatch.setattr(command, "OWN", "scikit-learn")  # which compiles nothing
    small = ["--data", "digits", "--peers", "scikit-learn", "--rows", "100", "--batch-sizes", "8,32", "--rounds", "3"]
    assert cli.main(["epochs", *small, "--threads", "1", "--out", str(tmp_path)]) == 0
    results = Results.load(tmp_path / "results.json")
    assert [(cell.model, cell.batch_size, cell.status, cell.rows, len(cell.samples)) for cell in results.cells] == [
        (model, n, "ok", 100, 3)
        for model in ("64-128-10-relu-adam", "64-128-10-relu-adam-dropout_0.2")
        for n in (8, 32)
    ]
    assert all(0 < cell.max_error < 1 for cell in results.cells)
    assert (results.timed, results.conditions["rows"]) == ("epoch", {"digits": 100})
    text = (tmp_path / "report.md").read_text()
    assert "Median time per training epoch" in text
    assert "trains without" in text
    assert "time per epoch" in capsys.readouterr().out


def test_rows_per_second_are_those_of_the_epoch(results: Results):
    cell = next(cell for cell in results.cells if cell.samples)
    epoch = replace(cell, rows=1000 * cell.batch_size)
    assert epoch.samples_per_second == pytest.approx(1000 * cell.samples_per_second)
    changed = replace(results, cells=[epoch], scaling={}, calls=[], startups=[])
    frame = prepare(changed).frames["results"]
    assert frame["samples_per_second"].tolist() == pytest.approx([epoch.samples_per_second])


def test_a_form_of_fastnn_is_not_the_fastest_peer(made_up):
    found = made_up(("fastnn", "fastnn-steps", "jax"), (32,), (1,), slower={"fastnn-steps": 1e-3})
    assert "fastnn-steps" in KIN
    said = sentences(summarize(found))
    assert said[0].startswith("fastnn is faster than the fastest peer in 2 of 2")
    assert f"{LOOKS['fastnn-steps'].label} takes" in said[2]


def test_every_peer_has_a_look_and_a_description():
    assert set(EPOCH_PEERS) <= set(LOOKS)
    assert set(HOW) == set(EPOCH_PEERS)
    assert set(machine.versions(EPOCH_PEERS.values())) >= {"numpy", "numba"}
