"""Optimizers and their update rules: each is declared in one place, from which all else follows."""

from fastnn.optimizers.adam import Adam
from fastnn.optimizers.base import Hyper, Optimizer
from fastnn.optimizers.rule import RULES, UpdateRule, update_rule
from fastnn.optimizers.sgd import SGD

__all__ = ["RULES", "SGD", "Adam", "Hyper", "Optimizer", "UpdateRule", "update_rule"]
