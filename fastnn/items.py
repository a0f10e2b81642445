"""What items of a catalogue have in common: they are found by name, and pickled by name."""

from __future__ import annotations

import importlib
from typing import Any, ClassVar, Self

from fastnn.ops.declare import DECLARED


class Item:
    """An activation or a loss: declared once, by a name that no other of its kind has."""

    name: str
    by_name: ClassVar[dict[str, Any]]

    @classmethod
    def find(cls, argument: str, value: Any) -> Self:
        """The item of that name, or the item itself. Raises ValueError naming the argument for any other."""
        if isinstance(value, cls):
            return value
        if not isinstance(value, str) or value not in cls.by_name:
            raise ValueError(f"{argument}: got {value!r}, expected one of {', '.join(map(repr, cls.by_name))}")
        return cls.by_name[value]

    def register(self, *functions: str) -> None:
        """Let it be found by its name, before its public functions of these names are declared.

        Raises ValueError for a name that cannot be a function's, or that another item or function has. A module that is
        run again replaces its own items.
        """
        if not self.name.isidentifier():
            raise ValueError(f"name: got {self.name!r}, expected a name that a function can have")
        other = self.by_name.get(self.name)
        taken = DECLARED.keys() & functions if other is None else other.module != self.module
        if taken:
            raise ValueError(f"name: got {self.name!r}, which is taken, expected a new one")
        self.by_name[self.name] = self

    @property
    def module(self) -> str:
        """The module that declares it."""
        raise NotImplementedError

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (type(self), self.module, self.name)


def _restored(kind: type[Item], module: str, name: str) -> Item:
    importlib.import_module(module)
    return kind.by_name[name]
