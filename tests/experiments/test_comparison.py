"""Comparisons: what is trained and recorded, side by side or one by one, and what is said of it."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastact as fa
from fastact.learn.data import named
from fastact.learn.experiments import compare, xor
from fastact.learn.experiments.comparing import processes
from fastact.learn.experiments.comparing.training import PlannedRun, guessing, train
from fastact.learn.experiments.comparison import ACTIVATIONS, Comparison, Hyperparameters, Run, Setting, Summary
from fastact.mlp import training as steps

pytest.importorskip("scipy", reason="SciPy is not installed (extra: demo)")


def run(activation: str, seed: int, score: list[float], diverged: int | None = None) -> Run:
    setting = Setting(activation, 1, "auto", "adam")
    loss = [1 - value for value in score]
    return Run(setting, seed, score, loss, loss, [9.0] + [0.5] * (len(score) - 1), diverged)


def comparison(*runs: Run, task: str = "binary", reach: float | None = None) -> Comparison:
    settings = Hyperparameters(hidden=4, epochs=len(runs[0].score), batch_size=4, learning_rate=0.1)
    return Comparison("points", task, "accuracy", 2, 1, settings, reach, 0.0, (), list(runs))


def curves(found: Comparison) -> list[Any]:
    return [(each.setting, each.seed, each.score, each.loss, each.train_loss, each.diverged) for each in found.runs]


# ---- records


def test_summary() -> None:
    summary = Summary(
        Setting("relu", 1, "auto", "adam"), [run("relu", 0, [0.1, 0.9, 1]), run("relu", 1, [0.95, 0.9, 0.8])]
    )
    assert summary.score == pytest.approx(0.9)
    assert summary.spread == pytest.approx(np.std([1.0, 0.8], ddof=1))
    assert summary.seconds_per_epoch == 0.5
    assert [each.seed for each in summary.perfect] == [0]
    assert summary.epochs_to(0.9) == [2, 1]
    assert summary.epochs_to(0.96) == [3]


def test_a_label_tells_what_differs() -> None:
    found = compare("xor", ["tanh", "relu"], depths=[1, 2], seeds=1, epochs=1)
    assert [found.label(each) for each in found.settings] == [
        "tanh (1 layer)", "relu (1 layer)", "tanh (2 layers)", "relu (2 layers)",
    ]  # fmt: skip
    found = compare("xor", "tanh", initialisers=["he", "glorot"], optimisers=["adam", "sgd"], seeds=1, epochs=1)
    assert [found.label(each) for each in found.settings] == ["he (adam)", "he (sgd)", "glorot (adam)", "glorot (sgd)"]
    found = compare("xor", "linear", seeds=1, epochs=1)
    assert found.label(found.settings[0]) == "identity"


# ---- training


def test_the_usual_activations_differ() -> None:
    x = np.linspace(-4, 4, 33)
    drawn = np.array([fa.get(name)(x, backend="numpy") for name in ACTIVATIONS])
    assert min(abs(drawn[i] - drawn[j]).max() for i in range(10) for j in range(i)) > 0.01


@pytest.mark.parametrize("name", ["moons", "regression"])
def test_scores_are_those_of_the_network(name: str) -> None:
    found = compare(name, ["tanh"], seeds=2, epochs=3)
    problem = named.problem(name)
    for each in found.runs:
        part = problem.split(each.seed)
        model = PlannedRun.of(problem, each.setting, found.training, each.seed, part).network()
        model.fit(part.train_x, part.train_y, epochs=3)
        assert each.score[-1] == pytest.approx(model.score(part.test_x, part.test_y), abs=1e-6)
        assert each.train_loss == model.history["loss"]
        assert len(each.score) == len(each.loss) == len(each.seconds) == 3


def test_a_learning_rate_that_is_asked_for_is_taken() -> None:
    training = compare("moons", ["tanh"], seeds=1, epochs=1).training
    assert training.rate("nesterov") == training.rate("sgd") == 10 * training.rate("adam")
    asked = compare("moons", ["tanh"], seeds=1, epochs=1, learning_rate=0.03).training
    assert asked.rate("sgd") == asked.rate("adam") == 0.03


def test_a_diverged_run_counts_as_guessing() -> None:
    found = compare("circles", ["relu", "tanh"], seeds=2, epochs=4, learning_rate=1e30)
    broken = [each for each in found.runs if each.setting.activation == "relu"]
    for each in broken:
        score, loss = guessing("sigmoid", named.problem("circles").split(each.seed))
        assert each.diverged == 1
        assert each.score == [score] * 4
        assert each.loss == [loss] * 4
        assert each.train_loss == each.seconds == []
    json.dumps(found.as_dict(), allow_nan=False)
    assert found.tables()[0].columns[-1] == "diverged"
    assert any("2 of 4 runs diverged (relu), the first one in epoch 1" in each for each in found.sentences())


def test_guessing_looks_at_no_input() -> None:
    part = named.problem("regression").split(0)
    score, loss = guessing("identity", part)
    assert score == pytest.approx(0, abs=0.02)
    assert loss == pytest.approx(1, abs=0.1)
    labels = replace(part, train_y=np.array([0, 1, 1, 1]), test_y=np.array([1, 1, 0, 2]))
    score, loss = guessing("softmax", labels)
    assert score == 0.5
    assert loss == pytest.approx(-np.log([0.75, 0.75, 0.25, 0.25]).mean())


@pytest.mark.usefixtures("no_cache", "own_registry")
def test_no_epoch_holds_the_time_of_compilation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Train with an activation that was never compiled: nothing is compiled while epochs run."""

    @fa.activation(derivative=lambda x: x + x)
    def squared(x):  # type: ignore[no-untyped-def]
        return x * x

    step, compiled = steps.RecordedTrainer.run, []

    def counted(self: Any, epochs: int) -> Any:
        kernels = fa.cache_info().compiled
        found = step(self, epochs)
        compiled.append(fa.cache_info().compiled - kernels)
        return found

    monkeypatch.setattr(steps.RecordedTrainer, "run", counted)
    before = fa.cache_info().compiled
    compare("moons", [squared.name], seeds=1, epochs=3)
    assert fa.cache_info().compiled > before
    assert compiled == [0, 0, 0]


# ---- several processes


@pytest.mark.usefixtures("own_registry")
def test_processes_give_the_same_bits(tmp_path: Path) -> None:
    pytest.importorskip("joblib", reason="joblib is not installed (extra: demo)")
    file = tmp_path / "doubled_for_processes.py"
    file.write_text(
        "import fastact as fa\n\n"
        "@fa.activation(derivative=lambda x: 2 + 0 * x)\n"
        "def doubled_for_processes(x):\n    return 2 * x\n"
    )
    from fastact.functions import own

    names, told = ["relu", "tanh", *own.load(file)], []
    options: dict[str, Any] = {"seeds": 3, "epochs": 4, "depths": [1, 2], "hidden": 40}
    alone = compare("moons", names, **options)
    several = compare("moons", names, jobs=2, sources=[file], progress=lambda *each: told.append(each), **options)
    assert curves(several) == curves(alone)
    assert [each.seed for each in several.runs[:4]] == [0, 1, 2, 0]
    assert alone.boundaries is not None
    assert several.boundaries is not None
    assert pickle.dumps(several.boundaries.values) == pickle.dumps(alone.boundaries.values)
    assert told == [(done, 18) for done in range(1, 19)]
    with pytest.raises(ValueError, match="doubled_for_processes"):
        compare("moons", names, jobs=2, **options)


def test_processes_start_only_where_they_pay(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("joblib", reason="joblib is not installed (extra: demo)")
    started = []

    def instead(tasks: Any, jobs: int, files: Any) -> Any:
        started.append(jobs)
        return map(train, tasks)

    monkeypatch.setattr(processes, "_in_processes", instead)
    alone = compare("xor", ["tanh"], seeds=40, epochs=50, jobs=None)
    assert started == []
    monkeypatch.setattr(processes, "WORTH", 0.03)  # measuring after each epoch takes longer than the epochs
    assert curves(compare("xor", ["tanh"], seeds=40, epochs=50, jobs=None)) == curves(alone)
    assert len(started) == 1


# ---- boundaries


def test_boundaries_are_what_the_network_says() -> None:
    found = compare("moons", ["relu", "tanh"], seeds=2, epochs=30)
    seen, part = found.boundaries, named.problem("moons").split(0)
    assert seen is not None
    assert seen.epochs[0] == 0
    assert seen.epochs[-1] == 30
    assert sorted(seen.epochs) == seen.epochs
    np.testing.assert_array_equal(seen.points, part.train_x)
    model = PlannedRun.of(named.problem("moons"), found.settings[1], found.training, 0, part).network()
    model.fit(part.train_x, part.train_y, epochs=30)
    frames = seen.values["tanh"]
    assert frames.dtype == np.uint8
    assert frames.shape == (len(seen.epochs), 48, 48)
    x, y = np.linspace(*seen.x_range, 48), np.linspace(*seen.y_range, 48)
    corner = model.predict_proba([[x[-1], y[0]], [x[0], y[-1]]])[:, 1]
    np.testing.assert_allclose([frames[-1, 0, -1], frames[-1, -1, 0]], 255 * corner, atol=0.51)


def test_only_classes_in_a_plane_have_boundaries() -> None:
    assert compare("regression", ["tanh"], seeds=1, epochs=1).boundaries is None


# ---- wrong arguments


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"activations": ["relu", "tanhh"]}, "did you mean 'tanh'"),
        ({"activations": []}, "activations is empty"),
        ({"optimisers": ["lbfgs"]}, "take 'adam'"),
        ({"optimisers": ["adm"]}, "did you mean 'adam'"),
        ({"initialisers": ["hee"]}, "did you mean 'he'"),
        ({"seeds": 0}, "seeds=0"),
        ({"jobs": 0}, "jobs=0"),
        ({"learning_rate": -1.0}, "learning_rate"),
        ({"epochs": 0}, "epochs"),
        ({"batch_size": 0}, "batch_size"),
        ({"hidden": 0}, "layer_sizes"),
        ({"depths": [0]}, "depths"),
    ],
    ids=str,
)
def test_wrong_arguments(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        compare("xor", **arguments)


# ---- what is said


def test_tables_have_the_best_first() -> None:
    found = comparison(
        *(run("identity", seed, [0.4, 0.5]) for seed in (0, 1)), run("relu", 0, [0.5, 0.9]), run("relu", 1, [0.7, 1.0])
    )
    overview, behind = found.tables()
    assert overview.columns == ["hidden layers", "test accuracy", "std. dev.", "epochs to 0.9", "loss", "s/epoch"]
    assert [row[:4] for row in overview.rows] == [
        ["relu", "0.9500", "0.0707", "2"], ["identity", "0.5000", "0.0000", "-"],
    ]  # fmt: skip
    assert behind.title == "Behind the best, relu"
    assert behind.rows[0][:2] == ["identity", "0.4500"]
    assert "2-4-1 network, adam with learning rate 0.1, batches of 4, 2 epochs" in found.title
    assert "<table>" in found._repr_html_()


def test_sentences_say_only_what_the_seeds_show() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.01, (2, 10))
    clear = comparison(
        *(run("relu", seed, [0.9 + noise[0, seed]]) for seed in range(10)),
        *(run("tanh", seed, [0.8 + noise[1, seed]]) for seed in range(10)),
    )
    [said] = clear.sentences()
    assert said.startswith("relu is ahead of tanh by 0.1")
    assert "over 10 seeds): more than the noise of seeds." in said
    same = comparison(
        *(run("relu", seed, [0.9 + noise[0, seed]]) for seed in range(10)),
        *(run("tanh", seed, [0.9 + noise[1, seed]]) for seed in range(10)),
    )
    assert "cannot be told apart from" in same.sentences()[0]
    [said] = comparison(run("relu", 0, [0.9]), run("tanh", 0, [0.1])).sentences()
    assert said.startswith("One seed says nothing")
    assert comparison(run("relu", 0, [0.9])).sentences() == []


def test_the_linear_network_is_explained_only_where_it_is_last() -> None:
    seeds = range(3)
    last = comparison(*(run("identity", s, [0.5 + s / 100]) for s in seeds), *(run("relu", s, [0.9]) for s in seeds))
    assert "straight borders" in last.sentences()[-1]
    near = comparison(*(run("identity", s, [0.5 + s / 10]) for s in seeds), *(run("relu", s, [0.61]) for s in seeds))
    assert not any("straight" in each for each in near.sentences())
    once = comparison(run("identity", 0, [0.5]), run("relu", 0, [0.9]))
    assert not any("straight" in each for each in once.sentences())
    first = comparison(*(run("identity", s, [0.9]) for s in seeds), *(run("relu", s, [0.5]) for s in seeds))
    assert not any("straight" in each for each in first.sentences())
    broken = comparison(*(run("identity", s, [0.5], 1) for s in seeds), *(run("relu", s, [0.9]) for s in seeds))
    assert not any("straight" in each for each in broken.sentences())


def test_the_picture_draws_the_mean_and_names_every_setting() -> None:
    pytest.importorskip("matplotlib")
    found = comparison(
        run("identity", 0, [0.4, 0.6]),
        run("identity", 1, [0.4, 0.6]),
        run("relu", 0, [0.5, 0.9]),
        run("relu", 1, [0.7, 1.0]),
    )
    left, right = found.figure().axes
    np.testing.assert_allclose(left.lines[0].get_ydata(), [0.6, 0.95])
    assert [text.get_text() for text in right.get_yticklabels()] == ["relu", "identity"]
    many = compare("xor", depths=[1, 2, 3], seeds=1, epochs=1)
    assert len(many.figure().axes[0].lines) == 24


# ---- what it shows


def test_xor_is_solved_with_an_activation_and_only_then() -> None:
    found = xor(["identity", "relu", "tanh"], seeds=10)
    linear, *bent = found.solving.summaries()
    assert len(linear.perfect) == 0
    assert [len(each.perfect) for each in bent] == [10, 10]
    assert len(found.usual.summaries()[1].perfect) < 10
    assert "20 of 20 do" in found.sentences()[0]
    assert "identity solves nothing" in found.sentences()[-1]
    assert len(found.tables()) == 2
    json.dumps(found.as_dict(), allow_nan=False)


@pytest.mark.slow
def test_at_least_49_of_50_seeds_solve_xor() -> None:
    found = xor().solving
    assert {each.setting.activation: len(each.perfect) >= 49 for each in found.summaries()} == {
        name: name != "identity" for name in ("identity", "relu", "leaky_relu", "elu", "silu", "sigmoid", "tanh")
    }


def test_digits_are_learnt_and_identity_stays_behind() -> None:
    pytest.importorskip("sklearn", reason="scikit-learn is not installed (extra: demo)")
    linear, bent = compare("digits", ["identity", "relu"], seeds=3).summaries()
    assert bent.score >= 0.96
    assert linear.score < bent.score - 0.005
