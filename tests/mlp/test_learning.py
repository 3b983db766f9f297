"""What the recommended settings reach; figures of this kind need many seeds, so that these tests take a while."""

from __future__ import annotations

import numpy as np
import pytest

import fastact as fa


@pytest.mark.slow
def test_xor_is_learnt_from_nearly_every_seed() -> None:
    x, y = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), [0, 1, 1, 0]
    solved = 0
    for seed in range(50):
        model = fa.MLP((2, 4, 1), "silu", "sigmoid", learning_rate=0.05, seed=seed).fit(x, y, epochs=500)
        solved += model.score(x, y) == 1
    assert solved >= 49


@pytest.mark.slow
def test_digits_are_told_apart() -> None:
    """Mean accuracy on unseen ones, over 10 splits."""
    datasets = pytest.importorskip("sklearn.datasets")
    x, y = datasets.load_digits(return_X_y=True)
    x, scores = x / 16, []
    for seed in range(10):
        train, test = np.split(np.random.default_rng(seed).permutation(len(x)), [1437])
        model = fa.MLP(
            (64, 256, 10),
            output="softmax",
            learning_rate=0.01,
            schedule={"name": "cosine", "steps": 40 * 45},
            batch_norm=True,
            dropout=0.4,
            seed=seed,
        )
        scores.append(model.fit(x[train], y[train], epochs=40).score(x[test], y[test]))
    assert np.mean(scores) >= 0.98
