"""Alarms: each fires for a network that is made to have its trouble, and none for trainings that go well."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import fastact as fa
from fastact import language
from fastact.learn.data import named
from fastact.learn.data.problem import Problem, Split
from fastact.learn.diagnostics import Diagnosis, Monitor
from fastact.learn.diagnostics.alarms import ALARMS
from fastact.learn.experiments.diagnosis import diagnose
from helpers.networks import blobs, classifier

pytest.importorskip("sklearn", reason="scikit-learn is not installed (extra: demo)")
pytest.importorskip("matplotlib", reason="matplotlib is not installed (extra: demo)")

X, Y = blobs(120)


HEALTHY: list[tuple[str, dict[str, Any]]] = [
    ("digits", {}),
    ("moons", {"activation": "tanh", "hidden": 16, "learning_rate": 0.01, "epochs": 60}),
    ("regression", {"activation": "leaky_relu"}),
    ("xor", {"activation": "tanh", "depth": 1, "hidden": 4, "learning_rate": 0.05, "epochs": 400}),
]


@pytest.mark.parametrize(("problem", "settings"), HEALTHY, ids=[name for name, _ in HEALTHY])
def test_healthy_trainings_raise_no_alarm(problem: str, settings: dict[str, Any]) -> None:
    for seed in range(3):
        found = diagnose(problem, seed=seed, **settings)
        assert found.alarms == []
        assert found.sentences()[0].startswith("Nothing to worry about: no alarm in")
        assert "sound" in found.sentences()[-1]


def watched(epochs: int = 4, *, depth: int = 2, scale: float = 1, **settings: Any) -> Diagnosis:
    """The diagnosis of digits by a network whose first weights are scaled."""
    split = named.problem("digits").split(0)
    model = fa.MLP([64, *[32] * depth, 10], output="softmax", seed=0, **settings)
    for layer in model.layers:
        layer.weights *= scale
    monitor, error = Monitor(split.train_x, split.train_y), None
    monitor(0, model)
    try:
        model.fit(split.train_x, split.train_y, epochs=epochs, callback=monitor)
    except FloatingPointError as diverged:
        error = diverged
    return monitor.diagnosis(error)


TROUBLES: list[tuple[str, dict[str, Any], str]] = [
    ("vanishing gradient", {"activation": "sigmoid", "depth": 10}, "relu"),
    ("exploding gradient", {"scale": 10}, "clip_norm=1"),
    ("first loss", {"scale": 10}, "init='auto'"),
    ("dead units", {"learning_rate": 0.1}, "leaky_relu"),
    ("large updates", {"learning_rate": 0.1}, "smaller learning rate than 0.1"),
    ("saturation", {"activation": "tanh", "scale": 10}, "init='auto'"),
    ("small updates", {"learning_rate": 1e-5}, "larger learning rate than 1e-05"),
    ("divergence", {"optimizer": "sgd", "learning_rate": 1e30}, "smaller learning rate than 1e+30"),
]


@pytest.mark.parametrize(("name", "settings", "remedy"), TROUBLES, ids=[name for name, _, _ in TROUBLES])
def test_a_trouble_is_told(name: str, settings: dict[str, Any], remedy: str) -> None:
    found = watched(**settings)
    [alarm] = [each for each in found.alarms if each.name == name]
    assert remedy in " ".join(alarm.remedies)
    assert any(text.startswith(alarm.title) for text in found.sentences())
    assert not any(text.startswith("Nothing") for text in found.sentences())
    json.dumps(found.as_dict(), allow_nan=False)


def test_remedies_work_and_are_not_named_again() -> None:
    """With batch normalisation and residuals, the gradient of the deep sigmoid network does not vanish."""
    bare = watched(activation="sigmoid", depth=10)
    assert {"batch_norm=True", "residual=True"} <= set(re.findall(r"\w+=True", " ".join(bare.sentences())))
    mended = watched(activation="sigmoid", depth=10, batch_norm=True, residual=True, scale=20)
    assert "vanishing gradient" not in [alarm.name for alarm in mended.alarms]
    assert mended.alarms
    assert "=True" not in " ".join(mended.sentences())


def test_overfitting_is_told_with_its_epoch() -> None:
    """Labels by chance can be learnt by heart only."""
    rng = np.random.default_rng(0)

    class Chance(Problem):
        name, task, features, classes = "chance", "binary", 10, ("a", "b")

        def split(self, seed: int) -> Split:
            x, y = rng.normal(size=(300, 10)).astype(np.float32), rng.integers(0, 2, 300)
            return Split(x[:100], y[:100], x[100:], y[100:])

    found = diagnose(Chance(), epochs=60, learning_rate=0.01)
    [alarm] = found.alarms
    assert alarm.name == "overfitting"
    losses = found.history["val_loss"]
    means = np.convolve(losses, np.ones(5) / 5, "valid")
    assert alarm.value == pytest.approx(means[-1] / means.min() - 1)
    assert f"that of about epoch {means.argmin() + 3}" in alarm.sentence


def test_the_epoch_of_divergence_is_told() -> None:
    """Of a training in which a callback raises the rate after the third epoch."""
    monitor = Monitor(X, Y)
    model = classifier(optimizer="sgd")

    def break_it(epoch: int, model: fa.MLP) -> None:
        monitor(epoch, model)
        if epoch == 3:
            model.optimizer.learning_rate = 1e30

    with pytest.raises(FloatingPointError) as error:
        model.fit(X, Y, epochs=9, callback=break_it)
    alarm = monitor.diagnosis(error.value).alarms[0]
    assert (alarm.name, alarm.epoch, alarm.when) == ("divergence", 4, "epoch 4")


def test_a_callback_can_stop_by_an_alarm() -> None:
    monitor = Monitor(X, Y)
    model = classifier(learning_rate=3.0)

    def stop(epoch: int, model: fa.MLP) -> bool:
        monitor(epoch, model)
        return bool(monitor.alarms)

    model.fit(X, Y, epochs=50, callback=stop)
    assert len(model.history["loss"]) < 50


def test_a_rare_class_is_no_matter_of_weights() -> None:
    y = (np.arange(600) % 60 == 0).astype(int)
    x = np.random.default_rng(0).normal(size=(600, 4))
    monitor = Monitor(x, y, samples=600)
    monitor(0, fa.MLP((4, 16, 1), output="sigmoid", seed=0))
    [alarm] = monitor.alarms
    assert alarm.name == "first loss"
    assert "some classes are rare" in alarm.sentence
    assert "bias" in " ".join(alarm.remedies)


def test_texts_of_all_alarms_can_be_made() -> None:
    """In the language in use, for any value, with and without a layer."""
    monitor = Monitor(X, Y)
    classifier().fit(X, Y, epochs=3, callback=monitor)
    network = monitor.diagnosis().network
    for kind in ALARMS:
        for value in (0.0, 0.5, 1e-20, 30.0, np.inf):
            for layers in ((0,), (0, 1)):
                alarm = kind(network, 0, 2, value, layers[0], layers)
                assert alarm.title
                assert alarm.remedies or kind.name == "first loss"
                assert "epochs 0 to 2" in alarm.text
    assert len({kind.name for kind in ALARMS}) == len(ALARMS)


@pytest.mark.parametrize("depth", [0, 1, 2, 20])
def test_pictures_of_any_depth(depth: int) -> None:
    """Their texts are in the language in use, and nothing overlaps the legend."""
    x, y = X[:, :2], Y == 0
    model = fa.MLP([2, *[5] * depth, 1], output="sigmoid", seed=0)
    monitor = Monitor(x, y)
    monitor(0, model)
    model.fit(x, y, epochs=2, validation=0.2, callback=monitor)
    found = monitor.diagnosis()
    for code in language.LANGUAGES:
        with language.use(code):
            figure = found.figure()
            figure.canvas.draw()
            assert len(figure.axes) == 6
            assert len(figure.legends[0].get_texts()) == min(depth + 1, 7)
            assert found._repr_html_().count("<tr>") == depth + 2


def test_a_picture_without_finite_figures() -> None:
    monitor = Monitor(X, Y)
    monitor(0, classifier())
    found: Diagnosis = monitor.diagnosis()
    empty = {name: getattr(found, name) * np.nan for name in ("gradient_norm", "saturated", "dead", "update_ratio")}
    replace(found, **empty).figure().canvas.draw()
