"""Masked elements do not count, whatever stands below the mask: the same as `where`, or as arrays without them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fastact as fa

RNG = np.random.default_rng(5)
X = RNG.normal(size=(4, 6)).astype(np.float32)
MASK = np.array([[0, 1, 0, 0, 0, 0], [1] * 6, [0] * 6, [1, 0, 1, 0, 1, 0]], np.bool_)
COUNTS = ~MASK
DIRTY = np.where(MASK, np.float32(np.nan), X)  # what is below a mask is never read
M = np.ma.array(DIRTY, mask=MASK)
OVER_AXES = ["softmax", "log_softmax", "softmin", "sparsemax", "hardmax"]


@pytest.mark.parametrize("axis", [-1, 0, (0, 1), None])
@pytest.mark.parametrize("name", OVER_AXES)
def test_rows(name: str, axis: Any) -> None:
    f = fa.get(name)
    found = f(M, axis=axis)
    np.testing.assert_array_equal(found.data, f(X, axis=axis, where=COUNTS))
    np.testing.assert_array_equal(found.mask, MASK)
    gradient = f.backward(M, found, axis=axis)
    np.testing.assert_array_equal(gradient.data, f.backward(X, f(X, axis=axis, where=COUNTS), axis=axis, where=COUNTS))
    assert found.mask is not M.mask
    assert f(np.ma.array(X)).mask is np.ma.nomask


def test_options_count_beside_the_mask() -> None:
    lengths, temperature = [3, 2, 1, 6], np.array([[0.5], [1.0], [2.0], [1.0]])
    for options in ({"where": X > 0}, {"lengths": lengths}, {"temperature": temperature}):
        with_mask = {"where": COUNTS, **options} if "where" not in options else {"where": COUNTS & (X > 0)}
        np.testing.assert_array_equal(fa.softmax(M, **options).data, fa.softmax(X, **with_mask))
    square, mask = X[:, :4], MASK[:, :4]
    causal = fa.softmax(np.ma.array(square, mask=mask), where="causal")
    np.testing.assert_array_equal(causal.data, fa.softmax(square, where=np.tri(4, dtype=bool) & ~mask))


def test_sums_of_rows() -> None:
    found = fa.logsumexp(M, axis=1)
    assert found.mask.tolist() == [False, True, False, False]
    np.testing.assert_array_equal(found.data[[0, 2, 3]], fa.logsumexp(X, axis=1, where=COUNTS)[[0, 2, 3]])
    assert fa.logsumexp(M[1]) is np.ma.masked
    assert fa.logsumexp(M) == fa.logsumexp(X, where=COUNTS)
    gradient = fa.logsumexp.backward(np.ma.array([1.0, 2.0, 3.0, 4.0], mask=np.array([0, 0, 1, 0], bool)), M, axis=1)
    assert gradient.mask.all(axis=1).tolist() == [False, True, True, False]
    weights = np.ma.array(np.arange(6.0), mask=np.array([0, 0, 1, 0, 0, 0], bool))
    wanted = fa.logsumexp(X, axis=1, b=np.where(weights.mask, 0, weights.data), where=COUNTS)
    np.testing.assert_array_equal(fa.logsumexp(M, axis=1, b=weights).compressed(), wanted[[0, 2, 3]])


@pytest.mark.parametrize("name", ["mse", "huber"])
def test_losses_of_elements(name: str) -> None:
    """Means are over what is masked nowhere, and a broadcast weight goes along."""
    f, weight = fa.get(name), np.array([[1.0], [2.0], [3.0], [4.0]])
    target = np.ma.array(np.abs(X), mask=MASK[::-1])
    chosen = COUNTS & COUNTS[::-1]
    plain = X[chosen], np.abs(X)[chosen]
    weights = np.broadcast_to(weight, X.shape)[chosen]
    for reduction in ("mean", "sum"):
        assert f(M, target, reduction=reduction) == f(*plain, reduction=reduction)
    loss, gradient = f.value_and_grad(M, target, weight=weight)
    wanted, wanted_gradient = f.value_and_grad(*plain, weight=weights)
    assert loss == wanted
    np.testing.assert_array_equal(gradient[chosen], wanted_gradient)
    np.testing.assert_array_equal(gradient.mask, ~chosen)
    single = f(M, target, reduction="none")
    np.testing.assert_array_equal(single[chosen], f(*plain, reduction="none"))
    np.testing.assert_array_equal(single.mask, ~chosen)
    assert np.isnan(f(M[1], X[1]))


def test_losses_of_classes() -> None:
    """Rows without a target do not count; masked logits are classes of probability 0."""
    y = np.ma.array([0, 3, 5, 1], mask=np.array([0, 0, 1, 0], bool))
    logits, rows = np.where(MASK, -np.inf, X).astype(np.float32), [0, 3]
    for options in ({}, {"weight": [1.0, 2, 3, 4, 5, 6]}, {"reduction": "sum"}):
        loss, gradient = fa.cross_entropy.value_and_grad(M, y, **options)
        wanted, wanted_gradient = fa.cross_entropy.value_and_grad(logits[rows], y.data[rows], **options)
        assert loss == wanted == fa.cross_entropy(M, y, **options)
        np.testing.assert_array_equal(gradient.filled(0)[rows], wanted_gradient)
        assert gradient.mask[[1, 2]].all()
    transposed = fa.cross_entropy.value_and_grad(M.T, y, axis=0)[1]
    np.testing.assert_array_equal(transposed.filled(0).T, fa.cross_entropy.value_and_grad(M, y)[1].filled(0))
    single = fa.cross_entropy(M, y, reduction="none")
    assert single.mask.tolist() == [False, True, True, False]
    np.testing.assert_array_equal(fa.nll_loss(fa.log_softmax(M), y, reduction="none").mask, single.mask)
    dense = fa.softmax(M)
    assert fa.cross_entropy(M, dense) == fa.cross_entropy(logits[[0, 2, 3]], dense.data[[0, 2, 3]])
    assert fa.cross_entropy(M[0], np.ma.array(0, mask=True), reduction="none") is np.ma.masked


@pytest.mark.parametrize(
    ("match", "call"),
    [
        ("masked in the same row", lambda: fa.cross_entropy(M, [1, 0, 0, 1])),
        ("masked in the same row", lambda: fa.cross_entropy(M, fa.softmax(X))),
        ("label_smoothing", lambda: fa.cross_entropy(M, [0, 0, 0, 1], label_smoothing=0.1)),
        ("targets has dtype int64 and shape", lambda: fa.cross_entropy(M, [0, 1])),
        ("9; 6 classes are 0 to 5", lambda: fa.cross_entropy(M, [0, 0, 9, 1])),
        ("out is a masked array", lambda: fa.softmax(M, out=M)),
        ("out is not taken", lambda: fa.mse.value_and_grad(M, X, out=np.empty_like(X))),
        ("weight is a masked", lambda: fa.cross_entropy(M, [0, 0, 0, 1], weight=np.ma.masked_less(X[0], 0))),
        ("do not broadcast", lambda: fa.mse(M, np.zeros(5))),
    ],
)  # fmt: skip
def test_wrong_arguments(match: str, call: Callable[[], Any]) -> None:
    with pytest.raises((TypeError, ValueError), match=match):
        call()


def test_halves() -> None:
    found = fa.glu(M)
    np.testing.assert_array_equal(found.mask, MASK[:, :3] | MASK[:, 3:])
    np.testing.assert_array_equal(found.compressed(), fa.glu(X)[~found.mask])
    gradient = fa.glu.backward(found, M)
    np.testing.assert_array_equal(gradient.mask, np.hstack([found.mask, found.mask]))
    np.testing.assert_array_equal(gradient.compressed(), fa.glu.backward(fa.glu(X), X)[~gradient.mask])


def test_random_slopes() -> None:
    y, slopes = fa.rrelu(M, generator=np.random.default_rng(1), return_slopes=True)
    np.testing.assert_array_equal(y.compressed(), fa.rrelu(X, generator=np.random.default_rng(1))[COUNTS])
    np.testing.assert_array_equal(slopes.mask, MASK)
