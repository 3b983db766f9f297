"""Settings that differ from layer to layer: parameters of activations, residual sums, batch normalisation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastact as fa

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(24, 4)), np.arange(24) % 3


def model(**settings: Any) -> fa.MLP:
    chosen = {"activation": [{"name": "leaky_relu", "alpha": 0.3}, {"name": "hard_tanh", "max": 2}], **settings}
    return fa.MLP((4, 4, 4, 3), output="softmax", seed=0, dtype=np.float64, **chosen)


def test_parameters_are_used() -> None:
    net = model()
    first, second, last = net.layers
    hidden = fa.leaky_relu(X @ first.weights + first.bias, 0.3)
    hidden = fa.hard_tanh(hidden @ second.weights + second.bias, -1.0, 2.0)
    np.testing.assert_allclose(net.predict_proba(X), fa.softmax(hidden @ last.weights + last.bias), 1e-12)
    assert "leaky_relu (alpha 0.3)" in net.summary()
    assert fa.MLP((4, 1), output={"name": "elu", "alpha": 2}).layers[0].activation_parameters == {"alpha": 2.0}


@pytest.mark.parametrize("trainable", [False, [True, False]], ids=str)
def test_gradients(trainable: Any) -> None:
    """Against differences, with parameters that are given and then trained or not."""
    net = model(residual=[False, True], batch_norm=[True, False], trainable=trainable)
    gradients = net.loss_and_gradients(X, Y)[1].copy()
    for place in range(0, net.parameters.size, 3):
        kept = net.parameters[place]
        losses = []
        for step in (1e-6, -1e-6):
            net.parameters[place] = kept + step
            losses.append(net.loss_and_gradients(X, Y)[0])
        net.parameters[place] = kept
        assert (losses[0] - losses[1]) / 2e-6 == pytest.approx(gradients[place], abs=1e-6)


def test_flags_by_layer() -> None:
    net = model(residual=[False, True], batch_norm=[True, False], trainable=[True, False])
    plans = [layer.plan for layer in net.layers]
    assert [plan.residual for plan in plans] == [False, True, False]
    assert [plan.batch_norm for plan in plans] == [True, False, False]
    assert [plan.trained for plan in plans] == [("alpha",), (), ()]
    assert (net.layers[0].parameters["activation_alpha"] == 0.3).all()


def test_stored_and_copied(tmp_path: Path) -> None:
    import pickle

    net = model(residual=[False, True], batch_norm=[True, False], optimizer="sgd").fit(X, Y, epochs=2)
    net.save(tmp_path / "net")
    for copy in (fa.MLP.load(tmp_path / "net"), pickle.loads(pickle.dumps(net))):
        assert repr(copy) == repr(net)
        assert (copy.predict_proba(X) == net.predict_proba(X)).all()
        assert (
            copy.fit(X, Y, epochs=1).parameters == pickle.loads(pickle.dumps(net)).fit(X, Y, epochs=1).parameters
        ).all()


def test_first_weights_suit_the_parameters() -> None:
    """He's are scaled by the activation, which is the identity for a slope of 1."""
    shape: dict[str, Any] = {"init": "he", "seed": 0, "dtype": np.float64}
    slope = fa.MLP((50, 50, 1), {"name": "leaky_relu", "alpha": 1.0}, **shape).layers[0].weights
    relu = fa.MLP((50, 50, 1), "relu", **shape).layers[0].weights
    np.testing.assert_allclose(slope * np.sqrt(2), relu, 1e-9)


@pytest.mark.parametrize(
    ("settings", "kind", "message"),
    [
        (
            {"activation": {"name": "leaky_relu", "alpa": 1}},
            TypeError,
            "leaky_relu has no parameter 'alpa'; did you mean",
        ),
        ({"activation": {"name": "leaky_relu", "alpha": "x"}}, TypeError, "leaky_relu's alpha must be a number"),
        ({"activation": {"name": "leaky_relu", "alpha": np.inf}}, ValueError, "leaky_relu's alpha must be finite"),
        ({"activation": {"name": "leaky_relu", "alpha": 10**400}}, ValueError, "leaky_relu's alpha must be finite"),
        ({"activation": {"name": "rrelu", "lower": 0.1}}, TypeError, "rrelu takes no parameters here"),
        ({"activation": {"alpha": 1}}, TypeError, "neither a name nor a fastact function"),
        ({"residual": [True]}, ValueError, "residual lists 1 for 2 hidden layers"),
        ({"batch_norm": [True, 1]}, TypeError, "batch_norm must be True or False, got 1"),
    ],
)
def test_wrong_settings(settings: dict[str, Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        model(**settings)
