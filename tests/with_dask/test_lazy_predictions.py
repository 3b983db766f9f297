"""Predictions and scores of dask's collections: lazy, of the same kind, and as for arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fastact as fa

dask: Any = pytest.importorskip("dask")
da: Any = pytest.importorskip("dask.array")
dd: Any = pytest.importorskip("dask.dataframe")
pd: Any = pytest.importorskip("pandas")

X = np.random.default_rng(0).standard_normal((90, 3)).astype(np.float32)
LABELS = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0)
FRAME = pd.DataFrame(X, columns=["a", "b", "c"], index=np.arange(90) * 2)
SYNC = {"scheduler": "synchronous"}


def model(outputs: int = 3) -> fa.MLP:
    return fa.MLP((3, 5, outputs), output="softmax" if outputs > 1 else "sigmoid", seed=0)


def never(*args: Any, **options: Any) -> Any:
    raise AssertionError("computed")


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("method", ["predict", "predict_proba", "forward"])
def test_arrays(method: str, outputs: int) -> None:
    network = model(outputs)
    with dask.config.set(scheduler=never):
        lazy = getattr(network, method)(da.from_array(X, chunks=(40, 2)))
        unknown = getattr(network, method)(da.from_array(X, chunks=(40, 2))[X[:, 0] > 5])
    expected = getattr(network, method)(X)
    assert lazy.dtype == expected.dtype
    assert lazy.shape == expected.shape
    assert isinstance(lazy._meta, np.ndarray)
    with dask.config.set(SYNC):
        found = lazy.compute()
        assert len(unknown.compute()) == 0
    assert found.tobytes() == expected.tobytes()


@pytest.mark.parametrize("method", ["predict", "predict_proba"])
def test_dataframes(method: str) -> None:
    network = model()
    frame = dd.from_pandas(FRAME, npartitions=3)
    with dask.config.set(scheduler=never):
        lazy = getattr(network, method)(frame)
        some = getattr(network, method)(frame[frame.a > 5])
    with dask.config.set(SYNC):
        found, none = lazy.compute(), some.compute()
    np.testing.assert_array_equal(found, getattr(network, method)(X))
    np.testing.assert_array_equal(found.index, FRAME.index)
    assert type(found) is type(lazy._meta)
    assert len(none) == 0


def test_the_weights_are_those_of_the_call() -> None:
    network = model()
    expected = network.predict_proba(X)
    lazy: Any = network.predict_proba(da.from_array(X, chunks=40))
    network.fit(X, LABELS, epochs=1)
    with dask.config.set(SYNC):
        np.testing.assert_array_equal(lazy.compute(), expected)


@pytest.mark.parametrize("kind", ["array", "frame", "empty blocks"])
def test_scores(kind: str) -> None:
    labels = pd.DataFrame({"label": LABELS}, index=FRAME.index)
    lazy = {
        "array": (da.from_array(X, chunks=40), da.from_array(LABELS, chunks=30)),
        "frame": (dd.from_pandas(FRAME, npartitions=3), dd.from_pandas(labels, npartitions=3)),
        "empty blocks": (dd.from_pandas(FRAME, npartitions=3), dd.from_pandas(labels, npartitions=3)["label"]),
    }[kind]
    given = (X, LABELS)
    if kind == "empty blocks":
        few = FRAME.index < 70
        lazy, given = tuple(each.loc[:69] for each in lazy), (X[few], LABELS[few])
    network = model()
    with dask.config.set(SYNC):
        network.fit(*lazy, epochs=1)
        assert network.score(*lazy) == network.score(*given)


def test_r2_is_computed_in_pieces_as_precisely_as_in_one() -> None:
    """Far from 0, where a sum of squares would lose all digits."""
    y = np.column_stack([X[:, 0] + 1e6, np.full(90, 3.0)])
    network = fa.MLP((3, 2), seed=0, dtype=np.float64)
    network.layers[0].bias = [1e6, 2.0]
    with dask.config.set(SYNC):
        found = network.score(da.from_array(X, chunks=20), da.from_array(y, chunks=(30, 1)))
    assert found == pytest.approx(network.score(X, y), rel=1e-9)


def test_columns_of_dataframes() -> None:
    """Those that are no numbers are named; nullable ones train, unless something is missing."""
    frame = dd.from_pandas(FRAME.assign(c=["x"] * 90), npartitions=2)
    nullable = dd.from_pandas(FRAME.astype({"b": "Float32"}), npartitions=2)
    labels = dd.from_pandas(pd.Series(LABELS, index=FRAME.index), npartitions=2)
    gap = FRAME.astype({"b": "Float32"})
    gap.loc[4, "b"] = pd.NA
    missing = dd.from_pandas(gap, npartitions=2)
    with dask.config.set(SYNC):
        for call in (lambda: model().predict(frame), lambda: model().fit(frame, labels, epochs=1)):
            with pytest.raises(TypeError, match=r"X's column 'c' has dtype .*, not real numbers"):
                call()
        twins = [model().fit(each, labels, epochs=1) for each in (nullable, nullable.astype("float32"))]
        assert (twins[0].parameters == twins[1].parameters).all()
        with pytest.raises(ValueError, match=r"block 0 of X\[2, 1\] is nan"):
            model().fit(missing, labels, epochs=1)


def test_divisions() -> None:
    """Those that are not known do not matter; those that differ are refused."""
    labels = pd.Series(LABELS, index=FRAME.index)
    frame, lazy = dd.from_pandas(FRAME, npartitions=3), dd.from_pandas(labels, npartitions=3)
    with dask.config.set(SYNC):
        expected = model().fit(frame, lazy, epochs=1)
        found = model().fit(frame.clear_divisions(), lazy.clear_divisions(), epochs=1)
        assert (found.parameters == expected.parameters).all()
        with pytest.raises(ValueError, match=r"different divisions.*repartition\(divisions=X.divisions\)"):
            model().fit(frame, lazy.repartition(divisions=(0, 30, 100, 178)), epochs=1)
        with pytest.raises(ValueError, match="X has 3 blocks and y 2"):
            model().fit(frame, dd.from_pandas(labels, npartitions=2), epochs=1)


def test_wrong_samples() -> None:
    with pytest.raises(ValueError, match="X has 2 features, the network wants 3"):
        model().predict(da.ones((4, 2)))
    with pytest.raises(ValueError, match="X has one dimension"):
        model().predict(da.ones(4))
    with pytest.raises(TypeError, match="needs a classifying loss"):
        fa.MLP((3, 1)).predict_proba(da.ones((4, 3)))
