"""The forms of all optimizers: each class with hyper-parameters, none a default, for each of its rules."""

from __future__ import annotations

from typing import Any

import fastnn

_MEANS = {"beta1": 0.8, "beta2": 0.95}

# By the name of the class, with a word for which form it is.
FORMS: dict[str, dict[str, Any]] = {
    "SGD": {"lr": 0.1},
    "SGD, decay": {"lr": 0.1, "weight_decay": 0.02},
    "SGD, momentum": {"lr": 0.05, "momentum": 0.8, "weight_decay": 0.02},
    "SGD, nesterov": {"lr": 0.05, "momentum": 0.8, "nesterov": True, "weight_decay": 0.02},
    "SGD, dampened": {"lr": 0.05, "momentum": 0.8, "dampening": 0.4, "weight_decay": 0.02},
    "Adagrad": {"lr": 0.05, "lr_decay": 0.01, "eps": 1e-4, "weight_decay": 0.02},
    "RMSprop": {"lr": 0.005, "alpha": 0.9, "eps": 1e-3, "weight_decay": 0.02},
    "RMSprop, momentum": {"lr": 0.002, "alpha": 0.9, "eps": 1e-3, "weight_decay": 0.02, "momentum": 0.8},
    "RMSprop, centered": {"lr": 0.005, "alpha": 0.9, "eps": 1e-2, "weight_decay": 0.02, "centered": True},
    "RMSprop, both": {"lr": 0.002, "alpha": 0.9, "eps": 1e-2, "weight_decay": 0.02, "momentum": 0.8, "centered": True},
    "Adadelta": {"lr": 0.7, "rho": 0.8, "eps": 1e-4, "weight_decay": 0.02},
    "Adam": {"lr": 0.005, **_MEANS, "eps": 1e-3, "weight_decay": 0.02},
    "Adam, amsgrad": {"lr": 0.005, **_MEANS, "eps": 1e-3, "weight_decay": 0.02, "amsgrad": True},
    "AdamW": {"lr": 0.005, **_MEANS, "eps": 1e-3, "weight_decay": 0.5},
    "AdamW, amsgrad": {"lr": 0.005, **_MEANS, "eps": 1e-3, "weight_decay": 0.5, "amsgrad": True},
    "NAdam": {"lr": 0.005, **_MEANS, "eps": 1e-3, "weight_decay": 0.02, "momentum_decay": 0.05},
    "NAdam, decoupled": {
        "lr": 0.005, **_MEANS, "eps": 1e-3, "weight_decay": 0.5, "momentum_decay": 0.05, "decoupled_weight_decay": True,
    },
    "Adamax": {"lr": 0.005, **_MEANS, "eps": 1e-3, "weight_decay": 0.02},
    "RAdam": {"lr": 0.005, **_MEANS, "eps": 1e-3, "weight_decay": 0.02},
    "RAdam, decoupled": {
        "lr": 0.005, **_MEANS, "eps": 1e-3, "weight_decay": 0.5, "decoupled_weight_decay": True,
    },
    "Lion": {"lr": 0.002, **_MEANS, "weight_decay": 0.5},
}  # fmt: skip


def make(form: str) -> fastnn.Optimizer:
    """A new optimizer of that form."""
    return getattr(fastnn, form.split(",")[0])(**FORMS[form])


def numbers_of_torch(numbers: dict[str, Any]) -> dict[str, Any]:
    """Hyper-parameters as `torch.optim` names them."""
    renamed = {name: value for name, value in numbers.items() if name not in ("beta1", "beta2")}
    return renamed | ({"betas": (numbers["beta1"], numbers["beta2"])} if "beta1" in numbers else {})
