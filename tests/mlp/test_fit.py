"""What `fit` takes: weights, held-out data, batches from anywhere, callbacks, checkpoints; and what it refuses."""

from __future__ import annotations

import copy
import itertools
import math
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import fastact as fa
from fastact.mlp import training
from fastact.mlp.sources import Arrays, source_of
from helpers import ROOT
from helpers.networks import blobs, classifier, state_of

#: Settings with all that training changes or that depends on the step.
EVERYTHING: dict[str, Any] = {
    "batch_norm": True, "dropout": [0.3, 0.2], "residual": True, "trainable": True, "activation": "swish", "l2": 1e-3,
    "clip_norm": 1.0, "learning_rate": 0.02, "batch_size": 16,
}  # fmt: skip


def network(**settings: Any) -> fa.MLP:
    return fa.MLP((4, 8, 8, 3), output="softmax", seed=1, **{**EVERYTHING, **settings})


# ---- targets and weights


def test_samples_weigh_as_their_copies() -> None:
    x, y = blobs(30)
    weights = np.arange(30) % 3
    copies = np.repeat(np.arange(30), weights)
    for output, loss, units in [("softmax", "auto", 3), ("identity", "mse", 1), ("sigmoid", "auto", 1)]:
        model = fa.MLP((4, 5, units), "tanh", output, loss, seed=0, dtype=np.float64)
        target = y if units == 3 else y > 0
        found = model.loss_and_gradients(x, target, weights)[0], model.gradients.copy()
        expected = model.loss_and_gradients(x[copies], target[copies])
        assert found[0] == pytest.approx(expected[0], rel=1e-12)
        np.testing.assert_allclose(found[1], expected[1], rtol=1e-9, atol=1e-14)


def test_distributions_have_weights_too() -> None:
    x, y = blobs(30)
    soft, weights = np.eye(3)[y] * 0.7 + 0.1, np.linspace(0.5, 2, 30)
    model = classifier(dtype=np.float64)
    found = model.loss_and_gradients(x, soft, weights)[0]
    rows = -(soft * fa.log_softmax(model.layers[-1].preactivation)).sum(axis=1)
    assert found == pytest.approx(np.average(rows, weights=weights), rel=1e-12)


def test_balanced_classes_weigh_alike() -> None:
    x, y = blobs(90)
    chosen = np.flatnonzero((y > 0) | (np.arange(90) < 30))
    x, y = x[chosen], y[chosen]
    counts = np.bincount(y)
    by_hand = (len(y) / (3 * counts))[y]
    expected = classifier().fit(x, y, epochs=3, sample_weight=by_hand).parameters
    mapping = {label: len(y) / (3 * count) for label, count in enumerate(counts)}
    for class_weight in ("balanced", mapping):
        found = classifier().fit(x, y, epochs=3, class_weight=class_weight).parameters
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    both = classifier().fit(x, y, epochs=3, class_weight="balanced", sample_weight=np.full(len(y), 2.0))
    np.testing.assert_allclose(both.parameters, expected, rtol=1e-3, atol=1e-5)


def test_a_batch_that_weighs_nothing_teaches_nothing() -> None:
    x, y = blobs(40)
    weights = np.repeat([1.0, 0.0], 20)
    model = classifier(optimizer="sgd", batch_size=20, momentum=0.0)
    model.fit(x, y, epochs=1, sample_weight=weights, shuffle=False)
    expected = classifier(optimizer="sgd", batch_size=20, momentum=0.0).fit(x[:20], y[:20], epochs=1, shuffle=False)
    np.testing.assert_allclose(model.parameters, expected.parameters, rtol=1e-5, atol=1e-7)


def test_labels_that_do_not_exclude_each_other() -> None:
    x, _ = blobs()
    y = np.stack([x[:, 0] > 0, x[:, 1] > 1], axis=1).astype(int)
    model = fa.MLP((4, 16, 2), output="sigmoid", learning_rate=0.05, seed=0).fit(x, y, epochs=60, validation=0.2)
    assert model.score(x, y) > 0.95
    assert model.predict(x).shape == model.predict_proba(x).shape == (90, 2)
    assert model.score(x, y) == (model.predict(x) == y).all(axis=1).mean()
    np.testing.assert_array_equal(model.predict(x), model.predict_proba(x) > 0.5)


def test_quantiles_and_counts() -> None:
    rng = np.random.default_rng(0)
    x = rng.random((2000, 1))
    y = rng.exponential(1 + x[:, 0])
    settings: dict[str, Any] = {"activation": "tanh", "learning_rate": 0.01, "seed": 0}
    for q in (0.2, 0.9):
        model = fa.MLP((1, 8, 1), loss={"name": "quantile", "q": q}, **settings).fit(x, y, epochs=30)
        assert (y < model.predict(x)).mean() == pytest.approx(q, abs=0.06)
    counts = rng.poisson(np.exp(1 + x[:, 0]))
    model = fa.MLP((1, 8, 1), loss="poisson", **settings).fit(x, counts, epochs=30)
    np.testing.assert_allclose(model.predict(x), np.exp(1 + x[:, 0]), rtol=0.15)
    np.testing.assert_allclose(np.log(model.predict(x)), model.forward(x)[:, 0], rtol=1e-5)


# ---- held-out data


def test_a_share_is_held_out_of_each_class_alike() -> None:
    x, y = blobs(100)
    y = (np.arange(100) >= 70) + (np.arange(100) >= 95).astype(int)
    model = classifier()
    source, held_out = source_of(model, x, y, None, None, 0.2, True, None)
    assert isinstance(source, Arrays)
    assert held_out is not None
    assert held_out[1].labels is not None
    assert np.bincount(held_out[1].labels).tolist() == [14, 5, 1]
    assert source.rows == 80
    rest = {tuple(row) for row in source.whole()[0].tolist()}
    assert len(rest | {tuple(row) for row in held_out[0].tolist()}) == 100
    assert classifier().fit(x, y, epochs=2, validation=0.2).history["val_loss"] == pytest.approx(
        classifier().fit(x, y, epochs=2, validation=0.2).history["val_loss"], rel=0
    )


def test_early_stopping_restores_the_best_weights() -> None:
    x, y = blobs()
    y = np.where(np.arange(90) % 5 == 0, (y + 1) % 3, y)  # some of them wrong, to be learnt by heart
    model = classifier(learning_rate=0.05).fit(x, y, epochs=300, validation=0.3, patience=5, tolerance=0.0)
    losses = model.history["val_loss"]
    best = int(np.argmin(losses))
    assert len(losses) == best + 1 + 6 < 300
    until = classifier(learning_rate=0.05).fit(x, y, epochs=best + 1, validation=0.3)
    assert np.array_equal(model.parameters, until.parameters)


def test_early_stopping_without_held_out_data_looks_at_the_training_loss() -> None:
    model = classifier(learning_rate=1e-9).fit(*blobs(), epochs=50, patience=3)
    assert len(model.history["loss"]) == 5
    assert "val_loss" not in model.history


# ---- where batches come from


def batches(x: NDArray[Any], y: NDArray[Any], size: int = 30) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    for start in range(0, len(x), size):
        yield x[start : start + size], y[start : start + size]


def test_batches_of_a_list_or_a_generator_train_as_arrays() -> None:
    x, y = blobs()
    expected = classifier(batch_size=30).fit(x, y, epochs=3, shuffle=False)
    for source in (list(batches(x, y)), map(tuple, itertools.cycle(batches(x, y)))):
        count = None if isinstance(source, list) else 3
        assert np.array_equal(classifier().fit(source, epochs=3, batches=count).parameters, expected.parameters)
    weights = [(*pair, np.ones(30)) for pair in batches(x, y)]
    np.testing.assert_allclose(classifier().fit(weights, epochs=3).parameters, expected.parameters, rtol=1e-4)


def test_a_generator_that_ends_early_leaves_whole_epochs() -> None:
    x, y = blobs()
    model, once = classifier(), classifier().fit(batches(x, y), epochs=1)
    with pytest.raises(ValueError, match="X ended after 0 batches of an epoch that wants any batch"):
        model.fit(batches(x, y), epochs=2)
    assert state_of(model) == state_of(once)
    with pytest.raises(ValueError, match="X ended after 1 batches of an epoch that wants 2 batches"):
        classifier().fit(batches(x, y), epochs=2, batches=2)


@pytest.mark.parametrize("dtype", ["f4", "f8", ">f8", "i2"])
def test_a_memmap_trains_as_an_array_and_is_not_copied(tmp_path: Path, dtype: str) -> None:
    x, y = blobs()
    x = (x * 10).astype(dtype)
    x.tofile(tmp_path / "x")
    mapped = np.memmap(tmp_path / "x", dtype, "r", shape=x.shape)
    for validation in (None, 0.2):
        found = classifier().fit(mapped, y, epochs=2, validation=validation)
        assert np.array_equal(found.parameters, classifier().fit(x, y, epochs=2, validation=validation).parameters)
    source = source_of(classifier(), mapped, y, None, None, None, True, None)[0]
    assert isinstance(source, Arrays)
    assert source.x is mapped


def test_a_memmap_is_checked_piece_by_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fastact.mlp.data.PIECE", 100)
    x, y = blobs()
    x[70, 2] = np.nan
    x.tofile(tmp_path / "x")
    with pytest.raises(ValueError, match=r"X\[70, 2\] is nan"):
        classifier().fit(np.memmap(tmp_path / "x", x.dtype, "r", shape=x.shape), y, epochs=1)


def test_partial_fit_is_an_epoch_and_takes_anything() -> None:
    x, y = blobs()
    model = classifier()
    for _ in range(3):
        model.partial_fit(x, y)
    assert np.array_equal(model.parameters, classifier().fit(x, y, epochs=3).parameters)
    model.partial_fit(x[:1], y[:1]).partial_fit(x[y == 0], y[y == 0], sample_weight=np.ones(30))
    assert len(model.history["loss"]) == 5


# ---- callbacks


def test_a_batch_callback_sees_each_update() -> None:
    seen: list[tuple[int, bytes]] = []
    classifier(batch_size=40).fit(
        *blobs(), epochs=2, batch_callback=lambda step, model: seen.append((step, model.parameters.tobytes()))
    )
    assert [step for step, _ in seen] == [1, 2, 3, 4, 5, 6]
    assert len({parameters for _, parameters in seen}) == 6


def test_an_error_in_a_batch_callback_leaves_whole_epochs() -> None:
    def fail(step: int, model: fa.MLP) -> None:
        if step == 14:
            raise RuntimeError("stop")

    model = network(schedule="adaptive")
    with pytest.raises(RuntimeError, match="stop"):
        model.fit(*blobs(), epochs=9, validation=0.2, batch_callback=fail)
    calm = network(schedule="adaptive").fit(*blobs(), epochs=2, validation=0.2)
    assert state_of(model) == state_of(calm)
    assert state_of(model.fit(*blobs(), epochs=2)) == state_of(calm.fit(*blobs(), epochs=2))


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
def test_a_copy_keeps_a_schedule_of_the_users_own(duplicate: Any) -> None:
    model = network(schedule=lambda step, epoch: 1 / step).fit(*blobs(), epochs=1)
    twin = duplicate(model)
    assert state_of(twin.fit(*blobs(), epochs=2)) == state_of(model.fit(*blobs(), epochs=2))


# ---- checkpoints

SCHEDULES: list[Any] = [
    "constant", "inverse_scaling", "adaptive", {"name": "cosine", "steps": 40, "warm_up": 3},
    {"name": "step", "every": 2, "factor": 0.5},
]  # fmt: skip


@pytest.mark.parametrize("schedule", SCHEDULES, ids=str)
@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd", "nesterov", "rmsprop"])
def test_a_resumed_fit_is_an_uninterrupted_one_to_the_bit(tmp_path: Path, optimizer: str, schedule: Any) -> None:
    path, settings = tmp_path / "checkpoint", {"optimizer": optimizer, "schedule": schedule}
    options: dict[str, Any] = {"validation": 0.2, "patience": 2, "tolerance": 0.0}

    def fail(epoch: int, model: fa.MLP) -> None:
        if epoch == 4:
            raise KeyboardInterrupt

    whole = network(**settings).fit(*blobs(), epochs=8, **options)
    with pytest.raises(KeyboardInterrupt):
        network(**settings).fit(*blobs(), epochs=8, **options, checkpoint=path, callback=fail)
    resumed = network(**settings).fit(*blobs(), epochs=8, **options, resume=path)
    loaded = fa.MLP.load(path).fit(*blobs(), epochs=5, **options)
    assert state_of(whole) == state_of(resumed) == state_of(loaded)


def test_checkpoints_come_every_so_many_epochs_and_at_the_end(tmp_path: Path) -> None:
    path, seen = tmp_path / "checkpoint", []

    def look(epoch: int, model: fa.MLP) -> None:
        seen.append(len(fa.MLP.load(path).history["loss"]) if path.exists() else 0)

    classifier().fit(*blobs(), epochs=7, checkpoint=path, checkpoint_every=3, callback=look)
    assert seen == [0, 0, 0, 3, 3, 3, 6]
    assert len(fa.MLP.load(path).history["loss"]) == 7
    assert [file.name for file in tmp_path.iterdir()] == ["checkpoint"]


def test_a_fit_that_came_to_its_end_resumes_there(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    done = classifier().fit(*blobs(), epochs=9, patience=1, tolerance=9.0, checkpoint=path)
    assert len(done.history["loss"]) < 9
    resumed = classifier().fit(*blobs(), epochs=9, patience=1, tolerance=9.0, resume=path)
    assert state_of(resumed) == state_of(done)


def test_a_checkpoint_of_other_settings_or_none_is_refused(tmp_path: Path) -> None:
    path, model = tmp_path / "checkpoint", classifier()
    classifier().save(path)
    with pytest.raises(ValueError, match=r"is no checkpoint of a fit; take MLP\.load"):
        model.fit(*blobs(), epochs=1, resume=path)
    classifier(batch_norm=True).fit(*blobs(), epochs=1, checkpoint=path)
    before = state_of(model := classifier())
    with pytest.raises(ValueError, match="has batch_norm=True, this model False"):
        model.fit(*blobs(), epochs=1, resume=path)
    assert state_of(model) == before
    with pytest.raises(FileNotFoundError):
        model.fit(*blobs(), epochs=1, resume=tmp_path / "none")


KILLED = """
import sys
import numpy as np
import fastact as fa
rng = np.random.default_rng(0)
x, y = rng.normal(size=(64, 32)), np.arange(64) % 3
model = fa.MLP((32, 64, 3), output="softmax", batch_norm=True, seed=0)
print("on", flush=True)
model.fit(x, y, epochs=10**6, checkpoint=sys.argv[1])
"""


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
@pytest.mark.parametrize("count", [4, pytest.param(100, marks=pytest.mark.slow)])
def test_a_kill_at_any_moment_leaves_a_checkpoint_that_loads(tmp_path: Path, count: int) -> None:
    path, rng = tmp_path / "checkpoint", np.random.default_rng(0)
    for _ in range(count):
        command = [sys.executable, "-P", "-c", KILLED, str(path)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"on\n"
            time.sleep(0.02 + rng.random() * 0.5)
            process.kill()
        if path.exists():
            model = fa.MLP.load(path)
            assert len(model.history["loss"]) == model.epochs > 0
    assert path.exists()


# ---- safetensors


def test_weights_as_safetensors(tmp_path: Path) -> None:
    safetensors = pytest.importorskip("safetensors.numpy")
    path, x = tmp_path / "weights.safetensors", blobs()[0]
    model = network().fit(*blobs(), epochs=2)
    model.save_weights(path)
    arrays = safetensors.load_file(path)
    assert {"weights_0", "bias_2", "gamma_1", "mean_0", "activation_beta_1"} < set(arrays)
    np.testing.assert_array_equal(arrays["weights_1"], model.layers[1].weights)
    other = network()
    other.load_weights(path)
    assert np.array_equal(other.forward(x), model.forward(x))
    with pytest.raises(ValueError, match="lacks 'weights_1' with finite numbers of shape"):
        classifier().load_weights(path)
    path.write_bytes(path.read_bytes()[:-9])
    before = other.parameters.copy()
    with pytest.raises(ValueError, match="no safetensors file, or damaged"):
        other.load_weights(path)
    assert np.array_equal(other.parameters, before)


# ---- wrong input


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dropout": 1.0}, "dropout must be at least 0 and below 1, got 1.0"),
        ({"dropout": [0.1, 0.2]}, "dropout lists 2 for 1 hidden layers"),
        ({"batch_norm": 1}, "batch_norm must be True or False, got 1"),
        ({"l2": -1}, "l2 must be at least 0"),
        ({"weight_decay": -1}, "weight_decay must be at least 0"),
        ({"clip_norm": 0}, "clip_norm must be above 0"),
        ({"clip_value": "low"}, "clip_value must be a number, got 'low'"),
        ({"schedule": "cos"}, "unknown schedule 'cos'; did you mean 'cosine'"),
        ({"schedule": "cosine"}, "schedule 'cosine' needs 'steps'"),
        (
            {"schedule": {"name": "cosine", "step": 3}},
            "schedule 'cosine' has no parameter 'step'; did you mean 'steps'",
        ),
        ({"schedule": {"name": "cosine", "steps": 3, "warm_up": 3}}, "warm_up must be below its steps, 3; got 3"),
        ({"schedule": 0.1}, "schedule must be a name or a mapping .* got 0.1"),
        ({"optimizer": {"name": "adam", "beta1": 0.9}}, "optimizer 'adam' has no parameter 'beta1'"),
        ({"optimizer": {"name": "adam", "beta2": 1}}, "optimizer's beta2 must be at least 0 and below 1"),
        ({"optimizer": {"beta2": 1}}, "optimizer must be a name or a mapping"),
        ({"output": "identity", "loss": {"name": "huber", "delta": 0}}, "loss's delta must be above 0"),
        ({"output": "identity", "loss": {"name": "quantile", "q": 1}}, "loss's q must be above 0 and below 1"),
        ({"output": "tanh", "loss": "poisson"}, "loss='poisson' wants output='identity', got 'tanh'"),
        ({"init": "xavier"}, "unknown init 'xavier'"),
    ],
)
def test_wrong_settings(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message) as caught:
        fa.MLP(**{"layer_sizes": [4, 8, 3], "output": "softmax", **arguments})
    assert "\n" not in str(caught.value)


def text(column: int) -> NDArray[Any]:
    x = blobs()[0].astype(object)
    x[5, column] = "red"
    return x


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"y": np.zeros(90)}, "y has the one class 0; give samples of 2 at least"),
        ({"X": blobs()[0][:1], "y": [0]}, "X has 1 sample, training wants 2 at least"),
        ({"X": text(2)}, "X has dtype object: column 2 holds 'red'; encode or drop it"),
        ({"sample_weight": np.full(90, -1.0)}, r"sample_weight\[0\] is -1; weights must be at least 0"),
        ({"sample_weight": np.zeros(90)}, "sample_weight is 0 for all samples"),
        ({"sample_weight": np.ones(89)}, r"sample_weight has shape \(89,\); give one weight for each of the 90"),
        ({"sample_weight": np.full(90, np.inf)}, r"sample_weight\[0\] is inf"),
        ({"class_weight": "balance"}, 'class_weight must be "balanced" or a mapping'),
        ({"class_weight": {3: 1.0}}, "class_weight has the label 3; the classes are 0 to 2"),
        ({"class_weight": dict.fromkeys(range(3), 0.0)}, "class_weight=.* leaves all samples without weight; give"),
        ({"class_weight": {0: 0.0}, "sample_weight": blobs()[1] == 0}, "class_weight=.* leaves all samples without"),
        ({"class_weight": {0: -1.0}}, r"class_weight\[0\] must be at least 0"),
        (
            {"y": np.full((90, 3), 1 / 3), "class_weight": "balanced"},
            "goes with one label per sample; use sample_weight",
        ),
        ({"validation": 0.001}, "validation=0.001 of 90 samples leaves 90 to train with and 0"),
        ({"patience": -1}, "patience must be at least 0"),
        ({"tolerance": math.nan}, "tolerance must be at least 0"),
        ({"shuffle": None}, "shuffle must be True or False, got None"),
        ({"batches": 3}, "batches=3 goes with batches from X, without y"),
        ({"checkpoint_every": 0}, "checkpoint_every must be at least 1"),
        ({"y": None}, "batch 0 of X must be .* got ndarray"),
        ({"X": 3, "y": None}, "X must be arrays with y, or without y iterate over batches"),
        ({"X": [], "y": None, "validation": 0.1}, "validation of this kind goes with arrays X and y"),
        ({"X": [], "y": None, "sample_weight": []}, "sample_weight of this kind goes with arrays X and y"),
        ({"X": [(blobs()[0], blobs()[1] + 1)], "y": None}, r"batch 0's y\[2\] is 3; 3 output units"),
    ],
)
def test_wrong_data_leaves_the_model_as_it_was(arguments: dict[str, Any], message: str) -> None:
    x, y = blobs()
    model = classifier()
    with pytest.raises((TypeError, ValueError), match=message) as caught:
        model.fit(**{"X": x, "y": y, "epochs": 1, **arguments})
    assert "\n" not in str(caught.value)
    assert state_of(model) == state_of(classifier())


def test_constant_and_negative_targets_are_named() -> None:
    x = blobs()[0]
    with pytest.raises(ValueError, match="y is 3 for all samples; there is nothing to learn"):
        fa.MLP((4, 1)).fit(x, np.full(90, 3.0), epochs=1)
    with pytest.raises(ValueError, match=r"y\[0\] is -1; poisson takes counts"):
        fa.MLP((4, 1), loss="poisson").fit(x, np.full(90, -1.0), epochs=1)


def test_a_batch_larger_than_the_data_is_told_and_clipped() -> None:
    x, y = blobs()
    with pytest.warns(UserWarning, match="batch_size=200 is more than the 90 samples"):
        found = classifier(batch_size=200).fit(x, y, epochs=2)
    assert np.array_equal(found.parameters, classifier(batch_size=90).fit(x, y, epochs=2).parameters)


def test_a_batch_that_needs_too_much_memory_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise MemoryError

    model = classifier(batch_size=80)
    monkeypatch.setattr(training, "step", fail)
    with pytest.raises(MemoryError, match="a batch of 80 samples does not fit into memory; try batch_size=40"):
        model.fit(*blobs(), epochs=1)
    assert state_of(model) == state_of(classifier())


def test_small_numbers_may_vanish_when_they_are_rounded() -> None:
    x, y = blobs()
    with np.errstate(all="raise"):
        assert classifier().fit(x * 1e-42, y, epochs=1).predict(x * 1e-300).shape == y.shape
