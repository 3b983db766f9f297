"""Containers of other libraries, and calls of every family with them: the table of docs/guides/containers.md.

A container is a line of `CONTAINERS`, a family one of `FAMILIES`; `table` makes all the calls, and says what came out.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

import fastact as fa

#: Two rows of four classes; a quarter is missing where a container knows missing values.
X = np.array([[0.5, -1.0, 2.0, 0.25], [-0.75, 0.5, 1.5, -2.0]], np.float32)
MISSING = np.array([[False, True, False, False], [False, False, False, True]])
ROWS, CLASSES = [10, 20], ["a", "b", "c", "d"]


class Container(NamedTuple):
    """One kind of container.

    Attributes
    ----------
    name : str
        As the table has it.
    needs : str
        The libraries, between blanks.
    make : (numbers, missing) -> container
        Of two axes, or of one; `missing` is None where nothing is.
    numbers : container -> ndarray
    missing : container -> ndarray of bool, or None where the kind knows no missing values
    labels : container -> what can be compared, or None where it has none
    lazy : bool
        Whether it holds an array of dask.
    ndim : int
        Its number of axes.
    """

    name: str
    needs: str
    make: Callable[[Any, Any], Any]
    numbers: Callable[[Any], Any] = np.asarray
    missing: Callable[[Any], Any] | None = None
    labels: Callable[[Any], Any] | None = None
    lazy: bool = False
    ndim: int = 2

    @property
    def libraries(self) -> list[str]:
        return self.needs.split()


def _module(name: str) -> Any:
    return importlib.import_module(name)


def _frame(dtype: str) -> Callable[[Any, Any], Any]:
    def make(numbers: Any, missing: Any) -> Any:
        frame = _module("pandas").DataFrame(numbers, ROWS, CLASSES[: numbers.shape[1]]).astype(dtype)
        return frame if missing is None else frame.mask(missing)

    return make


def _series(numbers: Any, missing: Any) -> Any:
    index = [str(i) for i in range(len(numbers))]
    series = _module("pandas").Series(numbers, index, name="s").astype("Float32")
    return series if missing is None else series.mask(missing)


def _filled(container: Any) -> Any:
    return container.to_numpy(dtype=np.float32, na_value=np.nan)


def _na(container: Any) -> Any:
    return container.isna().to_numpy()


def _labels_of_pandas(container: Any) -> list[list[Any]]:
    return [list(each) for each in container.axes]


def _data_array(numbers: Any, missing: Any) -> Any:
    coords = {"row": ROWS, "class": CLASSES[: numbers.shape[1]]}
    return _module("xarray").DataArray(numbers, coords, ("row", "class"), attrs={"unit": "nats"})


def _labels_of_xarray(container: Any) -> Any:
    return {name: list(each.values) for name, each in container.coords.items()}


def _dask_array(numbers: Any, missing: Any) -> Any:
    return _module("dask.array").from_array(numbers, chunks=(1, -1))


def _chunked_array(numbers: Any, missing: Any) -> Any:
    return _data_array(numbers, missing).chunk({"row": 1})


def _to_numpy(container: Any) -> Any:
    return container.to_numpy()


def _polars_frame(numbers: Any, missing: Any) -> Any:
    columns = {name: numbers[:, i] for i, name in enumerate(CLASSES[: numbers.shape[1]])}
    frame = _module("polars").DataFrame(columns)
    if missing is None:
        return frame
    return frame.with_columns([_polars_series(numbers[:, i], missing[:, i], name) for i, name in enumerate(columns)])


def _polars_series(numbers: Any, missing: Any, name: str = "s") -> Any:
    series = _module("polars").Series(name, numbers)
    return series if missing is None else series.scatter(np.flatnonzero(missing), None)


def _polars_missing(container: Any) -> Any:
    if container.__class__.__name__ == "DataFrame":
        return np.column_stack([each.is_null().to_numpy() for each in container.get_columns()])
    return container.is_null().to_numpy()


def _arrow_table(numbers: Any, missing: Any) -> Any:
    columns = [_arrow_array(numbers[:, i], None if missing is None else missing[:, i]) for i in range(numbers.shape[1])]
    return _module("pyarrow").table(columns, names=CLASSES[: len(columns)])


def _arrow_array(numbers: Any, missing: Any) -> Any:
    return _module("pyarrow").array(np.ascontiguousarray(numbers), mask=missing)


def _arrow_chunks(numbers: Any, missing: Any) -> Any:
    array = _arrow_array(numbers, missing)
    return _module("pyarrow").chunked_array([array[:1], array[1:]])


def _arrow_numbers(container: Any) -> Any:
    if hasattr(container, "columns"):
        return np.column_stack([_arrow_numbers(each) for each in container.columns])
    return container.to_numpy() if hasattr(container, "chunks") else container.to_numpy(zero_copy_only=False)


def _arrow_missing(container: Any) -> Any:
    if hasattr(container, "columns"):
        return np.column_stack([_arrow_missing(each) for each in container.columns])
    return _arrow_numbers(container.is_null())


def _csr(numbers: Any, missing: Any) -> Any:
    return _module("scipy.sparse").csr_array(numbers)


def _bfloat16(numbers: Any, missing: Any) -> Any:
    return _module("torch").from_numpy(numbers).bfloat16()


class Exporter:
    """An array of a library that fastact does not know, but by DLPack."""

    def __init__(self, array: Any) -> None:
        self.array = array

    def __dlpack__(self, **keywords: Any) -> Any:
        return self.array.__dlpack__(**keywords)

    def __dlpack_device__(self) -> Any:
        return self.array.__dlpack_device__()

    def __array_namespace__(self, **keywords: Any) -> Any:
        return _Namespace


class _Namespace:
    @staticmethod
    def asarray(array: Any) -> Exporter:
        return Exporter(np.asarray(array))


def _masked(container: Any) -> Any:
    return container.filled(np.nan)


CONTAINERS = (
    Container("`numpy.ma.MaskedArray`", "numpy", lambda x, m: np.ma.array(x, mask=m), _masked, np.ma.getmaskarray),
    Container("pandas `DataFrame`", "pandas", _frame("float32"), _filled, None, _labels_of_pandas),
    Container("pandas `DataFrame`, nullable", "pandas", _frame("Float32"), _filled, _na, _labels_of_pandas),
    Container("pandas `DataFrame`, Arrow", "pandas pyarrow", _frame("float[pyarrow]"), _filled, _na, _labels_of_pandas),
    Container("pandas `Series`, nullable", "pandas", _series, _filled, _na, _labels_of_pandas, ndim=1),
    Container("xarray `DataArray`", "xarray", _data_array, labels=_labels_of_xarray),
    Container("xarray `DataArray` of dask", "xarray dask.array", _chunked_array, labels=_labels_of_xarray, lazy=True),
    Container("dask `Array`", "dask.array", _dask_array, lazy=True),
    Container("polars `DataFrame`", "polars", _polars_frame, _to_numpy, _polars_missing, lambda x: x.columns),
    Container("polars `Series`", "polars", _polars_series, _to_numpy, _polars_missing, ndim=1),
    Container("pyarrow `Table`", "pyarrow", _arrow_table, _arrow_numbers, _arrow_missing, lambda x: x.column_names),
    Container("pyarrow `Array`", "pyarrow", _arrow_array, _arrow_numbers, _arrow_missing, ndim=1),
    Container("pyarrow `ChunkedArray`", "pyarrow", _arrow_chunks, _arrow_numbers, _arrow_missing, ndim=1),
    Container("scipy `csr_array`", "scipy.sparse", _csr, lambda x: x.toarray()),
    Container("sparse `COO`", "sparse", lambda x, m: _module("sparse").COO.from_numpy(x), lambda x: x.todense()),
    Container("torch `Tensor` on the CPU", "torch", lambda x, m: _module("torch").from_numpy(x), lambda x: x.numpy()),
    Container("torch `Tensor`, bfloat16", "torch", _bfloat16, lambda x: x.float().numpy()),
    Container("JAX `Array` on the CPU", "jax", lambda x, m: _module("jax.numpy").asarray(x)),
    Container("others with DLPack", "numpy", lambda x, m: Exporter(x), lambda x: x.array),
)  # fmt: skip

#: Of each family a call of one x that gives an array.
FAMILIES: dict[str, Callable[[Any], Any]] = {
    "elementwise": fa.gelu,
    "derivative": fa.relu.derivative,
    "backward": lambda x: fa.silu.backward(x, x),
    "softmax": fa.softmax,
    "log_softmax": fa.log_softmax,
    "sparsemax": fa.sparsemax,
    "gumbel": lambda x: fa.gumbel_softmax(x, np.random.default_rng(0)),
    "softmax.backward": lambda x: fa.softmax.backward(x, x),
    "gated": lambda x: fa.swiglu(x, x),
    "gated.backward": lambda x: fa.swiglu.backward(x, x, x)[1],
    "glu": lambda x: fa.glu.backward(fa.glu(x), x),
    "losses": lambda x: fa.huber(x, x, delta=0.5, reduction="none"),
    "gradients": lambda x: fa.binary_cross_entropy.value_and_grad(x, x)[1],
}

#: The columns of the table.
COLUMNS = {
    "elementwise": ("elementwise", "derivative", "backward"),
    "softmax family": ("softmax", "log_softmax", "sparsemax", "gumbel", "softmax.backward"),
    "gated units": ("gated", "gated.backward", "glu"),
    "losses": ("losses", "gradients"),
}


class Outcome(NamedTuple):
    """What a call with a container gives: "refused", or its parts compared with the call of plain arrays."""

    refused: bool = False
    kind: bool = False
    numbers: bool = False
    labels: bool = False
    missing: bool = False
    lazy: bool = False


def x_for(container: Container) -> Any:
    """What the container is made of."""
    return X if container.ndim == 2 else X[0]


def outcome(container: Container, family: str) -> Outcome:
    """Make the call, and compare with that of what the container holds: a masked array where some of it is missing."""
    x = x_for(container)
    missing = None if container.missing is None else MISSING[: len(x)] if x.ndim == 2 else MISSING[0]
    given = container.make(x, missing)
    call = FAMILIES[family]
    try:
        found = call(given)
    except TypeError as error:
        return Outcome(refused=len(str(error).splitlines()) == 1)
    wanted = call(x if missing is None else np.ma.array(x, mask=missing))
    if container.name.endswith("bfloat16"):
        import ml_dtypes

        wanted = call(x.astype(ml_dtypes.bfloat16)).astype(np.float32)
    kind = type(found) is type(given)
    if not kind:
        return Outcome()
    hidden = np.ma.getmaskarray(wanted)
    same = container.missing is None or np.array_equal(container.missing(found), hidden)
    held = found.data if "xarray" in container.name else found
    numbers = np.asarray(container.numbers(found), np.float32)
    if container.lazy and family == "gumbel":  # which draws other numbers, by block
        wanted = numbers if np.allclose(numbers.sum(axis=-1), 1) else wanted
    return Outcome(
        kind=True,
        numbers=np.array_equal(numbers[~hidden], np.ma.getdata(wanted)[~hidden]),
        labels=container.labels is None or container.labels(found) == container.labels(given),
        missing=same,
        lazy=type(held).__module__.partition(".")[0] == "dask",
    )


def table() -> str:
    """The table in Markdown."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    yield f"| container | {' | '.join(COLUMNS)} | labels | missing values | lazy |"
    yield "|---" * (len(COLUMNS) + 4) + "|"
    for container in CONTAINERS:
        outcomes = {family: outcome(container, family) for family in FAMILIES}
        cells = [_cell({family: outcomes[family] for family in families}) for families in COLUMNS.values()]
        taken = [each for each in outcomes.values() if not each.refused]
        cells.append("" if container.labels is None else "kept" if all(each.labels for each in taken) else "LOST")
        cells.append("" if container.missing is None else "kept" if all(each.missing for each in taken) else "LOST")
        cells.append("" if not container.lazy else "kept" if all(each.lazy for each in taken) else "LOST")
        yield f"| {container.name} | {' | '.join(cells)} |"


def _cell(outcomes: dict[str, Outcome]) -> str:
    if all(each.refused for each in outcomes.values()):
        return "refused"
    if not all(each.refused or (each.kind and each.numbers) for each in outcomes.values()):
        return "WRONG"
    refused = [family for family, each in outcomes.items() if each.refused]
    return f"same kind, but `{'`, `'.join(refused)}` refused" if refused else "same kind"
