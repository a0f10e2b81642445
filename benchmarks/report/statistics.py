"""What the samples of a race say: paired ratios, bootstrap intervals, verdicts, geometric means.

Sample k of every rival was taken in round k, under the same load of the machine, so two rivals are compared by the
ratio within each round. Ratios live on a log scale here: their median then turns into its inverse when the rivals
swap places, and averages of them are geometric means.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import fmean
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

CONFIDENCE = 0.95
RESAMPLES = 2000  # even: see _middle_ranks
SEED = 20240501
MINIMUM_ROUNDS = 3  # below this the bootstrap has nothing to resample, and no interval is given

Verdict = Literal["faster", "slower", "no clear difference"]
FASTER: Verdict = "faster"
SLOWER: Verdict = "slower"
UNCLEAR: Verdict = "no clear difference"


@dataclass(frozen=True)
class Estimate:
    """A number and its 95% interval. NaN where unknown: bounds of too few rounds, all of a cell without a time."""

    value: float
    low: float = math.nan
    high: float = math.nan

    @property
    def has_interval(self) -> bool:
        return not (math.isnan(self.low) or math.isnan(self.high))

    def exp(self) -> Estimate:
        """From a log scale back to ratios."""
        return Estimate(math.exp(self.value), math.exp(self.low), math.exp(self.high))


UNKNOWN = Estimate(math.nan)


def log_ratios(peer_seconds: ArrayLike, own_seconds: ArrayLike) -> NDArray[np.float64]:
    """log(peer time / own time) of every round that both finished; above 0 where `own` is faster.

    The longer series is cut to the shorter (its further rounds have no partner), and a round in which either time
    is no positive number (a clock too coarse) is left out.
    """
    peer, own = np.asarray(peer_seconds, float), np.asarray(own_seconds, float)
    rounds = min(len(peer), len(own))
    peer, own = peer[:rounds], own[:rounds]
    usable = (peer > 0) & (own > 0) & np.isfinite(peer) & np.isfinite(own)
    return np.log(peer[usable]) - np.log(own[usable])


def bootstrap_medians(samples: NDArray[np.float64], stream: int = 0) -> NDArray[np.float64]:
    """Medians of RESAMPLES resamples of `samples`; the same on every call. `stream` picks independent draws."""
    ordered = np.sort(samples)
    low, high = _middle_ranks(len(ordered), stream)
    return ordered[low] / 2 + ordered[high] / 2


def median_estimate(samples: ArrayLike) -> Estimate:
    """Median with its percentile-bootstrap interval, in the unit of the samples."""
    values = np.asarray(samples, float)
    if not len(values):
        return UNKNOWN
    if len(values) < MINIMUM_ROUNDS:
        return Estimate(float(np.median(values)))
    return Estimate(float(np.median(values)), *_interval(bootstrap_medians(values)))


def paired_ratio(peer_seconds: ArrayLike, own_seconds: ArrayLike) -> Estimate:
    """Median over rounds of peer time / own time: above 1 where `own` is faster."""
    return median_estimate(log_ratios(peer_seconds, own_seconds)).exp()


def verdict(ratio: Estimate) -> Verdict:
    """Of `own`, from `paired_ratio`: unclear when the interval spans 1, or when there is none."""
    if ratio.low > 1:
        return FASTER
    if ratio.high < 1:
        return SLOWER
    return UNCLEAR


def geometric_mean(pairs: Sequence[NDArray[np.float64]]) -> Estimate:
    """Geometric mean over cases of the median ratio, each case given by its `log_ratios`; empty cases are left out.

    The interval resamples the rounds of each case on its own. It says how well these cases were measured, not what
    other cases would give.
    """
    pairs = [pair for pair in pairs if len(pair)]
    if not pairs:
        return UNKNOWN
    value = fmean(np.median(pair) for pair in pairs)  # sums exactly, where NumPy's order depends on the CPU
    if min(map(len, pairs)) < MINIMUM_ROUNDS:
        return Estimate(value).exp()
    resampled = np.mean([bootstrap_medians(pair, stream) for stream, pair in enumerate(pairs)], axis=0)
    return Estimate(value, *_interval(resampled)).exp()


def median_shift(before: NDArray[np.float64], after: NDArray[np.float64]) -> Estimate:
    """How far the median moved between two series that share no rounds: each is resampled on its own."""
    if not len(before) or not len(after):
        return UNKNOWN
    value = float(np.median(after) - np.median(before))
    if min(len(before), len(after)) < MINIMUM_ROUNDS:
        return Estimate(value)
    return Estimate(value, *_interval(bootstrap_medians(after, 0) - bootstrap_medians(before, 1)))


def attainable_confidence(rounds: int) -> float:
    """Chance that the whole range of `rounds` samples covers the median: no interval can do better.

    At least 6 rounds are needed for 95%.
    """
    return 1 - 2.0 ** (1 - rounds) if rounds > 0 else 0.0


def _interval(resampled: NDArray[np.float64]) -> tuple[float, float]:
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(resampled, (tail, 1 - tail))
    return float(low), float(high)


@lru_cache(maxsize=256)
def _middle_ranks(count: int, stream: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Ranks of the two middle values in each resample of `count` sorted values (the same rank twice for odd counts).

    Only ranks are drawn, so one draw serves every cell of as many rounds. Each draw is used mirrored as well: the
    interval of the inverse ratio is then exactly the inverse of the interval.
    """
    generator = np.random.default_rng((SEED, stream))
    ranks = np.sort(generator.integers(count, size=(RESAMPLES // 2, count)), axis=1)
    low, high = ranks[:, (count - 1) // 2], ranks[:, count // 2]
    return np.concatenate([low, count - 1 - high]), np.concatenate([high, count - 1 - low])
