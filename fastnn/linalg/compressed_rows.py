"""Products with compressed rows, each with the values that it stores and no others.

Rows are the stored `values`, their `columns`, ascending in each row, and where each row `begins` and `ends` among them.
What is not stored takes part in nothing, not even where a weight is infinite, which a zero would make NaN of.
"""

from __future__ import annotations

from fastnn.intrinsics import compressed_row_product, compressed_row_update, like, load, offset, store
from fastnn.jit import force_inline
from fastnn.linalg.packing import panel_count, panel_start
from fastnn.units import unit

_one_vector, _two_vectors, _three_vectors = (compressed_row_product(vectors) for vectors in (1, 2, 3))
_update_one, _update_two, _update_three = (compressed_row_update(vectors) for vectors in (1, 2, 3))


@force_inline
def _dot_pair(values, columns, first, last, row, other):
    """The products of a compressed row with two rows that are not; two sums of each, which wait for their additions."""
    one = two = other_one = other_two = like(values[0], 0)
    full = last - (last - first) % 2
    for i in range(first, full, 2):
        value, column, next_value, next_column = values[i], columns[i], values[i + 1], columns[i + 1]
        one += value * row[column]
        other_one += value * other[column]
        two += next_value * row[next_column]
        other_two += next_value * other[next_column]
    if full < last:
        one += values[full] * row[columns[full]]
        other_one += values[full] * other[columns[full]]
    return one + two, other_one + other_two


@unit("int int int int int int int real* int32* int64* int64* real* real* real* int -> none")
def compressed_forward(
    m, inner, vectors, begin_panel, end_panel, tail, lanes, values, columns, begins, ends, w, start, c, c_row
):  # fmt: skip
    """c ← start + a w for m compressed rows a, w in `vectors` vectors of panels and `tail` tail columns; start and rows
    of c are padded to full vectors. Only the columns of the panels from `begin_panel` to `end_panel`, and the tail
    columns."""
    n_panels = panel_count(vectors)
    for p in range(begin_panel, end_panel):
        first, last = panel_start(p, n_panels, vectors), panel_start(p + 1, n_panels, vectors)
        column, width = first * lanes, (last - first) * lanes
        b, begin = offset(w, column * inner), offset(start, column)
        for r in range(m):
            out = offset(c, r * c_row + column)
            if last - first == 3:
                _three_vectors(values, columns, begins[r], ends[r], b, width, begin, out)
            elif last - first == 2:
                _two_vectors(values, columns, begins[r], ends[r], b, width, begin, out)
            else:
                _one_vector(values, columns, begins[r], ends[r], b, width, begin, out)
    whole = vectors * lanes
    for r in range(m if tail > 0 else 0):
        out = offset(c, r * c_row + whole)
        bias = offset(start, whole)
        store(load(bias), out)
        for t in range(0, tail, 2):
            # A last column without another is taken twice.
            other = min(t + 1, tail - 1)
            row, other_row = offset(w, (whole + t) * inner), offset(w, (whole + other) * inner)
            one, two = _dot_pair(values, columns, begins[r], ends[r], row, other_row)
            out[t], out[other] = bias[t] + one, bias[other] + two


@force_inline
def _place(columns, begin, end, column):
    """The first place from `begin` to `end` whose column is not below that one."""
    while begin < end:
        middle = (begin + end) // 2
        if columns[middle] < column:
            begin = middle + 1
        else:
            end = middle
    return begin


@force_inline
def compressed_places(top, bottom, inner, m, columns, begins, ends, firsts, lasts):
    """firsts, lasts ← where the columns from `top` to `bottom` begin and end in each of m rows.

    What is in `lasts` before is where the search for `firsts` begins: the places of the columns before, if they were
    asked for last; else any number.
    """
    for r in range(m):
        begin, end, k = begins[r], ends[r], lasts[r]
        if k < begin or k > end or (k > begin and columns[k - 1] >= top) or (k < end and columns[k] < top):
            k = _place(columns, begin, end, top)
        firsts[r] = k
        if bottom >= inner:
            k = end
        while k < end and columns[k] < bottom:
            k += 1
        lasts[r] = k


@unit("int int int real* int32* int64* int64* real* int real* -> none")
def compressed_gradient(m, vectors, width, values, columns, firsts, lasts, dy, dy_row, c):
    """One panel of w ← w + aᵀ dy at c, of `vectors` vectors, which are `width` elements: the panel's columns of dy, and
    m compressed rows a, each from one place to another."""
    for r in range(m):
        d = offset(dy, r * dy_row)
        if vectors == 3:
            _update_three(values, columns, firsts[r], lasts[r], d, c, width)
        elif vectors == 2:
            _update_two(values, columns, firsts[r], lasts[r], d, c, width)
        else:
            _update_one(values, columns, firsts[r], lasts[r], d, c, width)


@unit("int int int real* int32* int64* int64* real* int real* int -> none")
def compressed_tail_gradient(m, tail, first, values, columns, firsts, lasts, dy, dy_row, c, c_row):
    """c ← c + (aᵀ dy)ᵀ of `tail` columns of dy, each in a row of c, whose first element is that of the column `first`
    of a: m compressed rows, each from one place to another."""
    for r in range(m):
        for t in range(0, tail, 2):
            d, target = dy[r * dy_row + t], offset(c, t * c_row - first)
            if t + 1 == tail:
                for i in range(firsts[r], lasts[r]):
                    target[columns[i]] += values[i] * d
            else:
                other_d, other = dy[r * dy_row + t + 1], offset(target, c_row)
                for i in range(firsts[r], lasts[r]):
                    value, column = values[i], columns[i]
                    target[column] += value * d
                    other[column] += value * other_d
