"""The checks before training: the first loss, the range test of the learning rate, one batch by heart."""

from __future__ import annotations

import json
import math
from contextlib import suppress
from typing import Any

import numpy as np
import pytest

import fastact as fa
from fastact.learn.data import named
from fastact.learn.diagnostics import first_loss, learning_rate_range, overfit_batch
from helpers.networks import blobs, classifier, state_of

X, Y = blobs(120)


@pytest.mark.parametrize("check", [first_loss, learning_rate_range, overfit_batch])
def test_the_model_stays_as_it_is(check: Any) -> None:
    model = classifier(dropout=0.1, l2=0.1, schedule="adaptive", batch_size=16)
    model.fit(X, Y, epochs=2)
    model.loss_and_gradients(X, Y)
    before = state_of(model), model.gradients.tobytes(), model._settings(), model.layers[0].output.tobytes()
    result = check(model, X, Y)
    assert (state_of(model), model.gradients.tobytes(), model._settings(), model.layers[0].output.tobytes()) == before
    assert result.sentences()
    assert result.tables()[0].rows
    json.dumps(result.as_dict(), allow_nan=False)
    pytest.importorskip("matplotlib", reason="matplotlib is not installed (extra: demo)")
    result.figure().canvas.draw()


def test_first_loss() -> None:
    """Of a network that answers chance: with weights of 0; and of one that answers wildly."""
    model = classifier(l2=1.0)
    model.layers[-1].weights = np.zeros((8, 3))
    found = first_loss(model, X, Y)
    assert found.loss == pytest.approx(math.log(3))
    assert found.chance == pytest.approx(math.log(3))
    assert "as it should be" in found.sentence
    assert found.remedies == []
    model.layers[-1].weights = np.full((8, 3), 100) * [1, 0, -1]
    found = first_loss(model, X, Y)
    assert not found.close
    assert "far above the 1.099" in found.sentence
    regression = fa.MLP((4, 3, 1), seed=0)
    found = first_loss(regression, X, 1000 + X[:, 0])
    assert found.chance == pytest.approx(X[:, 0].var(), rel=1e-3)
    assert "Scale the targets" in found.sentences()[0]


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_the_suggested_rate_learns_and_the_diverging_one_does_not(optimizer: str) -> None:
    """Digits are learnt better with the suggestion than with a hundredth of it, or with the rate that diverges."""
    pytest.importorskip("sklearn", reason="scikit-learn is not installed (extra: demo)")
    split = named.problem("digits").split(0)
    data, held_out = (split.train_x, split.train_y), (split.test_x, split.test_y)

    def network(rate: float) -> fa.MLP:
        return fa.MLP((64, 32, 32, 10), output="softmax", optimizer=optimizer, learning_rate=rate, seed=0)

    found = learning_rate_range(network(1e-3), *data)
    assert found.suggestion is not None
    assert found.diverges is not None
    scores = []
    for rate in (found.suggestion, found.suggestion / 100, found.diverges):
        model = network(rate)
        with suppress(FloatingPointError):
            model.fit(*data, epochs=6)
        scores.append(model.score(*held_out))
    assert scores[0] > 0.9
    assert scores[0] > 0.2 + max(scores[1:])


def test_no_rate_helps_where_nothing_can_be_learnt() -> None:
    model = fa.MLP((4, 8, 3), "step", "softmax", seed=0)
    model.layers[0].bias = np.full(8, -1e6)  # the outputs are 0
    found = learning_rate_range(model, X, np.arange(120) % 3)
    assert not found.learns
    assert found.suggestion is None
    assert "does not fall" in found.sentences()[0]


def test_a_network_that_is_not_finite_learns_at_no_rate() -> None:
    model = classifier()
    model.layers[0].weights *= 1e38
    found = learning_rate_range(model, X, Y)
    assert not found.learns
    assert found.diverges == found.rates[0]
    assert found.tables()
    assert found.figure()


def test_the_range_is_checked() -> None:
    with pytest.raises(ValueError, match=r"least=1 and most=0\.1 are no range"):
        learning_rate_range(classifier(), X, Y, least=1, most=0.1)
    with pytest.raises(ValueError, match="steps must be at least 10, got 3"):
        learning_rate_range(classifier(), X, Y, steps=3)
    with pytest.raises(ValueError, match="lbfgs"):
        learning_rate_range(fa.MLP((4, 3), output="softmax", optimizer="lbfgs"), X, Y)


def test_a_sound_network_learns_a_batch_by_heart() -> None:
    rng = np.random.default_rng(0)
    assert overfit_batch(classifier(l2=0.1, weight_decay=0.1), X, rng.permutation(Y)).learnt
    assert overfit_batch(fa.MLP((4, 32, 2), learning_rate=0.01, seed=0), X, X[:, :2] ** 2 / 10).learnt
    rare = np.zeros(120, int)
    rare[7] = 1
    found = overfit_batch(fa.MLP((4, 16, 1), output="sigmoid", learning_rate=0.01, seed=0), X, rare)
    assert found.learnt  # the rare one among them: without it, there would be one class
    overfit_batch(fa.MLP((4, 16, 1), learning_rate=0.01, seed=0), X, rare)  # and so with numbers
    with pytest.raises(ValueError, match="samples must be at least 2, got 1"):
        overfit_batch(classifier(), X, Y, samples=1)


def test_why_a_batch_is_not_learnt() -> None:
    dead = classifier()
    dead.layers[0].bias = np.full(8, -1e6)
    same = np.ones((120, 4))
    cases = {
        "same inputs and different targets": overfit_batch(classifier(), same, Y, steps=300),
        "Dead units: 100%": overfit_batch(dead, X, Y, steps=300),
        "smaller learning rate": overfit_batch(classifier(optimizer="sgd", learning_rate=1e30), X, Y),
        "dropout=0": overfit_batch(classifier(dropout=0.9), X, Y, steps=300),
        "more steps": overfit_batch(classifier(learning_rate=1e-3), X, Y, steps=40),
        "cannot give numbers like the targets": overfit_batch(
            fa.MLP((4, 8, 1), output="sigmoid", loss="mse", learning_rate=0.05, seed=0), X, 5 + X[:, 0], steps=500
        ),
    }
    for reason, found in cases.items():
        assert not found.learnt
        assert any(reason in text for text in found.sentences()), (reason, found.sentences())
