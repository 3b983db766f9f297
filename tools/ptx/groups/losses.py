"""Losses and their gradients: classes, probabilities, weights, smoothing, reductions, targets that are no classes."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import fake_gpu as gpu
import numpy as np
from cases import Case, group
from comparing import near, same
from fake_gpu import put

import fastact as fa

REDUCTIONS = ("mean", "sum", "none")


def on_gpu(options: dict[str, Any]) -> dict[str, Any]:
    return {name: put(value) if isinstance(value, np.ndarray) else value for name, value in options.items()}


def check_loss(loss: Any, kind: str, x: np.ndarray, target: np.ndarray, **options: Any) -> None:
    """Compare the value and its gradient with the CPU's; the gradient in place and into every other number too."""
    given = on_gpu(options)
    value, slope = map(np.asarray, loss.value_and_grad(x, target, **options))
    got, grad = (each.copy_to_host() for each in loss.value_and_grad(put(x), put(target), **given))
    largest = np.abs(value.astype("f8")).max(initial=0)
    near(f"{kind} value {x.dtype.name}", got, value, 4, scale=largest * (0.1 if value.ndim else 1))
    near(f"{kind} gradient {x.dtype.name}", grad, slope, 8, scale=np.nanmax(np.abs(slope.astype("f8")), initial=0))
    same(loss(put(x), put(target), **given).copy_to_host(), got)
    if slope.shape == x.shape and slope.dtype == x.dtype:
        array, wider = put(x), put(np.zeros((*x.shape, 2), x.dtype))[..., 1]
        for operand, out in ((array, array), (put(x), wider)):
            loss.value_and_grad(operand, put(target), out=out, **given)
            same(out.copy_to_host(), grad)


def scores_and_classes(dtype: str, shape: tuple[int, ...], axis: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    classes = rng.integers(0, shape[axis], np.delete(shape, axis))
    classes.flat[:2] = -100
    return rng.normal(0, 4, shape).astype(dtype), classes


def check_cross_entropy(dtype: str, shape: tuple[int, ...], axis: int, reduction: str, name: str) -> None:
    x, classes = scores_and_classes(dtype, shape, axis)
    rng = np.random.default_rng(1)
    weight = 0.5 + rng.random(shape[axis])
    probable = np.asarray(fa.softmax(rng.normal(0, 2, shape), axis)).astype("f8" if dtype == "float64" else "f4")
    target, more = TARGETS[name](classes, weight, probable)
    check_loss(fa.cross_entropy, "cross_entropy", x, target, axis=axis, reduction=reduction, **more)


#: What cross_entropy is given of classes, weights of them and probabilities: its targets and options.
TARGETS: dict[str, Any] = {
    "plain": lambda classes, weight, probable: (classes, {}),
    "int32": lambda classes, weight, probable: (classes.astype("i4"), {}),
    "weight": lambda classes, weight, probable: (classes, {"weight": weight}),
    "smoothing": lambda classes, weight, probable: (classes, {"label_smoothing": 0.2}),
    "all": lambda classes, weight, probable: (
        np.where(classes < 0, 1, classes), {"label_smoothing": 0.2, "weight": weight, "ignore_index": 1}
    ),
    "probabilities": lambda classes, weight, probable: (probable, {"weight": weight}),
}  # fmt: skip


def check_nll(dtype: str, shape: tuple[int, ...], axis: int, reduction: str) -> None:
    x, classes = scores_and_classes(dtype, shape, axis)
    for more in ({}, {"weight": np.linspace(0.5, 1.5, shape[axis])}):
        got = fa.nll_loss(put(x), put(classes), axis=axis, reduction=reduction, **on_gpu(more))
        wanted = np.asarray(fa.nll_loss(x, classes, axis=axis, reduction=reduction, **more))
        scale = len(classes) if reduction == "sum" else 1.0
        near(f"nll_loss {dtype}", got.copy_to_host(), wanted, 4, scale=scale)


def check_elementwise(loss: Any, dtype: str, shape: tuple[int, int], reduction: str) -> None:
    rng = np.random.default_rng(0)
    x, target = rng.normal(size=shape).astype(dtype), rng.integers(0, 2, shape)
    check = partial(check_loss, loss, loss.name, reduction=reduction)
    check(x, target.astype(dtype))
    if shape[0] > 1:
        check(np.asfortranarray(x), target > 0, weight=np.linspace(0.5, 1, shape[1]).astype(dtype))
        check(x, target[:1].astype(dtype))


def check_many() -> None:
    rng = np.random.default_rng(0)
    x, classes = rng.normal(0, 4, (70000, 3)).astype("f4"), rng.integers(0, 3, 70000)
    with gpu.options(races=False):
        check_loss(fa.cross_entropy, "cross_entropy of many", x, classes)


def check_parts(shape: tuple[int, ...], axis: int, reduction: str, name: str, resident: int) -> None:
    """Rows in parts, of which one has no finite number, by few blocks or many at a time, in any order."""
    x, classes = scores_and_classes("float32", shape, axis)
    head = shape[axis] * 9 // 20
    np.moveaxis(x, axis, -1)[0, ..., :head] = -np.inf
    classes.flat[1:3] = -100, shape[axis] - 1
    weight, even = 0.5 + np.random.default_rng(2).random(shape[axis]), np.full(shape, 1 / shape[axis], "f4")
    weight[:head] = 0
    target, more = TARGETS[name](classes, weight, even)
    if name == "smoothing":
        more["weight"] = weight
    with gpu.options(resident=resident, seed=resident // 2):
        check_loss(fa.cross_entropy, "cross_entropy in parts", x, target, axis=axis, reduction=reduction, **more)


def check_no_rows() -> None:
    x, classes = np.zeros((0, 20000), "f4"), np.zeros(0, int)
    check_loss(fa.cross_entropy, "cross_entropy of no rows", x, classes, reduction="sum")


def check_no_classes() -> None:
    x, classes = np.zeros((4, 5), "f4"), np.array([0, 5, -100, -1])
    value, grad = fa.cross_entropy.value_and_grad(put(x), put(classes), reduction="none")
    assert np.isnan(value.copy_to_host()).tolist() == [False, True, False, True]
    assert np.isnan(grad.copy_to_host()).any(1).tolist() == [False, True, False, True]


@group
def losses() -> Iterator[Case]:
    for dtype in ("float32", "float64", "float16"):
        more = [((5, 1000), -1), ((3, 30, 50), 1)] if dtype == "float32" else []
        for shape, axis in [((300, 10), -1), ((3, 9000), -1), *more]:
            for reduction in REDUCTIONS:
                labels, given = (dtype, shape, f"axis {axis}", reduction), (dtype, shape, axis, reduction)
                for name in TARGETS:
                    yield Case(("cross_entropy", *labels, name), partial(check_cross_entropy, *given, name))
                yield Case(("nll_loss", *labels), partial(check_nll, *given))
        for loss in (fa.mse, fa.huber, fa.binary_cross_entropy):
            for rows in (0, 1, 7, 300):
                shape = rows, 333 if rows == 300 else 3
                for reduction in REDUCTIONS:
                    check = partial(check_elementwise, loss, dtype, shape, reduction)
                    yield Case((loss.name, dtype, shape, reduction), check)
    for shape, axis in [((3, 20000), -1), ((2, 9000, 40), 1)]:
        for reduction, name in [("mean", "weight"), ("none", "smoothing"), ("sum", "probabilities")]:
            for resident in (1, 2, 16):
                labels = "cross_entropy in parts", shape, reduction, name, f"resident {resident}"
                yield Case(labels, partial(check_parts, shape, axis, reduction, name, resident))
    check = partial(check_cross_entropy, "float64", (2, 9000, 5), 1, "mean", "all")
    yield Case(("cross_entropy in parts", "float64", "over columns"), check)
    yield Case(("no rows, of many classes",), check_no_rows)
    yield Case(("many losses",), check_many)
    yield Case(("targets that are no classes",), check_no_classes)
