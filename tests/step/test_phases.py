"""How a batch is cut into row blocks, or shared as one."""

from __future__ import annotations

from itertools import pairwise

import numba
import numpy as np
import pytest

from fastnn.linalg.layout import ParameterLayout
from fastnn.linalg.packing import busiest_part, part_start
from fastnn.sharing import _MEETING, _MEMBER, _STAGE, _STAGE_MEMBER, Sharing
from fastnn.step import plan as plans
from fastnn.step.phases import cut_rows, share_or_cut_rows

_step_of = plans.STEP.at


@numba.njit
def cut(address, n, workers):
    cut_rows(_step_of(address, 0, np.float32(0)), n, workers)


@numba.njit
def share_or_cut(address, n, workers):
    share_or_cut_rows(_step_of(address, 0, np.float32(0)), n, workers)


def test_row_blocks_are_even_and_as_many_as_gradients_are_allocated_for() -> None:
    plan, most = plans.STEP.empty(), 64
    plan["most_rows"] = most
    for workers in range(1, 10):
        for n in [*range(1, 300), 511, 512, 513, 576, 577, 1000, 2048, 5000]:
            cut(plan.ctypes.data, n, workers)
            size, count = int(plan["block_rows"][0]), int(plan["n_blocks"][0])
            assert size % 8 == 0
            assert 0 < size <= most
            assert (count - 1) * size < n <= count * size
            # More row blocks than workers store gradients, for which `Preparation.following` goes by the rows.
            assert (count > workers) == (n > workers * most)
            ends = [count * worker // workers * size for worker in range(workers + 1)]
            rows = [min(last, n) - min(first, n) for first, last in pairwise(ends)]
            # So many blocks at the most, each rounded up by less than eight rows.
            each = -(-n // (workers * most))
            assert max(rows) <= n / workers + 8 * each


def test_the_cost_of_a_step_goes_by_these_row_blocks() -> None:
    """The rows of the worker who has most, and of the gradient an even share, unless it is stored by row blocks."""
    plan, most = plans.STEP.empty(), 64
    plan["most_rows"] = most
    rows, gradients = (Sharing(ParameterLayout((4, 8, 3), 16), np.dtype("float32"), most) for _ in range(2))
    for own, row, gradient in ((rows, 1, 0), (gradients, 0, 1)):
        own._row, own._gradient, own._update, own._fetch = row, gradient, 0, 0
    for workers in (1, 2, 3, 7, 16):
        sharing = _MEETING + _MEMBER * workers if workers > 1 else 0
        for n in (*range(1 if workers == 1 else most + 1, 300), 512, 577, 2048, 5000):
            cut(plan.ctypes.data, n, workers)
            size, count = int(plan["block_rows"][0]), int(plan["n_blocks"][0])
            ends = [min(n, count * worker // workers * size) for worker in range(workers + 1)]
            busiest = max(last - first for first, last in pairwise(ends))
            # The last row block may be a small one.
            found = rows._cost(n, workers) - sharing
            assert busiest <= found < busiest + size
            assert found == busiest or count > workers
            even = n / workers if count <= workers else found
            assert gradients._cost(n, workers) - sharing == pytest.approx(even)


@pytest.mark.parametrize("wide_layers", [0, 2])
def test_several_workers_share_one_row_block(wide_layers: int) -> None:
    """By columns where none has more to do than by rows, as the cost is counted."""
    plan, most, panels = plans.STEP.empty(), 64, 3
    plan["most_rows"], plan["wide_layers"], plan["fewest_panels"] = most, wide_layers, panels
    own = Sharing(ParameterLayout((4, 8, 3), 16), np.dtype("float32"), most)
    own.wide_layers, own.fewest_panels, own._fetch, own._fetch_of_part = wide_layers, panels, 0, 0
    # One row costs 1 by rows, and nothing in the wide layers but the stages.
    own._row, own._gradient, own._update, own._wide = 1, 0, 0, []
    own._narrow_row = own._narrow_gradient = own._narrow_update = 0
    by_columns = set()
    for workers in (1, 2, 3, 7):
        for n in range(1, 200):
            share_or_cut(plan.ctypes.data, n, workers)
            shares, layers, size, count = (
                int(plan[name][0]) for name in ("shares_pass", "shared_layers", "block_rows", "n_blocks")
            )
            assert shares == (workers > 1 and n <= most)
            assert size % 8 == 0
            assert (count - 1) * size < n <= count * size
            parts = [part_start(n, worker, workers) for worker in range(workers + 1)]
            assert busiest_part(n, workers) == max(last - first for first, last in pairwise(parts))
            assert layers in (0, wide_layers if shares else 0)
            if shares:
                assert count == 1
                cost = own._cost(n, workers) - _MEETING - _MEMBER * workers
                stages = (2 * wide_layers + 1) * (_STAGE + _STAGE_MEMBER * workers)
                assert cost == (stages if layers else busiest_part(n, workers))
            if layers:
                by_columns.add((workers, n))
    # One of two workers has two of three panels, 2 n / 3 rows, and may have four rows more than by rows.
    by_rows = {n: max(part_start(n, 1, 2), n - part_start(n, 1, 2)) for n in range(1, most + 1)}
    pays = [n for n, rows in by_rows.items() if 2 * n <= 3 * (rows + 4)] if wide_layers else []
    assert [n for workers, n in sorted(by_columns) if workers == 2] == pays
