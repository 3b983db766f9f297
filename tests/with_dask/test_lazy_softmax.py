"""The softmax family of dask arrays: lazy, the same bits where rows are whole, the same figures where they are cut."""

from __future__ import annotations

import functools
import itertools
import math
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fastact as fa
from helpers.arrays import bits
from helpers.lazy import computed, cut, no_computing
from helpers.softmax_cases import WIDE, exact
from helpers.softmax_cases import ulps as ulps_of

da: Any = pytest.importorskip("dask.array")
ml_dtypes: Any = pytest.importorskip("ml_dtypes")

ROWWISE = [name for name in fa.names() if fa.get(name).kind == "softmax"]
FAMILY = [*ROWWISE, "logsumexp"]
NEED_WHOLE_ROWS = ["sparsemax", "entmax15"]
CUT = [name for name in FAMILY if name not in NEED_WHOLE_ROWS]
SHAPE = (4, 5, 12)
WHOLE, CHUNKS = (3, 2, 12), [(3, 2, 5), (4, 5, 1)]
DTYPES = [np.float32, np.float64, np.float16, ml_dtypes.bfloat16, np.int8]
RNG = np.random.default_rng(0)
MASK = RNG.random(SHAPE) > 0.4
MASK[1, 2] = False
OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "where": {"where": MASK},
    "broadcast": {"where": MASK[0, :, :1]},
    "causal": {"where": "causal"},
    "lengths": {"lengths": np.array([[0, 1, 5, 6, 12]] * 4)},
    "temperature": {"temperature": 0.7},
    "temperatures": {"temperature": RNG.uniform(0.5, 2, (5, 1))},
    "dtype": {"dtype": np.float64},
}
#: All dtypes and all options, but not each with each.
CASES = [(np.float32, options) for options in OPTIONS] + [(dtype, "plain") for dtype in DTYPES[1:]]


def numbers(dtype: Any, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    """Rows of all kinds: usual ones, and with infinities and NaN in some of their chunks."""
    x = (np.random.default_rng(1).normal(size=shape) * 6).astype(dtype)
    if np.dtype(dtype).kind != "i":
        x[0, 0], x[0, 1, :7] = -np.inf, -np.inf
        x[1, 0, 3], x[1, 1, 9], x[2, 2] = np.nan, np.inf, 2
    return x


def lazily(options: dict[str, Any], chunks: tuple[int, ...]) -> dict[str, Any]:
    return {name: cut(each, chunks) if isinstance(each, np.ndarray) else each for name, each in options.items()}


def assert_near(found: Any, wanted: Any, ulp: float) -> None:
    """Equal special values, and a difference of so many units in the last place of the wanted ones."""
    found, wanted = np.asarray(found), np.asarray(wanted)
    epsilon = float(ml_dtypes.finfo(wanted.dtype).eps)
    same = (found == wanted) | (np.isnan(found) & np.isnan(wanted))
    found, wanted = found[~same].astype(float), wanted[~same].astype(float)
    assert np.isfinite([found, wanted]).all()
    assert (np.abs(found - wanted) <= ulp * epsilon * np.abs(wanted)).all(), (found, wanted)


@pytest.mark.parametrize(("dtype", "options"), CASES)
@pytest.mark.parametrize("name", FAMILY)
def test_whole_rows_give_the_same_bits(name: str, dtype: Any, options: str) -> None:
    function, x = fa.get(name), numbers(dtype)
    given, mixed = OPTIONS[options], lazily(OPTIONS[options], (2, 3, 4))
    wanted = function(x, -1, **given)
    with no_computing():
        lazy = function(cut(x, WHOLE), -1, **mixed)
        grad = wanted if name == "logsumexp" else x
        gradient = function.backward(cut(grad, WHOLE[: grad.ndim]), cut(x, WHOLE), -1, **mixed)
    assert lazy.chunks[: wanted.ndim] == cut(x, WHOLE).chunks[: wanted.ndim]
    found, slope = computed(lazy, gradient)
    np.testing.assert_array_equal(bits(found), bits(wanted))
    np.testing.assert_array_equal(bits(slope), bits(function.backward(grad, x, -1, **given)))


@pytest.mark.parametrize(("dtype", "options"), CASES)
@pytest.mark.parametrize("name", CUT)
def test_cut_rows_give_the_same_figures(name: str, dtype: Any, options: str) -> None:
    function, x, chunks = fa.get(name), numbers(dtype), CHUNKS[0]
    wanted = function(x, -1, **OPTIONS[options])
    with no_computing():
        lazy = function(cut(x, chunks), -1, **lazily(OPTIONS[options], chunks))
    unit = max(4.0, function.max_ulp) + 2 if name != "logsumexp" else 12  # of the larger of it and the maximum
    assert_near(computed(lazy), wanted, 1 if wanted.dtype.itemsize == 2 else unit)
    if name != "logsumexp":
        assert lazy.chunks == cut(x, chunks).chunks


@pytest.mark.parametrize("axis", [0, (0, 2), None, (-1, 1)], ids=str)
@pytest.mark.parametrize("name", CUT)
def test_several_axes(name: str, axis: Any) -> None:
    function, x = fa.get(name), (np.random.default_rng(2).normal(size=SHAPE) * 4).astype(np.float32)
    x[0, 0, :2] = x[1, 3, 5] = x.max()  # of several first maxima the first in C order counts
    for chunks in (*CHUNKS, (2, 5, 12)):
        assert_near(computed(function(cut(x, chunks), axis)), function(x, axis), 6)


@pytest.mark.parametrize("axis", [-1, 0, (0, 2)], ids=str)
@pytest.mark.parametrize("name", FAMILY)
def test_gradients_of_cut_rows(name: str, axis: Any) -> None:
    function, x = fa.get(name), np.random.default_rng(3).normal(size=SHAPE)
    output = x if name == "logsumexp" else function(x, axis)
    grad = np.random.default_rng(4).normal(size=np.shape(function(x, axis)))
    for options in ({}, {"where": MASK, "temperature": 0.5}):
        wanted = function.backward(grad, output, axis, **options)
        for chunks in CHUNKS:
            with no_computing():
                lazy = function.backward(cut(grad, chunks), cut(output, chunks), axis, **lazily(options, (2, 2, 2)))
            np.testing.assert_allclose(computed(lazy), wanted, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("name", NEED_WHOLE_ROWS)
def test_what_needs_whole_rows_says_how_to_make_them(name: str) -> None:
    x = cut(numbers(np.float32), CHUNKS[0])
    with pytest.raises(ValueError, match=r"needs whole rows.* along axis 2; rechunk x along axis 2, as by x.rechunk"):
        fa.get(name)(x)
    np.testing.assert_array_equal(computed(fa.get(name)(x.rechunk({2: -1}))), fa.get(name)(numbers(np.float32)))


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("axis", [None, -1, (0, 1)], ids=str)
def test_logsumexp_with_weights(axis: Any, signed: bool) -> None:
    x, b = numbers(np.float64), np.random.default_rng(5).normal(size=(5, 12))
    b[3], b[:, 0] = 0, 0
    x[3], x[3, :, 1:3], b[:, 1:3] = 0, np.inf, [1, -1]
    for chunks in (WHOLE, *CHUNKS):
        lazy = fa.logsumexp(cut(x, chunks), axis, cut(b, (2, 7)), return_sign=signed)
        found, wanted = (lazy, fa.logsumexp(x, axis, b, return_sign=signed))
        for each, other in zip(found if signed else [found], wanted if signed else [wanted], strict=True):
            np.testing.assert_allclose(computed(each), other, rtol=1e-14, atol=1e-14)
    for keepdims in (False, True):
        value, sign = fa.logsumexp(cut(x, CHUNKS[0]), axis, return_sign=True, keepdims=keepdims)
        for each, other in zip((value, sign), fa.logsumexp(x, axis, return_sign=True, keepdims=keepdims), strict=True):
            np.testing.assert_allclose(computed(each), other, rtol=1e-14)


@pytest.mark.parametrize("offset", [0, 700, -7e4])
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_error_of_cut_rows(name: str, dtype: Any, axis: int, offset: float) -> None:
    """At most 2 ULP more than what holds for rows in memory."""
    x = np.random.default_rng(6).normal(size=(7, 4001)) * [[1], [0.01], [5], [20], [100], [3], [30]] + offset
    x[5] = np.where(np.arange(4001) == 77, offset + 30, offset)  # one element dominates
    x = (x if axis == 1 else x.T).astype(dtype)
    lazy = fa.get(name)(cut(x, (7, 300) if axis == 1 else (300, 7)), axis)
    with np.errstate(all="ignore"):
        assert ulps_of(computed(lazy), exact(name, x, axis)) <= fa.get(name).max_ulp + 2


def test_error_beside_mpmath() -> None:
    mp: Any = pytest.importorskip("mpmath")
    x = np.random.default_rng(7).normal(size=60) * 40 + 700
    with mp.workdps(50):
        e = [mp.exp(mp.mpf(float(each)) - 700) for each in x]
        for chunk in (1, 7, 59):
            found = computed(fa.softmax(da.from_array(x, chunks=chunk)))
            errors = [abs(mp.mpf(float(y)) - each / sum(e)) / math.ulp(y) for y, each in zip(found, e, strict=True)]
            assert max(errors) <= fa.softmax.max_ulp + 2
            total = computed(fa.logsumexp(da.from_array(x, chunks=chunk)))
            assert abs(total - (mp.log(sum(e)) + 700)) <= 4 * math.ulp(total)


def test_wide_helper_is_wider() -> None:
    assert np.finfo(WIDE).nmant >= 52


# ---- what is not usual


@pytest.mark.parametrize("name", FAMILY)
def test_shapes_without_elements_or_axes(name: str) -> None:
    function = fa.get(name)
    for shape, axis in (((), -1), ((0,), -1), ((3, 0), -1), ((3, 0), 0), ((0, 4), 1)):
        x = np.zeros(shape, np.float32)
        np.testing.assert_array_equal(computed(function(da.from_array(x, chunks=-1), axis)), function(x, axis))
    both = da.concatenate([da.zeros((2, 0)), da.ones((2, 3)), da.zeros((2, 0))], axis=1)
    if name not in NEED_WHOLE_ROWS:
        np.testing.assert_allclose(computed(function(both, 1)), function(np.ones((2, 3)), 1), rtol=1e-15)


def test_mixed_with_arrays_in_memory() -> None:
    x = numbers(np.float32)
    for lazy in (fa.softmax(x, where=cut(MASK, CHUNKS[0])), fa.softmax(cut(x, CHUNKS[0]), where=MASK)):
        assert_near(computed(lazy), fa.softmax(x, where=MASK), 6)
    grad = fa.softmax.backward(cut(x, CHUNKS[0]), fa.softmax(x, where=MASK), where=MASK)
    assert isinstance(grad, da.Array)


def test_unknown_chunks_work_where_they_can() -> None:
    x = np.random.default_rng(8).normal(size=(20, 6)).astype(np.float32)
    lazy, kept = cut(x, (7, 4)), x[x[:, 0] > 0]
    unknown = lazy[lazy[:, 0] > 0]
    for name in CUT:
        assert_near(computed(fa.get(name)(unknown, 1)), fa.get(name)(kept, 1), 8)
        if name != "hardmax":
            assert_near(computed(fa.get(name)(unknown, 0)), fa.get(name)(kept, 0), 8)
    assert_near(computed(fa.softmax(unknown, where=unknown > 0)), fa.softmax(kept, where=kept > 0), 6)
    with pytest.raises(ValueError, match=r"unknown size along axis 0; call its compute_chunk_sizes\(\) first"):
        fa.hardmax(unknown, 0)
    with pytest.raises(ValueError, match=r"compute_chunk_sizes"):
        fa.softmax(unknown, where=np.ones((len(kept), 6), bool))


def test_backends() -> None:
    x = numbers(np.float64)
    wanted = fa.softmax(x, backend="numpy")
    with fa.use_backend("numpy"):
        lazy = fa.softmax(cut(x, WHOLE))
    np.testing.assert_array_equal(computed(lazy), wanted)
    np.testing.assert_array_equal(computed(fa.softmax(cut(x, WHOLE), backend="numpy")), wanted)
    with pytest.raises(ValueError, match="did you mean 'numpy'"):
        fa.softmax(cut(x, WHOLE), backend="nunpy")
    assert fa.explain(fa.softmax, cut(x, WHOLE), backend="numpy").startswith("softmax: backend 'numpy'")


WRONG: dict[str, tuple[Callable[..., Any], type[Exception], str]] = {
    "no such axis": (lambda x: fa.softmax(x, 3), np.exceptions.AxisError, "axis 3 is out of bounds"),
    "an axis twice": (lambda x: fa.softmax(x, (1, 1)), ValueError, "repeated axis"),
    "a name": (lambda x, name="class": fa.softmax(x, name), TypeError, "axis='class'; pass an int"),
    "out": (lambda x: fa.softmax(x, out=np.empty(SHAPE)), TypeError, "dask arrays takes no out"),
    "complex": (lambda x: fa.softmax(x.astype(complex)), TypeError, "convert it to float64"),
    "objects": (lambda x: fa.softmax(x.astype(object)), TypeError, "convert it to float64"),
    "mask of numbers": (lambda x: fa.softmax(x, where=x), TypeError, "pass a boolean mask"),
    "mask of another shape": (lambda x: fa.softmax(x, where=x[:2] > 0), ValueError, "does not broadcast to x"),
    "gradient of another shape": (lambda x: fa.softmax.backward(x[:2], x), ValueError, "grad_output has shape"),
    "cold": (lambda x: fa.softmax(x, temperature=0), ValueError, "it must be positive"),
    "cold array": (lambda x: fa.softmax(x, temperature=np.array([[0.0]])), ValueError, "it must be positive"),
    "length beyond the axis": (lambda x: fa.softmax(x, lengths=np.full(4, 13)), ValueError, "axis 2 has from 0 to 12"),
    "weights of another shape": (lambda x: fa.logsumexp(x, b=np.ones(5)), ValueError, "do not broadcast together"),
    "weights and dtype": (lambda x: fa.logsumexp(x, b=x, dtype="f8"), TypeError, "no dtype together with b"),
    "a generator that is a seed": (lambda x, seed=0: fa.gumbel_softmax(x, seed), TypeError, "rng=0; pass a numpy"),
    "a delayed object": (lambda x: fa.softmax(x.to_delayed().flat[0]), TypeError, "no Delayed; make an array"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_wrong_calls_say_so_at_once(case: str) -> None:
    call, error, says = WRONG[case]
    with no_computing(), pytest.raises(error, match=says) as caught:
        call(cut(numbers(np.float32), CHUNKS[0]))
    assert "\n" not in str(caught.value)


def test_wrong_values_are_found_when_they_are_computed() -> None:
    x = cut(numbers(np.float32), CHUNKS[0])
    for options, says in (({"temperature": da.zeros(12)}, "positive"), ({"lengths": da.full(4, 13)}, "from 0 to 12")):
        for chunks in (WHOLE, CHUNKS[0]):
            with pytest.raises(ValueError, match=says):
                computed(fa.softmax(x.rechunk(chunks), **options))


# ---- tasks


def test_x_is_read_twice_and_never_held() -> None:
    """At no time there are more blocks in memory than threads need."""
    held: set[int] = set()
    most, made = 0, itertools.count()

    def block_of(block: Any) -> Any:
        nonlocal most
        result, number = np.random.default_rng(0).normal(size=block.shape), next(made)
        held.add(number)
        weakref.finalize(result, held.discard, number)
        most = max(most, len(held))
        return result

    x = da.ones((64, 1000), chunks=(1, 1000)).map_blocks(block_of, dtype=float, meta=np.empty((0, 0)))
    computed(fa.softmax(x, 0).sum())
    assert next(made) == 2 * 64
    assert most < 10


def test_names_of_tasks_are_the_same_in_every_process(python: Callable[..., str]) -> None:
    """And so they can be told apart, stored and looked up; the second pass has names of its own."""
    code = (
        "import numpy as np, fastact as fa, dask.array as da\n"
        "x = da.ones((4, 6), chunks=3)\n"
        "rng = np.random.default_rng(0)\n"
        "lazy = [fa.softmax(x, 1), fa.hardmax(x, 0), fa.logsumexp(x), fa.softmax(x, where='causal'),"
        "        fa.cross_entropy(x, np.arange(4)), fa.mse(x, 1.0), fa.gumbel_softmax(x, rng)]\n"
        "names = ' '.join(key for each in lazy for key in sorted(map(str, each.dask)))"
    )
    here: dict[str, Any] = {}
    exec(code, here)
    assert python(f"{code}\nprint(names)") == here["names"] + "\n"
    assert len(here["names"].split()) > 100


def test_samples() -> None:
    """A sample has the probabilities of softmax, does not depend on who computes it, and differs from the next."""
    x = np.array([[0.0, 1.0, 2.0]]).repeat(3000, axis=0)
    rng = np.random.default_rng(0)
    first = fa.gumbel_softmax(cut(x, (500, 2)), rng, hard=True)
    again = fa.gumbel_softmax(cut(x, (500, 2)), np.random.default_rng(0), hard=True)
    other = fa.gumbel_softmax(cut(x, (500, 2)), rng, hard=True)
    found = computed(first)
    np.testing.assert_array_equal(found, again.compute(scheduler="threads"))
    assert (computed(other) != found).any()
    np.testing.assert_allclose(found.mean(axis=0), fa.softmax(x[0]), atol=0.03)
    hard, soft = fa.gumbel_softmax(cut(x, (500, 2)), rng, hard=True, return_soft=True, tau=0.5)
    hard, soft = computed(hard, soft)
    np.testing.assert_array_equal(hard.argmax(1), soft.argmax(1))


# ---- data frames


def test_columns_of_data_frames() -> None:
    dd: Any = pytest.importorskip("dask.dataframe")
    pd: Any = pytest.importorskip("pandas")
    frame = pd.DataFrame(np.random.default_rng(9).normal(size=(10, 3)), columns=list("abc"))
    lazy = dd.from_pandas(frame, npartitions=3)
    for name in ROWWISE:
        with no_computing():
            result = fa.get(name)(lazy)
        found = result.compute(scheduler="synchronous")
        assert list(found.columns) == list(result.columns) == ["a", "b", "c"]
        assert found.index.equals(frame.index)
        np.testing.assert_array_equal(found.to_numpy(), fa.get(name)(frame.to_numpy()))
    assert fa.softmax(lazy, axis="columns").compute().equals(fa.softmax(frame, axis="columns"))
    np.testing.assert_array_equal(fa.logsumexp(lazy, axis=1).compute(), fa.logsumexp(frame.to_numpy(), axis=1))
    for call in (
        lambda: fa.softmax(lazy, 0), lambda: fa.softmax(lazy["a"]), lambda: fa.cross_entropy(lazy, lazy["a"]),
        lambda: fa.softmax(lazy, where=np.ones((10, 3), bool)), lambda: fa.mse(lazy, lazy),
    ):  # fmt: skip
        with pytest.raises((TypeError, ValueError), match=r"to_dask_array\(lengths=True\)"):
            call()


def test_every_family_keeps_dask_arrays() -> None:
    """So that a new function is not computed into memory unseen."""
    x = cut(np.random.default_rng(10).normal(size=(4, 6)), (2, 6))
    special: dict[str, Callable[[Any], Any]] = {
        "sampling": functools.partial(fa.gumbel_softmax, rng=np.random.default_rng(0)),
    }
    for name in (name for name in fa.names() if fa.get(name).kind != "activation"):
        function = fa.get(name)
        operands = 2 if function.kind in ("loss", "gated unit") and name != "glu" else 1
        call = special.get(function.kind, function)
        with no_computing():
            targets = da.zeros(4, chunks=2, dtype=int)
            result = call(x, targets) if function._family == "class loss" else call(*[x] * operands)
        assert isinstance(result, da.Array), name
        assert result.dtype == np.float64, name
