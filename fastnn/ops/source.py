"""The generated source of a public function: no loop over its arguments, and no check made twice."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations

from fastnn.ops.arguments import Array
from fastnn.ops.declaration import Declaration


def source_lines(declaration: Declaration) -> Iterator[str]:
    """The lines of the public function."""
    arrays, numbers = list(declaration.arrays), list(declaration.numbers)
    all_arrays = _tuple(arrays)
    given = ["out"] if declaration.returned_arrays else []
    keywords = "".join(f"{name}=DEFAULT_{name}, " for name in numbers) + "".join(f"{name}=None, " for name in given)
    yield f"def {declaration.name}(*args, {keywords}**others):"
    if declaration.options is not None:
        yield "    if others and not OPTIONS.isdisjoint(others):"
        yield f"        return with_options(args, {{{_named(numbers + given)}**others}})"
    unlike = [f"{name} is MISSING" for name in numbers if name not in declaration.defaults]
    yield f"    if {' or '.join(['others', f'len(args) != {len(arrays)}', *unlike])}:"
    yield f"        args, {_tuple(numbers + given)} = bind(args, {{{_named(numbers + given)}**others}})"
    for name in numbers:
        yield f"    if {name} is not DEFAULT_{name}:"
        yield f"        {name} = check_{name}({name!r}, {name})"
    yield f"    {all_arrays} = args"

    # Numbers that the kernel does not take give the shape or dtype of an output.
    chosen = [name for name in numbers if name not in declaration.kernel_numbers]
    yield "    specialization = None"
    plain = [f"type({a}) is ndarray and {_needs_no_copy(a, a in declaration.in_place)}" for a in arrays]
    yield f"    if {' and '.join(plain)}:"
    key = ", ".join([f"{a}.shape, {a}.dtype" for a in arrays] + chosen)
    yield f"        specialization = specializations.get(({key}))"
    yield "    if specialization is None:"
    yield f"        {all_arrays}, specialization = prepare({all_arrays}, {{{_named(numbers)}}}, {_tuple(chosen)})"

    for k, (name, kind) in enumerate(declaration.arrays.items()):
        if type(kind).value_check is not Array.value_check:
            yield f"    if specialization.value_checks[{k}] is not None:"
            yield f"        specialization.value_checks[{k}]({name})"
    pairs = _pairs(arrays, declaration.in_place)
    if pairs:
        # Two distinct arrays that own their memory share none; only views need the check.
        owners = " and ".join(f"{a}.flags.owndata" for a in arrays)
        yield f"    if not ({owners}) or {' or '.join(f'{a} is {b}' for a, b in pairs)}:"
    for a, b in pairs:
        yield f"        if may_share_memory({a}, {b}):"
        yield f"            refuse_shared({a!r}, {b!r})"

    cores = () if declaration.in_place else declaration.signatures[0].outputs
    outputs = [f"out{k}" for k in range(declaration.returned_arrays)]
    if outputs:
        yield "    if out is None:"
    for k, output in enumerate(outputs):
        yield f"        {output} = empty(specialization.outputs[{k}], specialization.dtype)"
    if outputs:
        yield f"    elif {_is_plain(outputs, arrays)}:"
        yield f"        {', '.join(outputs)} = out"
        yield "    else:"
        expected = "specialization.outputs, specialization.dtype"
        yield f"        {_tuple(outputs)} = check_out(out, {expected}, {{{_named(arrays)}}})"
    results = ", ".join(outputs)
    if declaration.parallel_kernel is not None:
        yield "    if specialization.workers > 1 and (threads := threads_at_hand()) > 1:"
        yield "        kernel = specialization.parallel_kernel or specialization.compile_parallel()"
        workers = "min(specialization.workers, threads)"
        yield f"        kernel({', '.join((*arrays, *outputs))}, PARALLEL_REGION, {workers})"
        yield f"        return {results}"
    call = f"specialization.kernel({', '.join((*arrays, *declaration.kernel_numbers, *outputs))})"
    if len(outputs) < len(cores):
        results = ", ".join((f"specialization.number({call})", *outputs))
    else:
        yield f"    {call}"
    if declaration.elementwise:
        results = ", ".join(f"{o} if {o}.ndim or out is not None else {o}[()]" for o in outputs)
    if results:
        yield f"    return {results}"


def _needs_no_copy(array: str, written: bool) -> str:
    """The condition that the kernel can use the memory of the array; an array that it only reads may be read-only."""
    if written:
        return f"{array}.flags.carray"
    return f"((flags := {array}.flags).carray or flags.c_contiguous and flags.aligned)"


def _is_plain(outputs: list[str], arrays: list[str]) -> str:
    """The condition that `out` needs no further check: arrays as expected, which own their memory, and no argument is a
    view."""
    several = len(outputs) > 1
    parts = [f"out[{k}]" for k in range(len(outputs))] if several else ["out"]
    conditions = [f"type(out) is tuple and len(out) == {len(outputs)}"] if several else []
    for k, part in enumerate(parts):
        conditions.append(f"type({part}) is ndarray and {part}.shape == specialization.outputs[{k}]")
        conditions.append(f"{part}.dtype is specialization.dtype and (flags := {part}.flags).carray and flags.owndata")
        conditions += [f"{part} is not {other}" for other in (*arrays, *parts[:k])]
    return " and ".join([*conditions, *(f"{a}.base is None" for a in arrays)])


def _named(names: list[str]) -> str:
    return "".join(f"{name!r}: {name}, " for name in names)


def _tuple(names: list[str]) -> str:
    return f"({''.join(f'{name}, ' for name in names)})"


def _pairs(arrays: list[str], written: tuple[str, ...]) -> list[tuple[str, str]]:
    """Pairs of an array that is written and another array, which must not share its memory; each pair once."""
    pairs = [(a, b) for a, b in permutations(arrays, 2) if a in written]
    return [(a, b) for k, (a, b) in enumerate(pairs) if (b, a) not in pairs[:k]]
