"""Recorded training has the bits, and the errors, of training that computes every operation when it is asked for."""

from __future__ import annotations

import inspect
import os
import signal
import threading
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest

import fastact as fa
from fastact.mlp import fitting
from fastact.mlp.eager import Eager
from fastact.mlp.recorder import Recorder, Unrecordable
from fastact.mlp.sources import Arrays
from fastact.mlp.training import EagerTrainer, RecordedTrainer

SAMPLES = 70


#: Output, loss and number of units, and what is to be learnt.
LOSSES = {
    "cross_entropy": ("softmax", 3, np.arange(SAMPLES) % 3),
    "bce": ("sigmoid", 1, np.arange(SAMPLES) % 2),
    "mse": ("identity", 2, np.sin(np.arange(2.0 * SAMPLES)).reshape(SAMPLES, 2)),
    "huber": ("tanh", 1, np.sin(np.arange(1.0 * SAMPLES))),
}


def data(loss: str = "cross_entropy") -> tuple[np.ndarray, np.ndarray]:
    return np.random.default_rng(1).standard_normal((SAMPLES, 5)), LOSSES[loss][2]


def model(loss: str = "cross_entropy", **settings: Any) -> fa.MLP:
    output, units, _ = LOSSES[loss]
    sizes, options = (5, 19, 8, units), {"activation": ["tanh", "gelu"], "batch_size": 16, "seed": 3, **settings}
    return fa.MLP(sizes, output=output, loss=loss, **options)


@pytest.fixture
def fragile(own_registry: None) -> Any:
    @fa.activation(derivative=lambda x: x * 0 + 1)
    def fragile(x):  # type: ignore[no-untyped-def]
        if x > 30:
            raise ValueError("too large")
        return x

    return fragile


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Fits a model without a record."""

    def fit(model: fa.MLP, *arguments: Any, **options: Any) -> fa.MLP:
        with monkeypatch.context() as context:
            context.setattr(fitting, "RecordedTrainer", refuse)
            return model.fit(*arguments, **options)

    def refuse(*arguments: Any) -> Any:
        raise Unrecordable

    return fit


def taken(model: fa.MLP, *data: np.ndarray, epochs: int = 2) -> type:
    """The trainer that a model takes for so many epochs."""
    return type(fitting._trainer(model, source(model, *data), fitting.Looks(), epochs))


def source(model: fa.MLP, *data: np.ndarray) -> Arrays:
    return Arrays(model, *model._checked(*data), shuffle=True)


def state(model: fa.MLP) -> tuple[Any, ...]:
    optimizer = model.optimizer
    return model.parameters.tobytes(), optimizer.state.tobytes(), optimizer.steps, str(model._random_state)


def test_both_kinds_of_run_have_the_same_operations() -> None:
    for name, method in vars(Eager).items():
        if inspect.isfunction(method) and not name.startswith("_"):
            assert [*inspect.signature(method).parameters] == [*inspect.signature(getattr(Recorder, name)).parameters]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize("loss", LOSSES)
def test_the_same_bits(eager: Any, loss: str, optimizer: str, dtype: Any) -> None:
    x, y = data(loss)
    recorded = model(loss, optimizer=optimizer, dtype=dtype).fit(x, y, epochs=5)
    computed = eager(model(loss, optimizer=optimizer, dtype=dtype), x, y, epochs=5)
    assert taken(recorded, x, y) is RecordedTrainer
    assert state(recorded) == state(computed)
    for found in (recorded.history, computed.history):
        del found["seconds"]
    assert recorded.history == computed.history


@pytest.mark.parametrize("name", fa.names("activation"))
def test_the_same_bits_for_every_activation(eager: Any, name: str) -> None:
    if not fa.get(name).differentiable:
        with pytest.raises(TypeError, match="derivative"):
            model(activation=name)
        return
    x, y = data()
    x *= 0.1  # exp(exp(x)) is soon infinite
    recorded, computed = model(activation=name).fit(x, y, epochs=2), eager(model(activation=name), x, y, epochs=2)
    assert state(recorded) == state(computed)


def test_distributions_as_targets(eager: Any) -> None:
    x, y = data()[0], np.random.default_rng(0).dirichlet(np.ones(3), SAMPLES)
    assert state(model().fit(x, y, epochs=3)) == state(eager(model(), x, y, epochs=3))


def test_two_threads_and_large_layers(eager: Any) -> None:
    """Of which every kind of node is shared out."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((600, 200)).astype(np.float32), rng.integers(0, 10, 600)
    wide = [fa.MLP((200, 300, 250, 10), output="softmax", batch_size=256, seed=0) for _ in range(3)]
    before = fa.get_num_threads()
    try:
        fa.set_num_threads(1)
        wide[0].fit(x, y, epochs=2)
    finally:
        fa.set_num_threads(before)
    assert state(wide[0]) == state(wide[1].fit(x, y, epochs=2)) == state(eager(wide[2], x, y, epochs=2))


def test_what_is_no_loop_is_computed() -> None:
    x, y = data()
    assert taken(model(activation="softmax"), x, y) is EagerTrainer
    assert model(activation="softmax").fit(x, y, epochs=2).history["loss"][1] > 0


def test_many_epochs_are_many_calls_of_few(eager: Any) -> None:
    x, y = data()
    together, apart = model().fit(x, y, epochs=50), model()
    for _ in range(50):
        apart.fit(x, y, epochs=1)
    assert state(together) == state(apart)
    assert together.history["loss"] == apart.history["loss"]


def interrupt_soon(seconds: float) -> None:
    threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGINT)).start()


@pytest.mark.parametrize("size", [5, 500])
@pytest.mark.skipif(os.name == "nt", reason="os.kill ends the process there")
def test_ctrl_c_leaves_whole_epochs(size: int) -> None:
    x, y = data()
    large = np.tile(x, (1, size // 5))
    stopped, calm = (fa.MLP((size, 19, 3), output="softmax", seed=3) for _ in range(2))
    stopped.fit(large, y, epochs=1)
    interrupt_soon(0.1)
    with pytest.raises(KeyboardInterrupt):
        stopped.fit(large, y, epochs=10**8)
    epochs = len(stopped.history["loss"])
    assert epochs > 1
    assert state(calm.fit(large, y, epochs=epochs)) == state(stopped)
    assert stopped.history["loss"] == calm.history["loss"]


def test_other_threads_go_on() -> None:
    x, y = data()
    counts = [0, 0]
    done = threading.Event()

    def count() -> None:
        while not done.is_set():
            counts[0] += 1

    thread = threading.Thread(target=count)
    trained = model().fit(x, y, epochs=1)
    thread.start()
    try:
        trained.fit(x, y, epochs=5000)
        counts[1] = counts[0]
    finally:
        done.set()
        thread.join()
    assert counts[1] > 10_000


def test_diverging_in_the_midst_keeps_the_epochs_before() -> None:
    x, y = data("mse")
    settings = {"activation": "identity", "optimizer": "sgd", "learning_rate": 0.3}
    wild = model("mse", **settings)
    with (
        np.errstate(all="raise"),
        pytest.raises(FloatingPointError, match=r"diverged in epoch \d+ \(loss (inf|nan|\d)"),
    ):
        wild.fit(x, y, epochs=500)
    epochs = len(wild.history["loss"])
    assert 0 < epochs < 500
    calm = model("mse", **settings).fit(x, y, epochs=epochs)
    assert state(calm) == state(wild)


@pytest.mark.parametrize("optimizer", ["adam", "rmsprop"])
def test_the_callers_errstate_does_not_matter(optimizer: str) -> None:
    x, y = data()
    settings: dict[str, Any] = {"optimizer": optimizer, "schedule": {"name": "step", "every": 1}}
    calm, strict = model(**settings).fit(x, y, epochs=1600), model(**settings)
    with np.errstate(all="raise"):
        strict.fit(x, y, epochs=1600)
    assert state(calm) == state(strict)


def test_what_a_formula_raises_leaves_whole_epochs(fragile: Any) -> None:
    x, y = data("mse")
    settings = {"activation": fragile, "learning_rate": 0.05, "init": "he"}
    broken = model("mse", **settings)
    with pytest.raises(ValueError, match="too large"):
        broken.fit(x * 0.1, y * 100, epochs=5000)
    epochs = len(broken.history["loss"])
    assert epochs > 0
    assert state(model("mse", **settings).fit(x * 0.1, y * 100, epochs=epochs)) == state(broken)


def test_nothing_is_allocated_after_the_first_step() -> None:
    resource = pytest.importorskip("resource")
    x, y = data()
    trained = model().fit(x, y, epochs=2)
    trainer = RecordedTrainer(trained, source(trained, x, y))
    trainer.run(trainer.most)
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    trainer.run(trainer.most)
    pages = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults
    assert pages < trainer.most * 5 / 10  # of 4 KiB, for some 4,000 steps: the history alone


def test_few_steps_are_computed() -> None:
    x, y = data()
    assert taken(model(), x[:16], y[:16], epochs=2) is EagerTrainer
    assert taken(model(), x[:16], y[:16], epochs=3) is RecordedTrainer
    assert taken(model(), x, y, epochs=1) is RecordedTrainer


def test_a_progress_bar_moves_with_each_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    counts: list[int] = []
    bar = nullcontext(lambda count, text: counts.append(count))
    monkeypatch.setattr("fastact.mlp.model._progress_bar", lambda epochs: bar)
    model().fit(*data(), epochs=5, progress=True)
    assert counts == [1] * 5


def test_what_another_thread_raises_does_not_end_training(fragile: Any) -> None:
    def fail() -> None:
        with pytest.raises(ValueError, match="too large"):
            fragile(np.array([100.0]))

    def keep_failing() -> None:
        while not done.is_set():
            fail()

    x, y = data()
    trained, calm = (model().fit(x, y, epochs=1) for _ in range(2))
    fail()  # which compiles it
    done = threading.Event()
    thread = threading.Thread(target=keep_failing)
    thread.start()
    try:
        trained.fit(x, y, epochs=3000)
    finally:
        done.set()
        thread.join()
    assert state(trained) == state(calm.fit(x, y, epochs=3000))


def test_a_schedule_that_raises_leaves_whole_epochs(eager: Any) -> None:
    def fail_late(step: int, epoch: int) -> float:
        if epoch == 9:
            raise RuntimeError("too late")
        return 1.0

    x, y = data()
    recorded, computed = model(schedule=fail_late), model(schedule=fail_late)
    for fit in recorded.fit, lambda *data, **options: eager(computed, *data, **options):
        with pytest.raises(RuntimeError, match="too late"):
            fit(x, y, epochs=20)
    assert len(recorded.history["loss"]) == len(computed.history["loss"]) == 9
    assert state(recorded) == state(computed)


def test_a_schedule_may_look_at_the_model(eager: Any) -> None:
    def by_loss(step: int, epoch: int) -> float:
        return float(trained.history["loss"][-1]) if epoch else 1.0

    x, y = data()
    trained = recorded = model(schedule=by_loss)
    recorded.fit(x, y, epochs=5)
    trained = computed = model(schedule=by_loss)
    assert state(recorded) == state(eager(computed, x, y, epochs=5))


@pytest.mark.parametrize(
    ("where", "name", "value"),
    [
        ("optimizer", "weight_decay", 0.5),
        ("optimizer", "clip_norm", 1e-3),
        ("optimizer", "clip_value", 1e-3),
        ("optimizer", "momentum", 0.5),
        ("optimizer", "learning_rate", 0.01),
        ("optimizer", "schedule", "inverse_scaling"),
        ("", "l2", 0.1),
        ("", "batch_size", 10),
    ],
)
def test_a_callback_may_change_settings(eager: Any, where: str, name: str, value: Any) -> None:
    def change(epoch: int, model: fa.MLP) -> None:
        if epoch == 2:
            setattr(getattr(model, where) if where else model, name, value)

    x, y = data()
    recorded, untouched = model().fit(x, y, epochs=5, callback=change), model().fit(x, y, epochs=5)
    assert state(recorded) == state(eager(model(), x, y, epochs=5, callback=change)) != state(untouched)
