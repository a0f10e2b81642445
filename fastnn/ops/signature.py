"""Signatures: shapes in NumPy's notation for generalized universal functions, "(n,i),(i,o),(o)->(n,o)"."""

from __future__ import annotations

import re
from dataclasses import dataclass

Core = tuple[str, ...]

_CORE = r"\(\s*(?:\w+\s*(?:,\s*\w+\s*)*)?\)"
_SIDE = rf"{_CORE}(?:\s*,\s*{_CORE})*"
_SIGNATURE = re.compile(rf"\s*({_SIDE})\s*->\s*({_SIDE})\s*")


@dataclass(frozen=True)
class Signature:
    """The dimensions of each input and each output, by name."""

    inputs: tuple[Core, ...]
    outputs: tuple[Core, ...]

    @classmethod
    def parse(cls, text: str) -> Signature:
        """Parse a signature. Raises ValueError for anything else."""
        match = _SIGNATURE.fullmatch(text)
        if match is None:
            raise ValueError(f'signature: got {text!r}, expected the form "(n,i),(i,o)->(n,o)"')
        return cls(_cores(match[1]), _cores(match[2]))

    def __str__(self) -> str:
        return f"{_text(self.inputs)}->{_text(self.outputs)}"

    @property
    def dimensions(self) -> tuple[str, ...]:
        """The name of every dimension, once each, in order of appearance."""
        return tuple(dict.fromkeys(name for core in self.inputs + self.outputs for name in core))


def _cores(side: str) -> tuple[Core, ...]:
    return tuple(tuple(re.findall(r"\w+", core)) for core in re.findall(_CORE, side))


def _text(cores: tuple[Core, ...]) -> str:
    return ",".join(f"({','.join(core)})" for core in cores)
