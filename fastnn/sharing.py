"""Between how many workers a step or a prediction is shared, and how, by what it has to do and what sharing costs.

All is counted in multiplications and additions of float32 with AVX-512, some 250 of which take a nanosecond; what takes
longer counts as so many, and one of vectors with fewer lanes as two, four or eight. Sharing costs a meeting of the
threads, and what one core wrote another must fetch: the weights above all, of which each worker updates a part and
reads the whole, or in a shared pass not much more than that part.
"""

from __future__ import annotations

import numpy as np

from fastnn import threads
from fastnn.linalg.layout import ParameterLayout
from fastnn.linalg.packing import busiest_part, panel_count
from fastnn.step.phases import ROWS_OF_READING, columns_pay

# Of float32 with AVX-512, whose operations are counted.
_LANES = 16

# What a worker must have to do at the least. A thread that sleeps takes as long to wake as ten times that.
_LEAST = 4_000_000

# An activation and its slope, or the loss, of one output, and the former alone: some 17 cycles for 16 of them.
_ELEMENT, _VALUE = 100, 70

# An update of one weight: Adam takes 15 microseconds for 100,000 of them, while these are in the second-level cache.
_UPDATE = 48

# One weight that another core wrote: 2 nanoseconds for a cache line of 16, to read it and to write it.
_FETCH = 32

# Two phases on threads, and a step that Python looks at; and what each worker adds: a thread to tell, and two words in
# memory that all threads write to, one after the other.
_MEETING, _MEMBER = 1_500_000, 50_000

# A meeting of the workers between the stages of a pass that they share (`step/shared_pass.py`), and what each adds.
_STAGE, _STAGE_MEMBER = 50_000, 10_000

# Elements of the panels of a layer from which on workers share it by columns, and meet before and after it.
_WIDE = 65536

# Sharing must save a tenth.
_WORTH = 0.9


class Sharing:
    """Between how many workers the steps and predictions of a net are shared. most_rows : of a row block.

    wide_layers : how many layers, the first ones, workers share by columns in a pass that they share, where that pays:
    those up to the last large one of several panels. fewest_panels : of a large one. A batch of more than one row block
    is cut into row blocks, which each worker takes through all layers.
    """

    def __init__(self, layout: ParameterLayout, dtype: np.dtype, most_rows: int) -> None:
        size, self._most_rows = layout.size, most_rows
        scale, bytes_scale = _LANES // layout.layers[0].lanes, dtype.itemsize // 4
        panels = [panel_count(layer.panel_vectors) for layer in layout.layers]
        wide = [k for k, own in enumerate(layout.layers) if own.panels_size >= _WIDE and panels[k] > 1]
        self.wide_layers = wide[-1] + 1 if wide else 0
        self.fewest_panels = min((panels[k] for k in wide), default=1)
        # Of each wide layer: its panels, and what there is to do for one row and for each batch; and of the others
        # together what there is to do for one row, and for the gradient of one row and each batch.
        work = [
            (scale * (4 * own.size + _ELEMENT * own.row), scale * 2 * own.size, scale * _UPDATE * own.size)
            for own in layout.layers
        ]
        wide_layers = list(zip(panels, work, strict=True))[: self.wide_layers]
        self._wide = [(max(1, count), row + gradient, update) for count, (row, gradient, update) in wide_layers]
        narrow = [sum(parts) for parts in zip((0, 0, 0), *work[self.wide_layers :], strict=True)]
        self._narrow_row, self._narrow_gradient, self._narrow_update = narrow
        # The weights that a worker needs of others: in the backward pass, which the first layer has none of.
        self._fetch_of_part = bytes_scale * _FETCH * sum(own.size for own in layout.layers[1 : self.wide_layers])
        outputs = sum(layer.row for layer in layout.layers)
        # Of each row, forward and backward, and its part of the gradient of the weights; and what each batch costs.
        self._row, self._gradient = scale * (4 * size + _ELEMENT * outputs), scale * 2 * size
        self._update, self._fetch = scale * _UPDATE * size, bytes_scale * _FETCH * size
        self._prediction = scale * (2 * size + _VALUE * outputs)
        # Predictions on few rows are shared through wide layers alone, and read all weights.
        self._rows_of_reading = ROWS_OF_READING if wide else 0
        # The smallest batches that are shared.
        self._rows_to_predict = max(1, -(-2 * _LEAST // self._prediction) - self._rows_of_reading)
        self.rows = self.rows_for_threads(2)
        self._last = 0, (0, False), 1

    def workers(self, n: int) -> int:
        """Between how many workers a step on n rows is shared."""
        if n < self.rows:
            return 1
        found, sharing = self._last, threads.sharing()
        if found[0] == n and found[1] == sharing:
            return found[2]
        workers = self._workers(n, *sharing)
        self._last = n, sharing, workers
        return workers

    def workers_of_predictions(self, n: int) -> int:
        """Between how many workers predictions on n rows are shared."""
        if n < self._rows_to_predict:
            return 1
        work = (n + self._rows_of_reading) * self._prediction
        return max(1, min(threads.get_num_threads(), work // _LEAST))

    def rows_for_threads(self, count: int) -> int:
        """The smallest batch that is shared between so many threads."""
        n = max(1, -(-(count * _LEAST - self._update) // (self._row + self._gradient)))
        while self._workers(n, count, False) < count:
            n += 1
        return n

    def _workers(self, n: int, most: int, invariant: bool) -> int:
        worth = (n * (self._row + self._gradient) + self._update) // _LEAST
        if worth < 2 or self._cost(n, 2) > _WORTH * self._cost(n, 1):
            return 1
        if invariant:
            # One thread shares the batch in the same way, and pays for every worker: so each has four times as much.
            return max(1, min(threads.INVARIANT_WORKERS, worth // 4))
        return min(range(1, min(most, worth) + 1), key=lambda workers: self._cost(n, workers))

    def _cost(self, n: int, workers: int) -> float:
        """Of a step: what the busiest worker has to do, and what sharing costs."""
        if workers > 1 and n <= self._most_rows:
            return self._cost_of_shared_pass(n, workers)
        # Row blocks are as in `cut_rows`: as many for each worker, of a multiple of eight rows.
        blocks = -(-n // (workers * self._most_rows))
        busiest = min(n, blocks * 8 * -(-n // (8 * workers * blocks)))
        # With one row block each, workers share the gradient evenly, whoever has more rows.
        gradient = self._gradient * (n / workers if blocks == 1 else busiest)
        alone = busiest * self._row + gradient + self._update / workers
        if workers == 1:
            return alone
        return alone + _MEETING + _MEMBER * workers + self._fetch * (1 - 1 / workers)

    def _cost_of_shared_pass(self, n: int, workers: int) -> float:
        """The same where the workers share one pass: the panels of each wide layer, if that pays, and then the rows."""
        busiest, others = busiest_part(n, workers), 1 - 1 / workers
        if self.wide_layers == 0 or not columns_pay(n, workers, self.fewest_panels):
            alone = busiest * self._row + (n * self._gradient + self._update) / workers
            return alone + _MEETING + _MEMBER * workers + self._fetch * others
        alone = busiest * self._narrow_row + (n * self._narrow_gradient + self._narrow_update) / workers
        for panels, row, update in self._wide:
            alone += (n * row + update) * -(-panels // workers) / panels
        stages = (2 * self.wide_layers + 1) * (_STAGE + _STAGE_MEMBER * workers)
        return alone + _MEETING + _MEMBER * workers + stages + self._fetch_of_part * others / workers
