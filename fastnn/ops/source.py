"""The source of a public function, written for its declaration: no loop over its arguments, and no check twice."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations

from fastnn.ops.arguments import Array
from fastnn.ops.declaration import Declaration


def source_lines(declaration: Declaration) -> Iterator[str]:
    """The lines of the public function."""
    arrays, numbers = list(declaration.arrays), list(declaration.numbers)
    all_arrays = _tuple(arrays)
    keywords = "".join(f"{name}=DEFAULT_{name}, " for name in numbers)
    yield f"def {declaration.name}(*args, {keywords}**others):"
    unlike = [f"{name} is MISSING" for name in numbers if name not in declaration.defaults]
    yield f"    if {' or '.join(['others', f'len(args) != {len(arrays)}', *unlike])}:"
    named = "".join(f"{name!r}: {name}, " for name in numbers)
    yield f"        args, {_tuple(numbers)} = bind(args, {{{named}**others}})"
    for name in numbers:
        yield f"    if {name} is not DEFAULT_{name}:"
        yield f"        {name} = check_{name}({name!r}, {name})"
    yield f"    {all_arrays} = args"

    # The numbers that are no arguments of the kernel give an output its shape or dtype.
    chosen = [name for name in numbers if name not in declaration.kernel_numbers]
    yield "    form = None"
    yield f"    if {' and '.join(f'type({a}) is ndarray and {a}.flags.carray' for a in arrays)}:"
    yield f"        form = forms.get(({', '.join([f'{a}.shape, {a}.dtype' for a in arrays] + chosen)}))"
    yield "    if form is None:"
    yield f"        {all_arrays}, form = prepare({all_arrays}, {{{named}}}, {_tuple(chosen)})"

    for k, (name, kind) in enumerate(declaration.arrays.items()):
        if type(kind).value_check is not Array.value_check:
            yield f"    if form.value_checks[{k}] is not None:"
            yield f"        form.value_checks[{k}]({name})"
    pairs = _pairs(arrays, declaration.in_place)
    if pairs:
        # Two arrays that own their memory share none; only views must be asked.
        owners = " and ".join(f"{a}.flags.owndata" for a in arrays)
        yield f"    if not ({owners}) or {' or '.join(f'{a} is {b}' for a, b in pairs)}:"
    for a, b in pairs:
        yield f"        if may_share_memory({a}, {b}):"
        yield f"            refuse_shared({a!r}, {b!r})"

    cores = () if declaration.in_place else declaration.signatures[0].outputs
    outputs = [f"out{k}" for k, core in enumerate(cores) if declaration.looped or core]
    for k, output in enumerate(outputs):
        yield f"    {output} = empty(form.outputs[{k}], form.dtype)"
    results = ", ".join(outputs)
    if declaration.parallel_kernel is not None:
        yield "    if form.workers > 1 and most_threads() > 1:"
        yield "        with parallel_region:"
        yield f"            parallel_kernel({', '.join((*arrays, *outputs))}, min(form.workers, most_threads()))"
        yield f"        return {results}"
    if not declaration.looped:
        call = _kernel_call(arrays, declaration, outputs)
        if len(outputs) == len(cores):
            yield f"    {call}"
        else:
            results = ", ".join((f"form.number({call})", *outputs))
    elif declaration.elementwise:
        flat = [f"{a}.ravel()" for a in arrays], [f"{o}.ravel()" for o in outputs]
        yield f"    {_kernel_call(flat[0], declaration, flat[1])}"
        results = ", ".join(f"{o} if {o}.ndim else {o}[()]" for o in outputs)
    else:
        flat = tuple(
            [f"{a}.reshape(form.{of}[{k}])" for k, a in enumerate(own)]
            for of, own in (("flat_inputs", arrays), ("flat_outputs", outputs))
        )
        yield "    if form.reshaped:"
        yield f"        {_kernel_call(flat[0], declaration, flat[1])}"
        yield "    else:"
        yield f"        {_kernel_call(arrays, declaration, outputs)}"
    if results:
        yield f"    return {results}"


def _tuple(names: list[str]) -> str:
    return f"({''.join(f'{name}, ' for name in names)})"


def _kernel_call(arrays: list[str], declaration: Declaration, outputs: list[str]) -> str:
    return f"form.kernel({', '.join((*arrays, *declaration.kernel_numbers, *outputs))})"


def _pairs(arrays: list[str], written: tuple[str, ...]) -> list[tuple[str, str]]:
    """Each array that is written, with each other that must not lie in its memory."""
    pairs = [(a, b) for a, b in permutations(arrays, 2) if a in written]
    return [(a, b) for k, (a, b) in enumerate(pairs) if (b, a) not in pairs[:k]]
