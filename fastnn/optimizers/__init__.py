"""Optimizers and their update rules: each is declared in one place, from which all else follows."""

from fastnn.optimizers.adadelta import Adadelta
from fastnn.optimizers.adagrad import Adagrad
from fastnn.optimizers.adam import Adam, AdamW
from fastnn.optimizers.adamax import Adamax
from fastnn.optimizers.base import Hyper, Optimizer, learning_rate
from fastnn.optimizers.lion import Lion
from fastnn.optimizers.nadam import NAdam
from fastnn.optimizers.radam import RAdam
from fastnn.optimizers.rmsprop import RMSprop
from fastnn.optimizers.rule import RULES, UpdateRule, decoupled, update_rule
from fastnn.optimizers.sgd import SGD

__all__ = [
    "RULES",
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Hyper",
    "Lion",
    "NAdam",
    "Optimizer",
    "RAdam",
    "RMSprop",
    "UpdateRule",
    "decoupled",
    "learning_rate",
    "update_rule",
]
