"""Losses against their definitions in extended precision, finite differences and PyTorch; wrong arguments; threads."""

from __future__ import annotations

import copy
import itertools
import pickle
from typing import Any

import ml_dtypes
import mpmath
import numpy as np
import pytest

import fastact as fa
from fastact.backends.cpu import instruction_sets
from helpers.softmax_cases import each_instruction_set

WIDE = np.longdouble if np.finfo(np.longdouble).nmant > 60 else np.float64
DTYPES = [np.float32, np.float64]
HALVES = [np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16)]
#: Short rows, rows with and without a remainder, columns, copied columns; and the axis of the classes.
SHAPES = [
    ((1, 10), 1), ((37, 10), -1), ((3, 1), 1), ((19, 16), 1), ((5, 64), 1), ((5, 65), 1), ((3, 1003), 1), ((10,), 0),
    ((70,), 0), ((50, 64), 0), ((4, 3, 45), 1), ((2, 6, 4, 5), 1), ((2, 600, 3), 1), ((2, 3, 4, 80), 3),
]  # fmt: skip
ELEMENTWISE = [fa.binary_cross_entropy, fa.mse, fa.mae, fa.huber, fa.quantile_loss, fa.poisson_loss]
#: Their parameter, and a value for it.
PARAMETERS = {"binary_cross_entropy": ("pos_weight", 1.5), "huber": ("delta", 1.5), "quantile_loss": ("q", 0.75)}
ALL = [fa.cross_entropy, *ELEMENTWISE]


@pytest.fixture(params=instruction_sets.available())
def isa(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Every instruction set that this CPU can run, in turn."""
    monkeypatch.setattr(instruction_sets, "kernels", instruction_sets.load(request.param))
    return request.param


@pytest.fixture(autouse=True)
def no_floating_point_warnings() -> Any:
    with np.errstate(all="raise"):
        yield


class Case:
    """Logits with their targets, and their loss by its definition."""

    def __init__(
        self, shape: tuple[int, ...], axis: int, dtype: Any, scale: float = 5, *, probabilities: bool = False,
        weighted: bool = False, smoothing: float = 0.0, ignored: bool = False,
    ) -> None:  # fmt: skip
        random = np.random.default_rng(len(shape) + shape[axis])
        n = shape[axis]
        others = tuple(np.delete(shape, axis))
        self.axis = axis
        with np.errstate(all="ignore"):
            self.logits = (random.normal(size=shape) * scale).astype(dtype)
        self.options: dict[str, Any] = {"label_smoothing": smoothing}
        weight = np.ones(n)
        if weighted:
            self.options["weight"] = weight = random.random(n) + 0.5
        counts = np.ones(others, bool)
        share: Any
        if probabilities:
            self.targets = np.moveaxis(random.dirichlet(np.ones(n), others), -1, axis).astype(dtype)
            share = np.moveaxis(self.targets, axis, -1).astype(WIDE)
        else:
            self.targets = random.integers(0, n, others)
            share = np.zeros((*others, n), WIDE)
            np.put_along_axis(share, self.targets[..., np.newaxis], 1, -1)
            if ignored:
                counts = np.asarray(random.random(others) > 0.4)
                counts.flat[:1] = True
                self.targets = np.where(counts, self.targets, -100)
        self.share = ((1 - WIDE(smoothing)) * share + WIDE(smoothing) / n) * weight * counts[..., np.newaxis]
        self.total = counts.sum() if probabilities or not weighted else weight[self.targets[counts]].sum()

    def exact(self) -> tuple[np.ndarray, np.ndarray]:
        """The loss of each row, and the gradients of their sum."""
        x = np.moveaxis(self.logits, self.axis, -1).astype(WIDE)
        top, n = x.max(-1, keepdims=True), x.shape[-1]
        e, others = np.exp(x - top), 1 - np.eye(n, dtype=WIDE)
        # Sums without one of the classes, where 1 would cancel.
        beside_top = (e * (np.arange(n) != x.argmax(-1)[..., np.newaxis])).sum(-1, keepdims=True)
        losses = (self.share * (np.log1p(beside_top) + (top - x))).sum(-1)
        gradient = (e * (self.share @ others) - self.share * (e @ others)) / (1 + beside_top)
        return losses, np.moveaxis(gradient, -1, self.axis)

    def gradient_size(self) -> np.ndarray:
        """The magnitude of the two terms whose difference is the gradient."""
        x = np.moveaxis(self.logits, self.axis, -1).astype(WIDE)
        e = np.exp(x - x.max(-1, keepdims=True))
        p = e / e.sum(-1, keepdims=True)
        return np.moveaxis(p * (self.share.sum(-1, keepdims=True) - self.share) + self.share, -1, self.axis)


OPTIONS = [
    {}, {"ignored": True}, {"weighted": True}, {"smoothing": 0.1}, {"smoothing": 1.0}, {"probabilities": True},
    {"weighted": True, "smoothing": 0.2, "ignored": True}, {"probabilities": True, "weighted": True, "smoothing": 0.1},
]  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize(("shape", "axis"), SHAPES)
@pytest.mark.parametrize("scale", [0.1, 5, 60])
def test_cross_entropy(
    monkeypatch: pytest.MonkeyPatch, shape: tuple[int, ...], axis: int, options: Any, dtype: Any, scale: float
) -> None:
    case = Case(shape, axis, dtype, scale, **options)
    losses, gradients = case.exact()
    eps = np.finfo(dtype).eps
    function, arguments = fa.cross_entropy, (case.logits, case.targets, axis)
    for reduction, factor in (("none", 1), ("sum", 1), ("mean", 1 / WIDE(case.total))):
        keywords = {**case.options, "reduction": reduction}
        wanted = losses if reduction == "none" else losses.sum() * factor
        before = case.logits.copy()
        for _ in each_instruction_set(monkeypatch):
            value, gradient = function.value_and_grad(*arguments, **keywords)
            np.testing.assert_array_equal(case.logits, before)
            assert value.dtype == gradient.dtype == dtype
            assert np.shape(value) == (losses.shape if reduction == "none" else ())
            assert gradient.shape == shape
            np.testing.assert_allclose(value.astype(WIDE), wanted, rtol=4 * eps, atol=2 * np.finfo(dtype).tiny)
            np.testing.assert_array_equal(function(*arguments, **keywords), value)
            error = np.abs(gradient - factor * gradients)
            assert np.all(error <= 5 * eps * factor * case.gradient_size() + np.finfo(dtype).smallest_subnormal)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [10, 100])
def test_small_losses_keep_their_digits(isa: str, dtype: Any, n: int) -> None:
    """Loss and gradient keep their relative error, against mpmath, where the target has nearly all of the sum."""
    for lead in (5, 20, 60):
        x = np.zeros((1, n), dtype)
        x[0, 3] = lead
        value, gradient = fa.cross_entropy.value_and_grad(x, [3])
        with mpmath.workdps(60):
            rest = (n - 1) * mpmath.exp(-lead)
            for result, wanted in ((value, mpmath.log1p(rest)), (gradient[0, 3], -rest / (1 + rest))):
                assert abs(float(result) / wanted - 1) < 4 * np.finfo(dtype).eps


@pytest.mark.parametrize("half", HALVES, ids=str)
def test_halves_are_rounded_once(half: Any) -> None:
    case = Case((40, 10), 1, half)
    wide = case.logits.astype(np.float32)
    for reduction in "mean", "sum", "none":
        value, gradient = fa.cross_entropy.value_and_grad(case.logits, case.targets, reduction=reduction)
        others = fa.cross_entropy.value_and_grad(wide, case.targets, reduction=reduction)
        assert value.dtype == gradient.dtype == half
        with np.errstate(all="ignore"):
            assert np.array_equal(value, others[0].astype(half))
            assert np.array_equal(gradient, others[1].astype(half))
    for function in ELEMENTWISE:
        with np.errstate(all="ignore"):
            target = np.random.default_rng(0).random(case.logits.shape).astype(half)
        value, gradient = function.value_and_grad(case.logits, target)
        others = function.value_and_grad(wide, target.astype(np.float32))
        assert value.dtype == gradient.dtype == half
        with np.errstate(all="ignore"):
            assert np.array_equal([value, *gradient.flat], [each.astype(half) for each in (others[0], *others[1].flat)])


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize(("shape", "axis"), SHAPES)
def test_numpy_backend_agrees(shape: tuple[int, ...], axis: int, options: dict[str, Any]) -> None:
    case = Case(shape, axis, np.float64, **options)
    arguments = case.logits, case.targets, axis
    for reduction in "mean", "none":
        ours, theirs = (
            fa.cross_entropy.value_and_grad(*arguments, **case.options, reduction=reduction, backend=backend)
            for backend in ("cython", "numpy")
        )
        np.testing.assert_allclose(theirs[0], ours[0], rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(theirs[1], ours[1], rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize(("shape", "axis"), [((3, 5), 1), ((2, 4, 3), 1), ((2, 70), 1)])
def test_gradient_is_the_derivative(shape: tuple[int, ...], axis: int, options: dict[str, Any]) -> None:
    case, h = Case(shape, axis, np.float64, 1, **options), 1e-5
    gradient = fa.cross_entropy.value_and_grad(case.logits, case.targets, axis, **case.options)[1]
    for i in itertools.islice(np.ndindex(shape), 40):
        step = np.zeros(shape)
        step[i] = h
        above, below = (
            fa.cross_entropy(case.logits + sign * step, case.targets, axis, **case.options) for sign in (1, -1)
        )
        assert gradient[i] == pytest.approx((above - below) / (2 * h), abs=1e-9)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_torch_cross_entropy(options: dict[str, Any]) -> None:
    """Names and meanings are PyTorch's, whose classes lie along axis 1."""
    torch = pytest.importorskip("torch")
    case = Case((6, 5, 4), 1, np.float64, **options)
    keywords = {key: torch.from_numpy(each) if key == "weight" else each for key, each in case.options.items()}
    for reduction in "mean", "sum", "none":
        x = torch.from_numpy(case.logits).requires_grad_()
        loss = torch.nn.functional.cross_entropy(x, torch.from_numpy(case.targets), reduction=reduction, **keywords)
        loss.sum().backward()
        value, gradient = fa.cross_entropy.value_and_grad(
            case.logits, case.targets, 1, reduction=reduction, **case.options
        )
        np.testing.assert_allclose(value, loss.detach().numpy(), rtol=1e-12)
        np.testing.assert_allclose(gradient, x.grad.numpy(), atol=1e-13)


def test_ignored_rows_are_never_read(isa: str) -> None:
    for n in (5, 100):
        x = np.random.default_rng(0).normal(size=(40, n)).astype(np.float32)
        y = np.zeros(40, int)
        y[::2] = 255
        wanted = fa.cross_entropy.value_and_grad(x[1::2], y[1::2])
        x[::2] = np.nan
        value, gradient = fa.cross_entropy.value_and_grad(x, y, ignore_index=255)
        assert value == pytest.approx(wanted[0], rel=1e-6)
        np.testing.assert_array_equal(gradient[1::2], wanted[1])
        assert not gradient[::2].any()
        assert np.isnan(fa.cross_entropy(x, np.full(40, 255), ignore_index=255))
        assert fa.cross_entropy(x, np.full(40, 255), ignore_index=255, reduction="sum") == 0


def test_specials(isa: str) -> None:
    for n in (3, 80):
        x = np.zeros((6, n), np.float32)
        x[0, 0], x[1, 1], x[2, 0], x[3], x[4, 0] = np.nan, np.inf, -np.inf, -np.inf, 1e30
        value, gradient = fa.cross_entropy.value_and_grad(x, [0, 0, 0, 0, 1, 1], reduction="none")
        assert np.isnan(value[[0, 1, 3]]).all()
        assert value[2] == np.inf
        assert value[4] == np.float32(1e30)
        assert np.isnan(gradient[[0, 1, 3]]).all()
        assert gradient[2, 0] == -1
        np.testing.assert_allclose(gradient[2, 1:], 1 / (n - 1), rtol=1e-6)
        assert gradient[4, 0] == -gradient[4, 1] == 1
        share = np.zeros((6, n))
        share[:, 1] = 1
        assert fa.cross_entropy(x, share, reduction="none")[2] == pytest.approx(np.log(n - 1), rel=1e-6)


@pytest.mark.parametrize("backend", ["cython", "numpy"])
def test_impossible_classes(isa: str, backend: str) -> None:
    """A logit of -inf makes the loss infinite where its class has a weight, and has no effect where it has none."""
    for n in (3, 80):
        x = np.zeros((40, n), np.float32)
        x[::3, :2] = -np.inf
        impossible = np.arange(40) % 3 == 0
        for axis, logits in ((1, x), (0, np.ascontiguousarray(x.T))):
            even = np.full(logits.shape, 1 / n, np.float32)
            value = fa.cross_entropy(logits, even, axis, reduction="none", backend=backend)
            np.testing.assert_array_equal(value == np.inf, impossible)
            assert np.isfinite(value[~impossible]).all()
            smoothed: dict[str, Any] = {"label_smoothing": 0.1, "reduction": "none", "backend": backend}
            value = fa.cross_entropy(logits, np.full(40, 2), axis, **smoothed)
            np.testing.assert_array_equal(value == np.inf, impossible)
            weight = np.arange(n) > 1
            value = fa.cross_entropy(logits, np.zeros(40, int), axis, weight=weight, reduction="none", backend=backend)
            np.testing.assert_array_equal(value, 0)


@pytest.mark.parametrize("order", ["C", "F", "reversed", "swapped", "read-only"])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_layouts_and_out(axis: int, order: str) -> None:
    case = Case((6, 7, 8), axis, np.float32)
    function, plain = fa.cross_entropy.value_and_grad, case.logits
    wanted, gradient = function(plain, case.targets, axis)
    x = plain.copy("F" if order == "F" else "C")
    if order == "reversed":
        x = x[::-1, ::-1, ::-1].copy()[::-1, ::-1, ::-1]
    elif order == "swapped":
        x = x.astype(x.dtype.newbyteorder())
    x.flags.writeable = order != "read-only"
    for dtype in np.int8, np.uint64, np.int32:
        value, result = function(x, case.targets.astype(dtype).copy("F"), axis)
        assert value == wanted
        np.testing.assert_array_equal(result, gradient)
    for out in (
        np.empty_like(plain),
        np.empty(plain.shape, np.float32, "F"),
        np.empty((6, 7, 16), np.float32)[..., ::2],
    ):
        value, result = function(x, case.targets, axis, out=out)
        assert result is out
        assert value == wanted
        np.testing.assert_array_equal(result, gradient)
    if x.flags.writeable and x.dtype.isnative:
        assert function(x, case.targets, axis, out=x)[1] is x
        np.testing.assert_array_equal(x, gradient)


@pytest.mark.parametrize("n", [10, 100])
def test_out_may_overlap_anything(n: int) -> None:
    case = Case((50, n), 1, np.float64, probabilities=True)
    wanted = fa.cross_entropy.value_and_grad(case.logits, case.targets)
    size = case.logits.size
    for offsets in (
        (0, 3, size + 9),
        (3, 0, size + 9),
        (0, size + 9, size + 12),
        (0, size + 9, size + 9),
        (0, size, 0),
    ):
        memory = np.zeros(2 * size + 12)
        x, y, out = (memory[i : i + size].reshape(50, n) for i in (offsets[0], offsets[2], offsets[1]))
        y[...] = case.targets
        x[...] = case.logits
        if not np.array_equal(y, case.targets):
            continue
        value, gradient = fa.cross_entropy.value_and_grad(x, y, out=out)
        assert value == wanted[0]
        np.testing.assert_array_equal(gradient, wanted[1])


@pytest.mark.parametrize("options", [{}, {"probabilities": True}, {"smoothing": 0.1}], ids=str)
@pytest.mark.parametrize("shape", [(9000, 10), (700, 200), (3, 70_000)])
def test_threads_do_not_change_bits(shape: tuple[int, int], options: dict[str, Any]) -> None:
    case, before = Case(shape, 1, np.float32, **options), fa.get_num_threads()
    results = []
    try:
        for threads in (1, 2):
            fa.set_num_threads(threads)
            value, gradient = fa.cross_entropy.value_and_grad(case.logits, case.targets, **case.options)
            results.append((value.tobytes(), gradient.tobytes()))
    finally:
        fa.set_num_threads(before)
    assert results[0] == results[1]


def test_empty() -> None:
    for reduction, wanted in (("sum", 0), ("mean", np.nan)):
        value, gradient = fa.cross_entropy.value_and_grad(np.zeros((0, 3)), np.zeros(0, int), reduction=reduction)
        np.testing.assert_equal(value, wanted)
        assert gradient.shape == (0, 3)
        for function in ELEMENTWISE:
            value, gradient = function.value_and_grad(np.zeros((0, 3)), np.zeros((0, 3)), reduction=reduction)
            np.testing.assert_equal(value, wanted)
            assert gradient.shape == (0, 3)
    with pytest.raises(ValueError, match=r"logits has shape \(3, 0\): there are no classes along axis 1"):
        fa.cross_entropy(np.zeros((3, 0)), np.zeros(3, int))


def test_wrong_targets_are_named() -> None:
    x = np.zeros((2, 3, 4))
    y = np.zeros((2, 3), int)
    y[1, 2], y[1, 1] = 4, -1
    cases: list[tuple[str, dict[str, Any]]] = [
        (r"targets\[1, 1\] is -1; 4 classes are 0 to 3, and ignore_index=-100", {}),
        (r"targets\[1, 2\] is 4; 4 classes are 0 to 3, and ignore_index=-1", {"ignore_index": -1}),
    ]
    for message, keywords in cases:
        for backend in "cython", "numpy":
            with pytest.raises(ValueError, match=message):
                fa.cross_entropy(x, y, backend=backend, **keywords)
            with pytest.raises(ValueError, match=message):
                fa.cross_entropy.value_and_grad(x, y, backend=backend, **keywords)
    with pytest.raises(ValueError, match=r"targets\[0\] is 9223372036854775807"):
        fa.cross_entropy(x[0, :1], np.array([2**64 - 100], np.uint64))  # which wraps to -100
    with pytest.raises(ValueError, match="targets is 7"):
        fa.cross_entropy(np.zeros(3), 7)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, *HALVES], ids=str)
@pytest.mark.parametrize("shape", [(6, 5), (4, 5, 3), (5,)])
def test_nll_loss_is_cross_entropy_of_log_softmax(shape: tuple[int, ...], dtype: Any) -> None:
    axis = 0 if len(shape) == 1 else 1
    case = Case(shape, axis, dtype, weighted=True, ignored=True)
    weight = case.options["weight"]
    tolerance = 8 * float(ml_dtypes.finfo(dtype).eps)
    log_probabilities = fa.log_softmax(case.logits, axis)
    for reduction in "mean", "sum", "none":
        keywords: dict[str, Any] = {"weight": weight, "reduction": reduction}
        value = fa.nll_loss(log_probabilities, case.targets, axis, **keywords)
        wanted = fa.cross_entropy(case.logits.astype(float), case.targets, axis, **keywords)
        assert value.dtype == dtype
        np.testing.assert_allclose(value.astype(float), wanted, rtol=tolerance, atol=tolerance)
    with pytest.raises(ValueError, match="classes are 0 to 4"):
        fa.nll_loss(log_probabilities, np.full_like(case.targets, 5), axis)
    with pytest.raises(TypeError, match="targets has dtype float64; classes are integers"):
        fa.nll_loss(log_probabilities, case.targets * 1.0, axis)


def test_wrong_arguments() -> None:
    x, y = np.zeros((2, 3)), np.zeros(2, int)
    for message, arguments, keywords in (
        (r"targets has dtype int64 and shape \(3,\); classes are integers of shape \(2,\)", (x, np.zeros(3, int)), {}),
        (r"targets has dtype float64 and .* probabilities are floats of shape \(2, 3\)", (x, np.zeros(2)), {}),
        (r"weight has shape \(2,\); 3 classes have \(3,\)", (x, y), {"weight": [1, 2]}),
        ("label_smoothing=1.5", (x, y), {"label_smoothing": 1.5}),
        ("reduction='avg'; known: mean, sum, none", (x, y), {"reduction": "avg"}),
        (r"out has shape \(3, 2\)", (x, y), {"out": np.zeros((3, 2))}),
    ):
        with pytest.raises(ValueError, match=message):
            fa.cross_entropy.value_and_grad(*arguments, **keywords)
    with pytest.raises(np.exceptions.AxisError):
        fa.cross_entropy(x, y, 2)
    with pytest.raises(np.exceptions.AxisError):
        fa.cross_entropy(1.0, 0)
    with pytest.raises(TypeError, match="out has dtype float32"):
        fa.cross_entropy.value_and_grad(x, y, out=np.zeros((2, 3), np.float32))
    for bad in (x * 1j, np.array([["a"]]), x.astype(object)):
        with pytest.raises(TypeError, match="not supported"):
            fa.cross_entropy(bad, y)
        for function in ELEMENTWISE:
            with pytest.raises(TypeError, match="not supported"):
                function(bad, 1.0)
    with pytest.raises(fa.BackendError, match="'serial' has no class loss functions"):
        fa.cross_entropy(x, y, backend="serial")
    for function in ELEMENTWISE:
        with pytest.raises(TypeError, match=r"unexpected keyword argument 'weigth'; did you mean 'weight'"):
            function(x, x, weigth=2)
        with pytest.raises(ValueError, match="reduction='avg'"):
            function(x, x, reduction="avg")
        with pytest.raises(ValueError, match=r"out has shape \(3, 2\)"):
            function.value_and_grad(x, x, out=np.zeros((3, 2)))
        with pytest.raises(ValueError, match="broadcast"):
            function(x, np.zeros(2))


def mp_loss(name: str, x: Any, t: Any, first: Any, weight: Any) -> tuple[Any, Any]:
    """Value and slope of an elementwise loss by its definition; `first` is pos_weight, delta or q."""
    d = x - t
    if name == "mse":
        return weight * d * d, weight * 2 * d
    if name == "huber":
        if abs(d) <= first:
            return weight * d * d / 2, weight * d
        return weight * first * (abs(d) - first / 2), weight * first * mpmath.sign(d)
    if name == "mae":
        return weight * abs(d), weight * mpmath.sign(d)
    if name == "quantile_loss":
        slope = -first if d < 0 else 1 - first
        return weight * slope * d, weight * slope
    if name == "poisson_loss":
        return weight * (mpmath.exp(x) - t * x), weight * (mpmath.exp(x) - t)
    p, q = 1 / (1 + mpmath.exp(-x)), 1 / (1 + mpmath.exp(x))
    value = -weight * (first * t * mpmath.log(p) + (1 - t) * mpmath.log(q))
    return value, weight * ((1 - t) * p - first * t * q)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("function", ELEMENTWISE, ids=lambda each: each.name)
def test_elementwise_against_mpmath(function: Any, dtype: Any) -> None:
    random = np.random.default_rng(0)
    x = (random.normal(size=300) * 8).astype(dtype)
    t = (random.random(300) if function is fa.binary_cross_entropy else random.normal(size=300)).astype(dtype)
    t[:100] = t[:100] > 0.5
    weight = (random.random(300) + 0.5).astype(dtype)
    name, first = PARAMETERS.get(function.name, ("", 0.0))
    keywords: dict[str, Any] = {"weight": weight} | ({name: first} if name else {})
    eps = float(np.finfo(dtype).eps)
    values, gradients = function.value_and_grad(x, t, reduction="none", **keywords)
    np.testing.assert_array_equal(function(x, t, reduction="none", **keywords), values)
    with mpmath.workdps(50):
        exact = [
            mp_loss(function.name, *(mpmath.mpf(float(e)) for e in (*row, first, w)))
            for *row, w in zip(x, t, weight, strict=True)
        ]
        for i, (value, slope) in enumerate(exact):
            size = abs(slope) + 4 * weight[i] * (function is fa.binary_cross_entropy and 0 < t[i] < 1)
            distance = abs(float(x[i]) - float(t[i]))
            near, large = 1.0, abs(value)
            if function is fa.poisson_loss:  # a difference
                large = weight[i] * (mpmath.exp(float(x[i])) + abs(float(t[i]) * float(x[i])))
                size = weight[i] * (mpmath.exp(float(x[i])) + abs(float(t[i])))
            elif function is not fa.binary_cross_entropy:
                near = max(abs(float(x[i])), abs(float(t[i]))) / max(distance, 1e-9)
            assert abs(float(values[i]) - value) <= 4 * near * eps * large
            assert abs(float(gradients[i]) - slope) <= 4 * near * eps * size
    total = float(sum(value for value, _ in exact))
    assert float(function(x, t, reduction="sum", **keywords)) == pytest.approx(total, rel=8 * eps)
    mean, gradient = function.value_and_grad(x, t, **keywords)
    assert float(mean) == pytest.approx(total / 300, rel=8 * eps)
    np.testing.assert_allclose(gradient, gradients / 300, rtol=2 * eps)


def pinball(x: Any, target: Any, q: float, reduction: str) -> Any:
    """The quantile loss, which PyTorch lacks."""
    d = target - x
    values = (q * d).maximum((q - 1) * d)
    return values if reduction == "none" else getattr(values, reduction)()


@pytest.mark.parametrize("function", ELEMENTWISE, ids=lambda each: each.name)
def test_torch_elementwise(function: Any) -> None:
    torch = pytest.importorskip("torch")
    random = np.random.default_rng(0)
    x, t = random.normal(size=(7, 5)) * 5, random.random((7, 5))
    functional, columns = torch.nn.functional, random.random(5) + 0.5
    calls: dict[str, tuple[Any, dict[str, Any]]] = {
        "binary_cross_entropy": (
            functional.binary_cross_entropy_with_logits,
            {"pos_weight": columns, "weight": columns},
        ),
        "mse": (functional.mse_loss, {}),
        "mae": (functional.l1_loss, {}),
        "huber": (functional.huber_loss, {"delta": 0.7}),
        "poisson_loss": (functional.poisson_nll_loss, {}),
        "quantile_loss": (pinball, {"q": 0.2}),
    }
    call, keywords = calls[function.name]
    for reduction in "mean", "sum", "none":
        tensor = torch.from_numpy(x).requires_grad_()
        tensors = {k: torch.as_tensor(each) if k not in ("delta", "q") else each for k, each in keywords.items()}
        loss = call(tensor, torch.from_numpy(t), reduction=reduction, **tensors)
        loss.sum().backward()
        for backend in None, "numpy":
            value, gradient = function.value_and_grad(x, t, reduction=reduction, backend=backend, **keywords)
            np.testing.assert_allclose(value, loss.detach().numpy(), rtol=1e-11)
            np.testing.assert_allclose(gradient, tensor.grad.numpy(), rtol=1e-9, atol=1e-14)
            np.testing.assert_allclose(
                function(x, t, reduction=reduction, backend=backend, **keywords), value, rtol=1e-12
            )


def test_binary_cross_entropy_saturates() -> None:
    x = np.array([-np.inf, -1e30, -800, 800, 1e30, np.inf])
    right, wrong = x > 0, x < 0
    values, gradients = fa.binary_cross_entropy.value_and_grad(x, right, reduction="none")
    assert not values[[0, 1, 4, 5]].any()
    assert not gradients[[0, 1, 4, 5]].any()
    values, gradients = fa.binary_cross_entropy.value_and_grad(x, wrong, reduction="none")
    np.testing.assert_array_equal(values, np.abs(x))
    np.testing.assert_array_equal(gradients, np.sign(x))
    assert np.isnan(fa.binary_cross_entropy([np.nan, 0.0], [1, 0], reduction="none")[0])


def test_dtypes_of_elementwise_losses() -> None:
    f4 = np.ones(3, np.float32)
    for x, t, weight, dtype in (
        (f4, [1, 0, 1], 1.0, "f4"), (f4, np.array([True, False, True]), np.ones(3), "f4"), (f4, np.ones(3), 2, "f8"),
        ([1, 2, 3], f4, 1.0, "f8"), (f4.astype("f2"), f4, 1.0, "f4"), (f4.astype("f2"), [1, 2, 3], 0.5, "f2"),
    ):  # fmt: skip
        for function in ELEMENTWISE:
            value, gradient = function.value_and_grad(x, t, weight=weight)
            assert value.dtype == gradient.dtype == dtype
            assert function(x, t, weight=weight) == value
            out = np.empty(3, dtype)
            assert function.value_and_grad(x, t, weight=weight, out=out)[1] is out
            np.testing.assert_array_equal(out, gradient)


@pytest.mark.parametrize("function", ELEMENTWISE, ids=lambda f: f.name)
def test_python_numbers_are_weak(function: Any) -> None:
    """As in NumPy's arithmetic, a Python number keeps the array's floating dtype; a NumPy number may widen it."""
    for dtype in (*HALVES, *map(np.dtype, DTYPES)):
        x = np.array([0.25, 0.5, 3]).astype(dtype)
        for number in (0.0, 1, True, 10**30):
            for operands in ((x, number), (number, x)):
                value, gradient = function.value_and_grad(*operands)
                assert value.dtype == gradient.dtype == function(*operands).dtype == dtype
                arrays = (np.asarray(each, dtype) for each in operands) if number != 10**30 else operands
                np.testing.assert_array_equal(function.value_and_grad(*arrays)[1], gradient)
        assert function(x, np.float64(0)).dtype == np.float64
    for each in (0.5, [1, 2], np.ones(2, np.int8)):
        assert function(each, 0.25).dtype == np.float64


@pytest.mark.parametrize("weight", [None, [0.1, 1 / 3, 3, 0.7]], ids=str)
@pytest.mark.parametrize("dtype", [*HALVES, *DTYPES, ">f4", ">f8"], ids=str)
def test_soft_targets_of_every_dtype(isa: str, dtype: Any, weight: Any) -> None:
    """Targets that every dtype can hold give the same result in each, smoothed or not."""
    x, targets = np.random.default_rng(0).normal(size=(2, 4, 50_000)), np.zeros((2, 4, 50_000))
    targets[..., 3:5] = 0.25, 0.75
    weights = None if weight is None else np.resize(weight, 50_000)
    for logits in (x, x.astype("f4")):
        for smoothing in (0, 0.1, np.float32(0.1)):
            given: dict[str, Any] = {"label_smoothing": smoothing, "weight": weights}
            wanted, slope = fa.cross_entropy.value_and_grad(logits.astype("f8"), targets, **given)
            value, gradient = fa.cross_entropy.value_and_grad(logits, targets.astype(dtype), **given)
            eps = np.finfo(logits.dtype).eps
            np.testing.assert_allclose(value, wanted, rtol=4 * eps)
            np.testing.assert_allclose(gradient, slope, rtol=0, atol=8 * eps * np.abs(slope).max())


def test_sums_of_many_elements_keep_their_digits(isa: str) -> None:
    x = np.full(3_000_001, 0.1, np.float32)
    exact = float(x[0]) ** 2
    assert fa.mse(x, 0.0) == pytest.approx(exact, rel=2e-7)
    assert fa.mse(x, 0.0, reduction="sum") == pytest.approx(exact * x.size, rel=2e-7)


def test_pickle_and_text() -> None:
    for function in ALL:
        assert pickle.loads(pickle.dumps(function)) is copy.deepcopy(function) is function
        assert function.name in repr(function)
        for section in "Parameters", "Returns", "Raises", "Notes":
            assert f"\n{section}\n---" in function.__doc__.replace("\n    ", "\n")
