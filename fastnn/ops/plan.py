"""From the shapes of the inputs to the shapes of everything: what a signature means for one call."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fastnn.ops.signature import Core, Signature

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Plan:
    """The size of every dimension, and the shapes that arrays have for the caller and for the kernel.

    `sizes` also holds `loop`, the product of the leading dimensions, and `size`, the elements of the first input.
    """

    sizes: Mapping[str, int]
    inputs: tuple[Shape, ...]  # for the kernel
    outputs: tuple[Shape | None, ...]  # for the caller; None is a number that the kernel returns, the first if any
    kernel_outputs: tuple[Shape | None, ...]
    array_outputs: tuple[Shape, ...]  # `outputs` without the number


def make_plan(
    signatures: Sequence[Signature],
    names: Sequence[str],
    shapes: Sequence[Shape],
    given_sizes: Mapping[str, int],
    looped: bool,
    may_be_empty: Sequence[str],
) -> Plan:
    """Match the inputs' shapes with the first signature that has as many dimensions.

    A looped kernel takes any number of leading dimensions, the same for every input, flattened into one.
    Raises ValueError naming the argument, its shape and the expected one.
    """
    signature = next((s for s in signatures if _ranks_match(s, shapes, looped)), None)
    if signature is None:
        raise ValueError(_misfit(signatures, names, shapes, looped))
    sizes, origin = dict(given_sizes), dict.fromkeys(given_sizes, "")
    loop: Shape = shapes[0][: len(shapes[0]) - len(signature.inputs[0])]
    for name, shape, core in zip(names, shapes, signature.inputs, strict=True):
        lead = len(shape) - len(core)
        if shape[:lead] != loop:
            raise ValueError(f"{name}: got shape {shape}, expected leading dimensions {loop} as in {names[0]}")
        for dimension, size in zip(core, shape[lead:], strict=True):
            if sizes.setdefault(dimension, size) != size:
                known = f"{dimension} = {sizes[dimension]}"
                known += f" as in {origin[dimension]}" if origin[dimension] else ""
                raise ValueError(f"{name}: got shape {shape}, expected {_text(core, looped)} with {known}")
            origin.setdefault(dimension, name)
            if size == 0 and dimension not in may_be_empty:
                raise ValueError(f"{name}: got shape {shape}, expected {dimension} of at least 1")
    flat = (math.prod(loop),) if looped else ()
    sizes |= {"loop": math.prod(loop), "size": math.prod(shapes[0])}
    inputs = tuple((*flat, *(sizes[d] for d in core)) for core in signature.inputs)
    cores = [tuple(sizes[d] for d in core) for core in signature.outputs]
    outputs = tuple((*loop, *core) if looped or core else None for core in cores)
    kernel_outputs = tuple((*flat, *core) if looped or core else None for core in cores)
    arrays = tuple(shape for shape in outputs if shape is not None)
    return Plan(sizes, inputs, outputs, kernel_outputs, arrays)


def _ranks_match(signature: Signature, shapes: Sequence[Shape], looped: bool) -> bool:
    extra = [len(shape) - len(core) for shape, core in zip(shapes, signature.inputs, strict=True)]
    return all(e == extra[0] for e in extra) and extra[0] >= 0 and (looped or extra[0] == 0)


def _misfit(signatures: Sequence[Signature], names: Sequence[str], shapes: Sequence[Shape], looped: bool) -> str:
    """Blame the first argument whose number of dimensions fits no signature that those before it fit."""
    left = list(signatures)
    loop: Shape = ()
    for k, shape in enumerate(shapes):
        cores = [s.inputs[k] for s in left]
        if looped and k == 0:
            loop = shape[: max(0, len(shape) - len(cores[0]))]
        fitting = [s for s, core in zip(left, cores, strict=True) if len(shape) == len(loop) + len(core)]
        if not fitting:
            break
        left = fitting
    if looped and k > 0:
        expected = f"{_tuple((*map(str, loop), *cores[0]))} as in {names[0]}"
    else:
        expected = " or ".join(dict.fromkeys(_text(core, looped) for core in cores))
        expected += f" where {names[0]} has shape {shapes[0]}" if len(left) < len(signatures) else ""
    return f"{names[k]}: got shape {shape}, expected {expected}"


def _text(core: Core, looped: bool) -> str:
    return f"({', '.join(('...', *core))})" if looped else _tuple(core)


def _tuple(dimensions: Sequence[str]) -> str:
    return f"({', '.join(dimensions)}{',' * (len(dimensions) == 1)})"
