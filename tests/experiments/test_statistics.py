"""The statistics of comparisons, beside independent computations, and where in truth nothing differs."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fastact.learn.experiments.comparing.statistics import differences

stats = pytest.importorskip("scipy.stats", reason="SciPy is not installed (extra: demo)")


def scores(settings: int, seeds: int, seed: int = 0) -> np.ndarray:
    """Scores of equal settings; a good seed is good for all."""
    rng = np.random.default_rng(seed)
    return rng.normal(0, 1, (settings, seeds)) + rng.normal(0, 2, seeds)


def holm(p: dict[tuple[int, int], float]) -> dict[tuple[int, int], float]:
    """As in Holm's paper: the smallest against all, the next one against one fewer, and never less than before."""
    adjusted, least = {}, 0.0
    for step, pair in enumerate(sorted(p, key=lambda pair: p[pair])):
        least = max(least, min(1.0, (len(p) - step) * p[pair]))
        adjusted[pair] = least
    return adjusted


def test_paired_tests_are_those_of_scipy() -> None:
    x = scores(4, 8)
    x[2] += 1.5
    best = int(x.mean(axis=1).argmax())
    adjusted = holm({(i, j): stats.ttest_rel(x[i], x[j]).pvalue for i in range(4) for j in range(i + 1, 4)})
    found = differences(x, best)
    assert [each.mean for each in found] == sorted(each.mean for each in found)
    assert {each.other for each in found} == {0, 1, 2, 3} - {best}
    for each in found:
        test = stats.ttest_rel(x[best], x[each.other])
        assert each.mean == pytest.approx((x[best] - x[each.other]).mean())
        assert (each.low, each.high) == pytest.approx(tuple(test.confidence_interval(0.95)))
        assert each.p == pytest.approx(adjusted[min(best, each.other), max(best, each.other)])
        assert each.p_alone == pytest.approx(test.pvalue)


def test_samples_that_seeds_share_make_the_interval_wider() -> None:
    """Nadeau and Bengio's variance of the mean: (1 / n + n_test / n_train) s**2."""
    x = scores(2, 10)
    best = int(x.mean(axis=1).argmax())
    each = x[best] - x[1 - best]
    half = stats.t.ppf(0.975, 9) * math.sqrt((1 / 10 + 0.25) * each.var(ddof=1))
    [found] = differences(x, best, overlap=0.25)
    assert (found.low, found.high) == pytest.approx((each.mean() - half, each.mean() + half))
    t = each.mean() / math.sqrt((1 / 10 + 0.25) * each.var(ddof=1))
    assert found.p == pytest.approx(2 * stats.t.sf(t, 9))


def test_differences_without_noise() -> None:
    [found] = differences(np.array([[1.0] * 5, [0.75] * 5]), 0)
    assert found.p == 2 * 0.5**5
    assert not found.clear_alone
    [found] = differences(np.array([[1.0] * 8, [0.75] * 8]), 0)
    assert found.clear
    [found] = differences(np.array([[0.5] * 8, [0.5] * 8]), 0)
    assert found.p == 1
    assert not found.clear_alone


def test_one_setting_or_one_seed_says_nothing() -> None:
    assert differences(np.ones((1, 5)), 0) == []
    assert differences(np.ones((5, 1)), 0) == []


def false_alarms(settings: int, seeds: int, rounds: int) -> float:
    """The share of comparisons of equal settings that call a difference clear."""
    wrong = 0
    for seed in range(rounds):
        x = scores(settings, seeds, seed)
        wrong += any(each.clear for each in differences(x, int(x.mean(axis=1).argmax())))
    return wrong / rounds


@pytest.mark.parametrize(("settings", "rounds"), [(2, 400), (5, 300)])
def test_equal_settings_are_seldom_told_apart(settings: int, rounds: int) -> None:
    assert false_alarms(settings, 10, rounds) <= 0.05 + 2.6 * math.sqrt(0.05 * 0.95 / rounds)


@pytest.mark.slow
@pytest.mark.parametrize(("settings", "seeds"), [(2, 5), (2, 10), (5, 10), (10, 10)])
def test_equal_settings_are_told_apart_in_a_twentieth_of_all_cases_at_most(settings: int, seeds: int) -> None:
    share = false_alarms(settings, seeds, 4000)
    assert share <= 0.05 + 2.6 * math.sqrt(0.05 * 0.95 / 4000)
    if settings == 2:
        assert share >= 0.04


@pytest.mark.slow
def test_seeds_that_split_the_same_samples_are_no_independent_witnesses() -> None:
    """Of two learners of equal merit, the plain test calls one better far too often; the corrected one does not.

    Both are straight lines through noise, each looking at another half of the inputs.
    """
    rng = np.random.default_rng(0)
    wrong = np.zeros(2)
    for _ in range(1000):
        x, y = rng.normal(size=(60, 4)), rng.normal(size=60)
        ends = np.empty((2, 10))
        for seed in range(10):
            order = rng.permutation(60)
            train, test = order[:48], order[48:]
            for row, columns in enumerate((slice(0, 2), slice(2, 4))):
                line = np.linalg.lstsq(x[train, columns], y[train], rcond=None)[0]
                ends[row, seed] = -np.square(x[test, columns] @ line - y[test]).mean()
        best = int(ends.mean(axis=1).argmax())
        wrong += [differences(ends, best, overlap)[0].clear for overlap in (0.0, 0.25)]
    plain, corrected = wrong / 1000
    assert plain > 0.1
    assert corrected < 0.05
