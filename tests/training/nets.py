"""Nets for the small task of these tests, which share their kernels."""

from __future__ import annotations

from typing import Any

import numpy as np

import fastnn

# For `fit`, which else writes lines.
QUIET: dict[str, Any] = {"progress": False}


def new_net(**options: Any) -> fastnn.MLP:
    """A net for the task, the same at each call."""
    return fastnn.MLP((4, 8, 3), activation="relu", seed=3, **options)


def same_weights(one: fastnn.MLP, other: fastnn.MLP) -> bool:
    """Whether they are equal to the bit."""
    return all(np.array_equal(a, b) for a, b in zip(one.get_weights(), other.get_weights(), strict=True))
