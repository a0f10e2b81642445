"""ONNX: the model computes what the net does, as ONNX's own evaluator and ONNX Runtime say."""

from __future__ import annotations

import math

import numpy as np
import pytest

import fastnn
from fastnn.interop import to_onnx
from tests.interop.nets import OURS, assert_close, net_of, rows

onnx = pytest.importorskip("onnx")


def run_by_runtime(model, x: np.ndarray) -> np.ndarray:
    runtime = pytest.importorskip("onnxruntime")
    runtime.set_default_logger_severity(4)
    session = runtime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


def run_by_onnx(model, x: np.ndarray) -> np.ndarray:
    run = pytest.importorskip("onnx.reference.op_run").OpRun

    class Erf(run):  # onnx's own gives the digits of float32
        def _run(self, x):
            return (np.vectorize(math.erf)(x).astype(x.dtype),)

    return onnx.reference.ReferenceEvaluator(model, new_ops=[Erf]).run(None, {"x": x})[0]


@pytest.mark.parametrize("name", OURS)
def test_every_activation(name, dtype) -> None:
    net, x = net_of(name, dtype), rows(dtype)
    model = to_onnx(net)
    assert_close(run_by_onnx(model, x), net.forward(x))
    if (name, dtype) != ("gelu", "float64"):  # of which the runtime has no kernel
        assert_close(run_by_runtime(model, x), net.forward(x))


@pytest.mark.parametrize(("loss", "outputs"), [("softmax_cross_entropy", 3), ("sigmoid_cross_entropy", 1)])
def test_probabilities_of_any_number_of_rows(loss, outputs, dtype) -> None:
    net = net_of("relu", dtype, loss, outputs)
    model = to_onnx(net, probabilities=True)
    for n in (1, 9):
        x = rows(dtype, n)
        assert_close(run_by_runtime(model, x), net.predict_proba(x))


def test_what_the_model_says() -> None:
    model = to_onnx(net_of("relu"))
    (x,), (y,) = model.graph.input, model.graph.output
    assert (x.name, y.name) == ("x", "logits")
    assert [d.dim_param or d.dim_value for d in x.type.tensor_type.shape.dim] == ["batch", 5]
    assert [d.dim_param or d.dim_value for d in y.type.tensor_type.shape.dim] == ["batch", 3]
    assert [node.op_type for node in model.graph.node] == ["Gemm", "Relu", "Gemm", "Relu", "Gemm"]
    assert (model.producer_name, model.producer_version) == ("fastnn", fastnn.__version__)
    assert to_onnx(net_of("relu"), probabilities=True).graph.output[0].name == "probabilities"


def test_without_hidden_layers_and_with_identity() -> None:
    for net in (fastnn.MLP((5, 3)), fastnn.MLP((5, 3, 3), "identity")):
        x = rows("float32")
        assert_close(run_by_runtime(to_onnx(net), x), net.forward(x))


def test_it_is_kept_in_a_file(tmp_path) -> None:
    net, x = net_of("tanh"), rows("float32")
    onnx.save(to_onnx(net), tmp_path / "net.onnx")
    assert_close(run_by_runtime(onnx.load(tmp_path / "net.onnx"), x), net.forward(x))
