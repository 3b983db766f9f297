"""The softmax family, glu and losses by name inside users' compiled code: the bits of the public functions."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numba
import numpy as np
import pytest

import fastact as fa
from helpers.compiled_calls import compiled, same
from helpers.softmax_cases import SHAPES

FAMILY = {name: fa.get(name) for kind in ("softmax", "reduction") for name in fa.names(kind)}
LOSSES = {name: fa.get(name) for name in fa.names("loss") if fa.get(name)._family == "elementwise"}
Axis = int | tuple[int, ...] | None

RNG = np.random.default_rng(0)

forward = compiled(FAMILY, "x, axis", "{}(x, axis=axis)")
masked = compiled(FAMILY, "x, axis, mask", "{}(x, axis=axis, where=mask, temperature=0.7)")
ROWS = {name: function for name, function in FAMILY.items() if name != "logsumexp"}
backward = compiled(ROWS, "g, y, axis", "{}.backward(g, y, axis)")
masked_backward = compiled(ROWS, "g, y, axis, mask", "{}.backward(g, y, axis, where=mask, temperature=0.7)")


def cases() -> Iterator[tuple[np.ndarray, Any]]:
    """Arrays for all routes of the kernels, and layouts."""
    for (shape, axis), dtype in itertools.product(SHAPES, (np.float32, np.float64)):
        if axis != ():
            yield RNG.normal(size=shape).astype(dtype), axis
    x = RNG.normal(size=(5, 6, 40)).astype(np.float32)
    for each in (np.asfortranarray(x), x[:, ::2], x.transpose(2, 0, 1), x[..., ::-1], x[:0], x[..., :0]):
        for axis in (0, 1, -1, (0, 2), (-1, 1), None):
            yield each, axis


@pytest.mark.slow
def test_family() -> None:
    for x, axis in cases():
        check_family(x, axis)


@pytest.mark.parametrize("axis", [-1, 0])
def test_family_quickly(axis: Axis) -> None:
    check_family(RNG.normal(size=(30, 70)).astype(np.float32), axis)


def check_family(x: np.ndarray, axis: Axis) -> None:
    mask, g = RNG.random(x.shape[1:]) > 0.4, RNG.normal(size=x.shape).astype(x.dtype)
    results = {name: f(x, axis=axis) for name, f in FAMILY.items()}
    for (name, wanted), found in zip(results.items(), forward(x, axis), strict=True):
        assert same(found, wanted), name
    for (name, f), found in zip(FAMILY.items(), masked(x, axis, mask), strict=True):
        assert same(found, f(x, axis=axis, where=mask, temperature=0.7)), name
    y = results["sparsemax"]
    for (name, f), found in zip(ROWS.items(), backward(g, y, axis), strict=True):
        assert same(found, f.backward(g, y, axis)), name
    for (name, f), found in zip(ROWS.items(), masked_backward(g, y, axis, mask), strict=True):
        assert same(found, f.backward(g, y, axis, where=mask, temperature=0.7)), name


@numba.njit
def log_sums(x, g, kept, mask):  # type: ignore[no-untyped-def]
    return (
        fa.logsumexp(x), fa.logsumexp(x, 1), fa.logsumexp(x, axis=(0, 1), keepdims=True),
        fa.logsumexp(x, 0, where=mask), fa.logsumexp.backward(g, x, axis=1),
        fa.logsumexp.backward(kept, x, axis=1, where=mask, temperature=0.5),
    )  # fmt: skip


def test_logsumexp() -> None:
    x = RNG.normal(size=(4, 9)).astype(np.float32)
    for each, g in ((x, x[:, 0]), (np.asfortranarray(x), x[:, 0]), (x[:, ::-1], x[:, 1])):
        kept, mask = g[:, None], RNG.random(9) > 0.3
        wanted = (
            fa.logsumexp(each), fa.logsumexp(each, 1), fa.logsumexp(each, axis=(0, 1), keepdims=True),
            fa.logsumexp(each, 0, where=mask), fa.logsumexp.backward(g, each, axis=1),
            fa.logsumexp.backward(kept, each, axis=1, where=mask, temperature=0.5),
        )  # fmt: skip
        assert same(log_sums(each, g, kept, mask), wanted)


def test_numbers_and_integers() -> None:
    call = compiled(FAMILY, "x", "{}(x)")
    for x in (np.float32(2.5), np.arange(6).reshape(2, 3)):
        for (name, f), found in zip(FAMILY.items(), call(x), strict=True):
            assert same(found, f(x)), (name, x)


def test_out() -> None:
    @numba.njit
    def call(x, y):  # type: ignore[no-untyped-def]
        fa.softmax(x, out=x)
        return fa.sparsemax(y, out=x)

    x, y = RNG.normal(size=(3, 5)), RNG.normal(size=(3, 5))
    assert same(call(x, y), fa.sparsemax(y))
    assert same(x, fa.sparsemax(y))
    with pytest.raises(ValueError, match=r"fastact\.sparsemax: out does not have the shape of the result"):
        call(x, y[:2])


@pytest.mark.parametrize("axis", [-1, 0])
def test_glu(axis: int) -> None:
    @numba.njit
    def call(g, x, axis):  # type: ignore[no-untyped-def]
        return fa.glu(x, axis), fa.glu.backward(g, x, axis)

    x = RNG.normal(size=(4, 6)).astype(np.float32)
    for each in (x, np.asfortranarray(x), x[::-1]):
        y = fa.glu(each, axis)
        assert same(call(y, each, axis), (y, fa.glu.backward(y, each, axis)))


@pytest.mark.parametrize("reduction", ["mean", pytest.param("sum", marks=pytest.mark.slow), "none"])
def test_losses_of_elements(reduction: str) -> None:
    call = compiled(LOSSES, "x, t", f"{{}}.value_and_grad(x, t, weight=0.7, reduction={reduction!r})")
    x = RNG.normal(size=(40, 30)).astype(np.float32)
    t = RNG.random((40, 30)).astype(np.float32)
    for each, target in ((x, t), (x.T, t[:, ::-1].T), (x, t[0] > 0.5), (x[:0], t[:0]), (x[0, 0], t[0, 0])):
        for (name, f), found in zip(LOSSES.items(), call(each, target), strict=True):
            assert same(found, f.value_and_grad(each, target, weight=0.7, reduction=reduction)), name


def test_losses_alone() -> None:
    call = compiled(LOSSES, "x, t, w", "{}(x, t, weight=w)")
    x, t, w = RNG.normal(size=(7, 5)), RNG.random((7, 5)), RNG.random(5)
    for (name, f), found in zip(LOSSES.items(), call(x, t, w), strict=True):
        assert same(found, f(x, t, weight=w)), name


@pytest.mark.parametrize("reduction", ["mean", pytest.param("sum", marks=pytest.mark.slow), "none"])
def test_losses_of_classes(reduction: str) -> None:
    one = {"ce": fa.cross_entropy}
    plain = compiled(one, "x, t, axis", f"{{}}.value_and_grad(x, t, axis, reduction={reduction!r})")
    call = f"{{}}.value_and_grad(x, t, axis, weight=w, label_smoothing=0.1, reduction={reduction!r})"
    weighted = compiled(one, "x, t, axis, w", call)
    for x, axis in (
        (RNG.normal(size=(30, 10)).astype(np.float32), -1), (RNG.normal(size=(9, 30)).T, 0),
        (RNG.normal(size=(3, 600, 2)).astype(np.float32), 1), (RNG.normal(size=6), 0),
    ):  # fmt: skip
        n, shape = x.shape[axis], np.delete(x.shape, axis)
        labels, w = np.asarray(RNG.integers(0, n, shape)), RNG.random(n)
        labels.reshape(-1)[1:2] = -100
        given = [labels, RNG.random(x.shape)]
        if axis == -1:
            given += [labels.astype(np.int16), RNG.random(x.shape).astype(np.float32)]
        for targets in given:
            assert same(
                plain(x, targets, axis)[0], fa.cross_entropy.value_and_grad(x, targets, axis, reduction=reduction)
            )
            options: dict[str, Any] = {"weight": w, "label_smoothing": 0.1, "reduction": reduction}
            assert same(weighted(x, targets, axis, w)[0], fa.cross_entropy.value_and_grad(x, targets, axis, **options))


@numba.njit
def likelihoods(x, t, w):  # type: ignore[no-untyped-def]
    return (
        fa.nll_loss(x, t), fa.nll_loss(x, t, weight=w, reduction="sum"), fa.nll_loss(x, t, reduction="none"),
        fa.nll_loss(x, t, 1, weight=w, ignore_index=2, reduction="mean"), fa.cross_entropy(x, t),
    )  # fmt: skip


def test_nll_loss() -> None:
    for dtype in (np.float32, np.float64):
        x, t, w = fa.log_softmax(RNG.normal(size=(50, 7))).astype(dtype), RNG.integers(0, 7, 50), RNG.random(7)
        wanted = (
            fa.nll_loss(x, t), fa.nll_loss(x, t, weight=w, reduction="sum"), fa.nll_loss(x, t, reduction="none"),
            fa.nll_loss(x, t, 1, weight=w, ignore_index=2, reduction="mean"), fa.cross_entropy(x, t),
        )  # fmt: skip
        assert same(likelihoods(x, t, w), wanted)


def test_wrong_classes() -> None:
    call = numba.njit(lambda x, t: fa.cross_entropy(x, t))
    with pytest.raises(ValueError, match="a target is no class") as caught:
        call(np.ones((2, 3)), np.array([0, 3]))
    assert caught.value.args[-1] == 3
    with pytest.raises(ValueError, match="targets that are classes have the shape of x without its axis"):
        call(np.ones((2, 3)), np.array([0, 1, 2]))


def test_large_results_keep_their_memory() -> None:
    call = numba.njit(lambda x: fa.softmax(fa.gelu(x)))
    x = RNG.normal(size=(700, 800))
    first = call(x)
    wanted = first.copy()
    places = {call(x).__array_interface__["data"][0] for _ in range(9)}
    assert len(places) <= 2
    assert first.__array_interface__["data"][0] not in places
    assert np.array_equal(first, wanted)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: fa.softmax(x, backend="serial"), "takes no backend= .* leave it out"),
        (lambda x: fa.softmax(x, where=[True]), "takes as where= a boolean array that broadcasts to x, not"),
        (lambda x: fa.softmax(x, where="causal"), r"\"causal\" is np.tri"),
        (lambda x: fa.softmax(x, lengths=x), "make a mask of them"),
        (lambda x: fa.softmax(x, temperature=x), "takes a number as temperature=, .* divide x by it"),
        (
            lambda x: fa.softmax(x, axis=1.5),  # type: ignore[arg-type]
            "takes as axis= an int, a tuple of ints or None",
        ),
        (lambda x: fa.softmax(x, dtype=np.float32), "takes no dtype= .* convert"),
        (lambda x: fa.softmax(x, out=x[0]), "takes as out= a writeable array like the result"),
        (lambda x: fa.softmax([1.0, 2.0]), "np.asarray makes one of it"),
        (lambda x: fa.logsumexp(x, keepdims=x.size > 2), "needs keepdims= as a constant"),
        (lambda x: fa.logsumexp(x, b=x), "add np.log"),
        (lambda x: fa.mse(x, x, reduction="all"), "got reduction='all'; it must be one of 'mean', 'sum', 'none'"),
        (lambda x: fa.cross_entropy(x, 1), "takes arrays as logits and targets"),
        (lambda x: fa.nll_loss(x, x), "takes classes, which are integers, as targets"),
        (lambda x: fa.cross_entropy(x, x[0]), "takes classes of 1 dimensions or probabilities of 2"),
    ],
)
def test_errors_name_the_remedy(call: Any, message: str) -> None:
    with pytest.raises(numba.TypingError, match=message):
        numba.njit(call)(np.ones((3, 3)))


def test_errors_when_it_runs() -> None:
    call = numba.njit(lambda x, axis, t: fa.softmax(x, axis=axis, temperature=t))
    with pytest.raises(np.exceptions.AxisError, match="out of bounds for 2 dimensions"):
        call(np.ones((2, 2)), 2, 1.0)
    with pytest.raises(ValueError, match="temperature must be positive"):
        call(np.ones((2, 2)), 1, -1.0)
    with pytest.raises(ValueError, match="axis is repeated"):
        call(np.ones((2, 2)), (0, -2), 1.0)
