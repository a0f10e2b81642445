"""Items of a user's own file, in the short form: they compute, they are kept on disk and pickled, and errors teach."""

from __future__ import annotations

import json
import math
import os
import pickle
import re
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastnn
from fastnn import extend
from fastnn.activations import Activation
from fastnn.losses import Loss
from fastnn.ops import DECLARED
from fastnn.ops.verify import comparisons
from fastnn.optimizers import RULES
from fastnn.reference.mlp import MLP as Twin

REGISTRIES = Activation.by_name, Loss.by_name, RULES, DECLARED


@pytest.fixture(autouse=True)
def _catalogues() -> Iterator[None]:
    """The catalogues as they were, for other tests."""
    before = [dict(registry) for registry in REGISTRIES]
    yield
    for registry, items in zip(REGISTRIES, before, strict=True):
        registry.clear()
        registry.update(items)


def bent(x, slope):
    return x if x > 0 else slope * x


def bent_backward(dy, x, y, slope):
    return dy if x > 0 else slope * dy


def power(y, t):
    return abs(y - t) ** 1.5


def power_slope(y, t):
    return 1.5 * math.sqrt(abs(y - t)) * np.sign(y - t)


def heavy_ball(g, v, lr, momentum):
    v = momentum * v + g
    return v, lr * v


def optimizer_of(name: str = "HeavyBallOfATest", **parts: Any) -> type[fastnn.Optimizer]:
    own = {
        "lr": extend.Hyper(0.1, extend.learning_rate),
        "momentum": extend.Hyper(0.9, extend.fraction),
        "weight_decay": extend.Hyper(0.0, extend.not_negative),
        "moments": ("v",),
        "update": staticmethod(heavy_ball),
        "__module__": __name__,
    }
    return type(name, (fastnn.Optimizer,), own | parts)


def test_activation(dtype: str, rng: np.random.Generator) -> None:
    item = fastnn.activation("bent", value=bent, backward=bent_backward, defaults={"slope": 0.1})
    x, dy = rng.standard_normal((2, 3, 7)).astype(dtype)
    exact = np.where(x > 0, x, 0.3 * x.astype(float))
    np.testing.assert_allclose(fastnn.bent(x, slope=0.3), exact, rtol=2 * np.finfo(dtype).eps)
    slopes = dy * np.where(x > 0, 1, 0.3)
    np.testing.assert_allclose(fastnn.bent_backward(dy, x, exact.astype(dtype), slope=0.3), slopes, rtol=1e-6)
    for reference in (fastnn.bent.reference, item.reference):
        np.testing.assert_allclose(reference(x.astype(float), slope=0.3), exact, rtol=1e-15)
    assert fastnn.bent.reference(x, slope=0.3).dtype == dtype
    assert "y = `bent(x, slope)` of" in fastnn.bent.__doc__
    for function in (fastnn.bent, fastnn.bent_backward, item):
        about = function.__doc__
        assert function is item or "`.reference` is its own code" in about
    with pytest.raises(TypeError, match="slope: got 'a', expected a number"):
        fastnn.MLP((3, 4, 2), activation=("bent", {"slope": "a"}))


@pytest.mark.parametrize("n", [1, 70])
def test_a_net_of_them_equals_its_twin(n: int, dtype: str, rng: np.random.Generator) -> None:
    fastnn.activation("bent", value=bent, backward=bent_backward, defaults={"slope": 0.1})
    fastnn.elementwise_loss("power", value=power, slope=power_slope)
    optimizer = optimizer_of()(0.01, weight_decay=0.1)
    net, twin = (kind((5, 9, 2), ("bent", 0.2), "power", dtype=dtype) for kind in (fastnn.MLP, Twin))
    tolerance = 100 * float(np.finfo(dtype).eps)
    for _ in range(4):
        x, t = rng.standard_normal((n, 5)).astype(dtype), rng.standard_normal((n, 2)).astype(dtype)
        weights = rng.random(n)
        for given in (None, weights):
            expected = twin.train_step(x, t, optimizer, given)
            assert net.train_step(x, t, optimizer, given) == pytest.approx(expected, rel=tolerance)
    for w, v in zip(net.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_allclose(w, v, rtol=tolerance, atol=tolerance)
    assert fastnn.check_gradient(net, x, t).error_ratio <= 1


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (optimizer_of, fastnn.SGD(0.1, momentum=0.9, weight_decay=0.01)),
        ("Adam", fastnn.Adam(0.1, weight_decay=0.01)),
    ],
)
def test_an_optimizer_is_as_ours(ours: Any, theirs: fastnn.Optimizer, dtype: str, rng: np.random.Generator) -> None:
    made = optimizer_of() if ours is optimizer_of else adam_of_numbers()
    optimizer = made(0.1, weight_decay=0.01)
    nets = [fastnn.MLP((5, 9, 3), dtype=dtype) for _ in range(2)]
    for n in (1, 70, 3):
        x, t = rng.standard_normal((n, 5)).astype(dtype), rng.integers(0, 3, n)
        for net, one in zip(nets, (optimizer, theirs), strict=True):
            net.train_step(x, t, one)
    close = 1e-12 if dtype == "float64" else 3e-5
    for w, v in zip(*(net.get_weights() for net in nets), strict=True):
        np.testing.assert_allclose(w, v, rtol=close, atol=close)


def adam_of_numbers() -> type[fastnn.Optimizer]:
    def constants(step, lr, beta1, beta2):
        return beta1, beta2, lr / (1 - beta1**step), 1 / (1 - beta2**step)

    def update(g, m, v, beta1, beta2, rate, correction):
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g * g
        return m, v, rate * m / (extend.square_root(v * correction) + 1e-8)

    betas = {"beta1": extend.Hyper(0.9, extend.fraction), "beta2": extend.Hyper(0.999, extend.fraction)}
    parts = {"moments": ("m", "v"), "constants": staticmethod(constants), "update": staticmethod(update)}
    rest = {name: extend.Hyper(0.0, extend.not_negative) for name in ("weight_decay",)}
    lr = {"lr": extend.Hyper(0.1, extend.learning_rate)}
    return type("AdamOfATest", (fastnn.Optimizer,), {**lr, **betas, **rest, **parts, "__module__": __name__})


def test_vectors_take_numbers(dtype: str, rng: np.random.Generator) -> None:
    def update(g, lr):
        larger = extend.where_greater(g, 0, extend.maximum(g, 0.5), -1.0)
        larger -= 1
        larger *= -1
        return lr * larger - -extend.sign(g) * 2 / (extend.absolute(g) + 1) + extend.square_root_times(g * g, 3)

    optimizer_of("NumbersOfATest", moments=(), momentum=None, weight_decay=None, update=staticmethod(update))
    w, g = rng.standard_normal((2, 101)).astype(dtype)
    g64 = g.astype(float)
    moved = 0.1 * (1 - np.where(g > 0, np.maximum(g64, 0.5), -1)) + np.sign(g64) * 2 / (np.abs(g64) + 1)
    expected = w - (moved + 3 * np.abs(g64))
    fastnn.numbers_of_a_test_update(w, g)
    np.testing.assert_allclose(w, expected, rtol=0, atol=20 * np.finfo(dtype).eps)


def test_a_schedule_is_asked(rng: np.random.Generator) -> None:
    optimizer = optimizer_of()(lambda steps: 0.1 if steps == 0 else 0.0, momentum=0.0)
    net = fastnn.MLP((3, 4, 2))
    x, t = rng.standard_normal((5, 3)).astype("float32"), np.zeros(5, int)
    losses = [net.train_step(x, t, optimizer) for _ in range(3)]
    assert losses[0] > losses[1] == losses[2]


def test_what_is_not_verified_says_so(dtype: str) -> None:
    fastnn.activation("bent", value=bent, backward=bent_backward, defaults={"slope": 0.1})
    with pytest.raises(ValueError, match="^bent: got no ulps, expected them beside a reference.*check_gradient"):
        next(comparisons(fastnn.bent, dtype))


def test_items_of_the_package_give_all_parts() -> None:
    """What users may leave out: those of the package are verified, documented and counted."""
    own = [item for item in (*Activation.by_name.values(), *RULES.values()) if item.module.startswith("fastnn.")]
    assert len(own) > 20
    for item in own:
        assert item.has_reference, item.name
        assert item.formula, item.name
        assert item.ulps is not None, item.name
        assert item.name == "identity" or np.all(item.flops), item.name
    for name, function in DECLARED.items():
        if function.declaration.kernel.__module__.startswith("fastnn."):
            assert function.declaration.ulps is not None, name
            assert "own code" not in function.__doc__, name


def test_decorating_twice_is_once() -> None:
    """A function with `@scalar` is taken as it is, one that is compiled already too."""
    import numba

    decorated = extend.scalar(extend.scalar(lambda x: x + x))
    compiled = numba.njit(lambda dy, x, y: dy + dy)
    fastnn.activation("doubled_for_a_test", value=decorated, backward=compiled)
    x = np.ones(3, np.float32)
    np.testing.assert_array_equal(fastnn.doubled_for_a_test(x), 2)
    np.testing.assert_array_equal(fastnn.doubled_for_a_test_backward(x, x, x), 2)


# What is seen when an item is declared.


@pytest.mark.parametrize(
    ("parts", "error", "message"),
    [
        ({"value": lambda x, y: x}, TypeError, r"^wrong: value: got <lambda>\(x, y\), expected a function of \(x\)$"),
        ({"backward": lambda dy, x: x}, TypeError, r"^wrong: backward: got .*expected a function of \(dy, x, y\)$"),
        ({"value": np.tanh}, TypeError, "^wrong: value: got <ufunc 'tanh'>, expected a function written in Python"),
        ({"ulps": (1, 1)}, ValueError, r"^ulps: got \(1, 1\) without reference"),
        ({"slope_of": "x"}, ValueError, "^slope_of: got 'x', expected one of"),
        ({"defaults": {"a": 1.0}}, TypeError, r"^wrong: value: got .*expected a function of \(x, a\)$"),
    ],
)
def test_activations_refused(parts: dict[str, Any], error: type[Exception], message: str) -> None:
    before = [dict(registry) for registry in REGISTRIES]
    with pytest.raises(error, match=message):
        fastnn.activation("wrong", **{"value": lambda x: x, "backward": lambda dy, x, y: dy} | parts)
    assert before == list(REGISTRIES)


def checked(x):
    assert x > 0
    return x


def test_what_raises_is_refused() -> None:
    """Itself, and where a function that it calls does."""
    decorated = extend.scalar(lambda x: checked_too(x))
    for value in (checked, lambda x: decorated(x)):
        with pytest.raises(ValueError, match="^wrong: value: got checked, which raises or asserts; nothing can be rai"):
            fastnn.activation("wrong", value=value, backward=lambda dy, x, y: dy)


checked_too = extend.scalar(checked)


def test_a_cell_that_runs_again_replaces_its_items(rng: np.random.Generator) -> None:
    x = np.ones(2, np.float32)
    for factor in (2.0, 3.0):
        fastnn.activation("again", value=lambda x, by=factor: by * x, backward=lambda dy, x, y: dy)
        fastnn.elementwise_loss("again_loss", value=lambda y, t, by=factor: by * (y - t), slope=power_slope)
        optimizer_of("Again", moments=(), momentum=None, weight_decay=None, update=lambda g, lr: lr * (g + g))
        w = np.zeros(2, np.float32)
        fastnn.again_update(w, x, lr=factor)
        assert (fastnn.again(x)[0], fastnn.again_loss(x, 0 * x)[0], w[0]) == (factor, factor, -2 * factor)


def test_without_compiling_there_is_nothing_to_call(tmp_path: Path) -> None:
    (tmp_path / "my_items.py").write_text(ITEMS)
    (tmp_path / "my_parts.py").write_text(PARTS.format(unique="", by=2.0, factor=0.25))
    program = "import os; os.environ['NUMBA_DISABLE_JIT'] = '1'; import fastnn, my_items; fastnn.my_bent([1.0])"
    expected = "RuntimeError: my_bent: with NUMBA_DISABLE_JIT it cannot be computed, for it has no reference in NumPy"
    assert expected in run(tmp_path, program).stderr


@pytest.mark.parametrize("name", ["class", "a b", "", 3, "relu", "softmax", "hinge", "adam_update"])
def test_names_refused(name: Any) -> None:
    before = [dict(registry) for registry in REGISTRIES]
    why = "taken" if name in DECLARED else "expected a name that a function can have"
    for declare in (
        lambda: fastnn.activation(name, value=lambda x: x, backward=lambda dy, x, y: dy),
        lambda: fastnn.elementwise_loss(name, value=power, slope=power_slope),
        lambda: extend.update_rule(name, rule=lambda g, moments, c: (moments, g, None)),
    ):
        with pytest.raises(ValueError, match=f"^name: got {re.escape(repr(name))}, .*{why}"):
            declare()
    assert before == list(REGISTRIES)


@pytest.mark.parametrize(
    ("parts", "error", "message"),
    [
        ({"update": staticmethod(lambda g, v, momentum, lr: g)}, TypeError, r"Wrong: update: got .*\(g, v, lr, moment"),
        ({"update": lambda self, g, v, lr, momentum: g}, TypeError, "Wrong: update: .*@staticmethod, without self"),
        ({"update": 3}, TypeError, "Wrong: update: got 3, expected a function"),
        ({"moments": "v"}, TypeError, r"Wrong: moments: got 'v', expected a tuple of names, such as \('m', 'v'\)"),
        ({"constants": lambda step, momentum, lr: (lr,)}, TypeError, r"Wrong: constants: .*\(step, lr, momentum\)"),
    ],
)
def test_optimizers_refused(parts: dict[str, Any], error: type[Exception], message: str) -> None:
    before = [dict(registry) for registry in REGISTRIES]
    with pytest.raises(error, match=message):
        optimizer_of("Wrong", **parts)
    assert before == list(REGISTRIES)


def test_names_of_optimizers_are_new() -> None:
    with pytest.raises(ValueError, match="^name: got 'adam_update', which is taken"):
        optimizer_of("Adam")


def test_an_optimizer_without_a_rule() -> None:
    net, made = fastnn.MLP((3, 2)), type("WithoutRule", (fastnn.Optimizer,), {})
    with pytest.raises(NotImplementedError, match="WithoutRule: expected a static method `update`"):
        net.train_step(np.ones((1, 3), np.float32), np.zeros(1, int), made())


# What only compiling shows: at the first call, and where a net or a step needs it.

OBJECTS = {"a": object()}


def helper(x):
    return x


def looks_up(x):
    y = x
    return OBJECTS["a"] * y


def calls_a_helper(x):
    return helper(x)


def formats(x):
    text = f"{x:.3f}"
    return len(text)


WRONG_VALUES = {
    "array": (lambda x: np.zeros(3) + x, "value: .* returns an array, expected one number"),
    "tuple": (lambda x: (x, x), "value: .* returns a tuple of 2, expected one number"),
    "nothing": (lambda x: None, "value: .* returns nothing, expected a number; is a `return` missing"),
    "at times nothing": (lambda x: x if x > 0 else None, "value: .* returns a number or None"),
    "an object": (looks_up, r"value: .*'OBJECTS'.* \(.*test_own_items.py, line \d+: return OBJECTS\[\"a\"\] \* y\)"),
    "a helper": (calls_a_helper, "value: .*'helper'.*decorate that function with @fastnn.extend.scalar"),
    "no such name": (lambda x: x + no_such_name, "value: .*'no_such_name' is not defined"),  # noqa: F821
    "text": (formats, r"value: .*f-string.*line \d+"),
    "an index": (lambda x: x[0], r"value: Numba cannot compile getitem\(float32, .*line \d+"),
}


@pytest.mark.filterwarnings("ignore:.*is not kept on disk:RuntimeWarning")
@pytest.mark.parametrize("case", WRONG_VALUES)
def test_a_value_that_does_not_compile(case: str) -> None:
    value, message = WRONG_VALUES[case]
    item = fastnn.activation("wrong", value=value, backward=lambda dy, x, y: dy)
    for use in (lambda: fastnn.wrong(np.ones(3, np.float32)), lambda: fastnn.MLP((3, 4, 2), activation=item)):
        with pytest.raises(TypeError, match=f"^wrong: {message}") as raised:
            use()
        assert "\n" not in str(raised.value)


def usable_net() -> tuple[fastnn.MLP, np.ndarray, np.ndarray]:
    return fastnn.MLP((3, 4, 2), loss="mean_squared_error"), np.ones((5, 3), np.float32), np.ones((5, 2), np.float32)


def unchanged(net: fastnn.MLP, before: list[np.ndarray], x: np.ndarray, t: np.ndarray) -> None:
    """The net is as before, and can be trained."""
    for w, v in zip(net.get_weights(), before, strict=True):
        np.testing.assert_array_equal(w, v)
    losses = [net.train_step(x, t, fastnn.SGD(0.1)) for _ in range(2)]
    assert losses[1] < losses[0]


WRONG_UPDATES = {
    "no moments": (
        lambda g, v, lr, momentum: lr * g,
        "<lambda> .* returns .*, expected the new v, and what is subtracted",
    ),
    "too many": (
        lambda g, v, lr, momentum: (v, v, lr * g),
        "<lambda> .* returns .*, expected the new v, and what is subtracted",
    ),
    "a number": (lambda g, v, lr, momentum: (v, 0.1), ".* returns .*float64.*computed from g or a moment"),
    "a power": (lambda g, v, lr, momentum: (v, g**2), r"Numba cannot compile pow.*neither \*\*, `if` nor functions"),
    "NumPy": (lambda g, v, lr, momentum: (v, np.sqrt(g)), r"Numba cannot compile sqrt.*square_root"),
}


@pytest.mark.parametrize("case", WRONG_UPDATES)
def test_an_update_that_does_not_compile(case: str) -> None:
    update, message = WRONG_UPDATES[case]
    net, x, t = usable_net()
    before, made = net.get_weights(), optimizer_of("Wrong", update=staticmethod(update))
    with pytest.raises(TypeError, match=f"^Wrong: update: {message}"):
        net.train_step(x, t, made())
    unchanged(net, before, x, t)


def test_an_update_that_forgets_a_moment() -> None:
    """Which would stay zero."""
    net, x, t = usable_net()
    before = net.get_weights()
    made = optimizer_of("Wrong", moments=("m", "v"), update=staticmethod(lambda g, m, v, lr, momentum: (m, lr * g)))
    with pytest.raises(
        TypeError, match="^Wrong: update: .* returns .*, expected the new m, and the new v, and what is"
    ):
        net.train_step(x, t, made())
    unchanged(net, before, x, t)


@pytest.mark.parametrize("constants", [lambda step, lr, momentum: lr, lambda step, lr, momentum: (lr, lr, lr)])
def test_constants_of_another_number(constants: Any) -> None:
    net, x, t = usable_net()
    before, made = net.get_weights(), optimizer_of("Wrong", constants=staticmethod(constants))
    with pytest.raises(TypeError, match="^Wrong: constants: .* returns .*, expected a tuple of 2 numbers"):
        net.train_step(x, t, made())
    unchanged(net, before, x, t)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (lambda g, moments, c: (moments, g), r"returns .*, expected \(\(the 1 new moments\), numerator, denominator"),
        (lambda g, moments, c: ((), g, None), r"returns .*, expected \(\(the 1 new moments\), numerator, denominator"),
        (lambda g, moments, c: (moments, g, g), r"returns .*denominator: None, with divides=False\)"),
    ],
)
def test_a_rule_of_another_structure(rule: Any, message: str) -> None:
    extend.update_rule("wrong_update", rule=rule, moments=("m",), defaults={"lr": 0.1})
    w = np.ones(3, np.float32)
    with pytest.raises(TypeError, match=f"^wrong_update: rule: .*{message}"):
        fastnn.wrong_update(w, w.copy(), w.copy())
    np.testing.assert_array_equal(w, 1)


def test_a_loss_that_does_not_compile(dtype: str) -> None:
    item = fastnn.elementwise_loss("wrong", value=power, slope=lambda y, t: (y, t))
    x, t = np.ones((5, 3), dtype), np.ones((5, 2), dtype)
    net = fastnn.MLP((3, 2), loss=item, dtype=dtype)
    before = net.get_weights()
    for use in (
        lambda: fastnn.wrong(t, t),
        lambda: fastnn.wrong(t, t, sample_weight=np.ones(5)),
        lambda: fastnn.wrong.reference(t, t),
        lambda: net.train_step(x, t, fastnn.SGD(0.1)),
        lambda: net.train_step(x, t, fastnn.SGD(0.1), np.ones(5)),
    ):
        with pytest.raises(TypeError, match=r"^wrong: slope: .*returns a tuple of 2, expected one number"):
            use()
    assert all(np.array_equal(w, v) for w, v in zip(net.get_weights(), before, strict=True))


def test_a_wrong_slope_is_found(rng: np.random.Generator) -> None:
    """Which no error can tell: also a slope that uses what `slope_of` does not name."""
    x, t = rng.standard_normal((20, 3)), rng.standard_normal((20, 2))
    wrong = {
        "third_power_for_a_test": fastnn.activation(
            "third_power_for_a_test",
            value=lambda x: x * x * x,
            backward=lambda dy, x, y: dy * 3 * y / x,
            slope_of="input",
        ),
        "cube_for_a_test": fastnn.activation(
            "cube_for_a_test", value=lambda x: x * x * x, backward=lambda dy, x, y: dy * 3 * x * x, slope_of="output"
        ),
    }
    for name, item in wrong.items():
        net = fastnn.MLP((3, 4, 2), item, "mean_squared_error", dtype="float64")
        with pytest.raises(fastnn.GradientError, match=f"the slope of the activation '{name}'"):
            fastnn.check_gradient(net, x, t)
    own = fastnn.elementwise_loss("wrong", value=power, slope=lambda y, t: y - t)
    with pytest.raises(fastnn.GradientError, match="the gradient of the loss 'wrong'"):
        fastnn.check_gradient(fastnn.MLP((3, 4, 2), "tanh", own, dtype="float64"), x, t)


# In other processes.

ITEMS = """
from fastnn.extend import Hyper, Optimizer, activation, elementwise_loss, learning_rate
from my_parts import FACTOR, helped


def bent_value(x):
    return helped(x) if x > 0 else FACTOR * x


def bent_backward(dy, x, y):
    return helped(dy) if x > 0 else FACTOR * dy


def apart(y, t):
    return FACTOR * helped(y - t)


def apart_slope(y, t):
    return FACTOR * helped(1)


my_bent = activation("my_bent", value=bent_value, backward=bent_backward)
my_apart = elementwise_loss("my_apart", value=apart, slope=apart_slope)


class MyDescent(Optimizer):
    lr = Hyper(0.5, learning_rate)

    @staticmethod
    def update(g, lr):
        return lr * (FACTOR * helped(g))
"""

PARTS = """
# {unique}
from fastnn.extend import scalar

FACTOR = {factor}


@scalar
def helped(x):
    return {by} * x
"""

RUN = """
import json, pickle, sys
import numpy as np
import fastnn
import my_items
from fastnn.reference.mlp import MLP as Twin

x, t, optimizer = np.ones((2, 3), np.float32), np.ones((2, 1), np.float32), my_items.MyDescent()
w = np.zeros(1, np.float32)
fastnn.my_descent_update(w, np.ones(1, np.float32))
net, twin = (kind((3, 4, 1), "my_bent", "my_apart", init=0.5) for kind in (fastnn.MLP, Twin))
losses = [each.train_step(x, t, optimizer) for each in (net, twin)]
changed = [np.concatenate([w.ravel() for w in each.get_weights()]).tolist() for each in (net, twin)]
rule = optimizer.rule
dispatchers = [
    fastnn.my_bent.kernel, *my_items.my_bent._step_kernels, fastnn.my_apart.kernel, my_items.my_apart.row_sum,
    rule.array_kernel, *rule._step_kernels,
]
if len(sys.argv) > 1:
    with open(sys.argv[1], "wb") as file:
        pickle.dump((net, optimizer), file)
print(json.dumps({
    "values": [*fastnn.my_bent(np.array([2.0, -1.0])).tolist(), float(fastnn.my_apart(3 * t, t)[0]), float(w[0])],
    "losses": losses,
    "changed": changed,
    "misses": sum(sum(d.stats.cache_misses.values()) for d in dispatchers),
    "hits": sum(sum(d.stats.cache_hits.values()) for d in dispatchers),
}))
"""

LOAD = """
import pickle, sys
import numpy as np

with open(sys.argv[1], "rb") as file:
    net, optimizer = pickle.load(file)
net.train_step(np.ones((2, 3), np.float32), np.ones((2, 1), np.float32), optimizer)
print(net, optimizer)
"""


def run(folder: Path, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    root = str(Path(fastnn.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((root, str(folder)))}
    return subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, env=environment, timeout=300
    )


def test_kept_on_disk_and_compiled_anew_when_a_part_changes(tmp_path: Path) -> None:
    """A helper, and a constant, in another file than the items."""
    unique = secrets.token_hex(8)  # no earlier run of this test has compiled it

    def found(**parts: Any) -> dict[str, Any]:
        (tmp_path / "my_parts.py").write_text(PARTS.format(unique=unique, **parts))
        for compiled in tmp_path.rglob("*.pyc"):
            compiled.unlink()
        done = run(tmp_path, RUN)
        assert done.returncode == 0, done.stderr
        assert "not kept" not in done.stderr
        result = json.loads(done.stdout)
        by, factor = parts["by"], parts["factor"]
        expected = [2 * by, -factor, 2 * by * factor, -0.5 * by * factor]
        np.testing.assert_allclose(result["values"], expected, rtol=1e-6, err_msg=str(parts))
        np.testing.assert_allclose(*result["losses"], rtol=1e-5)
        np.testing.assert_allclose(*result["changed"], rtol=1e-5)
        return result

    (tmp_path / "my_items.py").write_text(ITEMS)
    first = found(by=2.0, factor=0.25)
    assert (first["hits"], first["misses"] > 0) == (0, True)
    again = found(by=2.0, factor=0.25)
    assert (again["hits"], again["misses"]) == (first["misses"], 0)
    # A constant alone may be one that another function has too: what counts is the numbers, which `found` compares.
    assert found(by=2.0, factor=0.75)["misses"] > 0
    assert found(by=3.0, factor=0.75)["misses"] > 0
    (tmp_path / "my_items.py").write_text(ITEMS.replace("return helped(x) if", "return helped(x) - 0 if"))
    assert found(by=3.0, factor=0.75)["misses"] > 0


def test_pickles_find_their_module_or_say_so(tmp_path: Path) -> None:
    (tmp_path / "my_items.py").write_text(ITEMS)
    (tmp_path / "my_parts.py").write_text(PARTS.format(unique="", by=2.0, factor=0.25))
    kept = tmp_path / "net.pickle"
    assert run(tmp_path, RUN, str(kept)).returncode == 0
    loaded = run(tmp_path, LOAD, str(kept))
    assert loaded.returncode == 0, loaded.stderr
    assert loaded.stdout.startswith("MLP((3, 4, 1), activation='my_bent', loss='my_apart'")
    elsewhere = run(tmp_path / "elsewhere", LOAD, str(kept))
    assert "No module named 'my_items'" in elsewhere.stderr


def test_a_pickle_of_a_notebook(tmp_path: Path) -> None:
    """There `__main__` is another module."""
    program = ITEMS.replace("from my_parts import FACTOR, helped", "FACTOR = 1.0\ndef helped(x): return x")
    program += "import pathlib, pickle, sys\npathlib.Path(sys.argv[1]).write_bytes(pickle.dumps([my_bent, my_apart]))\n"
    done = run(tmp_path, program, str(tmp_path / "items"))
    assert done.returncode == 0, done.stderr
    with pytest.raises(pickle.UnpicklingError, match="the activation 'my_bent' is declared in the module '__main__', "):
        pickle.loads((tmp_path / "items").read_bytes())
