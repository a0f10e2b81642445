"""What items of a catalogue have in common: they are found by name, and pickled by name, and may take numbers."""

from __future__ import annotations

import importlib
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Self, TypeVar

import numpy as np

from fastnn.ops.arguments import Number
from fastnn.ops.declare import ALIASES, DECLARED
from fastnn.ops.given import check_name

ItemType = TypeVar("ItemType", bound="Item")


class Item:
    """An activation or a loss: declared once, by a name that no other of its kind has.

    numbers : what can be chosen besides, such as a slope: the checks by their names, in order. defaults : of each of
    them.
    """

    name: str
    numbers: Mapping[str, Number]
    defaults: Mapping[str, Any]
    by_name: ClassVar[dict[str, Any]]

    @classmethod
    def find(cls, argument: str, value: Any) -> Self:
        """The item of that name, or the item itself. Raises ValueError naming the argument for any other."""
        if isinstance(value, cls):
            return value
        name = ALIASES.get(value, value) if isinstance(value, str) else None
        if name not in cls.by_name:
            names = [*cls.by_name, *(alias for alias, name in ALIASES.items() if name in cls.by_name)]
            raise ValueError(f"{argument}: got {value!r}, expected one of {', '.join(map(repr, names))}")
        return cls.by_name[name]

    @classmethod
    def choose(cls, argument: str, value: Any) -> Chosen[Self]:
        """The item with its numbers: of an item or its name, which has the defaults; of a pair of that and its one
        number; or of a pair of that and a dict of numbers by their names.

        Raises ValueError or TypeError naming the argument for any other.
        """
        if isinstance(value, Chosen) and isinstance(value.item, cls):
            return value
        if not is_pair(value):
            item = cls.find(argument, value)
            return Chosen(item, tuple(item.numbers[name](name, default) for name, default in item.defaults.items()))
        item, given = cls.find(argument, value[0]), value[1]
        names = ", ".join(map(repr, item.numbers))
        if not names:
            raise ValueError(f"{argument}: got {value!r}, expected {item.name!r} alone, which takes no number")
        if not isinstance(given, Mapping):
            if len(item.numbers) > 1:
                raise ValueError(f"{argument}: got {value!r}, expected a dict of the numbers of {item.name}, {names}")
            given = {next(iter(item.numbers)): given}
        if not given.keys() <= item.numbers.keys():
            raise ValueError(f"{argument}: got {value!r}, expected numbers of {item.name}, {names}")
        chosen = {**item.defaults, **given}
        return Chosen(item, tuple(check(f"{argument}: {name}", chosen[name]) for name, check in item.numbers.items()))

    def register(self, *functions: str) -> None:
        """Let it be found by its name, before its public functions of these names are declared.

        Raises ValueError for a name that cannot be a function's, or that another item or function has. A module that is
        run again replaces its own items.
        """
        check_name(self.name)
        other = self.by_name.get(self.name)
        taken = {*DECLARED, *ALIASES}.intersection(functions) if other is None else other.module != self.module
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
    try:
        importlib.import_module(module)
        return kind.by_name[name]
    except (ImportError, KeyError) as error:
        why = f"cannot be imported here ({error})" if isinstance(error, ImportError) else "does not declare it here"
        raise pickle.UnpicklingError(
            f"the {kind.__name__.lower()} {name!r} is declared in the module {module!r}, which {why}; declare it at "
            "the top of a file that both processes can import, and not in a script, a notebook or a function"
        ) from None


@dataclass(frozen=True, repr=False)
class Chosen(Generic[ItemType]):
    """An item with its numbers chosen, in the order in which it names them."""

    item: ItemType
    values: tuple[Any, ...]

    @property
    def numbers(self) -> dict[str, Any]:
        """The values by their names."""
        return dict(zip(self.item.numbers, self.values, strict=True))

    @property
    def argument(self) -> str | tuple[str, Any]:
        """What a user would pass: the name, and with it what is not as the defaults."""
        defaults = self.item.defaults
        changed = {name: value for name, value in self.numbers.items() if value != defaults[name]}
        if not changed:
            return self.item.name
        return self.item.name, changed if len(self.item.numbers) > 1 else self.values[0]

    def __repr__(self) -> str:
        numbers = ", ".join(f"{name}={value!r}" for name, value in self.numbers.items())
        return f"{self.item.name}({numbers})" if numbers else self.item.name


def is_pair(value: Any) -> bool:
    """Whether it can be an item and its numbers, and not a sequence of items."""
    return (
        isinstance(value, (tuple, list))
        and len(value) == 2
        and isinstance(value[1], (int, float, np.integer, np.floating, Mapping))
    )
