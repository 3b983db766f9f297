"""Training on dask's collections: what it computes, whoever computes it, and what is left after an error."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastact as fa

dask: Any = pytest.importorskip("dask")
da: Any = pytest.importorskip("dask.array")

from dask.sizeof import sizeof  # noqa: E402

from fastact.dask.training import schedulers, source, tasks  # noqa: E402

#: Rows, columns and classes of the data.
N, INPUTS, CLASSES = 1100, 6, 3

X = np.random.default_rng(0).standard_normal((N, INPUTS)).astype(np.float32)
LABELS = (X @ np.random.default_rng(1).standard_normal((INPUTS, CLASSES))).argmax(axis=1)
LAZY, LAZY_LABELS = da.from_array(X, chunks=(300, 4)), da.from_array(LABELS, chunks=250)

SYNC = {"scheduler": "synchronous"}


@pytest.fixture(autouse=True)
def few_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let small batches have several blocks."""
    monkeypatch.setattr(source, "LEAST", 50)


def classifier(**settings: Any) -> fa.MLP:
    given = {"output": "softmax", "seed": 0, "batch_size": 100, "learning_rate": 0.02, **settings}
    return fa.MLP((INPUTS, 12, CLASSES), "tanh", **given)


def fitted(X: Any = LAZY, y: Any = LAZY_LABELS, epochs: int = 3, settings: Any = None, **options: Any) -> fa.MLP:
    return classifier(**(settings or {})).fit(X, y, epochs=epochs, **options)


def assert_same(a: fa.MLP, b: fa.MLP) -> None:
    """Equal bits, and equal histories but for the time."""
    assert a.parameters.tobytes() == b.parameters.tobytes()
    assert a.statistics.tobytes() == b.statistics.tobytes()
    assert a.optimizer.state.tobytes() == b.optimizer.state.tobytes()
    assert {**a.history, "seconds": None} == {**b.history, "seconds": None}


@contextmanager
def cluster(workers: int, processes: bool = False) -> Iterator[Any]:
    """A client of so many workers with one thread each."""
    distributed = pytest.importorskip("distributed")
    options = {"threads_per_worker": 1, "dashboard_address": ":0", "silence_logs": logging.CRITICAL}
    with (
        distributed.LocalCluster(n_workers=workers, processes=processes, **options) as local,
        distributed.Client(local) as client,
    ):
        yield client


# ---- what is computed

SETTINGS: dict[str, dict[str, Any]] = {
    "adam": {},
    "float64": {"dtype": np.float64},
    "sgd, clipped": {"optimizer": "sgd", "clip_norm": 0.1},
    "nesterov, clipped by value": {"optimizer": "nesterov", "clip_value": 0.01},
    "adamw": {"optimizer": "adamw", "schedule": {"name": "cosine", "steps": 5}},
    "rmsprop": {"optimizer": "rmsprop", "schedule": "inverse_scaling"},
    "penalty": {"l2": 0.1},
    "shared penalty": {"l2": 3.0, "l2_shared": True},
    "trained activation": {"trainable": True},
    "residual": {"residual": True},
}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", SETTINGS)
def test_a_step_of_all_samples_is_that_of_arrays(name: str, weighted: bool) -> None:
    weights = np.random.default_rng(2).uniform(0, 2, N) if weighted else None
    lazy = None if weights is None else da.from_array(weights, chunks=400)
    options: Any = {"shuffle": False, "class_weight": "balanced" if weighted else None}
    settings = {"batch_size": N, **SETTINGS[name]}
    expected = classifier(**settings).fit(X, LABELS, epochs=4, sample_weight=weights, **options)
    with dask.config.set(SYNC):
        found = fitted(epochs=4, settings=settings, sample_weight=lazy, **options)
    assert found.optimizer.steps == 4
    np.testing.assert_allclose(found.parameters, expected.parameters, rtol=2e-4, atol=2e-5)
    for key in ("loss", "accuracy"):
        np.testing.assert_allclose(found.history[key], expected.history[key], rtol=1e-4)


NUMBERS = np.abs(X[:, :2] + 1)
TARGETS: dict[str, tuple[str, Any]] = {
    **dict.fromkeys(("mse", "mae", "huber", "quantile", "poisson"), ("identity", NUMBERS)),
    "bce": ("sigmoid", (X[:, :2] > 0).astype(int)),
    "cross_entropy": ("softmax", np.exp(X[:, :2]) / np.exp(X[:, :2]).sum(axis=1, keepdims=True)),
}


@pytest.mark.parametrize("loss", TARGETS)
def test_every_loss(loss: str) -> None:
    output, y = TARGETS[loss]
    models = [fa.MLP((INPUTS, 8, 2), output=output, loss=loss, batch_size=N, seed=0) for _ in range(2)]
    models[0].fit(X, y, epochs=2, shuffle=False)
    lazy = da.from_array(y, chunks=(300, 1))
    with dask.config.set(SYNC):
        models[1].fit(LAZY, lazy, epochs=2, shuffle=False, validation=(LAZY, lazy))
        np.testing.assert_allclose(models[1].score(LAZY, lazy), models[1].score(X, y), rtol=1e-5)
    np.testing.assert_allclose(models[1].parameters, models[0].parameters, rtol=1e-3, atol=1e-5)
    held_out = models[1].evaluation(*models[1].checked(X, y))
    for name, values in held_out.items():
        np.testing.assert_allclose(models[1].history[name][-1], values[0], rtol=1e-5)


def test_groups_and_shares() -> None:
    """Batches of 100 of four blocks with at least 50 rows each: two groups; each epoch takes every row once."""
    seen: list[int] = []
    with dask.config.set(SYNC):
        lazy, _ = source.source_of(classifier(), LAZY, LAZY_LABELS, None, None, None, True, None)
        groups = []
        for group in lazy.groups():
            groups.append(sorted(group.rows))
            for step in range(group.steps):
                batch = [(block.compute(), start, stop) for block, start, stop in group.shares(step)]
                assert sum(stop - start for _, start, stop in batch) <= 100
                assert len(batch) == 2
                for rows, start, stop in batch:
                    seen += [int(np.flatnonzero((row == X).all(axis=1))[0]) for row in rows.part(start, stop)[0]]
    assert sorted(rows for group in groups for rows in group) == [200, 300, 300, 300]
    assert len(groups) == 2
    assert sorted(seen) == list(range(N))
    assert seen != sorted(seen)


def test_every_epoch_shuffles_anew_and_by_the_seed() -> None:
    with dask.config.set(SYNC):
        one, two = fitted(), fitted(epochs=1).fit(LAZY, LAZY_LABELS, epochs=2)
        other, plain = fitted(settings={"seed": 5}), fitted(shuffle=False)
    assert_same(one, two)
    assert one.history["loss"] != other.history["loss"]
    assert one.history["loss"] != plain.history["loss"]


def test_default_batches_take_eight_blocks() -> None:
    with dask.config.set(SYNC):
        model = classifier(batch_size=None)
        lazy, _ = source.source_of(model, LAZY.rechunk({0: 55}), LAZY_LABELS, None, None, None, True, None)
        assert lazy.batch == 8 * source.LEAST
        sizes = [len(group.rows) for group in lazy.groups()]
        with dask.config.set({"fastact.blocks-per-step": 10}):
            lazy, _ = source.source_of(model, LAZY.rechunk({0: 55}), LAZY_LABELS, None, None, None, True, None)
        assert [len(group.rows) for group in lazy.groups()] == [10, 10]
    assert sizes == [7, 7, 6]


def test_dask_is_told_how_large_the_rows_are() -> None:
    """By default it would take them for nothing, move blocks at will, and keep all in memory."""
    state = tasks.State.of(classifier())
    rows = tasks.opened(state.network, tasks.View(0), X, LABELS, None)
    assert sizeof(rows) >= X.nbytes
    assert sizeof(state) >= state.parameters.nbytes


def test_statistics_of_the_whole_batch() -> None:
    """Batch normalisation's running averages are as if the batch had been in one piece."""
    model = classifier(batch_norm=True)
    state = tasks.State.of(model)
    rows = tasks.opened(state.network, tasks.View(0), X, LABELS, None)
    shares = [tasks.gradient(state, 1, place, rows, *cut) for place, cut in enumerate([(0, 100), (100, 350), (350, N)])]
    whole, added = tasks.gradient(state, 1, 0, rows, 0, N), tasks.added(shares)
    np.testing.assert_allclose(added.means, whole.means, atol=1e-6)
    np.testing.assert_allclose(added.variances, whole.variances, rtol=1e-5)
    with dask.config.set(SYNC):
        model.fit(LAZY, LAZY_LABELS, epochs=20)
        assert model.score(LAZY, LAZY_LABELS) > 0.9


def test_dropout_differs_from_share_to_share_and_from_step_to_step() -> None:
    state = tasks.State.of(classifier(dropout=0.5))
    rows = tasks.opened(state.network, tasks.View(0), X, LABELS, None)
    found = [
        tasks.gradient(state, step, place, rows, 0, 9).gradient for step, place in ((1, 0), (1, 1), (2, 0), (1, 0))
    ]
    assert (found[0] == found[3]).all()
    assert (found[0] != found[1]).any()
    assert (found[0] != found[2]).any()


@pytest.mark.parametrize("validation", ["lazy", "here"])
def test_validation_and_patience(validation: str) -> None:
    pair = (LAZY[:500], LAZY_LABELS[:500]) if validation == "lazy" else (X[:500], LABELS[:500])
    with dask.config.set(SYNC):
        model = fitted(epochs=40, validation=pair, patience=2, tolerance=0.01)
    assert len(model.history["val_loss"]) < 40
    best = model._evaluation(*model._checked(X[:500], LABELS[:500]))["val_loss"][0]
    assert best == pytest.approx(min(model.history["val_loss"]), rel=1e-6)


def test_a_share_is_held_out_of_every_block() -> None:
    with dask.config.set(SYNC):
        lazy, held = source.source_of(classifier(), LAZY, LAZY_LABELS, None, None, 0.2, True, None)
        assert isinstance(held, source.Watched)
        rows = [held.rows, lazy.rows]
        labels = np.concatenate(held.each("labels of block", _labels))
    assert sum(rows) == N
    assert rows[0] == pytest.approx(0.2 * N, abs=8)
    expected = 0.2 * np.bincount(LABELS)
    np.testing.assert_allclose(np.bincount(labels), expected, atol=4)


def _labels(rows: tasks.Rows) -> Any:
    return rows.target.labels


def test_checkpoint_and_resume(tmp_path: Path) -> None:
    path, options = tmp_path / "net", {"validation": 0.1, "patience": 5}
    settings = {"dropout": 0.2, "batch_norm": True}
    with dask.config.set(SYNC):
        whole = fitted(epochs=4, settings=settings, **options)
        fitted(epochs=2, settings=settings, checkpoint=path, **options)
        assert_same(whole, fitted(epochs=4, settings=settings, resume=path, **options))


def test_partial_fit_and_callbacks() -> None:
    steps: list[int] = []
    with dask.config.set(SYNC):
        model = classifier().partial_fit(LAZY, LAZY_LABELS)
        stopped = fitted(epochs=9, callback=lambda epoch, _: epoch == 2, batch_callback=lambda n, _: steps.append(n))
    assert_same(model, fitted(epochs=1))
    assert len(stopped.history["loss"]) == 2
    assert steps == list(range(1, stopped.optimizer.steps + 1))


def test_gradients_may_be_added_in_several_stages(monkeypatch: pytest.MonkeyPatch) -> None:
    many = LAZY.rechunk({0: 50})
    with dask.config.set({**SYNC, "fastact.blocks-per-step": 22}):
        few = fitted(many, settings={"batch_size": N}, epochs=2)
        monkeypatch.setattr("fastact.dask.training.trainer.FAN", 3)
        other = fitted(many, settings={"batch_size": N}, epochs=2)
    np.testing.assert_allclose(few.parameters, other.parameters, atol=1e-5)


def test_blocks_are_read_once_an_epoch_and_not_all_kept() -> None:
    read: list[int] = []
    blocks = [da.from_delayed(dask.delayed(_block)(read, k), (100, INPUTS), np.float32) for k in range(11)]
    with dask.config.set(SYNC):
        fitted(da.concatenate(blocks), epochs=3)
    assert sorted(read) == sorted([*range(11)] * 3)


def _block(read: list[int], number: int) -> Any:
    read.append(number)
    return X[number * 100 : (number + 1) * 100]


# ---- who computes


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_bits_are_the_same_for_any_number_of_workers(workers: int) -> None:
    settings = {"dropout": 0.2, "batch_norm": True, "l2": 0.01}
    options: Any = {"validation": 0.2}
    with dask.config.set(SYNC):
        expected = fitted(settings=settings, **options)
    with cluster(workers):
        assert_same(fitted(settings=settings, **options), expected)


def test_threads_of_this_process() -> None:
    with dask.config.set(SYNC):
        expected = fitted()
    assert_same(fitted(), expected)


def test_a_lost_worker_costs_its_tasks_only() -> None:
    with dask.config.set(SYNC):
        expected = fitted()
    lost = []
    with cluster(3) as client:

        def lose(step: int, model: Any) -> None:
            if step == 5:
                lost.append(client.cluster.workers[0].address)
                client.retire_workers([client.cluster.workers[0].address], close_workers=True)
                client.sync(client.cluster.workers[1].close, timeout=1, nanny=False)

        assert_same(fitted(batch_callback=lose), expected)
        assert len(client.nthreads()) == 1
    assert lost


def test_tasks_are_named_and_bound_to_no_worker() -> None:
    found: list[tuple[str, Any]] = []
    with cluster(2) as client:
        scheduler = client.cluster.scheduler

        def look(step: int, model: Any) -> None:
            now = [(each.group.prefix.name, each.worker_restrictions) for each in [*scheduler.tasks.values()]]
            assert sum(name == "rows-of-block" for name, _ in now) <= 6  # three groups, of which one is let go
            found.extend(now)

        fitted(LAZY.rechunk({0: 55}), batch_callback=look)
        names = set(scheduler.task_prefixes)
    assert not any(restrictions for _, restrictions in found)
    assert {"gradient-of-step", "parameters-of-step", "rows-of-block", "survey-of-block"} <= names


def test_workers_keep_nothing_of_a_fit() -> None:
    with cluster(2) as client:
        fitted(validation=0.1)
        client.sync(_quiet, client)
        assert not client.cluster.scheduler.tasks


async def _quiet(client: Any) -> None:
    import asyncio

    for _ in range(100):
        if not client.cluster.scheduler.tasks:
            return
        await asyncio.sleep(0.05)


def test_without_distributed(python: Callable[..., str]) -> None:
    code = (
        "import sys; sys.modules['distributed'] = None; import numpy as np, dask.array as da, fastact as fa;"
        "X = da.ones((64, 2), chunks=(16, 2)); y = da.arange(64, chunks=16) % 2;"
        "print(len(fa.MLP((2, 1), output='sigmoid', seed=0).fit(X, y, epochs=2).history['loss']))"
    )
    assert python(code) == "2\n"


# ---- errors


def test_after_the_cluster_is_gone_training_goes_on_elsewhere() -> None:
    with dask.config.set(SYNC):
        expected = fitted(epochs=4)
    model = classifier()
    with cluster(2) as client:

        def close(step: int, model: Any) -> None:
            if step == 30:
                client.cluster.close()

        with pytest.raises(ConnectionError, match=r"cluster is gone .*start another"):
            model.fit(LAZY, LAZY_LABELS, epochs=4, batch_callback=close)
    assert len(model.history["loss"]) == 2
    with dask.config.set(SYNC):
        assert_same(model.fit(LAZY, LAZY_LABELS, epochs=2), expected)


def test_no_worker_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedulers, "LOOK", 0.1)
    monkeypatch.setattr(schedulers, "WITHOUT_WORKERS", 0.5)
    with cluster(0), pytest.raises(ConnectionError, match=r"no worker for 0.5 seconds"):
        fitted()


def test_interrupted() -> None:
    with dask.config.set(SYNC):
        expected = fitted(epochs=3)
        model = classifier()

        def interrupt(step: int, model: Any) -> None:
            if step == 20:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            model.fit(LAZY, LAZY_LABELS, epochs=3, batch_callback=interrupt)
        assert len(model.history["loss"]) == 1
        assert_same(model.fit(LAZY, LAZY_LABELS, epochs=2), expected)


def test_diverged() -> None:
    model = fa.MLP((INPUTS, 12, CLASSES), output="softmax", optimizer="sgd", learning_rate=1e30, seed=0)
    before = model.parameters.copy()
    with dask.config.set(SYNC), pytest.raises(FloatingPointError, match=r"diverged in epoch 1 .*learning_rate"):
        model.fit(LAZY, LAZY_LABELS, epochs=3)
    assert (model.parameters == before).all()


def test_an_error_of_the_users_own_task_is_raised_as_it_is() -> None:
    """It is no error of the cluster, though it is of the same type."""
    with cluster(1), pytest.raises(ConnectionError, match=r"^the storage is away$"):
        fitted(LAZY.map_blocks(_away, dtype=LAZY.dtype, meta=LAZY._meta))


def _away(block: Any) -> Any:
    raise ConnectionError("the storage is away")


def with_value(array: Any, place: Any, value: float, chunks: Any) -> Any:
    changed = array.astype(np.float64)
    changed[place] = value
    return da.from_array(changed, chunks=chunks)


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "nan in X": ({"X": with_value(X, (310, 2), np.nan, (300, 6))}, r"block 1 of X\[10, 2\] is nan"),
    "nan in y": ({"y": with_value(LABELS, 5, np.nan, 300)}, r"block 0 of y\[5\] is nan"),
    "unknown label": ({"y": LAZY_LABELS + 1}, "of y.* is 3; 3 output units take the labels 0 to 2"),
    "text": ({"y": LAZY_LABELS.astype(str)}, r"block \d of y has.*; convert it with y\.astype.*unique\(y,"),
    "no y": ({"y": None}, "y is missing"),
    "X of numpy": ({"X": X}, "X a ndarray; give X as a dask array too"),
    "y too short": ({"y": LAZY_LABELS[:-1]}, "X has 1100 samples and y 1099"),
    "y of numpy too short": ({"y": LABELS[:-1]}, "X has 1100 samples and y the shape"),
    "more features": ({"X": da.ones((N, 7), chunks=(300, 7))}, "X has 7 features, the network wants 6"),
    "one dimension": ({"X": LAZY[:, 0]}, "X must be 2-D"),
    "three dimensions": ({"X": LAZY[:, :, None]}, "X must be 2-D"),
    "objects": ({"X": LAZY.astype(object)}, "X has dtype object"),
    "unknown sizes": ({"X": LAZY[LAZY[:, 0] > 0]}, r"sizes of some are not known.*compute_chunk_sizes"),
    "unknown sizes, y of numpy": ({"X": LAZY[LAZY[:, 0] > 0], "y": LABELS}, "compute_chunk_sizes"),
    "a bag": ({"X": pytest.importorskip("dask.bag").from_sequence([1])}, "X must be an array or a dataframe of dask"),
    "empty": ({"X": LAZY[:0], "y": LAZY_LABELS[:0]}, "X is empty"),
    "one class": ({"y": da.zeros(N, chunks=300)}, "y has the one class 0"),
    "batches": ({"batches": 3}, "batches=3 goes with"),
    "weights below 0": ({"sample_weight": da.full(N, -1.0, chunks=300)}, r"sample_weight\[0\] is -1"),
    "no weight at all": ({"sample_weight": da.zeros(N, chunks=300)}, "sample_weight is 0 for all"),
    "class without samples": ({"class_weight": {0: 0, 1: 0, 2: 0}}, "leaves all samples without weight"),
    "validation": ({"validation": LAZY}, "validation must be a pair"),
    "validation of few features": ({"validation": (LAZY[:, :2], LAZY_LABELS)}, "validation X has 2 features"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_data(name: str) -> None:
    changes, message = WRONG[name]
    model = classifier()
    before = model.parameters.copy()
    arguments = {"X": LAZY, "y": LAZY_LABELS, "epochs": 2, **changes}
    with dask.config.set(SYNC), pytest.raises((TypeError, ValueError), match=message):
        model.fit(**arguments)
    assert (model.parameters == before).all()
    assert not model.history


def test_what_is_not_for_dask() -> None:
    with pytest.raises(ValueError, match=r"lbfgs.*all samples at once"), dask.config.set(SYNC):
        classifier(optimizer="lbfgs").fit(LAZY, LAZY_LABELS, epochs=1)
    with pytest.raises(TypeError, match=r"X is a Array of dask.*compute\(\)"):
        classifier().loss_and_gradients(LAZY, LABELS)


def test_sizes_that_differ_only_when_computed() -> None:
    known = LAZY.rechunk((300, 6))
    half = da.map_blocks(_half, known, dtype=X.dtype, chunks=((np.nan,) * 4, (6,)), meta=known._meta)
    labels = LAZY_LABELS.rechunk(300)
    with dask.config.set(SYNC), pytest.raises(ValueError, match=r"block . of X has 1?[05]0 samples and that of y"):
        fitted(half, labels)


def _half(block: Any) -> Any:
    return block[::2]


# ---- real processes


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2, 4])
def test_processes_give_the_same_bits(workers: int) -> None:
    with dask.config.set(SYNC):
        expected = fitted()
    with cluster(workers, processes=True):
        assert_same(fitted(), expected)


@pytest.mark.slow
def test_a_killed_worker_is_restarted_and_changes_nothing() -> None:
    import os
    import signal

    with dask.config.set(SYNC):
        expected = fitted(epochs=6)
    killed = []
    with cluster(2, processes=True) as client:

        def kill(step: int, model: Any) -> None:
            if step in (5, 20):
                killed.append(next(iter(client.run(os.getpid).values())))
                os.kill(killed[-1], signal.SIGKILL)

        assert_same(fitted(epochs=6, batch_callback=kill), expected)
    assert len(set(killed)) == 2


@pytest.mark.slow
def test_a_task_that_kills_its_workers() -> None:
    """X kills: the error names the remedy, and the model is as before."""
    model = classifier()
    with cluster(1, processes=True), pytest.raises(RuntimeError, match=r"died one after another.*more memory"):
        model.fit(LAZY.map_blocks(_deadly, dtype=LAZY.dtype, meta=LAZY._meta), LAZY_LABELS, epochs=1)
    assert not model.history


def _deadly(block: Any) -> Any:
    import os

    os._exit(1)
