"""Losses, gated units and rrelu of dask arrays: lazy, and the figures that arrays in memory give."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fastact as fa
from helpers.arrays import bits
from helpers.lazy import computed, cut, no_computing

da: Any = pytest.importorskip("dask.array")
ml_dtypes: Any = pytest.importorskip("ml_dtypes")

SHAPE = (5, 4, 8)
CHUNKS = [(2, 4, 8), (5, 2, 3)]
REDUCTIONS = ["mean", "sum", "none"]
DTYPES = [np.float32, np.float64, np.float16, ml_dtypes.bfloat16]
ELEMENTWISE = [name for name in fa.names() if fa.get(name).kind == "loss" and fa.get(name)._family == "elementwise"]
UNITS = [name for name in fa.names() if fa.get(name).kind == "gated unit" and name != "glu"]
WEIGHTS = np.array([0.5, 0, 1, 2, 1, 0.25, 3, 1])
NO_OPTIONS: dict[str, Any] = {}
CLASSES: dict[str, dict[str, Any]] = {
    "plain": {},
    "weight": {"weight": WEIGHTS},
    "smoothing": {"label_smoothing": 0.1},
    "both": {"weight": WEIGHTS, "label_smoothing": 0.3, "ignore_index": 2},
}
#: All dtypes and all options, but not each with each.
CASES = [(np.float32, options) for options in CLASSES] + [(dtype, "both") for dtype in DTYPES[1:]]


def logits(dtype: Any) -> np.ndarray:
    x = (np.random.default_rng(0).normal(size=SHAPE) * 5).astype(dtype)
    x[0, 0, 3], x[1, 1, 2], x[2, 2, 4:] = np.nan, np.inf, -np.inf
    return x


def labels(ignore: int) -> np.ndarray:
    targets = np.random.default_rng(1).integers(0, 8, SHAPE[:2])
    targets[0, 0], targets[3] = ignore, ignore
    return targets


def probabilities() -> np.ndarray:
    found = np.random.default_rng(2).dirichlet(np.ones(8), SHAPE[:2]).astype(np.float32)
    found[2, 2, 4:] = 0  # logits of -inf
    return found


def assert_near(found: Any, wanted: Any, dtype: Any, epsilons: float, atol: float = 0) -> None:
    tolerance = epsilons * float(ml_dtypes.finfo(dtype).eps)
    np.testing.assert_allclose(np.asarray(found, float), np.asarray(wanted, float), tolerance, atol * tolerance)


@pytest.mark.parametrize("axis", [-1, 0])
@pytest.mark.parametrize("dense", [False, True], ids=["classes", "probabilities"])
@pytest.mark.parametrize(("dtype", "options"), CASES)
def test_cross_entropy(dtype: Any, options: str, dense: bool, axis: int) -> None:
    given = CLASSES[options]
    x, targets = logits(dtype), probabilities() if dense else labels(given.get("ignore_index", -100))
    if axis == 0:
        x, targets = np.moveaxis(x, -1, 0).copy(), np.moveaxis(targets, -1, 0).copy() if dense else targets
    for chunks in CHUNKS:
        chunks = chunks if axis else (chunks[2], *chunks[:2])
        lazily = {name: cut(each, (3,)) if name == "weight" else each for name, each in given.items()}
        for reduction in REDUCTIONS if options == "plain" else ["mean"]:
            whole = chunks[axis] == 8
            wanted, slope = fa.cross_entropy.value_and_grad(
                x, targets, axis, reduction=reduction, backend=None if whole else "numpy", **given
            )
            with no_computing():
                value = fa.cross_entropy(cut(x, chunks), targets, axis, reduction=reduction, **given)
                again, grad = fa.cross_entropy.value_and_grad(
                    cut(x, chunks), cut(targets, (2, 2, 2)), axis, reduction=reduction, **lazily
                )
            assert grad.chunks == cut(x, chunks).chunks
            value, again, grad = computed(value, again, grad)
            assert_near(value, wanted, dtype, 5)
            assert_near(again, wanted, dtype, 5)
            assert_near(grad, slope, dtype, 6, 1)


@pytest.mark.parametrize("dtype", DTYPES)
def test_whole_rows_give_the_same_bits(dtype: Any) -> None:
    x = np.random.default_rng(0).normal(size=SHAPE).astype(dtype)
    for targets in (labels(-100), probabilities()):
        for reduction in ("none", "sum"):
            options: dict[str, Any] = {"weight": WEIGHTS, "reduction": reduction}
            wanted = fa.cross_entropy.value_and_grad(x, targets, **options)
            found = computed(*fa.cross_entropy.value_and_grad(cut(x, CHUNKS[0]), targets, **options))
            np.testing.assert_array_equal(bits(found[1]), bits(wanted[1]))
            if reduction == "none":
                np.testing.assert_array_equal(bits(found[0]), bits(wanted[0]))


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_nll_loss(dtype: Any, reduction: str) -> None:
    x, targets = fa.log_softmax(logits(dtype)), labels(-100)
    for chunks in CHUNKS:
        for options in NO_OPTIONS, {"weight": WEIGHTS}:
            with no_computing():
                lazy = fa.nll_loss(cut(x, chunks), cut(targets, (3, 3)), reduction=reduction, **options)
            assert_near(computed(lazy), fa.nll_loss(x, targets, reduction=reduction, **options), dtype, 3)


@pytest.mark.parametrize("name", ELEMENTWISE)
@pytest.mark.parametrize("dtype", [np.float32, ml_dtypes.bfloat16])
def test_losses_of_elements(name: str, dtype: Any) -> None:
    loss: Any = fa.get(name)
    random, first = np.random.default_rng(3), next(iter(loss.parameters))
    x, target, weight = random.normal(size=SHAPE).astype(dtype), random.random((4, 8)).astype(dtype), random.random(8)
    several: list[dict[str, Any]] = [NO_OPTIONS, {"weight": weight}, {first: 0.25}]
    for chunks in CHUNKS[:2]:
        for reduction, options in zip(REDUCTIONS, several, strict=True):
            wanted = loss.value_and_grad(x, target, reduction=reduction, **options)
            with no_computing():
                value = loss(cut(x, chunks), target, reduction=reduction, **options)
                both = loss.value_and_grad(cut(x, chunks), cut(target, (3, 3)), reduction=reduction, **options)
            value, again, grad = computed(value, *both)
            assert_near(value, wanted[0], dtype, 2)
            np.testing.assert_array_equal(value, again)
            np.testing.assert_array_equal(bits(grad), bits(wanted[1]))
            if reduction == "none":
                np.testing.assert_array_equal(bits(value), bits(wanted[0]))
    assert_near(computed(loss(cut(x, CHUNKS[0]), 0.5)), loss(x, 0.5), dtype, 2)


@pytest.mark.parametrize("axis", [-1, 0, 1])
def test_glu(axis: int) -> None:
    x = np.random.default_rng(4).normal(size=(6, 4, 8)).astype(np.float32)
    wanted = fa.glu(x, axis)
    for chunks in CHUNKS:
        with no_computing():
            lazy = fa.glu(cut(x, chunks), axis)
            grad = fa.glu.backward(cut(wanted, (2, 2, 2)), cut(x, chunks), axis)
        found, slope = computed(lazy, grad)
        np.testing.assert_array_equal(found, wanted)
        np.testing.assert_array_equal(slope, fa.glu.backward(wanted, x, axis))


@pytest.mark.parametrize("name", UNITS)
def test_gradients_of_gated_units(name: str) -> None:
    unit: Any = fa.get(name)
    value, gate = np.random.default_rng(5).normal(size=(2, 6, 8)).astype(np.float32)
    for backend in (None, "numpy"):
        options = {"backend": backend} if backend else {}
        with no_computing():
            lazy = unit.backward(cut(value, (2, 8)), cut(value, (4, 4)), gate[:1], **options)
        for found, wanted in zip(computed(*lazy), unit.backward(value, value, gate[:1], **options), strict=True):
            np.testing.assert_array_equal(bits(found), bits(wanted))


def test_rrelu() -> None:
    x = np.random.default_rng(6).normal(size=(6, 8)).astype(np.float32)
    with no_computing():
        y, slopes = fa.rrelu(cut(x, (2, 3)), generator=np.random.default_rng(0), return_slopes=True)
        mean = fa.rrelu(cut(x, (2, 3)))
    found, drawn = computed(y, slopes)
    np.testing.assert_array_equal(found, fa.leaky_relu(x, drawn))
    assert len(np.unique(drawn)) == drawn.size
    assert ((drawn >= 1 / 8) & (drawn < 1 / 3)).all()
    np.testing.assert_array_equal(computed(mean), fa.rrelu(x))
    with pytest.raises(TypeError, match="generator=0; pass a numpy"):
        fa.rrelu(cut(x, (2, 3)), generator=0, return_slopes=True)  # type: ignore[arg-type]


def test_unknown_chunks() -> None:
    x = np.random.default_rng(7).normal(size=(20, 6)).astype(np.float32)
    lazy, kept = cut(x, (7, 4)), x[:, 0] > 0
    unknown, targets = lazy[lazy[:, 0] > 0], np.arange(20) % 6
    same = cut(targets, (7,))[lazy[:, 0] > 0]
    for chunk in (6, 4):
        cut_rows = unknown.rechunk({1: chunk})
        for reduction in REDUCTIONS:
            wanted = fa.cross_entropy(x[kept], targets[kept], reduction=reduction)
            assert_near(computed(fa.cross_entropy(cut_rows, same, reduction=reduction)), wanted, np.float32, 4)
            assert_near(
                computed(fa.mse(cut_rows, 0.5, reduction=reduction)), fa.mse(x[kept], 0.5, reduction=reduction),
                np.float32, 4,
            )  # fmt: skip
    with pytest.raises(ValueError, match="compute_chunk_sizes"):
        fa.cross_entropy(unknown, targets[kept])
    with pytest.raises(ValueError, match="compute_chunk_sizes"):
        fa.mse(unknown, x[kept])
    with pytest.raises(ValueError, match="compute_chunk_sizes"):
        fa.glu(unknown, 0)


WRONG: dict[str, tuple[Callable[[Any], Any], type[Exception], str]] = {
    "targets of another shape": (lambda x: fa.cross_entropy(x, np.zeros(5, int)), ValueError, "targets has dtype"),
    "targets in columns": (lambda x: fa.cross_entropy(x, da.zeros((5, 4, 1), dtype=int)), ValueError, "targets has"),
    "no class": (lambda x: fa.cross_entropy(x, np.full((5, 4), 8)), ValueError, r"targets\[0, 0\] is 8; 8 classes are"),
    "weights of another length": (
        lambda x: fa.cross_entropy(x, labels(-100), weight=da.ones(7)), ValueError, r"8 classes have \(8,\)",
    ),
    "probabilities for nll_loss": (lambda x: fa.nll_loss(x, x), TypeError, "classes are integers"),
    "no such axis": (lambda x: fa.cross_entropy(x, labels(-100), 5), np.exceptions.AxisError, "out of bounds"),
    "reduction": (lambda x: fa.cross_entropy(x, labels(-100), reduction="avg"), ValueError, "reduction='avg'"),
    "out": (lambda x: fa.mse.value_and_grad(x, x, out=np.empty(SHAPE)), TypeError, "takes no out"),
    "shapes": (lambda x: fa.mse(x, np.zeros(7)), ValueError, "do not broadcast together"),
    "a parameter": (lambda x: fa.huber(x, x, detla=1), TypeError, "did you mean 'delta'"),
    "an odd axis": (lambda x: fa.glu(x, 0), ValueError, "cannot be halved"),
    "a gradient's shape": (lambda x: fa.glu.backward(x, x), ValueError, "they must be equal"),
    "options of ufuncs": (lambda x: fa.swiglu.backward(x, x, x, where=x > 0), TypeError, "takes no where"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_wrong_calls_say_so_at_once(case: str) -> None:
    call, error, says = WRONG[case]
    with no_computing(), pytest.raises(error, match=says) as caught:
        call(cut(logits(np.float32), CHUNKS[1]))
    assert "\n" not in str(caught.value)


def test_wrong_targets_are_found_when_they_are_computed() -> None:
    targets = labels(-100)
    targets[4, 3] = 9
    for chunks in CHUNKS:
        for function in (fa.cross_entropy, fa.nll_loss):
            with pytest.raises(ValueError, match="is 9 in a chunk; 8 classes are 0 to 7"):
                computed(function(cut(logits(np.float32), chunks), cut(targets, (2, 2)), reduction="none"))
