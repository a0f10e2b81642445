"""What models of other libraries are read as, one layer behind the other, and how a net is made of that."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn.losses import Loss
from fastnn.mlp import MLP
from fastnn.ops import checks

# Activations of a last layer, and the predictions of losses that they belong to; each with the loss that is meant where
# none is given.
OUTPUTS = {
    "softmax": ("softmax", "softmax_cross_entropy"),
    "sigmoid": ("sigmoid", "sigmoid_cross_entropy"),
    "exponential": ("exp", "poisson"),
    "identity": (None, None),
}

_OPTIONS = ("dropout", "input_dropout", "l1", "l2", "seed")


@dataclass
class Layer:
    """An affine layer, w (inputs, outputs) and b (outputs,), with what follows it. name : for messages."""

    name: str
    w: NDArray
    b: NDArray
    activation: Any = None
    dropout: float = 0.0


@dataclass
class Layers:
    """Layers as they are read: call one of the methods for each, in order."""

    layers: list[Layer] = field(default_factory=list)
    input_dropout: float = 0.0

    def affine(self, name: str, w: Any, b: Any) -> None:
        """w (inputs, outputs); b (outputs,), or None for zeros."""
        w = _floats(f"{name}: weights", w, 2)
        b = np.zeros(w.shape[1], w.dtype) if b is None else _floats(f"{name}: bias", b, 1)
        if b.shape != w.shape[1:]:
            raise ValueError(f"{name}: got a bias of shape {b.shape} with weights of shape {w.shape}")
        if self.layers and self.layers[-1].w.shape[1] != len(w):
            raise ValueError(
                f"{name}: got {len(w)} inputs, expected {self.layers[-1].w.shape[1]}, the outputs of the layer before"
            )
        self.layers.append(Layer(name, w, b))

    def activate(self, name: str, activation: Any) -> None:
        """As `fastnn.MLP` takes it, or "softmax" after the last layer."""
        if not self.layers:
            raise ValueError(f"{name}: got an activation of the inputs, expected an affine layer first")
        last = self.layers[-1]
        if activation == "identity":
            return
        if last.activation is not None or last.dropout:
            before = "dropout" if last.dropout else f"the activation {last.activation!r}"
            raise ValueError(f"{name}: got {activation!r} after {before}, expected it right after its affine layer")
        last.activation = activation

    def drop(self, name: str, rate: float) -> None:
        """Dropout with that rate."""
        if self.layers[-1].dropout if self.layers else self.input_dropout:
            raise ValueError(f"{name}: got dropout after dropout, expected it once")
        if self.layers:
            self.layers[-1].dropout = rate
        else:
            self.input_dropout = rate

    def net(self, loss: Any, options: Mapping[str, Any]) -> MLP:
        """The net of these layers; see `net_of` for the others."""
        if not self.layers:
            raise ValueError("got a model without an affine layer, expected one at least")
        *hidden, last = self.layers
        if last.dropout:
            raise ValueError(f"{last.name}: got dropout after the last layer, expected it after hidden layers alone")
        for layer in hidden:
            if layer.activation == "softmax":
                raise ValueError(f"{layer.name}: got softmax, expected it after the last layer alone")
        output = "identity" if last.activation is None else last.activation
        own = {"dropout": [layer.dropout for layer in hidden], "input_dropout": self.input_dropout}
        return net_of(
            [array for layer in self.layers for array in (layer.w, layer.b)],
            [layer.activation or "identity" for layer in hidden],
            loss_of(last.name, output, loss),
            {**own, **options},
        )


def loss_of(name: str, output: Any, loss: Any) -> Any:
    """The loss of a net whose last layer has that activation: `loss`, or the one meant where that is None.

    Raises ValueError where the activation is none that a loss has, belongs to another loss, or tells none.
    """
    if not isinstance(output, str) or output not in OUTPUTS:
        raise ValueError(
            f"{name}: got the activation {output!r} after the last layer, expected one that a loss includes: "
            f"{', '.join(OUTPUTS)}"
        )
    predicts, meant = OUTPUTS[output]
    if loss is None:
        if meant is None:
            raise ValueError(
                "loss: got None for a model that ends with raw outputs, which do not say what they mean, expected the "
                "loss that it is trained with, such as 'softmax_cross_entropy' for logits of classes or "
                "'mean_squared_error' for values"
            )
        return meant
    item = Loss.find("loss", loss[0] if isinstance(loss, (tuple, list)) and loss else loss)
    if predicts is not None and item.output != predicts:
        raise ValueError(f"loss: got {item.name!r} for a model that ends with {output}, expected one such as {meant!r}")
    return loss


def net_of(weights: Sequence[Any], activation: Any, loss: Any, options: Mapping[str, Any]) -> MLP:
    """A net with the weights [w1, b1, ...], w (inputs, outputs), and these options of `fastnn.MLP`: dropout,
    input_dropout, l1, l2, seed. float64 if the weights are, or else float32.

    Raises ValueError or TypeError naming the argument.
    """
    for name in options:
        if name not in _OPTIONS:
            raise TypeError(f"{name}: no option here, expected one of {', '.join(_OPTIONS)}")
    if len(weights) < 2 or len(weights) % 2:
        raise ValueError(f"weights: got {len(weights)} arrays, expected [w1, b1, w2, b2, ...]")
    arrays = [_floats(f"weights[{k}]", array, 2 - k % 2) for k, array in enumerate(weights)]
    for k, (w, following) in enumerate(pairwise(arrays[::2])):
        if w.shape[1] != len(following):
            raise ValueError(f"weights[{2 * k + 2}]: got {len(following)} inputs, expected {w.shape[1]}")
    sizes = (len(arrays[0]), *(w.shape[1] for w in arrays[::2]))
    dtype = np.result_type(*arrays)
    net = MLP(sizes, activation or "identity", loss, "zeros", dtype, **options)
    net.set_weights(arrays)
    return net


def raw_or_probabilities(net: MLP, probabilities: bool) -> str | None:
    """What comes after the last affine layer: "softmax", "sigmoid", or None for raw outputs. Raises ValueError if
    probabilities are asked for of a net that has none, TypeError for what is no net."""
    _check_net(net)
    if not probabilities:
        return None
    output = net._loss.item.output
    if output not in ("softmax", "sigmoid"):
        raise ValueError(
            f"probabilities: got True for a net with the loss {net._loss.item.name}, which predicts none, expected "
            "False"
        )
    return output


def hidden_layers(net: MLP) -> list[tuple[str, dict[str, Any], float]]:
    """Of each hidden layer: the name of the activation, its numbers, and the dropout. Raises TypeError for what is no
    net."""
    _check_net(net)
    return [
        (chosen.item.name, chosen.numbers, rate) for chosen, rate in zip(net._activations, net.dropout, strict=False)
    ]


def _check_net(net: Any) -> None:
    if not isinstance(net, MLP):
        raise TypeError(f"net: got {net!r}, expected a fastnn.MLP")


def library(name: str, package: str) -> Any:
    """The module of that name. Raises ImportError, with what to install, where it is missing."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(f"{name} cannot be imported ({error}); install it with: pip install {package}") from error


def cannot(library: str, name: str, numbers: Mapping[str, Any], known: Iterable[str]) -> ValueError:
    """That a library has no such activation."""
    numbered = "".join(f", {number}={value!r}" for number, value in numbers.items())
    return ValueError(
        f"activation: got {name!r}{numbered}, which {library} does not have, expected one of "
        f"{', '.join(map(repr, known))}"
    )


def _floats(name: str, value: Any, dimensions: int) -> NDArray:
    array = checks.plain_array(name, value)
    # Of less precision than float32 nothing is lost.
    array = checks.converted(name, array, np.dtype("float64" if array.dtype == np.float64 else "float32"))
    if array.ndim != dimensions or 0 in array.shape:
        raise ValueError(f"{name}: got shape {array.shape}, expected {dimensions} dimensions, none of them 0")
    return array
