"""Numbers, flags, texts and schedules as JSON, and back: each comes back equal, the last digit too."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from fastnn import schedules

SCHEDULES: dict[str, Any] = {
    name: getattr(schedules, name) for name in schedules.__all__ if dataclasses.is_dataclass(getattr(schedules, name))
}


def encode(value: Any) -> Any:
    """As JSON: numbers, flags, texts and None as they are, {"float": "nan"} or "inf" or "-inf" for what JSON has not,
    and a schedule as {"schedule": name, its fields}. Raises TypeError for anything else."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        # JSON has the shortest digits that give back the same float64.
        return float(value) if math.isfinite(value) else {"float": str(float(value))}
    if type(value) in SCHEDULES.values():
        fields = {field.name: encode(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return {"schedule": type(value).__name__, **fields}
    raise TypeError(f"got {value!r}, of which there is no form in JSON")


def decode(value: Any) -> Any:
    """What `encode` made it of. Raises ValueError, TypeError or KeyError for anything else."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if value.keys() == {"float"}:
        return float(value["float"])
    kind = SCHEDULES[value["schedule"]]
    given = {name: decode(field) for name, field in value.items() if name != "schedule"}
    fields = {field.name: field.init for field in dataclasses.fields(kind)}
    schedule = kind(**{name: field for name, field in given.items() if fields.get(name, True)})
    for name, field in given.items():
        if not fields[name]:  # what it remembers
            if type(field) is not type(getattr(schedule, name)):
                raise TypeError(f"{name}: got {field!r}")
            setattr(schedule, name, field)
    return schedule
