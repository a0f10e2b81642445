"""Every peer that is installed here trains as the reference does; what is not installed says so."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from numba import njit

from benchmarks import recipes
from benchmarks.cases import MODELS, Case, Model
from benchmarks.peers import FLOORS, PEERS, PeerInfo, Unavailable, numba_expert
from benchmarks.peers.expert import training
from benchmarks.peers.expert.exponential import exponential
from benchmarks.rows import read
from benchmarks.run import expectations
from benchmarks.verify import steps_of

RNG = np.random.default_rng(11)
PIXELS = RNG.random((2048, 784), np.float32) * (RNG.random((2048, 784)) < 0.2)
DATA = {"mnist": (PIXELS, RNG.integers(0, 10, 2048))} | read([model for model in MODELS if model.data == "pima"])
DATA["dense"] = (RNG.standard_normal((512, 64), np.float32), RNG.integers(0, 10, 512))
EXPECT = expectations(DATA)

DENSE = Model((64, 30, 20, 10), "tanh", "sgd", 0.1, data="dense")
VARIATIONS = [
    *(replace(DENSE, activation=activation) for activation in recipes.ACTIVATIONS if activation != "exponential"),
    # The exponential of an exponential overflows.
    replace(DENSE, sizes=(64, 20, 10), activation="exponential", lr=1e-3),
    *(replace(DENSE, optimizer=name, lr=recipe.lr) for name, recipe in recipes.OPTIMIZERS.items()),
    *(replace(DENSE, loss=loss) for loss in recipes.LOSSES[1:]),
    replace(DENSE, dropout=0.2),
    replace(DENSE, label_smoothing=0.1, clip_norm=0.1, dropout=0.2, activation="gelu", optimizer="adamw", lr=1e-3),
]
# Of peer, optimizer and loss: what its library has not.
HAS_NOT = {("pytorch", "lion", "softmax_cross_entropy")}
HAS_NOT |= {(peer, "sgd", "sum_squared_error") for peer in ("pytorch", "jax")}

TWO_LAYERS = ["numpy-notes", "numba"]
# Each of their cases compiles for seconds.
STRONGEST = [peer for peer, info in PEERS.items() if info.kind == "strongest"]
PAIRS = [
    pytest.param(peer, model, id=f"{peer}-{model.name}")
    for peer in PEERS
    for model in MODELS
    if peer not in STRONGEST and not (peer in TWO_LAYERS and len(model.layers) != 2)
]


def check(peer: str, case: Case) -> None:
    if reason := PEERS[peer].missing():
        pytest.skip(reason)
    implementation = PEERS[peer].load()
    steps = steps_of(case)
    batches = case.batches(*DATA[case.model.data])
    model = implementation(case, case.model.initial_weights(case.dtype), implementation.prepare(case, batches))
    for _ in range(2):  # the second time after a restart
        verdict = EXPECT(case, implementation.formulation).judge(model.first_losses(steps), model.weights())
        assert not verdict.reason
        assert verdict.error < 0.5
        model.ready(2)
        model.synchronise(model.steps(steps, 2))
        model.restart()


def is_wide(model: Model) -> bool:
    """Whether the reference takes seconds for a step."""
    return model.parameter_count > 1e6


@pytest.mark.parametrize("batch_size", [1, 32, 512])
@pytest.mark.parametrize(("peer", "model"), [pair for pair in PAIRS if not is_wide(pair.values[1])])
def test_a_peer_trains_as_the_reference_does(peer: str, model: Model, batch_size: int):
    check(peer, Case(model, batch_size))


@pytest.mark.parametrize(("peer", "model"), [pair for pair in PAIRS if not is_wide(pair.values[1])])
def test_in_float64_too(peer: str, model: Model):
    check(peer, Case(model, 32, "float64"))


@pytest.mark.parametrize(
    ("batch_size", "dtype"),
    [(32, "float32")]
    + [
        pytest.param(n, dtype, marks=pytest.mark.exhaustive)
        for n, dtype in ((1, "float32"), (512, "float32"), (32, "float64"))
    ],
)
@pytest.mark.parametrize(("peer", "model"), [pair for pair in PAIRS if is_wide(pair.values[1])])
def test_a_peer_trains_a_wide_net_as_the_reference_does(peer: str, model: Model, batch_size: int, dtype: str):
    check(peer, Case(model, batch_size, dtype))


@pytest.mark.parametrize(
    ("peer", "model", "batch_sizes"),
    [("jax-scan", MODELS[1], [32]), ("numba-expert", MODELS[1], [1, 32]), ("numba-csr", MODELS[0], [1, 32, 512])],
)
def test_a_strong_peer_trains_as_the_reference_does(peer: str, model: Model, batch_sizes: list[int]):
    for batch_size in batch_sizes:
        check(peer, Case(model, batch_size))


def test_parts_of_a_step_of_expert_numba_make_the_whole(monkeypatch: pytest.MonkeyPatch):
    """Part by part on one thread: to compile it for several takes half a minute."""
    monkeypatch.setattr(numba_expert, "compiled", lambda *kind: training.compiled(*kind[:-1], False))
    monkeypatch.setattr(numba_expert, "GRAIN", 0)
    for batch_size in (1, 2, 32):
        check("numba-expert", Case(MODELS[1], batch_size, threads=3))


@pytest.mark.exhaustive
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
@pytest.mark.parametrize("peer", STRONGEST)
def test_a_strong_peer_trains_every_model_as_the_reference_does(peer: str, model: Model):
    if peer == "numba-csr" and model.data == "pima":
        with pytest.raises(Unavailable, match="hardly a zero"):
            check(peer, Case(model, 32))
        return
    for case in (Case(model, 1), Case(model, 32), Case(model, 512), Case(model, 32, "float64"), Case(model, 32)):
        check(peer, case)
    check(peer, Case(model, 512, threads=2))
    check(peer, Case(replace(model, activation="tanh"), 32))


def test_rows_without_zeros_are_not_compressed():
    with pytest.raises(Unavailable, match="hardly a zero"):
        check("numba-csr", Case(DENSE, 32))


def test_the_exponential_of_expert_numba_keeps_nan():
    for dtype in (np.float32, np.float64):
        x = np.concatenate([np.linspace(-80, 80, 1001), [np.nan, -np.inf]]).astype(dtype)
        y = exponentials(x)
        assert y.dtype == dtype
        np.testing.assert_allclose(y[:-2], np.exp(x[:-2].astype(np.longdouble)), rtol=2 * np.finfo(dtype).eps)
        assert np.isnan(y[-2])
        assert 0 <= y[-1] < 1e-37


@njit
def exponentials(x):
    y = np.empty_like(x)
    for i in range(x.size):
        y[i] = exponential(x[i])
    return y


@pytest.mark.parametrize("floor", FLOORS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_products_are_those_of_a_step(floor: str, dtype: str):
    if reason := FLOORS[floor].missing():
        pytest.skip(reason)
    case, products = Case(replace(DENSE, sizes=(64, 30, 20, 10)), 8, dtype), FLOORS[floor].load()
    made = products(case, case.model.initial_weights(dtype), products.prepare(case, case.batches(*DATA["dense"])))
    assert made.first_losses(3) == []
    products_flops = case.flops - 2 * case.model.parameter_count  # SGD's update takes two for each parameter
    for batch, (x, _) in zip(made.batches[:3], case.batches(*DATA["dense"]), strict=False):
        np.testing.assert_array_equal(np.asarray(batch[0][0]), x)
        shapes = [np.shape(c) for _, _, c in batch]
        assert sorted(shapes) == sorted([(8, 30), (8, 20), (8, 10), (8, 30), (8, 20), (64, 30), (30, 20), (20, 10)])
        assert sum(2 * np.asarray(a).size * np.shape(b)[1] for a, b, _ in batch) == products_flops
    for a, b, c in batch:
        np.testing.assert_allclose(np.asarray(c), np.asarray(a) @ np.asarray(b), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("activation", ["tanh", "relu", "sigmoid"])
@pytest.mark.parametrize("peer", ["numpy-notes", "numpy", "numba", "scikit-learn", "fastnn"])
def test_any_activation_with_any_optimizer(peer: str, activation: str):
    for optimizer, lr in (("sgd", 0.1), ("adam", 1e-3)):
        check(peer, Case(Model((784, 20, 10), activation, optimizer, lr), 32))


@pytest.mark.parametrize("peer", ["numpy", "scikit-learn", "fastnn"])
def test_more_hidden_layers(peer: str):
    check(peer, Case(Model((784, 30, 20, 10), "tanh", "sgd", 0.1), 32))


@pytest.mark.parametrize("peer", ["fastnn", "pytorch", "jax"])
@pytest.mark.parametrize("model", VARIATIONS, ids=lambda model: model.name)
def test_variations(peer: str, model: Model):
    """Every activation, loss and optimizer that a race may ask for. Dropout is verified where it drops nothing."""
    case = Case(model, 32).without_chance
    if (peer, model.optimizer, model.loss) in HAS_NOT:
        with pytest.raises(Unavailable):
            check(peer, case)
    else:
        check(peer, case)


@pytest.mark.parametrize("peer", ["numpy", "numpy-notes", "numba", "scikit-learn"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"activation": "gelu"}, "has no activation gelu"),
        ({"optimizer": "lion"}, "has no optimizer lion"),
        ({"dropout": 0.2}, "without dropout and clipping"),
        ({"loss": "huber"}, "written for the plain softmax cross-entropy"),
    ],
)
def test_what_a_peer_has_no_name_for_it_cannot_run(peer: str, change: dict, message: str):
    with pytest.raises(Unavailable, match=message):
        check(peer, Case(replace(Model((784, 20, 10), "tanh", "sgd", 0.1), **change), 32))


@pytest.mark.parametrize("peer", TWO_LAYERS)
def test_code_written_out_for_one_hidden_layer_says_so(peer: str):
    with pytest.raises(Unavailable, match="one hidden layer"):
        check(peer, Case(Model((784, 30, 20, 10), "tanh", "sgd", 0.1), 32))


def test_the_weights_given_are_not_the_ones_trained():
    case = Case(MODELS[1], 8)
    for peer in ("numpy-notes", "numpy", "numba"):
        weights = case.model.initial_weights("float32")
        before = [w.copy() for w in weights]
        implementation = PEERS[peer].load()
        implementation(case, weights, implementation.prepare(case, case.batches(*DATA["mnist"]))).step(0)
        assert all((w == b).all() for w, b in zip(weights, before, strict=True))


def test_what_is_not_installed_is_told_without_importing_it():
    info = PeerInfo("x", "nowhere:X", ("numpy", "no_such_module"), ("numpy", "no-such-package"))
    assert info.missing() == "not installed: no_such_module (pip install numpy no-such-package)"
    assert list(info.versions()) == ["numpy"]
    assert PEERS["numpy"].missing() == ""


def test_the_registry_imports_no_library():
    """The race reads it, and a start-up time that begins after it would be too short."""
    code = "import sys, benchmarks.worker; print([m for m in ('numpy', 'numba', 'torch', 'jax') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
