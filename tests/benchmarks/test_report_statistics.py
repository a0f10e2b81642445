"""The statistics behind every verdict: ratios, intervals, geometric means."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from benchmarks.report.statistics import (
    FASTER,
    SLOWER,
    UNCLEAR,
    Estimate,
    attainable_confidence,
    geometric_mean,
    log_ratios,
    median_estimate,
    median_shift,
    paired_ratio,
    verdict,
)

seconds = st.floats(1e-9, 1e3)
rounds = st.lists(st.tuples(seconds, seconds), min_size=3, max_size=30)


def series(pairs):
    return [peer for peer, _ in pairs], [own for _, own in pairs]


# No sample is so small that what lies between two of them rounds to zero.
@given(st.lists(st.just(0.0) | seconds | seconds.map(lambda x: -x), min_size=3, max_size=40))
def test_interval_contains_the_median_and_stays_in_the_range(samples):
    estimate = median_estimate(samples)
    assert estimate.value == pytest.approx(np.median(samples))
    slack = 1e-9 * max(map(abs, samples))
    assert min(samples) - slack <= estimate.low <= estimate.value + slack
    assert estimate.value - slack <= estimate.high <= max(samples) + slack


@given(rounds)
def test_swapping_the_rivals_inverts_the_ratio_and_the_verdict(pairs):
    peer, own = series(pairs)
    ratio, inverse = paired_ratio(peer, own), paired_ratio(own, peer)
    assert inverse.value == pytest.approx(1 / ratio.value)
    assert inverse.low == pytest.approx(1 / ratio.high)
    assert inverse.high == pytest.approx(1 / ratio.low)
    assume(abs(math.log(ratio.low)) > 1e-12 and abs(math.log(ratio.high)) > 1e-12)
    assert verdict(inverse) == {FASTER: SLOWER, SLOWER: FASTER, UNCLEAR: UNCLEAR}[verdict(ratio)]


@given(rounds, st.floats(1e-3, 1e3), st.floats(1e-3, 1e3))
def test_scaling_a_rival_scales_the_ratio(pairs, peer_factor, own_factor):
    peer, own = map(np.array, series(pairs))
    plain, scaled = paired_ratio(peer, own), paired_ratio(peer * peer_factor, own * own_factor)
    for name in ("value", "low", "high"):
        assert getattr(scaled, name) == pytest.approx(getattr(plain, name) * peer_factor / own_factor)


@given(rounds, st.randoms())
def test_the_order_of_rounds_does_not_matter(pairs, random):
    shuffled = list(pairs)
    random.shuffle(shuffled)
    before, after = paired_ratio(*series(pairs)), paired_ratio(*series(shuffled))
    assert (after.value, after.low, after.high) == pytest.approx((before.value, before.low, before.high))


@given(rounds, st.lists(st.floats(1e-2, 1e2), min_size=30, max_size=30))
def test_load_that_both_rivals_share_cancels(pairs, load):
    peer, own = map(np.array, series(pairs))
    shared = np.array(load[: len(pairs)])
    assert paired_ratio(peer * shared, own * shared).value == pytest.approx(paired_ratio(peer, own).value)


def test_ratio_above_one_means_that_own_is_faster():
    ratio = paired_ratio([2.0, 2.2, 2.1, 2.0, 1.9, 2.0], [1.0] * 6)
    assert ratio.value == pytest.approx(2.0)
    assert verdict(ratio) == FASTER
    assert verdict(paired_ratio([1.0] * 6, [2.0] * 6)) == SLOWER


def test_identical_samples_show_no_difference_and_a_point_interval():
    ratio = paired_ratio([0.3] * 8, [0.3] * 8)
    assert (ratio.value, ratio.low, ratio.high) == (1.0, 1.0, 1.0)
    assert verdict(ratio) == UNCLEAR


@pytest.mark.parametrize("count", [1, 2])
def test_too_few_rounds_give_a_ratio_without_interval_or_verdict(count):
    ratio = paired_ratio([4.0] * count, [1.0] * count)
    assert ratio.value == pytest.approx(4.0)
    assert not ratio.has_interval
    assert verdict(ratio) == UNCLEAR


def test_no_rounds_give_nothing():
    assert math.isnan(paired_ratio([], [1.0, 2.0]).value)
    assert verdict(Estimate(math.nan)) == UNCLEAR


def test_rounds_pair_by_position_and_surplus_ones_are_left_out():
    assert np.exp(log_ratios([2.0, 6.0, 100.0], [1.0, 2.0])) == pytest.approx([2.0, 3.0])


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf])
def test_rounds_without_a_usable_time_are_left_out(bad):
    assert np.exp(log_ratios([2.0, bad, 4.0, 5.0], [1.0, 1.0, bad, 1.0])) == pytest.approx([2.0, 5.0])


def test_intervals_are_the_same_on_every_call():
    samples = np.random.default_rng(1).lognormal(size=20)
    assert median_estimate(samples) == median_estimate(samples.copy())


def test_interval_covers_the_true_median_as_often_as_it_says():
    rng = np.random.default_rng(5)
    hits = [e.low <= 0 <= e.high for e in (median_estimate(rng.normal(size=25)) for _ in range(400))]
    assert 0.90 < np.mean(hits) < 0.99


def test_interval_narrows_with_more_rounds():
    rng = np.random.default_rng(2)
    few, many = median_estimate(rng.normal(size=10)), median_estimate(rng.normal(size=1000))
    assert many.high - many.low < 0.5 * (few.high - few.low)


def test_attainable_confidence_reaches_95_percent_with_6_rounds():
    assert attainable_confidence(5) < 0.95 < attainable_confidence(6)
    assert attainable_confidence(1) == attainable_confidence(0) == 0.0


@settings(max_examples=30)
@given(st.lists(rounds, min_size=1, max_size=6))
def test_geometric_mean_inverts_with_the_rivals_and_lies_between_the_cases(cases):
    logs = [log_ratios(*series(pairs)) for pairs in cases]
    mean, inverse = geometric_mean(logs), geometric_mean([-values for values in logs])
    assert inverse.value == pytest.approx(1 / mean.value)
    assert inverse.low == pytest.approx(1 / mean.high)
    assert mean.low <= mean.value * (1 + 1e-9)
    assert mean.high >= mean.value * (1 - 1e-9)
    medians = [math.exp(np.median(values)) for values in logs]
    assert min(medians) * (1 - 1e-9) <= mean.value <= max(medians) * (1 + 1e-9)


def test_geometric_mean_of_a_half_and_a_double_is_one_and_empty_cases_do_not_count():
    logs = [np.log([2.0] * 5), np.log([0.5] * 5), np.array([])]
    assert geometric_mean(logs).value == pytest.approx(1.0)
    assert math.isnan(geometric_mean([]).value)


def test_geometric_mean_is_the_same_whatever_the_order_of_summation():
    logs = list(np.random.default_rng(6).normal(20, 5, size=(99, 1)))
    assert len({geometric_mean(logs[k:] + logs[:k]).value for k in range(99)}) == 1


def test_geometric_mean_averages_noise_away():
    rng = np.random.default_rng(3)
    logs = [rng.normal(0.5, 0.2, 15) for _ in range(30)]
    one, all_ = median_estimate(logs[0]), geometric_mean(logs)
    assert math.log(all_.high / all_.low) < 0.4 * (one.high - one.low)


def test_median_shift_needs_no_pairs():
    rng = np.random.default_rng(4)
    shift = median_shift(rng.normal(0, 0.1, 20), rng.normal(1, 0.1, 30))
    assert 0.8 < shift.low < shift.value < shift.high < 1.2
    assert math.isnan(median_shift(np.array([]), np.array([1.0])).value)
    assert not median_shift(np.array([1.0, 1.0]), np.array([2.0, 2.0, 2.0])).has_interval
