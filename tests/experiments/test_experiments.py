"""The experiments: their data, the records of the trainings, and that they show what they claim."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import fastact as fa
from fastact.experiments import digits, learning_plot, xor
from fastact.experiments.results import Comparison, Run, Settings, Summary
from fastact.experiments.training import hidden_activations, runs, train
from fastact.mlp import training
from fastact.pictures import curves as function_plot
from helpers.reference import FIGURES


@pytest.fixture(scope="module")
def splits() -> list:
    pytest.importorskip("sklearn", reason="scikit-learn is not installed (extra: demo)")
    return digits.splits(2)


# ---- data


def test_digits_hold_out_a_fifth_of_every_class(splits: list) -> None:
    for part in splits:
        assert part.train_x.shape == (1437, 64)
        assert part.test_x.shape == (360, 64)
        share = np.bincount(part.test_y) / (np.bincount(part.test_y) + np.bincount(part.train_y))
        np.testing.assert_allclose(share, 0.2, atol=0.005)
    assert not np.array_equal(splits[0].test_y, splits[1].test_y)


def test_digits_are_scaled_by_the_training_part_alone(splits: list) -> None:
    x = splits[0].train_x
    np.testing.assert_allclose(x.mean(axis=0), 0, atol=1e-12)
    spread = x.std(axis=0)
    assert np.all(np.isclose(spread, 1) | (spread == 0))
    assert abs(splits[0].test_x.mean(axis=0)).max() > 0.01


def test_xor_is_xor() -> None:
    [part] = xor.data(1)
    assert [int(a != b) for a, b in part.train_x] == list(part.train_y)


# ---- results


def run(activation: str, seed: int, accuracy: list[float]) -> Run:
    return Run(activation, seed, accuracy, [1 - value for value in accuracy], [9.0] + [0.5] * (len(accuracy) - 1))


def test_summary() -> None:
    summary = Summary("relu", [run("relu", 0, [0.1, 0.9, 1.0]), run("relu", 1, [0.95, 0.9, 0.8])])
    assert summary.accuracy == pytest.approx(0.9)
    assert summary.spread == pytest.approx(np.std([1.0, 0.8], ddof=1))
    assert summary.loss == pytest.approx(0.1)
    assert summary.seconds_per_epoch == 0.5
    assert [one.seed for one in summary.solved] == [0]
    assert summary.epochs_to(0.9) == [2, 1]
    assert summary.epochs_to(0.96) == [3]
    assert summary.epochs_to_solve == [3]
    assert Summary("relu", summary.runs[:1]).spread == 0


def test_comparison_keeps_the_order_and_goes_into_json() -> None:
    settings = Settings((2, 1), "sigmoid", 1, 4, 0.1)
    comparison = Comparison("title", settings, [run("tanh", 0, [0.5]), run("relu", 0, [0.5]), run("tanh", 1, [1.0])])
    assert [(s.activation, len(s.runs)) for s in comparison.summaries()] == [("tanh", 2), ("relu", 1)]
    assert json.loads(json.dumps(comparison.as_dict()))["runs"][2]["accuracy"] == [1.0]


# ---- training


def test_hidden_activations_are_ten_that_differ() -> None:
    names = hidden_activations()
    assert len(names) == 10
    assert {"identity", "relu", "tanh", "gelu"} < set(names) < set(fa.names())
    x = np.linspace(-4, 4, 33)
    curves = np.array([fa.get(name)(x, backend="numpy") for name in names])
    assert min(abs(curves[i] - curves[j]).max() for i in range(10) for j in range(i)) > 0.01


def test_a_run_records_every_epoch_and_can_be_repeated() -> None:
    [part] = xor.data(1)
    settings = Settings((2, 4, 1), "sigmoid", 20, 4, 0.05)
    first, again, other = (train("tanh", seed, part, settings) for seed in (0, 0, 1))
    assert len(first.accuracy) == len(first.loss) == len(first.seconds) == 20
    assert first.loss == again.loss
    assert first.loss != other.loss


@pytest.mark.usefixtures("no_cache", "own_registry")
@pytest.mark.parametrize("name", ["digits", "xor"])
def test_no_epoch_holds_the_time_of_compilation(name: str, request: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Train with an activation that was never compiled: nothing is compiled while epochs run."""
    data = request.getfixturevalue("splits") if name == "digits" else xor.data(1)
    settings = replace(digits.SETTINGS if name == "digits" else xor.FAST, epochs=3)

    @fa.activation(derivative=lambda x: x + x)
    def squared(x):  # type: ignore[no-untyped-def]
        return x * x

    run, compiled = training.RecordedTrainer.run, []

    def counted(self: Any, epochs: int) -> Any:
        kernels = fa.cache_info().compiled
        found = run(self, epochs)
        compiled.append(fa.cache_info().compiled - kernels)
        return found

    monkeypatch.setattr(training.RecordedTrainer, "run", counted)
    before = fa.cache_info().compiled
    assert len([*runs([squared.name], data[:1], settings)]) == 1
    assert fa.cache_info().compiled > before
    assert set(compiled) == {0}


def test_xor_is_solved_with_an_activation_and_only_then() -> None:
    summaries = Comparison("", xor.FAST, list(runs(["identity", "tanh"], xor.data(10), xor.FAST))).summaries()
    linear, bent = summaries
    assert len(linear.solved) == 0
    assert len(bent.solved) >= 9


def test_digits_are_learnt_and_identity_stays_behind(splits: list) -> None:
    found = Comparison("", digits.SETTINGS, list(runs(["identity", "relu"], splits, digits.SETTINGS)))
    linear, bent = found.summaries()
    assert bent.accuracy >= 0.96
    assert linear.accuracy < bent.accuracy - 0.005


# ---- pictures


def test_curves_has_a_pair_of_axes_for_each_name() -> None:
    pytest.importorskip("matplotlib")
    figure = function_plot.curves(["relu", "tanh", "gelu"])
    shown = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_title(loc="left") for axes in shown] == [
        "relu",
        "relu'",
        "tanh",
        "tanh'",
        "gelu",
        "gelu'",
    ]
    x, y = shown[2].lines[0].get_data()
    np.testing.assert_allclose(y, np.tanh(x), atol=1e-15)


def test_a_jump_is_left_open() -> None:
    x = np.array([-1.0, -0.5, 0.5, 1.0])
    x_drawn, y_drawn = function_plot.broken_at_jumps(x, np.array([0.0, 0.0, 1.0, 1.0]))
    np.testing.assert_array_equal(y_drawn, [0, 0, np.nan, 1, 1])
    np.testing.assert_array_equal(x_drawn, [-1, -0.5, np.nan, 0.5, 1])


def test_learning_curves_draw_the_mean_and_name_every_activation() -> None:
    pytest.importorskip("matplotlib")
    trained = [run("relu", 0, [0.5, 0.9]), run("relu", 1, [0.7, 1.0]), run("identity", 0, [0.4, 0.6])]
    settings = Settings((2, 1), "sigmoid", 2, 4, 0.1)
    figure = learning_plot.learning_curves([Comparison("title", settings, trained)], "accuracy")
    left, right = figure.axes
    assert [text.get_text() for text in left.get_legend().get_texts()] == ["relu", "identity"]
    np.testing.assert_allclose(left.lines[0].get_ydata(), [0.6, 0.95])
    assert [text.get_text() for text in right.get_yticklabels()] == ["relu", "identity"]


# ---- the figures that the textbooks print

X = [-2, -1, 0, 1, 2]


@pytest.mark.parametrize("name", FIGURES)
def test_figures_come_out_as_printed(name: str) -> None:
    np.testing.assert_array_equal(np.round(fa.get(name)(X), 3), FIGURES[name])


def test_relu_of_integers_prints_integers() -> None:
    assert str(fa.relu(np.array(X))) == "[0 0 0 1 2]"


def test_softmax_figures_come_out_as_printed() -> None:
    np.testing.assert_array_equal(np.round(fa.softmax([2.0, 1.0, 0.1]), 3), [0.659, 0.242, 0.099])
