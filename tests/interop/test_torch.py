"""PyTorch: nets become Sequentials and come back, and others are read or refused by name."""

from __future__ import annotations

import numpy as np
import pytest

import fastnn
from fastnn.interop import from_torch, to_torch
from tests.interop.nets import OURS, assert_close, net_of, rows

torch = pytest.importorskip("torch")
nn = torch.nn


def outputs(model, x: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return model(torch.from_numpy(x)).numpy()


def assert_same_weights(net: fastnn.MLP, other: fastnn.MLP) -> None:
    for w, v in zip(net.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(w, v)


@pytest.mark.parametrize("name", [name for name in OURS if name != "exponential"])
def test_every_activation_there_and_back(name, dtype) -> None:
    net, x = net_of(name, dtype), rows(dtype)
    model = to_torch(net)
    assert not model.training
    assert_close(outputs(model, x), net.forward(x))
    back = from_torch(model, loss="softmax_cross_entropy")
    assert repr(back) == repr(net)
    assert_same_weights(back, net)


def test_softplus_is_not_replaced_by_x_too_early() -> None:
    """As PyTorch's is above 20, unless told otherwise."""
    net, x = fastnn.MLP((1, 1, 1), ("softplus", 0.5), "huber", dtype="float64"), np.linspace(30, 90, 9)[:, None]
    net.set_weights([[[1.0]], [0.0], [[1.0]], [0.0]])
    assert (net.forward(x)[0] > x[0]).all()
    assert_close(outputs(to_torch(net), x), net.forward(x))


def test_what_pytorch_has_not() -> None:
    with pytest.raises(ValueError, match="^activation: got 'exponential', which PyTorch does not have, expected one"):
        to_torch(net_of("exponential"))


@pytest.mark.parametrize(("loss", "n"), [("softmax_cross_entropy", 3), ("sigmoid_cross_entropy", 1)])
def test_probabilities_there_and_back(loss, n) -> None:
    net, x = net_of("relu", loss=loss, outputs=n), rows("float32")
    model = to_torch(net, probabilities=True)
    assert_close(outputs(model, x), net.predict_proba(x))
    assert from_torch(model).loss == loss
    with pytest.raises(ValueError, match="^loss: got 'huber' for a model that ends with"):
        from_torch(model, loss="huber")


def test_probabilities_of_a_regression() -> None:
    with pytest.raises(ValueError, match="^probabilities: got True for a net with the loss huber"):
        to_torch(fastnn.MLP((5, 3), loss="huber"), probabilities=True)


def test_the_net_keeps_its_weights_when_the_model_trains() -> None:
    net = net_of("relu")
    before, model = net.get_weights(), to_torch(net)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    for w, v in zip(net.get_weights(), before, strict=True):
        np.testing.assert_array_equal(w, v)


def test_dropout_is_included() -> None:
    net = fastnn.MLP((5, 17, 17, 3), "relu", dropout=[0.25, 0.0], input_dropout=0.125)
    model = to_torch(net)
    assert [module.p for module in model if isinstance(module, nn.Dropout)] == [0.125, 0.25]
    back = from_torch(model, loss="softmax_cross_entropy")
    assert (back.dropout, back.input_dropout) == ((0.25, 0.0), 0.125)
    assert from_torch(model, loss="softmax_cross_entropy", dropout=0.5).dropout == (0.5, 0.5)


def test_a_model_of_pytorch() -> None:
    """Nested, with a Flatten and without biases."""
    body = nn.Sequential(nn.Linear(6, 7, bias=False), nn.LeakyReLU(0.3), nn.Linear(7, 4))
    model = nn.Sequential(nn.Flatten(), body, nn.Softplus(), nn.Dropout(0.1), nn.Linear(4, 3), nn.LogSoftmax(dim=1))
    net = from_torch(model, l2=0.01)
    assert net.sizes == (6, 7, 4, 3)
    assert net.activation == (("leaky_relu", 0.3), "softplus")
    assert (net.loss, net.dropout, net.l2) == ("softmax_cross_entropy", (0.0, 0.1), 0.01)
    x = np.random.default_rng(0).random((9, 6), np.float32)
    assert_close(net.predict_proba(x), np.exp(outputs(model.eval(), x.reshape(9, 2, 3))))


class Own(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(5, 17), nn.Linear(17, 3, bias=False)

    def forward(self, x):
        return self.second(torch.tanh(self.first(x)))


def test_a_state_dict(tmp_path) -> None:
    model = Own()
    torch.save(model.state_dict(), tmp_path / "model.pt")
    state = torch.load(tmp_path / "model.pt", weights_only=True)
    net, x = from_torch(state, activation="tanh", loss="mean_squared_error", dropout=0.1), rows("float32")
    assert_close(net.forward(x), outputs(model, x))
    assert net.dropout == (0.1,)
    arrays = {name: tensor.numpy() for name, tensor in state.items()}
    assert_same_weights(from_torch(arrays, activation="tanh", loss="huber"), net)
    of_net = to_torch(net).state_dict()
    assert list(of_net) == ["0.weight", "0.bias", "3.weight", "3.bias"]
    assert_same_weights(from_torch(of_net, activation="tanh", loss="huber"), net)


def test_less_precision_becomes_float32() -> None:
    for dtype in (torch.bfloat16, torch.float16):
        model = nn.Sequential(nn.Linear(5, 3)).to(dtype)
        net = from_torch(model, loss="huber")
        assert net.dtype == np.float32
        np.testing.assert_array_equal(net.get_weights()[0], model[0].weight.detach().float().numpy().T)


LINEAR = nn.Linear(5, 5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.Sequential(LINEAR, nn.PReLU()), r"model\[1\]: got PReLU.*, expected one of Linear, Dropout"),
        (lambda: nn.Sequential(LINEAR, nn.BatchNorm1d(5)), r"model\[1\]: got BatchNorm1d"),
        (lambda: nn.Sequential(LINEAR, Own()), r"model\[1\]: got a module Own that is not one of torch.nn"),
        (lambda: nn.Sequential(LINEAR, nn.Flatten()), r"model\[1\]: got Flatten"),
        (lambda: nn.Sequential(LINEAR, nn.ReLU()), r"model\[0\]: got the activation 'relu' after the last layer"),
        (lambda: nn.Sequential(LINEAR, nn.ReLU(), nn.Tanh(), LINEAR), r"model\[2\]: got 'tanh' after the activation"),
        (lambda: nn.Sequential(LINEAR, nn.Dropout(), nn.Tanh(), LINEAR), r"model\[2\]: got 'tanh' after dropout"),
        (lambda: nn.Sequential(LINEAR, nn.Dropout(), nn.Dropout(), LINEAR), r"model\[2\]: got dropout after dropout"),
        (lambda: nn.Sequential(LINEAR, nn.Dropout()), r"model\[0\]: got dropout after the last layer"),
        (lambda: nn.Sequential(LINEAR, nn.Softmax(1), LINEAR), r"model\[0\]: got softmax, expected it after the last"),
        (lambda: nn.Sequential(LINEAR, nn.Softmax(0)), r"model\[1\]: got Softmax\(dim=0\), expected dim=1"),
        (lambda: nn.Sequential(nn.ReLU(), LINEAR), r"model\[0\]: got an activation of the inputs"),
        (lambda: nn.Sequential(LINEAR, nn.Linear(4, 3)), r"model\[1\]: got 4 inputs, expected 5"),
        (lambda: nn.Sequential(), "got a model without an affine layer"),
        (lambda: Own(), "model: got Own, expected a torch.nn.Sequential or a state dict"),
        (dict, "model: got a state dict without weights"),
        (lambda: nn.BatchNorm1d(5).state_dict(), r"model\['weight'\]: weights: got shape"),
        (lambda: {"w": LINEAR.weight}, r"model\['w'\]: got what is no Linear layer's"),
    ],
)
def test_what_is_refused(make, message) -> None:
    with pytest.raises((TypeError, ValueError), match=f"^{message}"):
        from_torch(make(), loss="softmax_cross_entropy")


def test_what_the_model_does_not_say() -> None:
    with pytest.raises(ValueError, match="^loss: got None for a model that ends with raw outputs"):
        from_torch(nn.Sequential(LINEAR))
    with pytest.raises(ValueError, match="^activation: got None for a state dict"):
        from_torch(Own().state_dict(), loss="huber")
    with pytest.raises(ValueError, match="^activation: got 'relu' for a Sequential, which has its own"):
        from_torch(nn.Sequential(LINEAR), activation="relu", loss="huber")
    with pytest.raises(TypeError, match="^init: no option here, expected one of dropout"):
        from_torch(nn.Sequential(LINEAR), loss="huber", init="zeros")
