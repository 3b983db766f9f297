"""The monitor: what it measures, against NumPy; and that training gives the same bits with it as without."""

from __future__ import annotations

import json
import pickle
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import fastact as fa
from fastact.learn.diagnostics import Monitor
from fastact.learn.diagnostics.measures import BINS, FLAT_SLOPE
from helpers.networks import blobs, classifier, state_of

X, Y = blobs(120)
SLOPES: dict[str, Any] = {"relu": lambda z: (z > 0) * 1.0, "tanh": lambda z: 1 - np.tanh(z) ** 2}
OUTPUTS: dict[str, Any] = {"relu": lambda z: np.maximum(z, 0), "tanh": np.tanh}


@pytest.mark.parametrize("activation", SLOPES)
def test_measures_are_those_of_numpy(activation: str) -> None:
    """A network of two hidden layers, computed by hand; SGD's first step is the rate times the gradient."""
    model = fa.MLP((4, 6, 5, 3), activation, "softmax", optimizer="sgd", learning_rate=0.1, dtype=np.float64, seed=0)
    model.layers[0].bias[:2] = -100, 1.5  # the first unit is dead with relu, and flat with tanh
    x, y = X[:20], Y[:20]
    monitor = Monitor(x, y)
    monitor(0, model)
    [look] = monitor.looks
    edges = monitor.diagnosis().edges

    weights, a, zs = [layer.weights for layer in model.layers], x, []
    inputs = [a]
    for layer in model.layers[:-1]:
        zs.append(a @ layer.weights + layer.bias)
        a = OUTPUTS[activation](zs[-1])
        inputs.append(a)
    logits = a @ model.layers[-1].weights + model.layers[-1].bias
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    grad = (p - np.eye(3)[y]) / len(x)
    gradients: list[NDArray[Any]] = []
    for number in (2, 1, 0):
        gradients.insert(0, inputs[number].T @ grad)
        if number:
            grad = (grad @ weights[number].T) * SLOPES[activation](zs[number - 1])

    np.testing.assert_allclose(look.gradient_norm, [np.sqrt((each**2).sum()) for each in gradients], rtol=1e-10)
    slopes = [SLOPES[activation](z) for z in zs]
    np.testing.assert_allclose(look.saturated[:2], [(slope <= FLAT_SLOPE).mean() for slope in slopes])
    np.testing.assert_allclose(look.dead[:2], [(slope <= 1e-6).all(axis=0).mean() for slope in slopes])
    assert look.dead[0] >= 1 / 6
    assert np.isnan([look.saturated[2], look.dead[2]]).all()
    for found, output in zip(look.histograms, [*inputs[1:], p], strict=True):
        expected = np.histogram(np.clip(output, edges[0], edges[-1]), edges)[0] / output.size
        np.testing.assert_allclose(found, expected)
    ratios = [np.log10(0.1 * each.std() / w.std()) for each, w in zip(gradients, weights, strict=True)]
    np.testing.assert_allclose(look.update_ratio, ratios, rtol=1e-6)
    np.testing.assert_allclose(look.loss, -np.log(p[np.arange(20), y]).mean())


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"dropout": 0.3, "batch_norm": True, "l2": 1e-3},
        {"layers": (4, 8, 8, 3), "residual": True, "activation": "swish", "trainable": True},
        {"activation": "softmax", "optimizer": "adamw", "schedule": "inverse_scaling"},
        {"optimizer": "sgd", "clip_norm": 0.5, "schedule": {"name": "cosine", "steps": 30}},
        {"layers": (4, 3)},
    ],
    ids=str,
)
def test_training_gives_the_same_bits(settings: dict[str, Any]) -> None:
    layers = settings.get("layers", (4, 8, 3))
    rest = {name: value for name, value in settings.items() if name != "layers"}
    found = []
    for watched in (False, True):
        model, gradients = fa.MLP(layers, output="softmax", seed=1, **rest), []
        monitor = Monitor(X, Y, samples=50)

        def look(epoch: int, model: fa.MLP, watched: bool = watched, monitor: Monitor = monitor) -> None:
            before = model.gradients.tobytes(), model.layers[0].preactivation.tobytes()
            if watched:
                monitor(epoch, model)
            assert (model.gradients.tobytes(), model.layers[0].preactivation.tobytes()) == before

        look(0, model)
        model.fit(X, Y, epochs=4, validation=0.2, callback=look)
        model.loss_and_gradients(X, Y)
        gradients.append(model.gradients.tobytes())
        found.append((state_of(model), gradients))
    assert found[0] == found[1]
    assert [each.epoch for each in monitor.looks] == [0, 1, 2, 3, 4]
    assert np.isfinite(monitor.diagnosis().gradient_norm).all()


def test_the_copy_takes_the_step_that_training_takes_next() -> None:
    """After a change of the rate by a callback too: the step of a network with one batch is known."""
    model = classifier(optimizer="adam", batch_size=len(X))
    monitor = Monitor(X, Y, samples=len(X))
    ratios = []

    def look(epoch: int, model: fa.MLP) -> None:
        model.optimizer.learning_rate *= 0.7
        monitor(epoch, model)
        weights.append(model.layers[0].weights.copy())

    weights = [model.layers[0].weights.copy()]
    monitor(0, model)
    model.fit(X, Y, epochs=4, callback=look)
    ratios = [np.log10((new - old).std() / old.std()) for old, new in pairwise(weights)]
    np.testing.assert_allclose([each.update_ratio[0] for each in monitor.looks[:-1]], ratios, atol=1e-3)


def test_the_penalty_hides_no_gradient() -> None:
    """With a strong l2, the gradient of the data is measured."""
    looks = []
    for l2 in (0.0, 10.0):
        monitor = Monitor(X, Y)
        monitor(0, classifier(l2=l2))
        looks.append(monitor.looks[0])
    np.testing.assert_array_equal(looks[0].gradient_norm, looks[1].gradient_norm)
    assert looks[0].loss == looks[1].loss


#: One of each kind: at rest on one side, flat at both ends, with parameters, flat everywhere, mixing a row.
KINDS = ("relu6", "sigmoid", "swish", "step", "softmax")
EVERY = [name for kind in ("activation", "softmax") for name in fa.names(kind) if fa.get(name).differentiable]


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in KINDS else pytest.mark.slow) for name in EVERY]
)
def test_every_activation_can_be_watched(name: str) -> None:
    model = classifier(activation=name)
    monitor = Monitor(X, Y, samples=30)
    model.fit(X[:60], Y[:60], epochs=3, callback=monitor)
    found = monitor.diagnosis()
    assert ((found.saturated[:, 0] >= found.dead[:, 0]) & (found.saturated[:, 0] <= 1)).all()
    np.testing.assert_allclose(found.histograms.sum(axis=2), 1)
    assert found.histograms.shape == (3, 2, BINS)
    assert (found.dead[:, 0] == 1).all() == (name in ("step", "hardmax"))
    json.dumps(found.as_dict(), allow_nan=False)


def test_own_activation(own_registry: None) -> None:
    """Its saturation follows from the derivative that it was defined with: half as steep as tanh, the same share."""

    def slope(x):  # type: ignore[no-untyped-def]
        return (1 - np.tanh(x) * np.tanh(x)) / 2

    @fa.activation(derivative=slope)
    def half_tanh(x):  # type: ignore[no-untyped-def]
        return np.tanh(x) / 2

    looks = []
    for activation in (half_tanh, "tanh"):
        model = fa.MLP((4, 50, 3), activation, "softmax", init="glorot", seed=0)
        monitor = Monitor(X, Y)
        monitor(0, model)
        looks.append(monitor.looks[0])
    assert 0.1 < looks[0].saturated[0] == looks[1].saturated[0]


TARGETS = {
    "numbers": X[:, :2] * 3,
    "counts": np.abs(X[:, :2]).round(),
    "labels": (X[:, :2] > 0).astype(int),
    "distributions": np.abs(X[:, :2]) / np.abs(X[:, :2]).sum(axis=1, keepdims=True),
}


@pytest.mark.parametrize(
    ("output", "loss", "target"),
    [
        ("identity", "mse", "numbers"),
        ("identity", {"name": "quantile", "q": 0.2, "scale": 3}, "numbers"),
        ("identity", {"name": "huber", "delta": 2.0}, "numbers"),
        ("identity", "poisson", "counts"),
        ("sigmoid", "bce", "labels"),
        ("softmax", "cross_entropy", "distributions"),
    ],
    ids=str,
)
def test_the_loss_of_chance_is_the_best_that_a_constant_reaches(output: str, loss: Any, target: str) -> None:
    """Against a network that sees nothing, and learns its biases."""
    blind, x, y = fa.MLP((1, 2), output=output, loss=loss, learning_rate=0.02), np.zeros((120, 1)), TARGETS[target]
    blind.batch_size = 120
    monitor = Monitor(x, y)
    monitor(0, blind)
    blind.fit(x, y, epochs=2000)
    assert monitor.diagnosis().chance_loss == pytest.approx(blind.history["loss"][-1], rel=0.01)


def test_looks_can_be_rare() -> None:
    monitor = Monitor(X, Y, every=4)
    classifier().fit(X, Y, epochs=9, callback=monitor)
    assert monitor.diagnosis().epochs == [4, 8]
    assert np.isnan(monitor.diagnosis().first_loss)
    assert len(monitor.diagnosis().history["loss"]) == 9


def test_wrong_use_is_told() -> None:
    with pytest.raises(ValueError, match="has seen no epoch; give it to fit first"):
        Monitor(X, Y).diagnosis()
    with pytest.raises(ValueError, match="X has 120 samples and y 7; they must pair up"):
        Monitor(X, Y[:7])
    with pytest.raises(ValueError, match="every must be at least 1, got 0"):
        Monitor(X, Y, every=0)
    monitor = Monitor(X, Y)
    monitor(0, classifier())
    with pytest.raises(ValueError, match="make a monitor for each model"):
        monitor(1, fa.MLP((4, 9, 3), output="softmax"))
    with pytest.raises(ValueError, match=r"y\[0\] is 7"):
        Monitor(X, Y + 7)(0, classifier())


def test_a_diagnosis_can_be_pickled() -> None:
    monitor = Monitor(X, Y)
    classifier().fit(X, Y, epochs=2, callback=monitor)
    found = pickle.loads(pickle.dumps(monitor.diagnosis()))
    assert found.as_dict() == monitor.diagnosis().as_dict()
