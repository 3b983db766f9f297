"""The named data sets: what they hold, how seeds split them, and what the scaling looks at."""

from __future__ import annotations

import numpy as np
import pytest

from fastact.errors import UnknownNameError
from fastact.learn.data.named import NAMES, problem

pytest.importorskip("sklearn", reason="scikit-learn is not installed (extra: demo)")

MADE = ("moons", "circles", "spirals", "regression")


@pytest.mark.parametrize("name", NAMES)
def test_a_seed_gives_the_same_bits_each_time(name: str) -> None:
    found = problem(name)
    part, again, other = found.split(0), problem(name).split(0), found.split(1)
    for array in ("train_x", "train_y", "test_x", "test_y"):
        np.testing.assert_array_equal(getattr(part, array), getattr(again, array))
    assert part.train_x.shape[1] == part.test_x.shape[1] == found.features
    assert part.train_x.dtype == part.test_x.dtype == np.float32
    assert (name == "xor") == np.array_equal(part.train_x, other.train_x)
    if found.classes:
        assert set(part.train_y) == set(part.test_y) == set(range(len(found.classes)))
    else:
        assert part.train_y.dtype == np.float32


@pytest.mark.parametrize("name", [name for name in NAMES if name != "xor"])
def test_scaled_by_the_training_part_alone(name: str) -> None:
    part = problem(name).split(0)
    np.testing.assert_allclose(part.train_x.mean(axis=0, dtype=float), 0, atol=1e-6)
    spread = part.train_x.std(axis=0, dtype=float)
    assert np.all(np.isclose(spread, 1, atol=1e-5) | (spread == 0))
    assert abs(part.test_x.mean(axis=0)).max() > 0.01


@pytest.mark.parametrize("name", ["digits", "breast-cancer"])
def test_real_ones_hold_out_a_fifth_of_every_class(name: str) -> None:
    found = problem(name)
    part = found.split(0)
    share = np.bincount(part.test_y) / (np.bincount(part.test_y) + np.bincount(part.train_y))
    np.testing.assert_allclose(share, 0.2, atol=0.005)
    assert found.resampled


@pytest.mark.parametrize("name", MADE)
def test_made_ones_draw_samples_of_their_own(name: str) -> None:
    found = problem(name)
    rows = {tuple(row) for seed in range(3) for x in (found.split(seed).train_x, found.split(seed).test_x) for row in x}
    assert len(rows) == 3 * 1400
    assert not found.resampled


def test_xor_is_xor() -> None:
    part = problem("xor").split(5)
    assert [int(a != b) for a, b in part.train_x] == list(part.train_y) == list(part.test_y)


def test_an_unknown_name() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'moons'"):
        problem("moon")
