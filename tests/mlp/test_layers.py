"""What layers are made of: gradients of networks, batch statistics, dropout, residuals, initial weights, depth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import fastact as fa
from fastact.mlp.initialisers import gain
from helpers.networks import assert_gradients, blobs, classifier

#: What layers take.
IN_LAYERS = [*fa.names("activation"), *fa.names("softmax")]

#: Everything that a hidden layer and the loss can have beside weights and activation.
OPTIONS: dict[str, dict[str, Any]] = {
    "batch_norm": {"batch_norm": True},
    "residual": {"residual": True},
    "dropout": {"dropout": 0.4},
    "dropout of one layer": {"dropout": [0.0, 0.3]},
    "trainable": {"trainable": True},
    "l2": {"l2": 0.3},
    "l2 shared": {"l2": 0.3, "l2_shared": True},
    "all": {"batch_norm": True, "residual": True, "dropout": 0.2, "trainable": True, "l2": 0.1, "l2_shared": True},
}

#: (output, loss, units)
LOSSES: list[tuple[str, Any, int]] = [
    ("identity", "mse", 2),
    ("identity", "mae", 2),
    ("tanh", {"name": "huber", "delta": 0.3, "scale": 2.0}, 2),
    ("sigmoid", {"name": "quantile", "q": 0.2}, 1),
    ("identity", "poisson", 2),
    ("sigmoid", "bce", 1),
    ("sigmoid", {"name": "bce", "scale": 3.0}, 3),
    ("softmax", "cross_entropy", 3),
    ("softmax", "mse", 2),
]


def data(output: str, loss: Any, units: int) -> tuple[NDArray[Any], NDArray[Any]]:
    rng = np.random.default_rng(11)
    classes = output == "softmax" and loss == "cross_entropy"
    shape = 8 if classes or (output, units) == ("sigmoid", 1) else (8, units)
    labels = classes or loss == "bce" or (isinstance(loss, dict) and loss["name"] == "bce")
    return rng.normal(size=(8, 5)), rng.integers(0, 2, shape) if labels else rng.gamma(1.0, size=shape)


def network(output: str, loss: Any, units: int, **settings: Any) -> fa.MLP:
    model = fa.MLP((5, 4, 4, units), output=output, loss=loss, seed=3, dtype=np.float64, **settings)
    for layer in model.layers:
        layer.bias = np.linspace(-0.3, 0.2, layer.bias.size)  # so that biases matter
    return model


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("kind", LOSSES, ids=str)
def test_gradients_of_every_option_and_loss(kind: Any, option: str, weighted: bool) -> None:
    x, y = data(*kind)
    weights = [np.random.default_rng(2).random(8)] if weighted else []
    assert_gradients(network(*kind, activation="swish", **OPTIONS[option]), x, y, *weights)


@pytest.mark.parametrize("name", IN_LAYERS)
def test_gradients_of_every_activation_with_all_options(name: str) -> None:
    assert_gradients(network(*LOSSES[0], activation=name, **OPTIONS["all"]), *data(*LOSSES[0]))


# ---- batch normalisation


def test_batch_norm_takes_the_batch_in_training_and_running_averages_for_predictions() -> None:
    x, y = blobs()
    model = classifier(batch_norm=True, dtype=np.float64, batch_size=90)
    layer = model.layers[0]
    z = x @ layer.weights + layer.bias
    model.loss_and_gradients(x, y)
    np.testing.assert_allclose(layer.preactivation, (z - z.mean(axis=0)) / np.sqrt(z.var(axis=0) + 1e-5), rtol=1e-9)
    assert not layer.statistics["mean"].any()
    assert (layer.statistics["variance"] == 1).all()
    model.fit(x, y, epochs=1)
    np.testing.assert_allclose(layer.statistics["mean"], 0.1 * z.mean(axis=0), rtol=1e-9)
    np.testing.assert_allclose(layer.statistics["variance"], 0.9 + 0.1 * z.var(axis=0), rtol=1e-9)
    alone = np.concatenate([model.forward(x[i : i + 1]) for i in range(len(x))])
    np.testing.assert_allclose(alone, model.forward(x), rtol=1e-12)  # rows do not depend on each other
    z = x @ layer.weights + layer.bias
    normal = (z - layer.statistics["mean"]) / np.sqrt(layer.statistics["variance"] + 1e-5)
    expected = normal * layer.parameters["gamma"] + layer.parameters["beta"]
    np.testing.assert_allclose(layer.preactivation, expected, rtol=1e-9, atol=1e-12)


def test_batch_norm_ends_with_the_averages_of_the_data() -> None:
    x, y = blobs()
    model = classifier(batch_norm=True, learning_rate=1e-12, dtype=np.float64, batch_size=90).fit(x, y, epochs=300)
    z = x @ model.layers[0].weights + model.layers[0].bias
    np.testing.assert_allclose(model.layers[0].statistics["mean"], z.mean(axis=0), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(model.layers[0].statistics["variance"], z.var(axis=0), rtol=1e-6)


# ---- dropout, residuals, trained activations


def test_dropout_drops_its_share_in_training_only() -> None:
    x, y = np.ones((400, 1)), np.zeros(400)
    model = fa.MLP((1, 500, 1), "identity", dropout=0.3, seed=0)
    model.layers[0].weights = 1
    model.loss_and_gradients(x, y)
    output = model.layers[0].output
    assert (output == 0).mean() == pytest.approx(0.3, abs=0.003)
    assert output[output != 0].min() == output.max() == np.float32(1 / 0.7)
    columns, rows = (output == 0).mean(axis=0), (output == 0).mean(axis=1)
    assert abs(columns - 0.3).max() < 0.12  # five standard deviations
    assert abs(rows - 0.3).max() < 0.11
    model.forward(x)
    assert (model.layers[0].output == 1).all()


def test_dropout_differs_between_steps_layers_and_seeds() -> None:
    def mask(seed: int, steps: int, layer: int) -> NDArray[Any]:
        model = fa.MLP((2, 20, 20, 1), "identity", dropout=0.5, seed=seed)
        model.optimizer.steps = steps
        model.loss_and_gradients(np.ones((50, 2)), np.zeros(50))
        return model.layers[layer].output != 0

    masks = [mask(*each) for each in ((0, 0, 0), (0, 1, 0), (0, 0, 1), (1, 0, 0), (0, 10**9, 0))]
    for i, first in enumerate(masks):
        for second in masks[:i]:
            assert (first == second).mean() == pytest.approx(0.5, abs=0.08)
    assert np.array_equal(mask(0, 5, 0), mask(0, 5, 0))


def test_residual_adds_the_input_where_sizes_agree() -> None:
    model = fa.MLP((4, 6, 6, 5, 1), "tanh", residual=True, seed=0)
    model.forward(blobs()[0])
    first, second, third, _ = model.layers
    for layer, added in ((first, 0), (second, second.input), (third, 0)):
        np.testing.assert_array_equal(layer.output, fa.tanh(layer.preactivation) + added)


def test_trained_parameters_start_at_their_defaults_and_move() -> None:
    x, y = blobs()
    model = classifier(activation="leaky_relu", trainable=True)
    alpha = model.layers[0].parameters["activation_alpha"]
    assert alpha.tolist() == [np.float32(0.01)] * 8
    model.fit(x, y, epochs=5)
    assert len(set(alpha.tolist())) > 1
    np.testing.assert_array_equal(model.forward(x), fa.softmax(model.layers[1].preactivation))
    z = model.layers[0].preactivation
    np.testing.assert_array_equal(model.layers[0].output, fa.leaky_relu(z, alpha))


# ---- initial weights


@pytest.mark.parametrize(
    ("name", "expected"),
    [("relu", 2), ("leaky_relu", 2 / 1.0001), ("identity", 1), ("selu", 1), ("softmax", 1), ("tanh", 1 / 0.394294)],
)
def test_gain_keeps_the_size_of_activations(name: str, expected: float) -> None:
    assert gain(fa.get(name)) ** 2 == pytest.approx(expected, rel=1e-4)


def test_gain_of_every_activation_is_a_number() -> None:
    for name in IN_LAYERS:
        assert 0 < gain(fa.get(name)) < np.inf


@pytest.mark.parametrize(("init", "variance"), [("he", 1 / 0.394294 / 300), ("lecun", 1 / 300)])
def test_init_has_its_variance(init: str, variance: float) -> None:
    weights = fa.MLP((300, 200, 1), "tanh", init=init, seed=0).layers[0].weights
    assert weights.var() == pytest.approx(variance, rel=0.03)


@pytest.mark.parametrize("shape", [(30, 20), (20, 30), (20, 20)])
def test_orthogonal_weights(shape: tuple[int, int]) -> None:
    weights = fa.MLP((*shape, 1), "relu", init="orthogonal", seed=0, dtype=np.float64).layers[0].weights
    products = weights.T @ weights if shape[0] >= shape[1] else weights @ weights.T
    np.testing.assert_allclose(products, 2 * np.eye(min(shape)), atol=1e-11)


# ---- depth


def deep(seed: int, **settings: Any) -> float:
    """How many of its training samples a network of 20 hidden layers learns in 20 epochs."""
    rng = np.random.default_rng(0)
    y = np.arange(600) % 4
    x = rng.normal(size=(4, 8))[y] * 1.5 + rng.normal(size=(600, 8))
    model = fa.MLP((8, *[16] * 20, 4), output="softmax", learning_rate=0.01, seed=seed, **settings)
    return model.fit(x, y, epochs=20).score(x, y)


@pytest.mark.parametrize("seed", [0, 1])
def test_twenty_layers_learn_with_residuals_or_batch_norm(seed: int) -> None:
    assert deep(seed, activation="sigmoid") < 0.3
    assert deep(seed, activation="relu", residual=True) > 0.97
    assert deep(seed, activation="relu", batch_norm=True) > 0.9


def test_summary() -> None:
    model = fa.MLP((64, 32, 32, 10), ["relu", "swish"], "softmax", batch_norm=True, residual=True, trainable=True)
    lines = model.summary().splitlines()
    assert lines[0].split() == ["layer", "shape", "made", "of", "parameters"]
    assert lines[2].split("  ")[-1].strip() == f"{32 * 32 + 4 * 32:,}"
    assert "batch_norm, swish (trains beta), residual" in lines[2]
    assert lines[-1].endswith(f"{model.parameters.size:,}")
    assert "cross_entropy, adam, float32" in lines[-1]
