"""PyTorch: a net as a `torch.nn.Sequential`, and from one or from its `state_dict`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from fastnn.interop.layers import Layers, cannot, hidden_layers, library, loss_of, net_of, raw_or_probabilities
from fastnn.mlp import MLP

# By fastnn's names. From beta x = 40 on x is what softplus rounds to.
_MODULES: dict[str, Callable[..., Any]] = {
    "identity": lambda nn: nn.Identity(),
    "sigmoid": lambda nn: nn.Sigmoid(),
    "hard_sigmoid": lambda nn: nn.Hardsigmoid(),
    "tanh": lambda nn: nn.Tanh(),
    "softsign": lambda nn: nn.Softsign(),
    "relu": lambda nn: nn.ReLU(),
    "relu6": lambda nn: nn.ReLU6(),
    "leaky_relu": lambda nn, negative_slope: nn.LeakyReLU(negative_slope),
    "elu": lambda nn, alpha: nn.ELU(alpha),
    "selu": lambda nn: nn.SELU(),
    "celu": lambda nn, alpha: nn.CELU(alpha),
    "softplus": lambda nn, beta: nn.Softplus(beta, 40),
    "gelu": lambda nn: nn.GELU(),
    "gelu_tanh": lambda nn: nn.GELU("tanh"),
    "silu": lambda nn: nn.SiLU(),
    "hard_swish": lambda nn: nn.Hardswish(),
    "mish": lambda nn: nn.Mish(),
}

# By PyTorch's names, of the module.
_ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "Identity": lambda own: "identity",
    "Sigmoid": lambda own: "sigmoid",
    "Hardsigmoid": lambda own: "hard_sigmoid",
    "Tanh": lambda own: "tanh",
    "Softsign": lambda own: "softsign",
    "ReLU": lambda own: "relu",
    "ReLU6": lambda own: "relu6",
    "LeakyReLU": lambda own: ("leaky_relu", own.negative_slope),
    "ELU": lambda own: ("elu", own.alpha),
    "SELU": lambda own: "selu",
    "CELU": lambda own: ("celu", own.alpha),
    "Softplus": lambda own: ("softplus", own.beta),
    "GELU": lambda own: "gelu_tanh" if own.approximate == "tanh" else "gelu",
    "SiLU": lambda own: "silu",
    "Hardswish": lambda own: "hard_swish",
    "Mish": lambda own: "mish",
    "Softmax": lambda own: "softmax",
    "LogSoftmax": lambda own: "softmax",
}


def to_torch(net: MLP, *, probabilities: bool = False) -> Any:
    """The net as a `torch.nn.Sequential` in evaluation mode, with weights of its own in the net's dtype, on the CPU.

    It gives what `net.forward` does, the logits that `torch.nn.CrossEntropyLoss` takes; with `probabilities` what
    `net.predict_proba` does. Dropout is included: `.train()` turns it on. `.state_dict()` is that of the layers.
    Raises ValueError for an activation that PyTorch has no module of ("exponential", or your own), ImportError without
    PyTorch.
    """
    ending = raw_or_probabilities(net, probabilities)
    torch = library("torch", "torch")
    nn, weights, modules = torch.nn, net.get_weights(), []
    if net.input_dropout:
        modules.append(nn.Dropout(net.input_dropout))
    hidden = hidden_layers(net)
    for k, (w, b) in enumerate(zip(weights[::2], weights[1::2], strict=True)):
        linear = nn.utils.skip_init(nn.Linear, *w.shape, dtype=getattr(torch, net.dtype.name))
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(w.T))
            linear.bias.copy_(torch.from_numpy(b))
        modules.append(linear)
        if k < len(hidden):
            name, numbers, rate = hidden[k]
            if name not in _MODULES:
                raise cannot("PyTorch", name, numbers, _MODULES)
            modules += [_MODULES[name](nn, **numbers)] + [nn.Dropout(rate)] * (rate > 0)
    if ending is not None:
        modules.append(nn.Softmax(1) if ending == "softmax" else nn.Sigmoid())
    return nn.Sequential(*modules).eval()


def from_torch(model: Any, *, activation: Any = None, loss: Any = None, **options: Any) -> MLP:
    """A net of a `torch.nn.Sequential`, or of a state dict.

    model : a Sequential of Linear layers, activations (those of `to_torch`), Dropout, and Flatten at the beginning; or
        the state dict of a model that applies Linear layers in its order: "....weight" (outputs, inputs), and
        "....bias" (outputs,) if there is one.
    activation : of the hidden layers, as `fastnn.MLP` takes it: for a state dict, which does not hold it.
    loss : as `fastnn.MLP` takes it. Where the Sequential ends with Softmax, LogSoftmax or Sigmoid, the cross-entropy
        that includes it is meant; raw outputs do not say what they mean.
    options : dropout, input_dropout, l1, l2 and seed of `fastnn.MLP`; those of dropout in place of the Sequential's.

    The net has the weights' dtype, float32 for those of less precision. Softplus is never replaced by x, as PyTorch's
    is from its threshold on, which moves it by up to 2e-9. Raises ValueError or TypeError, naming the layer, for any
    other.
    """
    if isinstance(model, Mapping):
        weights, last = _of_state_dict(model)
        if activation is None and len(weights) > 2:
            raise ValueError("activation: got None for a state dict, which does not hold it, expected one")
        return net_of(weights, activation, loss_of(last, "identity", loss), options)
    nn = library("torch", "torch").nn
    if not isinstance(model, nn.Sequential):
        raise TypeError(f"model: got {type(model).__name__}, expected a torch.nn.Sequential or a state dict")
    if activation is not None:
        raise ValueError(f"activation: got {activation!r} for a Sequential, which has its own, expected None")
    layers = Layers()
    for name, module in _modules(model, "model", nn):
        kind = type(module).__name__
        if type(module) is not getattr(nn, kind, None):
            raise TypeError(f"{name}: got a module {kind} that is not one of torch.nn")
        if kind == "Linear":
            bias = None if module.bias is None else _array(module.bias)
            layers.affine(name, _array(module.weight).T, bias)
        elif kind in ("Dropout", "Flatten"):
            if kind == "Dropout":
                layers.drop(name, module.p)
            elif layers.layers or (module.start_dim, module.end_dim) != (1, -1):
                raise ValueError(f"{name}: got {module}, expected Flatten() at the beginning alone")
        elif kind in _ACTIVATIONS:
            if kind.endswith("Softmax") and module.dim not in (1, -1):
                raise ValueError(f"{name}: got {module}, expected dim=1")
            layers.activate(name, _ACTIVATIONS[kind](module))
        else:
            expected = ", ".join(("Linear", "Dropout", "Flatten", *_ACTIVATIONS))
            raise ValueError(f"{name}: got {module}, expected one of {expected}")
    return layers.net(loss, options)


def _modules(model: Any, name: str, nn: Any) -> Iterator[tuple[str, Any]]:
    # Not model.named_children(), which leaves out a module that comes again.
    for k, module in enumerate(model):
        if isinstance(module, nn.Sequential):
            yield from _modules(module, f"{name}[{k}]", nn)
        else:
            yield f"{name}[{k}]", module


def _of_state_dict(state: Mapping[str, Any]) -> tuple[list[Any], str]:
    """[w1, b1, ...] and the name of the last layer."""
    layers, read = Layers(), set()
    for name, tensor in state.items():
        if not isinstance(name, str) or not name.endswith("weight"):
            continue
        bias = f"{name.removesuffix('weight')}bias"
        read |= {name, bias}
        layers.affine(f"model[{name!r}]", _array(tensor).T, _array(state[bias]) if bias in state else None)
    if others := [name for name in state if name not in read]:
        raise ValueError(
            f"model[{others[0]!r}]: got what is no Linear layer's, expected names that end with weight, bias"
        )
    if not layers.layers:
        raise ValueError("model: got a state dict without weights, expected those of one Linear layer at least")
    return [array for layer in layers.layers for array in (layer.w, layer.b)], layers.layers[-1].name


def _array(tensor: Any) -> Any:
    if not hasattr(tensor, "detach"):
        return np.asarray(tensor)
    tensor = tensor.detach().cpu()
    # NumPy has no bfloat16.
    return (tensor if tensor.dtype.itemsize >= 4 else tensor.float()).numpy()
