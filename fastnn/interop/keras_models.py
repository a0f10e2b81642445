"""Keras 3: a net as a `keras.Sequential`, and from one or from its weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastnn.interop.layers import Layers, cannot, hidden_layers, library, loss_of, net_of, raw_or_probabilities
from fastnn.mlp import MLP

# By fastnn's names, with Keras' name of the function and the numbers that it has there.
_NAMES: dict[str, tuple[str, dict[str, float]]] = {
    "identity": ("linear", {}),
    "sigmoid": ("sigmoid", {}),
    "hard_sigmoid": ("hard_sigmoid", {}),
    "tanh": ("tanh", {}),
    "softsign": ("softsign", {}),
    "relu": ("relu", {}),
    "relu6": ("relu6", {}),
    "leaky_relu": ("leaky_relu", {"negative_slope": 0.2}),
    "elu": ("elu", {"alpha": 1.0}),
    "selu": ("selu", {}),
    "celu": ("celu", {"alpha": 1.0}),
    "softplus": ("softplus", {"beta": 1.0}),
    "exponential": ("exponential", {}),
    "gelu": ("gelu", {}),
    "silu": ("silu", {}),
    "hard_swish": ("hard_silu", {}),
    "mish": ("mish", {}),
}
_ACTIVATIONS: dict[str, Any] = {
    **{keras: (name, numbers) if numbers else name for name, (keras, numbers) in _NAMES.items()},
    "swish": "silu",
    "hard_swish": "hard_swish",
    "softmax": "softmax",
}

# Layers for numbers that the functions do not have.
_LAYERS: dict[str, Callable[..., Any]] = {
    "leaky_relu": lambda layers, **options: layers.LeakyReLU(**options),
    "elu": lambda layers, **options: layers.ELU(**options),
}


def to_keras(net: MLP, *, probabilities: bool = False) -> Any:
    """The net as a `keras.Sequential` of Dense and Dropout layers, in the net's dtype; on the backend that is set.

    It gives what `net.forward` does, with `probabilities` what `net.predict_proba` does; in float64 to the digits of
    float32, where the backend computes no others. Weights alone need no function, for both have them as [w1, b1, ...]:
    `model.set_weights(net.get_weights())` and `net.set_weights(model.get_weights())`.

    Raises ValueError for an activation that Keras does not have ("gelu_tanh", your own, other numbers of "celu" or
    "softplus"), ImportError without Keras.
    """
    ending = raw_or_probabilities(net, probabilities)
    keras = _keras()
    layers, dtype, sizes = keras.layers, net.dtype.name, net.sizes
    # Dropout in the net's dtype too: on some backends it would give float32.
    stack = [keras.Input((sizes[0],), dtype=dtype)]
    stack += [layers.Dropout(net.input_dropout, dtype=dtype)] * (net.input_dropout > 0)
    for (name, numbers, rate), size in zip(hidden_layers(net), sizes[1:-1], strict=False):
        keras_name, own = _NAMES.get(name, ("", {}))
        if keras_name and numbers == own:
            stack.append(layers.Dense(size, activation=keras_name, dtype=dtype))
        elif name in _LAYERS:
            stack += [layers.Dense(size, dtype=dtype), _LAYERS[name](layers, **numbers, dtype=dtype)]
        else:
            raise cannot("Keras", name, numbers, [*_NAMES])
        if rate:
            stack.append(layers.Dropout(rate, dtype=dtype))
    stack.append(layers.Dense(sizes[-1], activation=ending, dtype=dtype))
    model = keras.Sequential(stack)
    model.set_weights(net.get_weights())
    return model


def from_keras(model: Any, *, activation: Any = None, loss: Any = None, **options: Any) -> MLP:
    """A net of a `keras.Sequential`, or of its weights.

    model : a built Sequential of Dense layers, Activation, ReLU, LeakyReLU, ELU, Softmax, Dropout, and Flatten at the
        beginning; or weights [w1, b1, w2, b2, ...], w (inputs, outputs), as `model.get_weights()` gives them.
    activation : of the hidden layers, as `fastnn.MLP` takes it: for weights, which do not hold it.
    loss : as `fastnn.MLP` takes it. Where the model ends with softmax, sigmoid or exponential, the loss that includes
        it is meant; raw outputs do not say what they mean.
    options : dropout, input_dropout, l1, l2 and seed of `fastnn.MLP`; those of dropout in place of the model's.

    The net has the weights' dtype, float32 for those of less precision. Raises ValueError or TypeError, naming the
    layer, for others.
    """
    if isinstance(model, (list, tuple)):
        if activation is None and len(model) > 2:
            raise ValueError("activation: got None for weights, which do not hold it, expected one")
        return net_of(model, activation, loss_of("model", "identity", loss), options)
    keras = _keras()
    if not isinstance(model, keras.Sequential):
        raise TypeError(f"model: got {type(model).__name__}, expected a keras.Sequential or a list of weights")
    if activation is not None:
        raise ValueError(f"activation: got {activation!r} for a model, which has its own, expected None")
    found = Layers()
    for layer in model.layers:
        _read(layer, f"model layer {layer.name!r}", found, keras)
    return found.net(loss, options)


def _read(layer: Any, name: str, found: Layers, keras: Any) -> None:
    layers, kind = keras.layers, type(layer)
    if kind is layers.InputLayer:
        return
    if kind is layers.Dense:
        if not layer.built:
            raise ValueError(f"{name}: got no weights yet, expected a model that is built, by model.build or a call")
        w, *b = layer.get_weights()
        found.affine(name, w, b[0] if b else None)
        found.activate(name, _function(layer.activation, name, keras))
    elif kind is layers.Activation:
        found.activate(name, _function(layer.activation, name, keras))
    elif kind is layers.Dropout:
        found.drop(name, layer.rate)
    elif kind is layers.Flatten and not found.layers:
        return
    elif kind is layers.Softmax and layer.axis in (-1, 1):
        found.activate(name, "softmax")
    elif kind is layers.LeakyReLU:
        found.activate(name, ("leaky_relu", float(layer.negative_slope)))
    elif kind is layers.ELU:
        found.activate(name, ("elu", float(layer.alpha)))
    elif kind is layers.ReLU and not layer.threshold and layer.max_value in (None, 6) and not layer.negative_slope:
        found.activate(name, "relu" if layer.max_value is None else "relu6")
    else:
        raise ValueError(
            f"{name}: got {kind.__name__} {layer.get_config()}, expected Dense, Activation, ReLU, LeakyReLU, ELU, "
            "Softmax, Dropout, or Flatten at the beginning"
        )


def _function(function: Any, name: str, keras: Any) -> Any:
    written = keras.activations.serialize(function)
    if not isinstance(written, str) or written not in _ACTIVATIONS:
        raise ValueError(f"{name}: got the activation {written!r}, expected one of {', '.join(_ACTIVATIONS)}")
    return _ACTIVATIONS[written]


def _keras() -> Any:
    keras = library("keras", "keras")
    if int(keras.__version__.split(".")[0]) < 3:
        raise ImportError(f"got Keras {keras.__version__}, expected Keras 3; install it with: pip install 'keras>=3'")
    return keras
