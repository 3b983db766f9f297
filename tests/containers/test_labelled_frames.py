"""pandas, polars and Arrow: axes by name, labels that must agree, missing values, columns that hold no numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fastact as fa

pd: Any = pytest.importorskip("pandas")

A = np.random.default_rng(2).normal(size=(3, 4)).astype(np.float32)
FRAME = pd.DataFrame(A, index=["x", "y", "z"], columns=list("abcd"))
CLASSES = pd.Series([0, 2, 1], index=FRAME.index)


@pytest.mark.parametrize(("axis", "number"), [("index", 0), ("rows", 0), (0, 0), ("columns", 1), (-1, 1), (None, None)])
def test_axes(axis: Any, number: Any) -> None:
    pd.testing.assert_frame_equal(fa.softmax(FRAME, axis=axis), FRAME * 0 + fa.softmax(A, axis=number))
    sums = fa.logsumexp(FRAME, axis=axis)
    if number is None:
        assert sums == fa.logsumexp(A)
    else:
        labels = FRAME.columns if number == 0 else FRAME.index
        pd.testing.assert_series_equal(sums, pd.Series(fa.logsumexp(A, axis=number), labels))


def test_labels_of_results() -> None:
    assert list(fa.glu(FRAME).columns) == ["a", "b"]
    assert list(fa.glu.backward(fa.glu(FRAME), FRAME).columns) == list("abcd")
    losses = fa.cross_entropy(FRAME, CLASSES, reduction="none", weight=pd.Series([1.0, 2, 3, 4], index=FRAME.columns))
    pd.testing.assert_index_equal(losses.index, FRAME.index)
    loss, gradient = fa.cross_entropy.value_and_grad(FRAME, CLASSES)
    assert loss == fa.cross_entropy(A, CLASSES.to_numpy())
    pd.testing.assert_index_equal(gradient.columns, FRAME.columns)
    named = pd.Series(A[0], name="score")
    assert fa.softmax(named).name == "score"
    several = FRAME.set_axis(pd.MultiIndex.from_product([["u", "v"], ["s", "t"]]), axis=1)
    pd.testing.assert_index_equal(fa.softmax(several).columns, several.columns)
    assert fa.softmax(FRAME.iloc[:0]).shape == (0, 4)
    lengths = pd.Series([1, 2, 3], FRAME.index)
    np.testing.assert_array_equal(fa.softmax(FRAME, lengths=lengths), fa.softmax(A, lengths=[1, 2, 3]))
    np.testing.assert_array_equal(fa.softmax(FRAME, where=FRAME > 0), fa.softmax(A, where=A > 0))


def test_kinds_of_columns_side_by_side() -> None:
    pytest.importorskip("pyarrow")
    frame = pd.DataFrame({"numpy": A[:, 0], "nullable": pd.array([1, None, 3], dtype="Int64")})
    frame["arrow"] = pd.array(A[:, 1], dtype="float[pyarrow]")
    found = fa.softmax(frame)
    assert [str(each) for each in found.dtypes] == ["float64", "Float64", "double[pyarrow]"]
    assert found.isna().to_numpy().tolist() == [[False] * 3, [False, True, False], [False] * 3]
    np.testing.assert_allclose(found.fillna(0.0).astype(float).sum(axis=1), 1)
    assert str(fa.relu(frame[["nullable"]]).dtypes.iloc[0]) == "Int64"
    with_parameter = fa.leaky_relu(frame, 0.1)
    assert with_parameter.isna().equals(frame.isna())
    np.testing.assert_array_equal(with_parameter["numpy"], fa.leaky_relu(frame["numpy"].astype(float), 0.1))


def test_truth_values_of_arrow() -> None:
    pytest.importorskip("pyarrow")
    frame = FRAME.astype("float[pyarrow]")
    np.testing.assert_array_equal(fa.softmax(frame, where=frame > 0), fa.softmax(A, where=A > 0))
    truth = pd.Series([True, None], dtype="bool[pyarrow]")
    for found in (fa.gelu(truth), fa.leaky_relu(truth, 0.1), fa.softmax(truth)):
        assert found.isna().tolist() == [False, True]


def test_missing_targets() -> None:
    y = pd.Series([0, None, 1], index=FRAME.index, dtype="Int64")
    assert fa.cross_entropy(FRAME, y) == fa.cross_entropy(A[[0, 2]], np.array([0, 1]))
    assert fa.cross_entropy(FRAME, y, reduction="none").isna().tolist() == [False, True, False]
    assert fa.mse(pd.Series([1.0, None, 3.0], dtype="Float64"), pd.Series([0.0, 0.0, None], dtype="Float64")) == 1


def test_nan_of_numpy_is_a_number() -> None:
    x = pd.Series([1.0, np.nan, 2.0])
    assert fa.softmax(x).isna().all()
    assert fa.softmax(x, where=x.notna()).tolist() == [*fa.softmax([1.0, 2.0])[:1], 0.0, *fa.softmax([1.0, 2.0])[1:]]


@pytest.mark.parametrize(
    ("error", "match", "call"),
    [
        (ValueError, "did you mean 'columns'", lambda: fa.softmax(FRAME, axis="column")),
        (ValueError, "known: index, rows", lambda: fa.softmax(FRAME["a"], axis="columns")),
        (np.exceptions.AxisError, "axis 2 is out of bounds", lambda: fa.softmax(FRAME, axis=2)),
        (ValueError, "target and x have other labels", lambda: fa.mse(FRAME, FRAME.iloc[::-1])),
        (ValueError, "targets and x have", lambda: fa.cross_entropy(FRAME, CLASSES.reset_index(drop=True))),
        (ValueError, "weight and x", lambda: fa.cross_entropy(FRAME, CLASSES, weight=pd.Series([1.0, 1, 1, 1]))),
        (ValueError, "grad_output and x", lambda: fa.glu.backward(FRAME[["c", "d"]], FRAME)),
        (ValueError, "target has 2 labels along axis 0", lambda: fa.mse(FRAME, FRAME.iloc[:2])),
        (ValueError, "target is a Series of 1 axes", lambda: fa.mse(FRAME, FRAME["a"])),
        (TypeError, "column 'b' has dtype", lambda: fa.softmax(pd.DataFrame({"a": [1.0], "b": ["x"]}))),
        (TypeError, "column 'b' has dtype", lambda: fa.gelu(pd.DataFrame({"a": [1.0], "b": [object()]}))),
        (TypeError, "dtype category", lambda: fa.gelu(pd.Series(["a"], dtype="category"))),
        (TypeError, "dtype datetime64", lambda: fa.softmax(pd.Series(pd.to_datetime(["2020-01-01"])))),
        (TypeError, "sparse", lambda: fa.softmax(pd.Series(pd.arrays.SparseArray([0.0, 1.0])))),
        (TypeError, "out is not taken", lambda: fa.softmax(FRAME, out=A)),
        (TypeError, "keepdims=True", lambda: fa.logsumexp(FRAME, axis=1, keepdims=True)),
        (TypeError, "targets: the Series has", lambda: fa.cross_entropy(FRAME, CLASSES.map({0: "a", 1: "b", 2: "c"}))),
        (TypeError, "DataFrameGroupBy; pass an array", lambda: fa.softmax(FRAME.groupby("a"))),
        (ValueError, "cannot be halved", lambda: fa.glu(FRAME, axis="index")),
    ],
)  # fmt: skip
def test_wrong_arguments(error: type[Exception], match: str, call: Callable[[], Any]) -> None:
    with pytest.raises(error, match=match) as raised:
        call()
    assert "\n" not in str(raised.value)


def test_polars() -> None:
    pl: Any = pytest.importorskip("polars")
    frame = pl.DataFrame({"a": [1.0, None], "b": [1.0, 2.0], "c": [1, 2]})
    found = fa.softmax(frame, axis="columns")
    assert found.row(1) == (None, 0.5, 0.5)
    assert fa.logsumexp(frame, axis="columns").dtype == pl.Float64
    assert fa.gelu(pl.Series([True, None]))[1] is None
    lazy = frame.lazy().select(fa.gelu(pl.col("b")), pl.col("c").cast(pl.Float64).map_batches(fa.softmax))
    assert lazy.collect()["b"].to_list() == fa.gelu(np.array([1.0, 2.0])).tolist()
    for match, call in [
        ("LazyFrame", lambda: fa.gelu(frame.lazy())),
        ("map_batches", lambda: fa.softmax(pl.col("b"))),
        ("map_batches", lambda: fa.swiglu.backward(pl.col("b"), pl.col("b"), pl.col("b"))),
        ("column 't' has dtype String", lambda: fa.softmax(pl.Series("t", ["a"]))),
    ]:
        with pytest.raises(TypeError, match=match):
            call()
    with pytest.raises(ValueError, match="other labels"):
        fa.mse(frame, frame.select("b", "a", "c"))


def test_arrow() -> None:
    pa: Any = pytest.importorskip("pyarrow")
    chunked = pa.chunked_array([[1.0, None], [], [2.0]], pa.float32())
    found = fa.softmax(chunked)
    assert [len(chunk) for chunk in found.chunks] == [2, 0, 1]
    assert found.type == pa.float32()
    assert found.to_pylist()[1] is None
    assert fa.gelu(pa.array([np.nan, None])).null_count == 1
    assert fa.gelu(pa.array([1.0, None, 3.0])[1:]).to_pylist()[0] is None
    batch = pa.record_batch({"a": [1.0, None], "b": [1.0, 2.0]})
    assert fa.softmax(batch).to_pydict() == {"a": [0.5, None], "b": [0.5, 1.0]}
    for wrong in (pa.array(["a"]), pa.array([[1.0]]), pa.scalar(1.0)):
        with pytest.raises(TypeError, match=r"StringArray|ListArray|DoubleScalar"):
            fa.softmax(wrong)


def test_tables_know_what_pandas_had() -> None:
    pa: Any = pytest.importorskip("pyarrow")
    frame = pd.DataFrame({"a": [1, 2], "b": [3.0, 4.0]}, pd.RangeIndex(7, 9, name="k"))
    table = pa.Table.from_pandas(frame)
    for call in (fa.softmax, fa.gelu, fa.glu):
        pd.testing.assert_frame_equal(call(table).to_pandas(), call(frame))
    field = pa.field("a", pa.int8(), metadata={"unit": "m"})
    found = fa.softmax(pa.table([pa.array([1], pa.int8())], schema=pa.schema([field], {"from": "here"}))).schema
    assert found.metadata == {b"from": b"here"}
    assert found.field("a") == field.with_type(pa.float16())
    for kind, wanted in (("Int8", "float16"), ("Int64", "Float64"), ("int64[pyarrow]", "double[pyarrow]")):
        table = pa.Table.from_pandas(pd.DataFrame({"a": pd.array([1, 0], kind)}))
        assert str(fa.gelu(table).to_pandas().dtypes["a"]) == wanted
    indexed = pa.Table.from_pandas(frame.set_axis([1.5, 2.5]).rename_axis("k"))
    for call in (fa.softmax, fa.gelu):
        with pytest.raises(TypeError, match=r"'k' is the index.*x\.drop_columns\(\['k'\]\)"):
            call(indexed)
    assert fa.softmax(indexed.drop_columns(["k"])).column_names == ["a", "b"]
