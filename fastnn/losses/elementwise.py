"""Losses that are a mean over elements, generated from scalar functions of an output and its target."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
from numba.core import types
from numba.core.dispatcher import Dispatcher
from numpy.typing import NDArray

from fastnn.intrinsics import a_number, element, like, pointer, read_each
from fastnn.jit import force_inline, force_inline_reassociated, inner_kernel, kernel, named, scalar
from fastnn.losses.item import Loss, Output, loss
from fastnn.losses.options import options_of, parameters_of, with_parameters
from fastnn.losses.reduction import reduced, weights_of
from fastnn.losses.weights import row_weight
from fastnn.ops import given
from fastnn.ops.arguments import Array, Number, finite
from fastnn.ops.declare import declare, stub
from fastnn.reference.precision import in_float64
from fastnn.step.plan import loss_of

# Terms that are summed before their sum is added to that of others: equal terms are rounded alike, and the error of one
# long sum grows with its length.
_SUMMED = 256

_ANY_NUMBERS = Array()


def elementwise_loss(
    name: str,
    *,
    value: Callable[..., Any],
    slope: Callable[..., Any],
    formula: str = "",
    gradient: str = "",
    reference: Callable[..., tuple[Any, Any]] | None = None,
    flops: int = 0,
    ulps: float | None = None,
    magnitude: Callable[..., tuple[Any, Any]] | None = None,
    numbers: Mapping[str, Number] | None = None,
    defaults: Mapping[str, float] | None = None,
    example: Mapping[str, float] | None = None,
    output: Output = "identity",
    mean_over: Literal["rows", "elements"] = "elements",
    targets: Array = _ANY_NUMBERS,
    labels: int | None = None,
    weighs_classes: bool = False,
    root: bool = False,
    about: str = "",
) -> Loss:
    """Declare the mean of value(y, t) over all elements, with its public function.

    value : scalar function of an output y and its target t, in the Python that Numba compiles in nopython mode. Its
        results are added up in float64.
    slope : scalar function of y and t, the slope of `value` with respect to y, in the precision of y.
    formula, gradient : of the mean and of the slope, for the docs; about : more for the docs. Without them the
        functions are named.
    reference : in NumPy on float64 arrays (n, outputs), (y, t) to the values and the slopes of all elements. Without it
        `value` and `slope` themselves, compiled for float64, take its place.
    numbers, defaults : of the loss, such as a threshold: names with their checks, and with their defaults; without
        checks they may be any finite numbers. `value`, `slope`, `reference` and `magnitude` take the numbers behind y
        and t, in this order.
    flops : per element; 0 if they were not counted. example : numbers for tests, beside the defaults.
    ulps : roundings of the value and of the slope, in units in the last place of `magnitude`, which takes what the
        reference takes and returns what errors of both are relative to; without it the results. With `ulps` the loss is
        verified against its reference; None where that cannot be done.
    output : what the net predicts from y; see `fastnn.Loss`.
    mean_over : "rows" for the mean over rows of the sum over each row's outputs.
    targets : the kind of argument that t is, of `fastnn.ops.arguments`, such as `NotNegative()`: other numbers
        `MLP.fit`, `train_epoch` and `evaluate` refuse.
    labels : with one output, targets may be labels from 0 to labels - 1.
    weighs_classes : whether `class_weight` is an option. Its number for the output is then the last argument of all
        four functions.
    root : whether the loss is the square root of the mean.

    Weights of samples and the reduction are options of every such loss.

    Raises ValueError or TypeError for parts that do not fit, with nothing registered. What Numba cannot compile shows
    at the first call or training step: TypeError names the part and the line.
    """
    own = dict(defaults or {})
    checks = dict(numbers or dict.fromkeys(own, finite))
    arguments = ("y", "t", *checks, *("class_weight",) * weighs_classes)
    given.check_name(name)
    given.check_function(name, "value", value, arguments)
    given.check_function(name, "slope", slope, arguments)
    value, slope = scalar(value), scalar(slope)
    if not own.keys() <= checks.keys():
        raise ValueError(f"defaults: got {list(own)}, expected some of the numbers, {list(checks)}")
    if reference is None and ulps is not None:
        raise ValueError(f"ulps: got {ulps} without a reference, against which {name} is verified")
    options = ("class_weight",) * weighs_classes + ("sample_weight",) + ("reduction",) * (not root)
    per_element, keywords = mean_over == "elements", parameters_of(checks, own, options)
    numbers_of, behind = _readers(len(checks), weighs_classes)
    plain_sum, weighted_sum, with_options = _kernels(value, slope, numbers_of, behind)
    parts = _parts(name, value, slope, len(arguments) - 2)
    formula = formula or f"The mean of {given.described(value, ', '.join(arguments))}"
    gradient = gradient or given.described(slope, ", ".join(arguments))

    def explained(made: Dispatcher) -> Dispatcher:
        return given.explained(made, *parts)

    def plain_row_sum(z, m, columns, row, t, dz, scale, options, first):
        return plain_sum(z, row, m, columns, pointer(t, z[0]), dz, row, scale, behind(numbers_of(options), 1.0))

    def plain_label_sum(z, m, columns, row, t, dz, scale, options, first):
        return plain_sum(z, row, m, columns, pointer(t, np.int64(0)), dz, row, scale, behind(numbers_of(options), 1.0))

    def weighted_row_sum(z, m, columns, row, t, dz, scale, options, first):
        return weighted_sum(z, row, m, columns, pointer(t, z[0]), dz, row, scale, options, first)

    def weighted_label_sum(z, m, columns, row, t, dz, scale, options, first):
        return weighted_sum(z, row, m, columns, pointer(t, np.int64(0)), dz, row, scale, options, first)

    of_arrays = _array_kernel(name, plain_sum, tuple(checks), behind, per_element, root)

    def combined(terms: Callable[..., tuple[Any, Any]]) -> Callable[..., tuple[Any, NDArray]]:
        def of(
            y: NDArray, t: NDArray, *, class_weight: Any = None, sample_weight: Any = None, reduction: str = "mean",
            **others: float,
        ) -> tuple[Any, NDArray]:  # fmt: skip
            rows = y.reshape(len(y), -1)
            behind: list[Any] = [{**own, **others}[number] for number in checks]
            if weighs_classes:
                behind.append(np.ones(rows.shape[1]) if class_weight is None else np.asarray(class_weight, float))
            values, slopes = terms(rows, t.reshape(rows.shape), *behind)
            values, slopes = (np.broadcast_to(part, rows.shape) for part in (values, slopes))
            losses = values if per_element else values.sum(axis=1, keepdims=True)
            weights = weights_of(sample_weight, len(y))
            found, moved = reduced(losses, slopes, weights, weights, reduction, root)
            shape = y.shape if per_element else y.shape[:1]
            return found.reshape(shape) if reduction == "none" else found, moved.reshape(y.shape)

        return with_parameters(of, ("y", "t"), keywords, value.__module__)

    computed = in_float64(combined(reference or _own_code(name, value, slope, explained)))
    relative_to = None if magnitude is None else combined(magnitude)
    item = loss(
        name,
        label_sum=None if labels is None else explained(inner_kernel(named(f"{name}_step_labels", plain_label_sum))),
        row_sum=explained(inner_kernel(named(f"{name}_step", plain_row_sum))),
        weighted_label_sum=None if labels is None else explained(inner_kernel(
            named(f"{name}_weighted_step_labels", weighted_label_sum)
        )),
        weighted_row_sum=explained(inner_kernel(named(f"{name}_weighted_step", weighted_row_sum))),
        output=output,
        mean_over=mean_over,
        reference=computed,
        numbers=checks,
        defaults=own,
        options=options,
        labels=lambda outputs: labels if outputs == 1 else None,
        targets=targets,
        root=root,
        magnitude=relative_to,
    )  # fmt: skip
    declare(
        "(n,o),(n,o)->(),(n,o)",
        "(n),(n)->(),(n)",
        kernel=explained(of_arrays),
        reference=computed,
        arrays={"t": targets},
        numbers=checks,
        example=example,
        flops=lambda size: flops * size,
        sum_length=lambda size: (size, 0),
        ulps=ulps,
        magnitude=relative_to,
        options=options_of(item, explained(kernel(named(f"{name}_with_options", with_options)))),
    )(stub(name, ("y", "t"), _about(item, formula, gradient, about, reference is None), keywords))
    return item


def _parts(name: str, value: Callable[..., Any], slope: Callable[..., Any], count: int) -> list[given.Part]:
    """The functions of the loss, which take `count` numbers in float64 behind y and t."""

    def arguments(real: types.Float) -> tuple[types.Type, ...]:
        return (real, real, *(types.float64,) * count)

    return [
        given.Part(name, part, function, arguments, given.a_number)
        for part, function in (("value", value), ("slope", slope))
    ]


def _own_code(
    name: str, value: Callable[..., Any], slope: Callable[..., Any], explained: Callable[[Dispatcher], Dispatcher]
) -> Callable[..., tuple[NDArray, NDArray]]:
    """In place of a reference: the values and the slopes by the code of the loss itself, in float64."""

    def of_column(y, t, numbers, values, slopes):
        for k in range(y.size):
            values[k] = value(y[k], t[k], *numbers)
            slopes[k] = slope(y[k], t[k], *numbers)

    compiled = explained(kernel(named(f"{name}_own_code", of_column)))

    def terms(y: NDArray, t: NDArray, *behind: Any) -> tuple[NDArray, NDArray]:
        columns = np.ascontiguousarray(y.T, np.float64), np.ascontiguousarray(t.T, np.float64)
        values, slopes = np.empty_like(columns[0]), np.empty_like(columns[0])
        for c in range(len(values)):
            # The last may be the weights of classes, one for each column.
            numbers = tuple(float(number[c] if np.ndim(number) else number) for number in behind)
            given.run_in_float64(name, compiled, columns[0][c], columns[1][c], numbers, values[c], slopes[c])
        return values.T, slopes.T

    return terms


def _readers(count: int, weighs_classes: bool) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Two functions: numbers_of(options), the numbers of the loss as a tuple; and behind(numbers, weight), what `value`
    takes behind y and t: the numbers, and the weight if it weighs classes."""
    read: Any = read_each(count) if count else None

    @force_inline
    def numbers_of(options):
        return read(options.numbers)

    @force_inline
    def no_numbers(options):
        return ()

    @force_inline
    def with_weight(numbers, weight):
        return (*numbers, weight)

    @force_inline
    def without_weight(numbers, weight):
        return numbers

    return numbers_of if count else no_numbers, with_weight if weighs_classes else without_weight


def _kernels(
    value: Callable[..., Any], slope: Callable[..., Any], numbers_of: Callable[..., Any], behind: Callable[..., Any]
) -> tuple[Callable[..., Any], ...]:
    """The sum of the losses of m rows, without weights and with them; and the losses of whole arrays, with options.

    The sums are reassociated, or else their loops, with all that `value` and `slope` do, would not vectorise.
    """

    @force_inline_reassociated
    def plain_sum(y, y_row, m, columns, t, dy, dy_row, scale, numbers):
        total = 0.0
        for r in range(m):
            for c in range(columns):
                a = y[r * y_row + c]
                b = like(a, t[r * columns + c])
                total += a_number(value(a, b, *numbers))
                dy[r * dy_row + c] = a_number(slope(a, b, *numbers)) * like(a, scale)
            for c in range(columns, dy_row):
                dy[r * dy_row + c] = 0
        return total

    @force_inline_reassociated
    def weighted_sum(y, y_row, m, columns, t, dy, dy_row, scale, options, first):
        numbers, class_weights = numbers_of(options), options.class_weights
        total = 0.0
        for r in range(m):
            weight = row_weight(t, r, options, first)
            if weight == 0:
                for c in range(dy_row):
                    dy[r * dy_row + c] = 0
                continue
            for c in range(columns):
                a = y[r * y_row + c]
                b = like(a, t[r * columns + c])
                others = behind(numbers, class_weights[c])
                total += weight * a_number(value(a, b, *others))
                dy[r * dy_row + c] = a_number(slope(a, b, *others)) * like(a, weight * scale)
            for c in range(columns, dy_row):
                dy[r * dy_row + c] = 0
        return total

    def with_options(y, t, address, scale, losses, dy):
        options = loss_of(address, 0, y.dtype.type(0))
        numbers, class_weights = numbers_of(options), options.class_weights
        for r in range(y.shape[0]):
            weight = row_weight(t, r, options, 0)
            for c in range(losses.shape[1]):
                losses[r, c] = 0
            for c in range(y.shape[1]):
                dy[r, c] = 0
                if weight != 0:
                    a, b, others = y[r, c], t[r, c], behind(numbers, class_weights[c])
                    losses[r, c if losses.shape[1] > 1 else 0] += weight * a_number(value(a, b, *others))
                    dy[r, c] = a_number(slope(a, b, *others)) * like(a, weight * scale)

    return plain_sum, weighted_sum, with_options


def _array_kernel(
    name: str,
    plain_sum: Callable[..., Any],
    numbers: tuple[str, ...],
    behind: Callable[..., Any],
    per_element: bool,
    root: bool,
) -> Dispatcher:
    """The kernel (y, t, *numbers, dy), which returns the loss; arrays of one or two dimensions."""

    @force_inline
    def sum_of_blocks(y, t, dy, scale, numbers):
        total = 0.0
        for start in range(0, y.size, _SUMMED):
            n = min(_SUMMED, y.size - start)
            total += plain_sum(element(y, start), n, 1, n, element(t, start), element(dy, start), n, scale, numbers)
        return total

    @force_inline
    def mean(y, t, numbers, dy):
        terms = y.size if per_element else y.shape[0]
        return y.dtype.type(sum_of_blocks(y, t, dy, 1.0 / terms, behind(numbers, 1.0)) / terms)

    @force_inline
    def root_of_mean(y, t, numbers, dy):
        n = y.size
        slopes = element(dy, 0)
        result = np.sqrt(sum_of_blocks(y, t, dy, 1.0, behind(numbers, 1.0)) / n)
        # In float64: a tiny slope times a large factor is neither.
        factor = 0.0 if result == 0 else 1.0 / (2.0 * result * n)
        for k in range(n):
            slopes[k] = np.float64(slopes[k]) * factor
        return y.dtype.type(result)

    # Numba takes the names of the arguments from the source.
    names = {"np": np, "mean": root_of_mean if root else mean}
    tupled = "".join(f"np.float64({number}), " for number in numbers)
    source = f"def {name}({', '.join(['y', 't', *numbers, 'dy'])}): return mean(y, t, ({tupled}), dy)"
    # No file of the package: so the key of the kernel cache has what it refers to.
    exec(compile(source, f"<{name} of {__name__}>", "exec"), names)
    function: Any = names[name]
    function.__module__ = __name__
    return kernel(named(name, function))


def _about(item: Loss, formula: str, gradient: str, more: str, own_code: bool) -> list[str]:
    terms, divisor = ("rows", "n") if item.mean_over == "rows" else ("elements", "size")
    if item.root:
        mean, derivative = f"{formula} and its gradient", gradient
    else:
        mean, derivative = f"{formula} over all {terms}, and its gradient", f"{gradient} / {divisor}"
    lines = [
        mean,
        "",
        f"dy = {derivative}.",
        "y, t : float32 or float64, of one shape, (n, outputs) or (n,). Returns (loss, dy): a number, summed in",
        "float64, and a new array, both of y's dtype.",
    ]
    lines += [more] if more else []
    return [*lines, *_about_options(item), *given.OWN_REFERENCE * own_code]


def _about_options(item: Loss) -> list[str]:
    lines = ["", "sample_weight : (n,), finite, of at least 0: a row of weight 2 counts as two, also in the mean."]
    if "reduction" in item.options:
        each = "of each element" if item.mean_over == "elements" else "(n,) of the rows"
        lines.append(f'reduction : "mean", "sum", or "none" for the losses {each}, with the gradient of their sum.')
    lines += [
        "Raises TypeError for other dtypes; ValueError for shapes that differ, no elements, and options out of range.",
    ]
    return lines
