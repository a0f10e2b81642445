"""ONNX: a net as a model that other runtimes run."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

import fastnn
from fastnn.interop.layers import cannot, hidden_layers, library, raw_or_probabilities
from fastnn.mlp import MLP

# The first with Gelu; and the version of the file format of the same time, which is what runtimes look at.
_OPSET, _IR_VERSION = 20, 9


class _Graph:
    """The nodes of a model as they are made. Values are named by what makes them."""

    def __init__(self, onnx: Any, dtype: np.dtype) -> None:
        self._onnx, self.dtype = onnx, dtype
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}

    @property
    def is_float32(self) -> bool:
        """Operators that are defined for both precisions, but that runtimes have for this one alone, are made of
        others in float64."""
        return self.dtype == np.float32

    def op(self, kind: str, *inputs: str | float, **attributes: Any) -> str:
        """The output of a new node. Inputs: outputs of others, names of constants, or numbers."""
        names = [value if isinstance(value, str) else self.constant(repr(value), np.array(value)) for value in inputs]
        output = f"{kind}_{len(self.nodes)}"
        self.nodes.append(self._onnx.helper.make_node(kind, names, [output], output, **attributes))
        return output

    def constant(self, name: str, array: NDArray) -> str:
        """Its name."""
        if name not in self.constants:
            self.constants[name] = self._onnx.numpy_helper.from_array(array.astype(self.dtype), name)
        return name


def _with_negative_part(g: _Graph, x: str, negative: str) -> str:
    return g.op("Add", g.op("Relu", x), negative)


def _exponential_part(g: _Graph, x: str, factor: float, scale: float = 1.0) -> str:
    """factor (exp(x / scale) - 1) of what is below 0."""
    below = g.op("Min", x, 0.0)
    exp = g.op("Exp", below if scale == 1 else g.op("Div", below, scale))
    return g.op("Mul", g.op("Sub", exp, 1.0), factor)


def _leaky_relu(g: _Graph, x: str, negative_slope: float) -> str:
    if g.is_float32:
        return g.op("LeakyRelu", x, alpha=negative_slope)
    return _with_negative_part(g, x, g.op("Mul", g.op("Min", x, 0.0), negative_slope))


def _elu(g: _Graph, x: str, alpha: float) -> str:
    return g.op("Elu", x, alpha=alpha) if g.is_float32 else _with_negative_part(g, x, _exponential_part(g, x, alpha))


def _selu(g: _Graph, x: str) -> str:
    if g.is_float32:
        return g.op("Selu", x)
    elu = _with_negative_part(g, x, _exponential_part(g, x, 1.6732632423543772848170429916717))
    return g.op("Mul", elu, 1.0507009873554804934193349852946)


def _celu(g: _Graph, x: str, alpha: float) -> str:
    if g.is_float32:
        return g.op("Celu", x, alpha=alpha)
    return _with_negative_part(g, x, _exponential_part(g, x, alpha, alpha))


def _softplus(g: _Graph, x: str, beta: float = 1.0) -> str:
    scaled = x if beta == 1 else g.op("Mul", x, beta)
    if g.is_float32:
        value = g.op("Softplus", scaled)
    else:
        small = g.op("Exp", g.op("Neg", g.op("Abs", scaled)))
        value = _with_negative_part(g, scaled, g.op("Log", g.op("Add", small, 1.0)))
    return value if beta == 1 else g.op("Div", value, beta)


def _hard_sigmoid(g: _Graph, x: str) -> str:
    if g.is_float32:
        return g.op("HardSigmoid", x, alpha=1 / 6, beta=0.5)
    return g.op("Div", g.op("Clip", g.op("Add", x, 3.0), 0.0, 6.0), 6.0)


def _softsign(g: _Graph, x: str) -> str:
    return g.op("Softsign", x) if g.is_float32 else g.op("Div", x, g.op("Add", g.op("Abs", x), 1.0))


def _gelu(g: _Graph, x: str) -> str:
    # In float64 the constants of the operator's definition have the digits of float32.
    return g.op("Gelu", x) if g.is_float32 else _times_half(g, x, g.op("Erf", g.op("Mul", x, math.sqrt(0.5))))


def _gelu_tanh(g: _Graph, x: str) -> str:
    if g.is_float32:
        return g.op("Gelu", x, approximate="tanh")
    cube = g.op("Mul", g.op("Mul", x, x), x)
    inner = g.op("Mul", g.op("Add", x, g.op("Mul", cube, 0.044715)), math.sqrt(2 / math.pi))
    return _times_half(g, x, g.op("Tanh", inner))


def _times_half(g: _Graph, x: str, y: str) -> str:
    """x (1 + y) / 2."""
    return g.op("Mul", g.op("Mul", x, 0.5), g.op("Add", y, 1.0))


def _hard_swish(g: _Graph, x: str) -> str:
    return g.op("HardSwish", x) if g.is_float32 else g.op("Mul", x, _hard_sigmoid(g, x))


def _mish(g: _Graph, x: str) -> str:
    return g.op("Mish", x) if g.is_float32 else g.op("Mul", x, g.op("Tanh", _softplus(g, x)))


_ACTIVATIONS: dict[str, Callable[..., str]] = {
    "identity": lambda g, x: x,
    "sigmoid": lambda g, x: g.op("Sigmoid", x),
    "hard_sigmoid": _hard_sigmoid,
    "tanh": lambda g, x: g.op("Tanh", x),
    "softsign": _softsign,
    "exponential": lambda g, x: g.op("Exp", x),
    "relu": lambda g, x: g.op("Relu", x),
    "relu6": lambda g, x: g.op("Clip", x, 0.0, 6.0),
    "leaky_relu": _leaky_relu,
    "elu": _elu,
    "selu": _selu,
    "celu": _celu,
    "softplus": _softplus,
    "gelu": _gelu,
    "gelu_tanh": _gelu_tanh,
    "silu": lambda g, x: g.op("Mul", x, g.op("Sigmoid", x)),
    "hard_swish": _hard_swish,
    "mish": _mish,
}


def to_onnx(net: MLP, *, probabilities: bool = False) -> Any:
    """The net as an `onnx.ModelProto`, for `onnx.save(model, path)`.

    Its input "x" (batch, inputs) and its output (batch, outputs) have the net's dtype and any number of rows. The
    output is "logits", what `net.forward` gives; or with `probabilities` "probabilities", what `net.predict_proba`
    gives. It is made for inference, without dropout. Operators are those of opset 20, which ONNX Runtime has from 1.17
    on, but for one: in float64 it has no "Erf", and so runs no "gelu" of that precision; make a float32 net for it.

    Raises ValueError for an activation of your own, ImportError without the package onnx.
    """
    ending = raw_or_probabilities(net, probabilities)
    onnx = library("onnx", "onnx")
    helper, graph = onnx.helper, _Graph(onnx, net.dtype)
    hidden, value, weights = hidden_layers(net), "x", net.get_weights()
    for k, (w, b) in enumerate(zip(weights[::2], weights[1::2], strict=True)):
        value = graph.op("Gemm", value, graph.constant(f"w{k + 1}", w), graph.constant(f"b{k + 1}", b))
        if k < len(hidden):
            name, numbers, _ = hidden[k]
            if name not in _ACTIVATIONS:
                raise cannot("ONNX", name, numbers, _ACTIVATIONS)
            value = _ACTIVATIONS[name](graph, value, **numbers)
    if ending is not None:
        value = graph.op("Softmax", value, axis=-1) if ending == "softmax" else graph.op("Sigmoid", value)
    output = "logits" if ending is None else "probabilities"
    graph.nodes[-1].output[0] = output
    kind = helper.np_dtype_to_tensor_dtype(net.dtype)
    made = helper.make_graph(
        graph.nodes,
        "fastnn",
        [helper.make_tensor_value_info("x", kind, ["batch", net.sizes[0]])],
        [helper.make_tensor_value_info(output, kind, ["batch", net.sizes[-1]])],
        list(graph.constants.values()),
    )
    model = helper.make_model(
        made,
        producer_name="fastnn",
        producer_version=fastnn.__version__,
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
    )
    onnx.checker.check_model(model, full_check=True)
    return model
