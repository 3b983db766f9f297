"""The trainer: gradients, optimisers, learning, determinism, storage and every error it words itself."""

from __future__ import annotations

import copy
import json
import os
import pickle
import re
import struct
import subprocess
import sys
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import fastact as fa
from fastact._core import registry as _registry
from fastact.measure.verification.definitions import DEFINITIONS
from fastact.mlp import archive
from helpers import ROOT, damaged_models, simulated_cupy
from helpers.networks import assert_gradients, blobs, classifier, state_of

XOR = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), np.array([0, 1, 1, 0])
DUPLICATES = [copy.copy, copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))]
PAIRS = [("identity", "mse", 3), ("sigmoid", "bce", 1), ("softmax", "cross_entropy", 3)]

#: What layers take.
IN_LAYERS = [*fa.names("activation"), *fa.names("softmax")]


def trained(**settings: Any) -> fa.MLP:
    return classifier(**settings).fit(*blobs(), epochs=3)


@pytest.fixture
def squared(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A user's activation, registered for the length of a test."""
    monkeypatch.setattr(_registry, "_functions", dict(_registry._functions))

    @fa.activation(derivative=lambda x: x + x)
    def squared(x):  # type: ignore[no-untyped-def]
        return x * x

    return squared


# ---- gradients


def batch(units: int, loss: str) -> tuple[NDArray[Any], NDArray[Any]]:
    rng = np.random.default_rng(11)
    y = rng.normal(size=(6, units)) if loss in ("mse", "huber") else np.array([0, 1, 1, 0, 1, 0])
    return rng.normal(size=(6, 4)), y


@pytest.mark.parametrize(("output", "loss", "units"), PAIRS)
@pytest.mark.parametrize("name", IN_LAYERS)
def test_gradients_of_every_hidden_activation(name: str, output: str, loss: str, units: int) -> None:
    model = fa.MLP((4, 5, 3, units), name, output, loss, seed=3, dtype=np.float64)
    model.layers[0].bias = 0.3  # so that biases matter
    assert_gradients(model, *batch(units, loss))


@pytest.mark.parametrize("name", [name for name in IN_LAYERS if name not in ("step", "hardmax")])  # gradients of 0
def test_gradients_of_every_output_activation_with_mse(name: str) -> None:
    assert_gradients(fa.MLP((4, 5, 3), "tanh", name, "mse", seed=3, dtype=np.float64, init="glorot"), *batch(3, "mse"))


@pytest.mark.parametrize("units", [1, 3])
def test_gradients_with_huber(units: int) -> None:
    """Targets are farther away than 1, so that the linear part counts too."""
    x, y = batch(units, "huber")
    assert_gradients(fa.MLP((4, 5, units), "tanh", "identity", "huber", seed=3, dtype=np.float64), x, 3 * y)


def test_gradients_of_mixed_layers_own_activation_and_soft_targets(squared: Any) -> None:
    model = fa.MLP((4, 5, 4, 3, 3), ["tanh", squared, "softmax"], "softmax", seed=3, dtype=np.float64)
    y = np.random.default_rng(0).dirichlet(np.ones(3), size=6)
    assert_gradients(model, batch(1, "bce")[0], y)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("output", "units", "y"), [("sigmoid", 1, [0, 1]), ("softmax", 2, [1, 0])])
def test_fused_losses_stay_exact_for_saturated_outputs(output: str, units: int, y: Any, dtype: Any) -> None:
    model = fa.MLP((1, units), output=output, seed=0, dtype=dtype)
    model.layers[0].weights = [[-600.0]] if units == 1 else [[-300.0, 300.0]]
    loss, gradients = model.loss_and_gradients([[-1.0], [1.0]], y)  # both wrong by a preactivation of 600
    assert loss == pytest.approx(600)
    assert np.isfinite(gradients).all()
    assert np.abs(gradients).max() == pytest.approx(1)
    right, _ = model.loss_and_gradients([[-0.05], [0.05]], np.subtract(1, y))
    absolute = 0 if units == 1 else float(np.finfo(dtype).eps)  # of a sum of exponentials that is close to 1
    assert right == pytest.approx(np.log1p(np.exp(-30)), rel=1e-5, abs=absolute)


# ---- optimisers and initialisation


def reference_sgd(p: Any, gradient: Any, steps: int, rate: float, momentum: float) -> Any:
    velocity = 0
    for _ in range(steps):
        velocity = momentum * velocity + gradient(p)
        p = p - rate * velocity
    return p


def reference_adam(p: Any, gradient: Any, steps: int, rate: float, momentum: float) -> Any:
    m = v = 0
    for t in range(1, steps + 1):
        g = gradient(p)
        m = momentum * m + (1 - momentum) * g
        v = 0.999 * v + 0.001 * g**2
        p = p - rate * (m / (1 - momentum**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    return p


@pytest.mark.parametrize(("optimizer", "reference"), [("sgd", reference_sgd), ("adam", reference_adam)])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_optimizer_follows_its_paper(optimizer: str, reference: Any, momentum: float) -> None:
    x, y = blobs(20)
    settings = {"optimizer": optimizer, "momentum": momentum, "batch_size": 20, "dtype": np.float64}
    model, probe = classifier(**settings), classifier(**settings)

    def gradient(p: NDArray[Any]) -> NDArray[Any]:
        probe.parameters[:] = p
        return probe.loss_and_gradients(x, y)[1].copy()

    expected = reference(model.parameters.copy(), gradient, 25, 0.01, momentum)
    np.testing.assert_allclose(model.fit(x, y, epochs=25).parameters, expected, rtol=1e-9, atol=1e-12)


def test_callback_may_change_the_learning_rate() -> None:
    def freeze(epoch: int, model: fa.MLP) -> None:
        model.optimizer.learning_rate = 0.0

    once, frozen = classifier().fit(*blobs(), epochs=1), classifier().fit(*blobs(), epochs=4, callback=freeze)
    assert np.array_equal(once.parameters, frozen.parameters)


@pytest.mark.parametrize("name", IN_LAYERS)
def test_auto_init_takes_he_for_rectifiers_and_glorot_for_the_rest(name: str) -> None:
    def weights(init: str) -> NDArray[Any]:
        return fa.MLP((50, 60, 1), name, init=init, seed=0).layers[0].weights

    if name in DEFINITIONS:
        parameters = fa.get(name).parameters.values()
        left, right = (float(DEFINITIONS[name].exactly(None, x, *parameters)) for x in (-100, 100))
        rectifier = right > 5 > abs(left)
    else:
        rectifier = name == "rrelu"
    assert np.array_equal(weights("auto"), weights("he" if rectifier else "glorot"))


@pytest.mark.parametrize(("init", "variance"), [("he", 2 / 300), ("glorot", 2 / 500)])
def test_init_has_the_variance_of_its_paper(init: str, variance: float) -> None:
    layer = fa.MLP((300, 200, 1), init=init, seed=0).layers[0]
    assert layer.weights.var() == pytest.approx(variance, rel=0.03)
    assert abs(layer.weights.mean()) < 0.001
    assert not layer.bias.any()


# ---- learning


@pytest.mark.parametrize(("output", "units"), [("sigmoid", 1), ("softmax", 2)])
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_xor_is_learnt(output: str, units: int, optimizer: str) -> None:
    model = fa.MLP((2, 8, units), "tanh", output, optimizer=optimizer, learning_rate=0.1, seed=0)
    model.fit(*XOR, epochs=300)
    assert model.score(*XOR) == 1
    assert model.predict(XOR[0]).tolist() == XOR[1].tolist()
    assert model.history["loss"][-1] < 0.05
    probabilities = model.predict_proba(XOR[0])
    assert probabilities.shape == (4, 2)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)
    assert probabilities.argmax(axis=1).tolist() == XOR[1].tolist()


def test_xor_is_not_learnt_without_an_activation() -> None:
    model = fa.MLP((2, 8, 1), "identity", "sigmoid", learning_rate=0.1, seed=0).fit(*XOR, epochs=300)
    assert model.score(*XOR) < 1


def test_regression_and_its_score() -> None:
    x = np.linspace(-3, 3, 200)[:, np.newaxis]
    y = np.sin(x[:, 0])
    model = fa.MLP((1, 32, 1), "tanh", learning_rate=0.01, seed=0).fit(x, y, epochs=200)
    assert model.predict(x).shape == (200,)
    residual = y - model.predict(x)
    assert model.score(x, y) == pytest.approx(1 - residual @ residual / np.sum((y - y.mean()) ** 2), rel=1e-5)
    assert model.score(x, y) > 0.98
    assert set(model.history) == {"loss", "seconds"}
    model.layers[-1].weights, model.layers[-1].bias = 0, 2  # a constant model of a constant
    assert model.score(x, np.full(200, 2)) == 1
    assert model.score(x, np.full(200, 0.1)) == 0


def test_history_has_one_entry_per_epoch_and_validation_is_the_score() -> None:
    x, y = blobs()
    model = classifier().fit(x[:60], y[:60], epochs=4, validation=(x[60:], y[60:]))
    assert set(model.history) == {"loss", "accuracy", "seconds", "val_loss", "val_accuracy"}
    assert {len(values) for values in model.history.values()} == {4}
    assert model.history["val_accuracy"][-1] == model.score(x[60:], y[60:])
    assert model.history["val_loss"][-1] == pytest.approx(model.loss_and_gradients(x[60:], y[60:])[0])
    assert model.history["loss"][-1] < model.history["loss"][0]
    assert all(seconds > 0 for seconds in model.history["seconds"])


def test_loss_and_accuracy_are_means_over_samples_with_a_short_last_batch() -> None:
    x, y = blobs(70)
    model = classifier(batch_size=32, learning_rate=1e-30).fit(x, y, epochs=1)
    assert model.history["loss"][0] == pytest.approx(model.loss_and_gradients(x, y)[0], rel=1e-5)
    assert model.history["accuracy"][0] == pytest.approx(model.score(x, y))
    assert model.optimizer.steps == 3


def test_validation_does_not_change_training() -> None:
    with_validation = classifier().fit(*blobs(), epochs=3, validation=blobs(30))
    assert np.array_equal(with_validation.parameters, trained().parameters)


def test_callback_counts_epochs_and_stops() -> None:
    seen: list[int] = []

    def stop_at_five(epoch: int, model: fa.MLP) -> Any:
        assert len(model.history["loss"]) == epoch
        seen.append(epoch)
        return np.bool_(epoch == 5)

    model = classifier().fit(*blobs(), epochs=2, callback=stop_at_five)
    model.fit(*blobs(), epochs=9, callback=stop_at_five)
    assert seen == [1, 2, 3, 4, 5]


def test_progress_bar(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("rich")
    model = classifier().fit(*blobs(), epochs=3, progress=True)
    out, err = capsys.readouterr()
    assert not out
    assert "100%" in err
    assert np.array_equal(model.parameters, trained().parameters)


def test_forward_before_training_keeps_every_layers_arrays() -> None:
    x = blobs()[0]
    model = classifier(activation="sigmoid")
    output = model.forward(x)
    hidden, last = model.layers
    np.testing.assert_allclose(hidden.preactivation, x @ hidden.weights + hidden.bias, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(hidden.output, fa.sigmoid(hidden.preactivation))
    np.testing.assert_array_equal(output, fa.softmax(last.preactivation))
    assert model.predict(x).tolist() == output.argmax(axis=1).tolist()


# ---- bits and memory


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_equal_seeds_give_equal_bits(optimizer: str) -> None:
    first, second = trained(optimizer=optimizer), trained(optimizer=optimizer)
    assert first.parameters.tobytes() == second.parameters.tobytes()
    assert first.history["loss"] == second.history["loss"]
    assert first.parameters.tobytes() != trained(optimizer=optimizer, seed=2).parameters.tobytes()


def test_two_fits_are_one_longer_fit() -> None:
    twice, once = trained().fit(*blobs(), epochs=2), classifier().fit(*blobs(), epochs=5)
    assert twice.parameters.tobytes() == once.parameters.tobytes()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_holds_throughout(dtype: Any) -> None:
    model = trained(dtype=dtype)
    arrays = [model.forward(blobs()[0]), model.gradients, model.optimizer.state]
    arrays += [getattr(layer, name) for layer in model.layers for name in ("weights", "bias", "preactivation")]
    assert {array.dtype for array in arrays} == {np.dtype(dtype)}


def test_layers_are_views_of_the_flat_vectors() -> None:
    model = trained()
    for layer in model.layers:
        layer.weights *= 2
        layer.bias = np.ones(layer.bias.shape)
        assert layer.weights.flags.c_contiguous
        assert np.shares_memory(layer.weights, model.parameters)
        assert np.shares_memory(layer.bias, model.parameters)
        assert np.shares_memory(layer.weights_gradient, model.gradients)
        assert np.shares_memory(layer.bias_gradient, model.gradients)
    assert model.parameters.size == 4 * 8 + 8 + 8 * 3 + 3
    assert (model.layers[-1].bias == 1).all()


def test_any_layout_of_the_data_trains_alike_and_stays_untouched() -> None:
    x, y = blobs()
    expected = trained().parameters
    wide = np.zeros((90, 8))
    wide[:, ::2] = x
    read_only = x.astype(np.float32)
    read_only.flags.writeable = False
    for view in (np.asfortranarray(x), wide[:, ::2], x[::-1][::-1], read_only, x.tolist()):
        before = np.array(view)
        assert np.array_equal(classifier().fit(view, y, epochs=3).parameters, expected)
        assert np.array_equal(before, view)


def test_labels_of_every_form_train_alike() -> None:
    x, y = blobs()
    for form in (y.tolist(), y.astype(np.uint8), y.astype(float), y[:, np.newaxis], np.eye(3)[y]):
        assert np.array_equal(classifier().fit(x, form, epochs=3).parameters, trained().parameters)


@pytest.mark.parametrize("duplicate", DUPLICATES)
def test_a_copy_is_independent_and_goes_on_alike(duplicate: Any) -> None:
    model = trained()
    twin, before = duplicate(model), model.parameters.copy()
    twin.fit(*blobs(), epochs=2)
    assert np.array_equal(model.parameters, before)
    assert len(model.history["loss"]) == 3
    assert np.array_equal(model.fit(*blobs(), epochs=2).parameters, twin.parameters)


class Named(fa.MLP):
    """A subclass whose constructor takes other arguments."""

    __slots__ = ("width",)

    def __init__(self, name: str, *, width: int) -> None:
        super().__init__((4, width, 3), output="softmax", seed=1)
        self.name, self.width = name, width
        self.notes: list[str] = []
        self.classes: list[str] = []


@pytest.mark.parametrize("duplicate", DUPLICATES)
def test_a_copy_keeps_what_users_and_subclasses_added(duplicate: Any) -> None:
    model = Named("first", width=8).fit(*blobs(), epochs=1)
    model.notes.append("good")
    model.history.update(rate=["high"], best=0.5)  # type: ignore[call-overload]
    model.batch_size, model.classes = 16, ["a", "b", "c"]
    twin = duplicate(model)
    assert type(twin) is Named
    assert (twin.name, twin.width, twin.notes, twin.batch_size) == ("first", 8, ["good"], 16)
    assert twin.classes == model.classes
    assert (twin.notes is model.notes) == (duplicate is copy.copy)
    for layer in twin.layers:
        assert np.shares_memory(layer.weights, twin.parameters)
        assert np.shares_memory(layer.bias_gradient, twin.gradients)
    assert twin.optimizer.parameters is twin.parameters
    assert not np.shares_memory(twin.parameters, model.parameters)
    assert twin.history == model.history
    assert not {id(values) for values in twin.history.values()} & {id(model.history[name]) for name in ("loss", "rate")}
    assert np.array_equal(model.fit(*blobs(), epochs=2).parameters, twin.fit(*blobs(), epochs=2).parameters)


# ---- what breaks a training off


def whole_epochs(**settings: Any) -> list[tuple[Any, ...]]:
    """The states after 0, 1 and 2 epochs."""
    model, states = classifier(**settings), []
    for _ in range(3):
        states.append(state_of(model))
        model.fit(*blobs(), epochs=1, validation=blobs(30))
    return states


def interrupted_at(line: int, model: fa.MLP) -> bool:
    """Interrupt training after so many lines of the trainer; return whether that came before the end."""
    left = line

    def trace(frame: Any, event: str, argument: Any) -> Any:
        nonlocal left
        if Path(frame.f_code.co_filename).parts[-3:-1] != ("fastact", "mlp"):
            return None
        if event == "line":
            left -= 1
            if left == 0:
                sys.settrace(None)
                raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        with np.errstate():  # restores what an interrupt between a with block and its exit leaves behind
            model.fit(*blobs(), epochs=2, validation=blobs(30))
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return False


def test_an_interrupt_anywhere_leaves_whole_epochs() -> None:
    settings: dict[str, Any] = {"batch_size": 64, "batch_norm": True, "dropout": 0.2, "schedule": "adaptive"}
    states = whole_epochs(**settings)
    seen: list[int] = []
    while interrupted_at(len(seen) + 1, model := classifier(**settings)):
        seen.append(states.index(state_of(model)))
    assert len(seen) > 200
    assert set(seen) == {0, 1, 2}


@pytest.mark.parametrize("trouble", [RuntimeError, KeyboardInterrupt])
def test_an_error_in_a_callback_leaves_whole_epochs(trouble: type[BaseException]) -> None:
    def fail(epoch: int, model: fa.MLP) -> None:
        if epoch == 2:
            raise trouble

    model = classifier()
    with pytest.raises(trouble):
        model.fit(*blobs(), epochs=3, validation=blobs(30), callback=fail)
    assert state_of(model) == whole_epochs()[2]


def test_an_interrupt_after_a_callback_that_trains_leaves_whole_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    def train(epoch: int, model: fa.MLP) -> None:
        if epoch == 1:
            model.fit(*blobs(), epochs=1)
        if epoch == 4:
            monkeypatch.setattr(model.optimizer, "rates", interrupt)

    def interrupt(steps: Any) -> None:
        raise KeyboardInterrupt

    model, calm = classifier(), classifier().fit(*blobs(), epochs=4)
    with pytest.raises(KeyboardInterrupt):
        model.fit(*blobs(), epochs=9, callback=train)
    assert state_of(model) == state_of(calm)


def test_training_goes_on_after_divergence_as_if_it_had_not_been() -> None:
    model = classifier(optimizer="sgd").fit(*blobs(), epochs=1)
    calm, before = copy.copy(model), state_of(model)
    model.optimizer.learning_rate = 1e30
    with pytest.raises(FloatingPointError):
        model.fit(*blobs(), epochs=2)
    model.optimizer.learning_rate = calm.optimizer.learning_rate
    assert state_of(model) == before
    assert state_of(model.fit(*blobs(), epochs=2)) == state_of(calm.fit(*blobs(), epochs=2))


# ---- files


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_loaded_model_predicts_and_goes_on_with_the_same_bits(tmp_path: Path, optimizer: str, dtype: Any) -> None:
    x, y = blobs()
    model = trained(optimizer=optimizer, dtype=dtype, activation=["silu"])
    model.save(tmp_path / "model.npz")
    loaded = fa.MLP.load(str(tmp_path / "model.npz"))
    assert loaded.forward(x).tobytes() == model.forward(x).tobytes()
    assert repr(loaded) == repr(model)
    assert loaded.history == model.history
    loaded.fit(x, y, epochs=2)
    assert loaded.parameters.tobytes() == model.fit(x, y, epochs=2).parameters.tobytes()


def test_own_activation_is_found_again_by_its_name(tmp_path: Path, squared: Any) -> None:
    model = trained(activation=squared)
    model.save(tmp_path / "model")
    loaded = fa.MLP.load(tmp_path / "model")
    assert loaded.layers[0].activation is squared
    assert np.array_equal(loaded.predict(blobs()[0]), model.predict(blobs()[0]))


def test_anyone_can_read_the_file_without_pickle(tmp_path: Path) -> None:
    model = trained()
    model.save(tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    with np.load(tmp_path / "model", allow_pickle=False) as arrays:
        assert np.array_equal(arrays["weights_1"], model.layers[1].weights)
        header = json.loads(arrays["header"].tobytes())
    assert header["format"] == "fastact.mlp"
    assert header["settings"]["layer_sizes"] == [4, 8, 3]


def test_saving_through_a_symbolic_link_keeps_the_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "model")
    trained().save(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert fa.MLP.load(tmp_path / "model").history


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # NumPy 2.0 leaves its ZipFile open
def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    path, model = tmp_path / "model.npz", trained()
    model.save(path)
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            model.fit(*blobs(), epochs=1).save(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def rewritten(path: Path, header: dict[str, Any] | None = None, **arrays: Any) -> Path:
    """A copy of the model file with parts replaced, or left out where None."""
    with np.load(path) as saved:
        parts = {**saved, **arrays}
    if header is not None:
        text = json.dumps({**json.loads(parts["header"].tobytes()), **header})
        parts["header"] = np.frombuffer(text.encode(), np.uint8)
    np.savez(path, **{name: part for name, part in parts.items() if part is not None})
    return path


def settings(**changes: Any) -> dict[str, Any]:
    return {"settings": {**trained()._settings(), **changes}}


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda path: path.write_bytes(b""), "no .npz archive"),
        (lambda path: path.write_text("epoch,loss\n1,0.5\n"), "no .npz archive"),
        (lambda path: path.write_bytes(path.read_bytes()[:-200]), "cut short"),
        (lambda path: path.write_bytes(pickle.dumps({"weights": 1})), "no .npz archive"),
        (
            lambda path: path.write_bytes(re.sub(b"(?s)(PK\3\4.{24})..", b"\\1\xff\xff", path.read_bytes())),
            "damaged",  # the members start behind the end
        ),
        (lambda path: np.savez(path, x=np.ones(3)), "not a fastact model.*header"),
        (lambda path: np.savez(path, header=np.array([{}])), "Python objects"),
        (lambda path: np.savez(path, header=np.frombuffer(b"{]", np.uint8)), "not a fastact model"),
        (lambda path: np.savez(path, header=np.frombuffer(b"[]", np.uint8)), "not a fastact model"),
        (lambda path: rewritten(path, {"format": "keras"}), "keras"),
        (lambda path: rewritten(path, {"version": 1}), "1.*reads.*2"),
        (lambda path: rewritten(path, {"settings": {}}), "lacks 'layer_sizes'"),
        (lambda path: rewritten(path, {"settings": None}), "header lacks settings"),
        (lambda path: rewritten(path, {"history": [1]}), "header lacks history"),
        (lambda path: rewritten(path, {"steps": 1.5}), "header lacks steps"),
        (lambda path: rewritten(path, {"history": {"loss": ["x"]}}), r"history\['loss'\] must hold numbers, got 'x'"),
        (lambda path: rewritten(path, {"steps": -1}), "steps must be at least 0"),
        (lambda path: rewritten(path, {"random_state": {"bit_generator": "PCG64"}}), "state"),
        (lambda path: rewritten(path, settings(layer_sizes=[4, 9, 3])), r"weights_0.*\(4, 8\).*\(4, 9\)"),
        (
            lambda path: rewritten(path, settings(layer_sizes=[10**9, 10**9], activation=[], dropout=[])),
            "weights_0 has shape",
        ),
        (lambda path: rewritten(path, settings(layer_sizes=7)), "layer_sizes|not iterable"),
        (lambda path: rewritten(path, settings(dtype="float64")), "dtype float32"),
        (lambda path: rewritten(path, settings(optimizer="sgd")), r"optimizer_state.*\(2, 67\)"),
        (lambda path: rewritten(path, settings(optimizer="adagrad")), "adagrad"),
        (lambda path: rewritten(path, settings(activation=["my_own"])), "my_own"),
        (lambda path: rewritten(path, settings(colour="red")), "colour"),
        (lambda path: rewritten(path, weights_1=None), "lacks 'weights_1'"),
        (lambda path: rewritten(path, bias_0=None), "lacks 'bias_0'"),
        (lambda path: rewritten(path, optimizer_state=None), "lacks 'optimizer_state'"),
        (lambda path: rewritten(path, bias_1=np.zeros(4, np.float32)), r"bias_1 has shape \(4,\)"),
        (lambda path: rewritten(path, bias_1=np.array([0, np.nan, 0], np.float32)), "bias_1 holds nan or inf"),
    ],
)
def test_a_damaged_or_foreign_file_is_named_with_its_problem(tmp_path: Path, damage: Any, problem: str) -> None:
    path = tmp_path / "model.npz"
    trained().save(path)
    damage(path)
    with pytest.raises(ValueError, match=problem) as error:
        fa.MLP.load(path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


def test_a_flipped_byte_is_found_or_harmless(tmp_path: Path) -> None:
    x, path, model = blobs()[0], tmp_path / "model.npz", trained()
    model.save(path)
    good = path.read_bytes()
    expected = model.forward(x)
    found = 0
    for at in np.random.default_rng(0).integers(len(good), size=200):
        path.write_bytes(good[:at] + bytes([good[at] ^ 0xFF]) + good[at + 1 :])
        try:
            assert np.array_equal(fa.MLP.load(path).forward(x), expected)
        except ValueError:
            found += 1
    assert found > 150


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the peak of the memory as Linux tells it")
@pytest.mark.parametrize("count", [400, pytest.param(10_000, marks=pytest.mark.slow)])
def test_damaged_files_are_refused_in_one_line_in_little_time_and_memory(count: int) -> None:
    command = [sys.executable, "-P", "-W", "error", str(Path(damaged_models.__file__)), str(count)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    ends, sums = map(json.loads, done.stdout.splitlines())
    assert sum(ends.values()) == count
    for damage in damaged_models.DAMAGES:
        assert ends[f"{damage.__name__} refused"]
    assert {"wide loaded", "members_changed loaded"} < set(ends)  # what is no damage
    assert sums["peak"] < 500  # MiB
    assert sums["longest"] < 5


def test_a_file_of_many_gigabytes_is_read_in_its_wider_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = trained()
    with monkeypatch.context() as patch:
        patch.setattr(zipfile, "ZIP64_LIMIT", 1)
        model.save(tmp_path / "model")
    assert b"PK\6\6" in (tmp_path / "model").read_bytes()
    assert np.array_equal(fa.MLP.load(tmp_path / "model").parameters, model.parameters)


@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_are_read_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, order: Any) -> None:
    path, model = tmp_path / "model.npz", fa.MLP((4, 400, 3), seed=1)
    model.save(path)
    weights = model.layers[0].weights
    rewritten(path, weights_0=np.asarray(weights, order=order))
    monkeypatch.setattr(archive, "PIECE", 500)  # the list of members has 400 bytes, this array 6400
    assert np.array_equal(fa.MLP.load(path).parameters, model.parameters)
    path.write_bytes(path.read_bytes().replace(weights.tobytes(order)[-32:], bytes(32)))
    with pytest.raises(ValueError, match="CRC"):
        fa.MLP.load(path)


def test_a_long_list_of_members_is_refused_in_little_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, entries = tmp_path / "model", (b"PK\1\2" + bytes(42)) * 2**14
    path.write_bytes(entries + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, len(entries), 0, 0))
    monkeypatch.setattr(archive, "PIECE", 2**14)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="directory"):
            fa.MLP.load(path)
        assert tracemalloc.get_traced_memory()[1] < len(entries)  # ten times that for all of them
    finally:
        tracemalloc.stop()


def test_a_compressed_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model"
    path.write_bytes(damaged_models.packed(damaged_models.unpacked(), zipfile.ZIP_DEFLATED))
    with pytest.raises(ValueError, match=r"compressed.*np\.savez stores"):
        fa.MLP.load(path)


def test_a_rate_of_any_size_is_named() -> None:
    for rate in (10**400, -(10**400)):
        with pytest.raises(ValueError, match="learning_rate must be above 0"):
            classifier(learning_rate=rate)


UNFIT: dict[str, Callable[[Any], object]] = {
    "learning_rate": lambda model: setattr(model.optimizer, "learning_rate", 0),
    "weights_0": lambda model: model.parameters.put(3, np.nan),
    "bias_1": lambda model: setattr(model.layers[1], "bias", np.inf),
    "optimizer_state": lambda model: model.optimizer.state.put(3, np.nan),
    "batch_size": lambda model: setattr(model, "batch_size", 0),
    "steps": lambda model: setattr(model.optimizer, "steps", -1),
    "history": lambda model: model.history.update(note=["good"]),
    "cannot hold": lambda model: model.history.update(weights=[model.parameters]),
    "wants output": lambda model: setattr(model.layers[1], "activation", fa.sigmoid),
}


@pytest.mark.parametrize("name", UNFIT)
def test_what_could_not_be_loaded_is_not_saved(tmp_path: Path, name: str) -> None:
    path, model = tmp_path / "model", trained()
    model.save(path)
    before = path.read_bytes()
    UNFIT[name](model)
    with pytest.raises(ValueError, match=f"{path}: not saved, since it could not be loaded again: .*{name}") as error:
        model.save(path)
    assert "\n" not in str(error.value)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_numbers_of_numpy_are_saved_as_numbers(tmp_path: Path) -> None:
    def anneal(epoch: int, model: Any) -> None:
        model.optimizer.learning_rate = np.float32(0.01) / np.float32(epoch)
        model.optimizer.momentum = np.float16(0.5)
        model.history.setdefault("rate", []).append(np.float32(0.1))

    numbers = {"learning_rate": np.float32(0.01), "momentum": np.float32(0.9), "batch_size": np.int64(16)}
    model = classifier(**numbers, seed=np.uint8(3)).fit(*blobs(), epochs=2, callback=anneal)
    model.batch_size = np.int64(30)  # type: ignore[assignment]
    assert type(model.optimizer.learning_rate) is float
    model.save(tmp_path / "model")
    loaded = fa.MLP.load(tmp_path / "model")
    assert loaded.history["rate"] == [np.float32(0.1)] * 2
    again = [each.fit(*blobs(), epochs=2).parameters.tobytes() for each in (model, loaded)]
    assert again[0] == again[1]


@pytest.mark.skipif(os.name != "posix", reason="modes and FIFOs as POSIX has them")
def test_saving_keeps_the_mode_and_refuses_what_is_no_file(tmp_path: Path) -> None:
    path, model = tmp_path / "model", trained()
    model.save(path)
    assert path.stat().st_mode & 0o777 == 0o666 & ~umask()
    path.chmod(0o640)
    model.save(path)
    assert path.stat().st_mode & 0o777 == 0o640
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    (tmp_path / "device").symlink_to("/dev/zero")
    (tmp_path / "circle").symlink_to("circle")
    before = sorted(os.listdir(tmp_path))
    for name in ("fifo", "folder", "device", "circle"):
        for use in (model.save, fa.MLP.load):
            with pytest.raises((OSError, ValueError), match=name) as error:
                use(tmp_path / name)
            assert "\n" not in str(error.value)
    assert sorted(os.listdir(tmp_path)) == before


def umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_a_missing_file_and_a_missing_folder_are_file_errors(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=re.escape(str(tmp_path / "none.npz"))):
        fa.MLP.load(tmp_path / "none.npz")
    with pytest.raises(FileNotFoundError):
        trained().save(tmp_path / "none" / "model.npz")


# ---- the device


def test_the_device_is_the_cpu_unless_said_and_stands_in_no_file(tmp_path: Path) -> None:
    model = trained(device="cpu")
    assert model.device == classifier().device == "cpu"
    assert "device='cpu'" in repr(model)
    model.save(tmp_path / "model")
    with np.load(tmp_path / "model") as arrays:
        assert b"device" not in arrays["header"].tobytes()
    with pytest.raises(ValueError, match=r"^unknown device 'gpu'"):
        fa.MLP.load(tmp_path / "model", device="gpu")


def test_a_gpu_needs_cupy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(fa.MissingDependencyError, match=r'needs cupy.*pip install "fastact\[cupy\]"'):
        classifier(device="cuda")


def test_a_gpu_that_is_missing_is_named_with_the_reason(monkeypatch: pytest.MonkeyPatch, no_gpu: str) -> None:
    monkeypatch.setitem(sys.modules, "cupy", simulated_cupy)
    with pytest.raises(fa.BackendError, match=re.escape(no_gpu)):
        classifier(device="cuda")


# ---- wrong input


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"layer_sizes": [4]}, ValueError, r"layer_sizes .* \[4\]"),
        ({"layer_sizes": [4, 0, 3]}, ValueError, r"layer_sizes\[1\] must be at least 1, got 0"),
        ({"layer_sizes": [4, 2.5, 3]}, TypeError, r"layer_sizes\[1\] must be an integer, got 2.5"),
        ({"activation": "rleu"}, ValueError, "rleu.*relu"),
        ({"activation": np.tanh}, TypeError, "neither a name nor a fastact function"),
        ({"activation": ["relu", "tanh"]}, ValueError, "lists 2 for 1 hidden layers"),
        ({"output": "sofmax"}, ValueError, "sofmax.*softmax"),
        ({"loss": "crossentropy"}, ValueError, "unknown loss 'crossentropy'.*'cross_entropy'"),
        ({"loss": "bce", "output": "identity"}, ValueError, "wants output='sigmoid', got 'identity'"),
        ({"loss": "cross_entropy", "output": "sigmoid"}, ValueError, "wants output='softmax', got 'sigmoid'"),
        ({"layer_sizes": [4, 1], "output": "softmax"}, ValueError, "cannot have 1 output units"),
        ({"optimizer": "adma"}, ValueError, "unknown optimizer 'adma'.*'adam'"),
        ({"init": "hee"}, ValueError, "unknown init 'hee'.*'he'"),
        ({"learning_rate": 0}, ValueError, "learning_rate must be above 0 .* got 0"),
        ({"learning_rate": float("nan")}, ValueError, "learning_rate .* got nan"),
        ({"learning_rate": float("inf")}, ValueError, "learning_rate .* got inf"),
        ({"learning_rate": "fast"}, TypeError, "learning_rate must be a number, got 'fast'"),
        ({"momentum": 1}, ValueError, "momentum must be at least 0 and below 1, got 1"),
        ({"batch_size": 0}, ValueError, "batch_size must be at least 1, got 0"),
        ({"batch_size": True}, TypeError, "batch_size must be an integer, got True"),
        ({"seed": -1}, ValueError, "seed must be at least 0, got -1"),
        ({"dtype": np.float16}, TypeError, "dtype must be float32 or float64, got float16"),
        ({"device": "gpu"}, ValueError, "unknown device 'gpu'"),
    ],
)
def test_wrong_settings(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        fa.MLP(**{"layer_sizes": [4, 8, 3], **arguments})
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("squared")  # for its clean registry
def test_an_activation_without_derivative_is_refused() -> None:
    @fa.activation
    def halved(x):  # type: ignore[no-untyped-def]
        return np.nextafter(x, x) / 2  # of which nothing can be derived

    with pytest.raises(TypeError, match="halved was defined without a derivative"):
        classifier(activation=halved)


def spoilt(value: float) -> NDArray[Any]:
    x = blobs()[0]
    x[7, 2] = value
    x[9, 1] = value
    return x


def labelled(value: float) -> NDArray[Any]:
    y = blobs()[1].astype(float)
    y[5] = value
    return y


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"X": spoilt(np.nan)}, ValueError, r"X\[7, 2\] is nan"),
        ({"X": spoilt(-np.inf)}, ValueError, r"X\[7, 2\] is -inf"),
        ({"X": spoilt(1e300)}, ValueError, r"X\[7, 2\] is 1e\+300, not a finite float32"),
        ({"X": np.ones((90, 5))}, ValueError, "X has 5 features, the network wants 4"),
        ({"X": np.ones(90)}, ValueError, r"X must be 2-D .* \(90,\)"),
        ({"X": np.ones((0, 4)), "y": []}, ValueError, r"X is empty"),
        ({"X": np.ones((90, 4), complex)}, TypeError, "X has dtype complex128"),
        ({"X": np.full((90, 4), "a")}, TypeError, "X has dtype <U1"),
        ({"X": np.ones((90, 4), object)}, TypeError, "X has dtype object"),
        ({"y": np.zeros(89)}, ValueError, "X has 90 samples and y 89"),
        ({"y": labelled(3)}, ValueError, r"y\[5\] is 3; 3 output units take the labels 0 to 2"),
        ({"y": labelled(-1)}, ValueError, r"y\[5\] is -1"),
        ({"y": labelled(0.5)}, ValueError, r"y\[5\] is 0.5"),
        ({"y": labelled(np.nan)}, ValueError, r"y\[5\] is nan"),
        ({"y": np.array(["a"] * 90)}, TypeError, "y has dtype <U1.*np.unique"),
        ({"y": np.full((90, 3), 0.5)}, ValueError, r"y\[0\] is no distribution"),
        ({"y": np.zeros((90, 2))}, ValueError, r"y has shape \(90, 2\)"),
        ({"epochs": 0}, ValueError, "epochs must be at least 1, got 0"),
        ({"epochs": 1.5}, TypeError, "epochs must be an integer, got 1.5"),
        ({"validation": (spoilt(np.nan), blobs()[1])}, ValueError, r"validation X\[7, 2\] is nan"),
        ({"validation": (blobs()[0], labelled(7))}, ValueError, r"validation y\[5\] is 7"),
        ({"validation": 1.5}, ValueError, "validation must be above 0 and below 1, got 1.5"),
        ({"validation": "half"}, TypeError, r"validation must be a pair \(X, y\).* got str"),
    ],
)
def test_wrong_data_leaves_the_model_as_it_was(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    x, y = blobs()
    model = classifier()
    with pytest.raises(error, match=message) as caught:
        model.fit(**{"X": x, "y": y, "epochs": 1, **arguments})
    assert "\n" not in str(caught.value)
    assert np.array_equal(model.parameters, classifier().parameters)
    assert not model.history


@pytest.mark.parametrize(
    ("output", "y", "message"),
    [
        ("sigmoid", [0, 2], r"y\[1\] is 2; bce takes the labels 0 and 1"),
        ("sigmoid", [[0, 1], [1, 0]], r"y has shape \(2, 2\); bce wants"),
        ("identity", [[0, 1], [1, 0]], r"y has shape \(2, 2\); 1 output units want \(samples, 1\)"),
    ],
)
def test_wrong_targets_of_one_output_unit(output: str, y: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fa.MLP((1, 1), output=output).fit([[0], [1]], y, epochs=1)


def test_prediction_checks_its_input_too() -> None:
    model = classifier()
    for ask in (model.predict, model.predict_proba, model.forward):
        with pytest.raises(ValueError, match=r"X\[7, 2\] is nan"):
            ask(spoilt(np.nan))
    with pytest.raises(TypeError, match="predict_proba needs a classifying loss, this model has mse"):
        fa.MLP((4, 1)).predict_proba(blobs()[0])


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_divergence_names_the_epoch_and_keeps_the_weights_before_it(optimizer: str) -> None:
    x, y = blobs()
    model = fa.MLP((4, 8, 8, 1), optimizer=optimizer, seed=0).fit(x, y, epochs=2)
    before, steps = model.parameters.copy(), model.optimizer.steps
    model.optimizer.learning_rate = 1e30
    with pytest.raises(FloatingPointError, match=r"epoch 3 .* learning_rate below 1e\+30") as caught:
        model.fit(x, y, epochs=5)
    assert "\n" not in str(caught.value)
    assert np.array_equal(model.parameters, before)
    assert model.optimizer.steps == steps
    assert len(model.history["loss"]) == 2
    model.optimizer.learning_rate = 1e-3
    model.fit(x, y, epochs=1)
