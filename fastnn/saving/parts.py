"""What is saved of a net and of its optimizer, and how both are made of it again."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from numpy.typing import NDArray

import fastnn
from fastnn import scalar_checks
from fastnn.activations import Activation, layer_activations
from fastnn.losses import ChosenLoss, Loss
from fastnn.ops import checks
from fastnn.optimizers import Optimizer
from fastnn.regularization import regularization
from fastnn.saving import files
from fastnn.saving.files import FileError
from fastnn.saving.replacing import path_text, replacing
from fastnn.saving.values import decode, encode


class Saved(NamedTuple):
    """What a file holds: the state of a net, as `MLP.__setstate__` takes it, and what makes its optimizer once there is
    a net; None without one."""

    state: dict[str, Any]
    optimizer: Callable[[Any], Optimizer] | None


def save(path: str | os.PathLike[str], net: Any, optimizer: Optimizer | None) -> None:
    """Save the net, and the optimizer with what it keeps for this net, in a file that replaces `path` as a whole.

    Raises TypeError, before anything is written, for a schedule or a number of the user's own that has no form in a
    file, and for an activation or a loss that is not declared; OSError where it cannot be written.
    """
    state = net.__getstate__()
    of_net, arrays = _net_header(state), _named("", state["weights"])
    of_optimizer = None
    if optimizer is not None:
        steps, moments = optimizer.kept(net)
        of_optimizer = _optimizer_header(optimizer, steps, len(moments))
        for name, moment in zip(of_optimizer["moments"], moments, strict=True):
            arrays |= _named(f"optimizer.{name}.", moment)
    with replacing(path) as file:
        files.write(file, {"fastnn": fastnn.__version__, "net": of_net, "optimizer": of_optimizer}, arrays)


def load(path: str | os.PathLike[str]) -> Saved:
    """What a file holds. Raises FileError where that is not a net as `save` writes it, OSError where it cannot be
    read."""
    header, arrays = files.read(path)
    try:
        state = _state(header["net"], arrays)
        shapes, dtype = [w.shape for w in state["weights"]], state["_dtype"]
        of_optimizer = header["optimizer"]
        if of_optimizer is None:
            return Saved(state, None)
        moments = [
            _taken(arrays, f"optimizer.{name}.", shapes, dtype)
            for name in checks.sequence("moments", of_optimizer["moments"])
        ]
        own = _optimizer(of_optimizer, scalar_checks.count("steps", of_optimizer["steps"], 0), moments)
    except FileError as error:
        raise FileError(f"{path_text(path)}: {error}") from None
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise FileError(
            f"{path_text(path)}: describes no net that this version of fastnn has ({type(error).__name__}: {error})"
        ) from error
    return Saved(state, own)


def _net_header(state: Mapping[str, Any]) -> dict[str, Any]:
    loss, own = state["_loss"], state["_regularization"]
    options = {name: getattr(loss, name) for name in loss.item.options if name != "sample_weight"}
    if options.get("class_weight") is not None:
        options["class_weight"] = list(options["class_weight"])
    return {
        "sizes": list(state["_sizes"]),
        "dtype": state["_dtype"].name,
        "activations": [_item_header(chosen.item, chosen.numbers) for chosen in state["_activations"]],
        "loss": {**_item_header(loss.item, loss.numbers), "options": options},
        "dropout": list(own.dropout),
        **{name: getattr(own, name) for name in ("input_dropout", "l1", "l2", "penalty_per_row", "key")},
        "steps": state["steps"],
        "epochs": state["epochs"],
    }


def _item_header(item: Activation | Loss, numbers: Mapping[str, Any]) -> dict[str, Any]:
    declared = type(item).by_name.get(item.name)
    if declared is None or declared.module != item.module:
        kind = type(item).__name__.lower()
        raise TypeError(
            f"{kind}: got one named {item.name!r} that is not declared, and could not be found by its name, expected "
            f"one that fastnn.{kind} made"
        )
    encoded = {name: _encoded(f"{item.name}: {name}", value) for name, value in numbers.items()}
    return {"name": item.name, "module": item.module, "numbers": encoded}


def _encoded(name: str, value: Any, advice: str = "") -> Any:
    try:
        return encode(value)
    except TypeError:
        raise TypeError(
            f"{name}: got {value!r}, which cannot be saved in a file, expected a number or text{advice}"
        ) from None


def _optimizer_header(optimizer: Optimizer, steps: int, n_moments: int) -> dict[str, Any]:
    advice = (
        ", or a schedule of fastnn.schedules; leave out the optimizer and its state with "
        "net.save(path, optimizer=False), or set optimizer.lr to a number"
    )
    # Moments beyond those of the rule are kept from a rule that the optimizer had before. No other has such a name.
    names = [*optimizer.rule.moments, *(f"earlier-{k}" for k in range(n_moments))]
    return {
        "class": type(optimizer).__qualname__,
        "module": type(optimizer).__module__,
        "hyper": {name: _encoded(f"optimizer: {name}", value, advice) for name, value in optimizer.values.items()},
        "steps": steps,
        "moments": names[:n_moments],
    }


def _state(header: Mapping[str, Any], arrays: Mapping[str, NDArray]) -> dict[str, Any]:
    sizes = tuple(scalar_checks.count("sizes", size) for size in checks.sequence("sizes", header["sizes"]))
    if len(sizes) < 2:
        raise ValueError(f"sizes: got {sizes}")
    hidden, dtype = len(sizes) - 2, checks.float_dtype("dtype", header["dtype"])
    shapes = [shape for inputs, outputs in pairwise(sizes) for shape in ((inputs, outputs), (outputs,))]
    activations = [_chosen(Activation, own) for own in header["activations"]]
    loss = header["loss"]
    own_loss = ChosenLoss.of(_declared(Loss, loss), {**_numbers(loss), **loss["options"]})
    own_loss.check_outputs(sizes[-1])
    against_overfitting = regularization(
        hidden,
        0,
        **{name: header[name] for name in ("dropout", "input_dropout", "l1", "l2")},
        penalty_per_row=header.get("penalty_per_row", False),  # of before
    )
    key = scalar_checks.count("key", header["key"], 0)
    return {
        "_sizes": sizes,
        "_activations": layer_activations("activation", activations if hidden else activations[0], hidden),
        "_loss": own_loss,
        "_dtype": dtype,
        "_regularization": dataclasses.replace(against_overfitting, key=key),
        "weights": _taken(arrays, "", shapes, dtype),
        "steps": scalar_checks.count("steps", header["steps"], 0),
        "epochs": scalar_checks.count("epochs", header["epochs"], 0),
    }


def _numbers(header: Mapping[str, Any]) -> dict[str, Any]:
    return {name: decode(value) for name, value in header["numbers"].items()}


def _chosen(kind: type[Activation], header: Mapping[str, Any]) -> Any:
    item, numbers = _declared(kind, header), _numbers(header)
    return (item, numbers) if numbers else item


def _declared(kind: type[Any], header: Mapping[str, Any]) -> Any:
    """The activation or the loss of that name; not fastnn's for one of a user's."""
    found = kind.by_name.get(header["name"])
    if found is None or _is_ours(found.module) != _is_ours(header["module"]):
        raise _undeclared(kind.__name__.lower(), header["name"], header["module"])
    return found


def _undeclared(kind: str, name: str, module: str) -> FileError:
    if _is_ours(module):
        return FileError(f"needs the {kind} {name!r}, which this version of fastnn does not have; update fastnn")
    where = "" if module == "__main__" else f", as the module {module!r} did, for example by importing it,"
    return FileError(
        f"needs the {kind} {name!r}, which is not declared here; declare it{where} before the file is loaded"
    )


def _optimizer(header: Mapping[str, Any], steps: int, moments: list[list[NDArray]]) -> Callable[[Any], Optimizer]:
    kind, hyper = _optimizer_class(header), {name: decode(value) for name, value in header["hyper"].items()}
    made = kind.__new__(kind)
    # Not the class's own: that may take other arguments.
    Optimizer.__init__(made, **hyper)
    own = tuple(made.rule.moments)
    if moments and own != tuple(header["moments"][: len(own)]):
        raise FileError(f"has the moments {header['moments']} of {kind.__name__}, expected {list(own)}")

    def of(net: Any) -> Optimizer:
        made.__setstate__({"values": made.values, "states": [(net, (steps, moments))]})
        return made

    return of


def _optimizer_class(header: Mapping[str, Any]) -> type[Optimizer]:
    name, module = header["class"], header["module"]
    ours = _is_ours(module)
    found = [kind for kind in _subclasses(Optimizer) if kind.__qualname__ == name and _is_ours(kind.__module__) == ours]
    if not found:
        raise _undeclared("optimizer", name, module)
    # Of a cell that ran again the last; and rather that of the same module.
    return max(enumerate(found), key=lambda numbered: (numbered[1].__module__ == module, numbered[0]))[1]


def _is_ours(module: str) -> bool:
    return module.startswith("fastnn.")


def _subclasses(kind: type[Any]) -> Iterator[type[Any]]:
    for below in kind.__subclasses__():
        yield below
        yield from _subclasses(below)


def _parameter_names(count: int) -> list[str]:
    return [f"{'wb'[k % 2]}{k // 2 + 1}" for k in range(count)]


def _named(prefix: str, arrays: Sequence[NDArray]) -> dict[str, NDArray]:
    return {f"{prefix}{name}": array for name, array in zip(_parameter_names(len(arrays)), arrays, strict=True)}


def _taken(arrays: Mapping[str, NDArray], prefix: str, shapes: Sequence[tuple[int, ...]], dtype: Any) -> list[NDArray]:
    """The arrays of that prefix, as [w1, b1, ...]."""
    taken = [arrays[f"{prefix}{name}"] for name in _parameter_names(len(shapes))]
    for array, shape in zip(taken, shapes, strict=True):
        if array.shape != shape or array.dtype != dtype:
            raise ValueError(f"{prefix}: got an array of shape {array.shape} and dtype {array.dtype}, expected {shape}")
    return taken
