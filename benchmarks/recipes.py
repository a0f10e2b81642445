"""What a model may be trained with: the losses and optimizers by the names that a race gives them.

Each peer translates these names into its own library's; what it has no name for, it cannot run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# As fastnn calls them.
ACTIVATIONS = (
    "identity", "sigmoid", "hard_sigmoid", "tanh", "relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu",
    "gelu_tanh", "silu", "hard_swish", "softplus", "softsign", "exponential", "mish",
)  # fmt: skip
LOSSES = (
    "softmax_cross_entropy", "sigmoid_cross_entropy", "kl_divergence", "hinge", "squared_hinge", "poisson",
    "mean_squared_error", "half_squared_error", "sum_squared_error", "mean_absolute_error", "root_mean_squared_error",
    "huber", "log_cosh",
)  # fmt: skip

_LABELS = {
    "relu": "ReLU", "relu6": "ReLU6", "leaky_relu": "leaky ReLU", "elu": "ELU", "selu": "SELU", "celu": "CELU",
    "gelu": "GELU", "gelu_tanh": "GELU (tanh)", "silu": "SiLU",
}  # fmt: skip


def label(name: str) -> str:
    """An activation or a loss as people write it."""
    return _LABELS.get(name, name.replace("_", " "))


@dataclass(frozen=True)
class Recipe:
    """One form of an optimizer, with the hyper-parameters that PyTorch has by default unless `numbers` says others.

    name : of the class, in fastnn and in `torch.optim`. lr : what it is raced with unless a model says another.
    flops : operations of one parameter's update. moments : arrays that it keeps beside the weights.
    """

    label: str
    name: str
    lr: float
    flops: int
    moments: int
    numbers: Mapping[str, Any] = field(default_factory=dict)

    @property
    def accesses(self) -> int:
        """Arrays read and written for one parameter's update: g is read, w and each moment read and written."""
        return 3 + 2 * self.moments


OPTIMIZERS = {
    "sgd": Recipe("SGD", "SGD", 0.1, 2, 0),
    "momentum": Recipe("momentum", "SGD", 0.05, 4, 1, {"momentum": 0.9}),
    "nesterov": Recipe("Nesterov", "SGD", 0.05, 6, 1, {"momentum": 0.9, "nesterov": True}),
    "adagrad": Recipe("Adagrad", "Adagrad", 0.01, 6, 1),
    "rmsprop": Recipe("RMSprop", "RMSprop", 1e-3, 8, 1),
    "rmsprop_centered": Recipe("centered RMSprop", "RMSprop", 1e-3, 14, 3, {"centered": True, "momentum": 0.9}),
    "adadelta": Recipe("Adadelta", "Adadelta", 1.0, 14, 2),
    "adam": Recipe("Adam", "Adam", 1e-3, 12, 2),
    "amsgrad": Recipe("AMSGrad", "Adam", 1e-3, 13, 3, {"amsgrad": True}),
    "adamw": Recipe("AdamW", "AdamW", 1e-3, 13, 2),
    "nadam": Recipe("NAdam", "NAdam", 1e-3, 14, 2),
    "adamax": Recipe("Adamax", "Adamax", 1e-3, 9, 2),
    "radam": Recipe("RAdam", "RAdam", 1e-3, 14, 2),
    "lion": Recipe("Lion", "Lion", 1e-4, 8, 1),
}
