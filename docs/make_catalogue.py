"""Writes docs/catalogue.md and docs/figures/activations.png from what the items of the catalogue declare.

    python docs/make_catalogue.py

Needs the package with its "bench" extra. `tests/docs/test_catalogue.py` holds the page to what the items declare now.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import fastnn
from fastnn.ops.verify import compare
from fastnn.optimizers import Optimizer

sys.path.append(str(Path(__file__).parents[1] / "examples"))
from activations_gallery import gallery

HERE = Path(__file__).parent
PAGE, FIGURE = HERE / "catalogue.md", HERE / "figures" / "activations.png"

# Which network or page of the teaching notes that fastnn grew out of uses an item.
NOTES = {
    "identity": "2-3-2-2",
    "sigmoid": "784-50-10, 2-3-2-2, Pima",
    "relu": "MNIST and Fashion-MNIST in Keras, Pima",
    "softmax_cross_entropy": "784-50-10, MNIST and Fashion-MNIST in Keras",
    "cross_entropy": "784-50-10",
    "sigmoid_cross_entropy": "Pima",
    "binary_cross_entropy": "Pima",
    "half_squared_error": "regressions",
    "sum_squared_error": "losses",
    "mean_squared_error": "losses",
    "SGD": "784-50-10, regressions",
    "Adam": "Fashion-MNIST, Pima",
} | dict.fromkeys(
    ["hard_sigmoid", "tanh", "softsign", "exponential", "leaky_relu", "elu", "selu", "softplus", "gelu", "silu"],
    "activations",
)
NOTES |= dict.fromkeys(["Adagrad", "RMSprop", "Adadelta", "NAdam", "Adamax"], "optimizers")

ERROR_SIZE = 20_000  # elements of each kind of input that errors are measured on
_NAME = re.compile(r",? as (`[^`]*`|Keras' `[^`]*`)(?: and `[^`]*`)?(?: with log_input)?")
_OUTPUTS = {
    "softmax": "softmax: probabilities of the classes; the most probable",
    "sigmoid": "sigmoid: a probability for each output; 0 or 1",
    "sign": "none; -1 or +1",
    "exp": "none; exp(z), a rate",
    "identity": "none; the outputs themselves",
}


_HEAD = """# The catalogue

<!-- Written by docs/make_catalogue.py. -->

Every activation, loss and optimizer that is built in. Each is declared in one place, held to a reference in plain
NumPy, and runs inside the fused training step; so does [one of your own](extending.md). `help(fastnn.gelu)`
says the rest.

*Error* is the largest that was measured, in units in the last place of the result, or of its largest term where terms
cancel; float32 or float64, whichever is larger, on an AMD EPYC with AVX-512 (Zen 5); tests hold its bound on every CPU.
*Notes* says where the teaching notes use it that fastnn grew out of.

## Activations

`fastnn.NAME(x)`, `fastnn.NAME_backward(...)`, `fastnn.MLP(activation="NAME")`; a list has one for each hidden layer.
The two errors are those of the value and of the backward pass.

![Each activation and its slope](figures/activations.png)
"""

_LOSSES = """
## Losses

`fastnn.NAME(z, t)` returns the loss and its gradient; `fastnn.MLP(loss="NAME")`, or with options
`loss=("NAME", {...})`. `sample_weight` is an argument of the functions and of `train_step`. *Predictions* are what
`predict_proba` and `predict` of a net give.
"""

_AFTER_LOSSES = """
Of probabilities, as functions alone: `cross_entropy`, `binary_cross_entropy` and `..._backward` of both, with the
notes' epsilon as the option `eps`.
"""

_OPTIMIZERS = """
## Optimizers

`net.train_step(x, t, fastnn.NAME(...))`. `lr` is a number or a schedule: one of `fastnn.schedules`, or any function of
the number of steps made before. Each takes `clip_value` or `clip_norm` too, a bound of the gradient's elements
or its norm.
"""


def page() -> str:
    """The text of the page."""
    activations = _table(["name", "y", "slope", "numbers", "as", "error", "notes"], _activations())
    losses = _table(["name", "loss", "options", "predictions", "as", "error", "notes"], _losses())
    optimizers = _table(["name", "source", "update", "hyper-parameters", "as", "notes"], _optimizers())
    parts = [_HEAD, activations, _LOSSES, losses, _AFTER_LOSSES, _OPTIMIZERS, optimizers]
    return "\n".join(part.strip("\n") + "\n" for part in parts)


def _activations() -> Iterator[list[str]]:
    for name, item in fastnn.Activation.by_name.items():
        if item.module.startswith("fastnn."):
            formula, peer = _split(item.formula)
            names = " or ".join(f"`{one}`" for one in (name, *item.aliases))
            errors = f"{error(name):.2g}; {error(f'{name}_backward'):.2g}"
            yield [names, formula, item.slope, _numbers(item), peer, errors, NOTES.get(name, "")]


def _losses() -> Iterator[list[str]]:
    for name, item in fastnn.Loss.by_name.items():
        if item.module.startswith("fastnn."):
            formula, peer = _split(_paragraphs(getattr(fastnn, name))[0])
            formula = formula.removesuffix("and its gradient").rstrip(", ")
            options = [_numbers(item)] * bool(item.numbers)
            options += [option for option in item.options if option != "sample_weight"]
            found = f"{error(name):.2g}"
            yield [f"`{name}`", formula, ", ".join(options), _OUTPUTS[item.output], peer, found, NOTES.get(name, "")]


def _optimizers() -> Iterator[list[str]]:
    for kind in _classes():
        source, peer = _split(_paragraphs(kind)[0])
        formula = _paragraphs(kind)[1]
        hyper = [f"{name} = {_shown(h.default)}" for name, h in kind.hyper.items() if name not in Optimizer.hyper]
        yield [f"`{kind.__name__}`", source, formula, ", ".join(hyper), peer, NOTES.get(kind.__name__, "")]


def _classes() -> list[type[Optimizer]]:
    found = [kind for kind in vars(fastnn).values() if isinstance(kind, type) and issubclass(kind, Optimizer)]
    return sorted((kind for kind in found if kind is not Optimizer), key=lambda kind: kind.__name__.lower())


def _numbers(item: fastnn.Activation | fastnn.Loss) -> str:
    return ", ".join(f"{number} = {_shown(value)}" for number, value in item.defaults.items())


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _paragraphs(value: object) -> list[str]:
    """Of its docstring."""
    return [" ".join(paragraph.split()) for paragraph in inspect.getdoc(value).split("\n\n")]


def _split(text: str) -> tuple[str, str]:
    """A formula, and the name that another library has for it."""
    found = _NAME.search(" ".join(text.split()))
    peer = found[1].replace("torch.nn.functional.", "F.") if found else ""
    return _NAME.sub("", " ".join(text.split())).strip().rstrip(".,"), peer


def _table(head: list[str], rows: Iterable[list[str]]) -> str:
    lines = [" | ".join(head), " | ".join(["---"] * len(head))]
    lines += [" | ".join(cell.replace("|", "\\|") for cell in row) for row in rows]
    return "\n".join(f"| {line} |" for line in lines)


def error(name: str) -> float:
    """The largest error of a function, in units in the last place of what its tolerance is relative to."""
    declaration = getattr(fastnn, name).declaration
    dimensions = declaration.signatures[-1].dimensions
    sizes = dict.fromkeys(dimensions, 100)
    largest = 0.0
    for dtype in ("float32", "float64"):
        for style in ("ordinary", "large", "tiny"):
            leading = (ERROR_SIZE,) if declaration.flattens_leading else ()
            arrays = declaration.draw(sizes, dtype, style, signature_index=-1, leading=leading)
            ratio, _ = compare(getattr(fastnn, name), arrays, declaration.example)
            largest = max(largest, ratio * declaration.ulps)
    return largest


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    FIGURE.parent.mkdir(exist_ok=True)
    gallery().savefig(FIGURE, dpi=110)
    print(PAGE, FIGURE, sep="\n")
