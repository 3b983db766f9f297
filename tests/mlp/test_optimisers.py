"""Optimisers by their papers, penalties, clipping, schedules and L-BFGS."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import fastact as fa
from helpers.networks import blobs, classifier

Gradient = Callable[[NDArray[Any]], NDArray[Any]]


def nesterov(p: Any, gradient: Gradient, rates: list[float]) -> Any:
    """Sutskever et al. 2013, as PyTorch and scikit-learn have it."""
    velocity: Any = 0
    for rate in rates:
        g = gradient(p)
        velocity = 0.9 * velocity + g
        p = p - rate * (g + 0.9 * velocity)
    return p


def sgd(p: Any, gradient: Gradient, rates: list[float], kept: Any = 1.0) -> Any:
    velocity: Any = 0
    for rate in rates:
        velocity = 0.9 * velocity + gradient(p)
        p = p * kept - rate * velocity
    return p


def adam(
    p: Any, gradient: Gradient, rates: list[float], beta2: float = 0.999, epsilon: float = 1e-8, kept: Any = 1.0
) -> Any:
    m: Any = 0
    v: Any = 0
    for t, rate in enumerate(rates, 1):
        g = gradient(p)
        m = 0.9 * m + 0.1 * g
        v = beta2 * v + (1 - beta2) * g**2
        p = p * kept - rate * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - beta2**t)) + epsilon)
    return p


def rmsprop(p: Any, gradient: Gradient, rates: list[float], beta2: float = 0.9, epsilon: float = 1e-8) -> Any:
    v: Any = 0
    for rate in rates:
        g = gradient(p)
        v = beta2 * v + (1 - beta2) * g**2
        p = p - rate * g / (np.sqrt(v) + epsilon)
    return p


def follow(reference: Any, rates: list[float], **settings: Any) -> tuple[NDArray[Any], NDArray[Any]]:
    """The parameters after some steps of one batch, of the model and of the reference."""
    x, y = blobs(20)
    settings = {"batch_size": 20, "dtype": np.float64, **settings}
    model, probe = classifier(**settings), classifier(**settings)

    def gradient(p: NDArray[Any]) -> NDArray[Any]:
        probe.parameters[:] = p
        return probe.loss_and_gradients(x, y)[1].copy()

    expected = reference(model.parameters.copy(), gradient, rates)
    return model.fit(x, y, epochs=len(rates)).parameters, expected


@pytest.mark.parametrize(
    ("optimizer", "reference"),
    [
        ("nesterov", nesterov),
        ("rmsprop", rmsprop),
        ({"name": "adam", "beta2": 0.9, "epsilon": 0.1}, functools.partial(adam, beta2=0.9, epsilon=0.1)),
        ({"name": "rmsprop", "beta2": 0.5, "epsilon": 0.1}, functools.partial(rmsprop, beta2=0.5, epsilon=0.1)),
    ],
)
def test_optimizer_follows_its_paper(optimizer: Any, reference: Any) -> None:
    np.testing.assert_allclose(*follow(reference, [0.01] * 25, optimizer=optimizer), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize("decay", [None, 0.0, 0.3])
def test_weights_decay_and_biases_do_not(optimizer: str, decay: float | None) -> None:
    """Loshchilov and Hutter 2019, algorithm 2; AdamW decays by 0.01 unless said otherwise."""
    factor = 1 - 0.01 * (0 if decay is None else decay)
    weights = np.zeros(4 * 8 + 8 + 8 * 3 + 3, bool)
    weights[: 4 * 8] = weights[4 * 8 + 8 : -3] = True

    kept = np.where(weights, factor, 1)
    reference = functools.partial(adam if optimizer == "adam" else sgd, kept=kept)
    np.testing.assert_allclose(*follow(reference, [0.01] * 25, optimizer=optimizer, weight_decay=decay), rtol=1e-9)


def test_adamw_is_adam_with_a_decay_of_a_hundredth() -> None:
    x, y = blobs()
    found = classifier(optimizer="adamw").fit(x, y, epochs=3)
    assert np.array_equal(found.parameters, classifier(weight_decay=0.01).fit(x, y, epochs=3).parameters)
    plain = classifier(optimizer="adamw", weight_decay=0.0).fit(x, y, epochs=3)
    assert np.array_equal(plain.parameters, classifier().fit(x, y, epochs=3).parameters)


def test_l2_is_a_part_of_the_loss() -> None:
    x, y = blobs()
    plain, penalised = classifier(dtype=np.float64), classifier(dtype=np.float64, l2=0.2)
    shared = classifier(dtype=np.float64, l2=0.2, l2_shared=True)
    squares = sum(float(np.square(layer.weights).sum()) for layer in plain.layers)
    loss, gradient = plain.loss_and_gradients(x, y)
    assert penalised.loss_and_gradients(x, y)[0] == pytest.approx(loss + 0.1 * squares, rel=1e-12)
    assert shared.loss_and_gradients(x, y)[0] == pytest.approx(loss + 0.1 * squares / 90, rel=1e-12)
    expected = gradient[:32] + 0.2 * plain.layers[0].weights.ravel()
    np.testing.assert_allclose(penalised.gradients[:32], expected, rtol=1e-12)
    np.testing.assert_array_equal(penalised.gradients[32:40], gradient[32:40])
    fit = penalised.fit(x, y, epochs=1, validation=(x, y))
    assert fit.history["val_loss"][0] < fit.history["loss"][0]  # which has no penalty


def clipped_by_value(gradient: Gradient) -> Gradient:
    return lambda p: np.clip(gradient(p), -0.05, 0.05)


def clipped_by_norm(gradient: Gradient) -> Gradient:
    return lambda p: (g := gradient(p)) * min(1, 0.1 / np.linalg.norm(g))


@pytest.mark.parametrize(
    ("settings", "clip"), [({"clip_value": 0.05}, clipped_by_value), ({"clip_norm": 0.1}, clipped_by_norm)]
)
def test_gradients_are_clipped(settings: Any, clip: Any) -> None:
    found, expected = follow(
        lambda p, g, rates: sgd(p, clip(g), rates), [0.1] * 9, optimizer="sgd", **settings, learning_rate=0.1
    )
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_limits_above_the_gradients_change_nothing() -> None:
    x, y = blobs()
    limited = classifier(clip_value=1e9, clip_norm=1e9).fit(x, y, epochs=3)
    assert np.array_equal(limited.parameters, classifier().fit(x, y, epochs=3).parameters)


# ---- schedules


def cosine(step: int, epoch: int) -> float:
    return min(step / 5, (1 + math.cos(math.pi * min(max((step - 5) / 15, 0), 1))) / 2)


@pytest.mark.parametrize(
    ("schedule", "factor"),
    [
        ("constant", lambda step, epoch: 1),
        ("inverse_scaling", lambda step, epoch: (1 + 20 * epoch) ** -0.5),
        ({"name": "inverse_scaling", "power": 0.3}, lambda step, epoch: (1 + 20 * epoch) ** -0.3),
        ({"name": "step", "every": 3}, lambda step, epoch: 0.1 ** (epoch // 3)),
        ({"name": "step", "every": 2, "factor": 0.5}, lambda step, epoch: 0.5 ** (epoch // 2)),
        ({"name": "cosine", "steps": 20, "warm_up": 5}, cosine),
        (lambda step, epoch: 1 / (step + epoch), lambda step, epoch: 1 / (step + epoch)),
    ],
)
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_schedules_multiply_the_learning_rate(schedule: Any, factor: Any, optimizer: str) -> None:
    rates = [0.01 * factor(step, step - 1) for step in range(1, 26)]
    reference = adam if optimizer == "adam" else sgd
    found, expected = follow(reference, rates, optimizer=optimizer, schedule=schedule)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_a_schedule_counts_epochs_of_several_batches_and_goes_on_in_the_next_fit() -> None:
    seen: list[tuple[int, int]] = []

    def note(step: int, epoch: int) -> float:
        seen.append((step, epoch))
        return 1.0

    model = classifier(schedule=note, optimizer="sgd", batch_size=40)
    model.fit(*blobs(), epochs=2).fit(*blobs(), epochs=1)
    assert seen == [(1, 0), (2, 0), (3, 0), (4, 1), (5, 1), (6, 1), (7, 2), (8, 2), (9, 2)]


def test_the_adaptive_schedule_is_scikit_learns() -> None:
    """Its rule in a few lines, over the losses that the model had."""
    x, y = blobs()
    rates: list[float] = []
    schedule = {"name": "adaptive", "patience": 2, "tolerance": 0.05}
    model = classifier(optimizer="sgd", learning_rate=0.05, schedule=schedule)
    model.fit(x, y, epochs=200, callback=lambda epoch, model: rates.append(model.optimizer.learning_rate))
    best, waited, rate, expected = math.inf, 0, 0.05, []
    for loss in model.history["loss"]:
        waited = waited + 1 if loss > best - 0.05 else 0
        best = min(best, loss)
        if waited > 2:
            if rate <= 1e-6:
                break
            rate, waited = rate / 5, 0
        expected.append(rate)
    assert rates[: len(expected)] == expected
    assert len(model.history["loss"]) == len(expected) + 1 < 200  # it ended by itself
    assert all(later <= earlier for earlier, later in pairwise(rates))


def test_a_schedule_of_the_users_own_is_asked_for_again(tmp_path: Any) -> None:
    x, y = blobs()
    model = classifier(schedule=lambda step, epoch: 0.5).fit(x, y, epochs=1)
    model.save(tmp_path / "model")
    loaded = fa.MLP.load(tmp_path / "model")
    assert np.array_equal(loaded.forward(x), model.forward(x))
    with pytest.raises(ValueError, match=r"could not hold the schedule.*optimizer\.schedule"):
        loaded.fit(x, y, epochs=1)
    loaded.optimizer.schedule = lambda step, epoch: 0.5
    assert np.array_equal(loaded.fit(x, y, epochs=1).parameters, model.fit(x, y, epochs=1).parameters)


@pytest.mark.parametrize("value", [-1.0, math.nan, "high"])
def test_what_a_schedule_returns_is_checked(value: Any) -> None:
    model = classifier(schedule=lambda step, epoch: value)
    with pytest.raises((TypeError, ValueError), match="what schedule returns must be"):
        model.fit(*blobs(), epochs=1)


# ---- L-BFGS


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_lbfgs_is_scipys(dtype: Any) -> None:
    optimize = pytest.importorskip("scipy.optimize")
    x, y = blobs()
    model, probe = (classifier(optimizer="lbfgs", dtype=dtype, l2=0.01) for _ in range(2))

    def value_and_gradient(p: Any) -> tuple[float, Any]:
        probe.parameters[:] = p
        loss, gradient = probe.loss_and_gradients(x, y)
        return loss, gradient.astype(float)

    start = probe.parameters.astype(float)
    options = {"maxiter": 15, "gtol": 1e-5}
    expected = optimize.minimize(value_and_gradient, start, jac=True, method="L-BFGS-B", options=options)
    model.fit(x, y, epochs=15)
    np.testing.assert_allclose(model.parameters, expected.x, rtol=1e-5 if dtype is np.float32 else 1e-12, atol=1e-6)
    assert len(model.history["loss"]) == len(model.history["accuracy"]) == expected.nit
    assert model.history["loss"][-1] == pytest.approx(expected.fun)
    assert model.history["accuracy"][-1] == model.score(x, y)


def test_lbfgs_stops_where_it_converged_and_says_what_it_cannot_do() -> None:
    pytest.importorskip("scipy")
    x, y = blobs()
    model = classifier(optimizer={"name": "lbfgs", "tolerance": 0.01}, l2=0.1, dtype=np.float64).fit(x, y, epochs=500)
    assert len(model.history["loss"]) < 100
    assert abs(model.loss_and_gradients(x, y)[1]).max() <= 0.01
    with pytest.raises(ValueError, match="'lbfgs' shows no epochs, so that fit takes no validation"):
        model.fit(x, y, epochs=1, validation=0.2)
    with pytest.raises(ValueError, match="'lbfgs' takes all samples at once"):
        model.fit([(x, y)], epochs=1)
    with pytest.raises(ValueError, match="'lbfgs' takes no dropout; take 'adam'"):
        classifier(optimizer="lbfgs", dropout=0.1)
