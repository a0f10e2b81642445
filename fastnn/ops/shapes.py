"""The shapes of one call: the inputs' shapes are matched with a signature, which gives those of the outputs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fastnn.ops.signature import Core, Signature

Shape = tuple[int, ...]


@dataclass(frozen=True)
class CallShapes:
    """The size of every dimension, and the shapes of arrays for the caller and for the kernel.

    `sizes` also holds `n_rows`, the product of the leading dimensions, and `size`, the elements of the first input.
    """

    sizes: Mapping[str, int]
    inputs: tuple[Shape, ...]  # for the kernel
    outputs: tuple[Shape | None, ...]  # for the caller; None for a returned number, which is the first output
    kernel_outputs: tuple[Shape | None, ...]
    array_outputs: tuple[Shape, ...]  # `outputs` without the number


def match_shapes(
    signatures: Sequence[Signature],
    names: Sequence[str],
    shapes: Sequence[Shape],
    given_sizes: Mapping[str, int],
    flattens_leading: bool,
    may_be_empty: Sequence[str],
) -> CallShapes:
    """Match the inputs' shapes with the first signature that has as many dimensions.

    If `flattens_leading`, the inputs may have any leading dimensions, the same for all; the kernel takes them flattened
    into one. Raises ValueError naming the argument, its shape and the expected one.
    """
    signature = next((s for s in signatures if _ranks_match(s, shapes, flattens_leading)), None)
    if signature is None:
        raise ValueError(_misfit(signatures, names, shapes, flattens_leading))
    sizes, origin = dict(given_sizes), dict.fromkeys(given_sizes, "")
    leading: Shape = shapes[0][: len(shapes[0]) - len(signature.inputs[0])]
    for name, shape, core in zip(names, shapes, signature.inputs, strict=True):
        n_leading = len(shape) - len(core)
        if shape[:n_leading] != leading:
            raise ValueError(f"{name}: got shape {shape}, expected leading dimensions {leading} as in {names[0]}")
        for dimension, size in zip(core, shape[n_leading:], strict=True):
            if sizes.setdefault(dimension, size) != size:
                known = f"{dimension} = {sizes[dimension]}"
                known += f" as in {origin[dimension]}" if origin[dimension] else ""
                raise ValueError(f"{name}: got shape {shape}, expected {_text(core, flattens_leading)} with {known}")
            origin.setdefault(dimension, name)
            if size == 0 and dimension not in may_be_empty:
                raise ValueError(f"{name}: got shape {shape}, expected {dimension} of at least 1")
    flat = (math.prod(leading),) if flattens_leading else ()
    sizes |= {"n_rows": math.prod(leading), "size": math.prod(shapes[0])}
    inputs = tuple((*flat, *(sizes[d] for d in core)) for core in signature.inputs)
    cores = [tuple(sizes[d] for d in core) for core in signature.outputs]
    outputs = tuple((*leading, *core) if flattens_leading or core else None for core in cores)
    kernel_outputs = tuple((*flat, *core) if flattens_leading or core else None for core in cores)
    arrays = tuple(shape for shape in outputs if shape is not None)
    return CallShapes(sizes, inputs, outputs, kernel_outputs, arrays)


def _ranks_match(signature: Signature, shapes: Sequence[Shape], flattens_leading: bool) -> bool:
    extra = [len(shape) - len(core) for shape, core in zip(shapes, signature.inputs, strict=True)]
    return all(e == extra[0] for e in extra) and extra[0] >= 0 and (flattens_leading or extra[0] == 0)


def _misfit(
    signatures: Sequence[Signature], names: Sequence[str], shapes: Sequence[Shape], flattens_leading: bool
) -> str:
    """The message about the first argument whose number of dimensions fits none of the signatures that the arguments
    before it fit."""
    left = list(signatures)
    leading: Shape = ()
    for k, shape in enumerate(shapes):
        cores = [s.inputs[k] for s in left]
        if flattens_leading and k == 0:
            leading = shape[: max(0, len(shape) - len(cores[0]))]
        fitting = [s for s, core in zip(left, cores, strict=True) if len(shape) == len(leading) + len(core)]
        if not fitting:
            break
        left = fitting
    if flattens_leading and k > 0:
        expected = f"{_tuple((*map(str, leading), *cores[0]))} as in {names[0]}"
    else:
        expected = " or ".join(dict.fromkeys(_text(core, flattens_leading) for core in cores))
        expected += f" where {names[0]} has shape {shapes[0]}" if len(left) < len(signatures) else ""
    return f"{names[k]}: got shape {shape}, expected {expected}"


def _text(core: Core, flattens_leading: bool) -> str:
    return f"({', '.join(('...', *core))})" if flattens_leading else _tuple(core)


def _tuple(dimensions: Sequence[str]) -> str:
    return f"({', '.join(dimensions)}{',' * (len(dimensions) == 1)})"
