"""What the tests of the cuda backend share: its functions, what they are given, and how results are compared.

test_cuda_code.py looks at the code that is generated, test_cuda_simulated.py runs kernels in Numba's simulator, and
test_cuda.py everything on a real GPU. The loops run over the registry: a new activation is covered without a line here.
"""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
import pytest

import fastact as fa
from fastact.backends.cuda import availability

ACTIVATIONS = [f for f in map(fa.get, fa.names()) if isinstance(f, fa.Activation)]
OPERATIONS = [part for f in ACTIVATIONS for part in (f, f.derivative, f.backward)]
OPERATIONS += [fa.swiglu, fa.swiglu.backward, fa.geglu.backward, fa.gelu.with_bias]
BY_NAME = {operation.name: operation for operation in OPERATIONS}
SPARSE = [fa.sparsemax, fa.entmax15, fa.hardmax]
FLOATS = ["float32", "float64"]

needs_numba_cuda = pytest.mark.skipif(
    importlib.util.find_spec("numba_cuda") is None or availability.SIMULATED, reason="numba-cuda is not installed"
)


def on_gpu(test: Any) -> Any:
    """Mark a test that needs a card."""
    reason = availability.why_not()
    return pytest.mark.gpu(pytest.mark.skipif(reason is not None, reason=str(reason))(test))


def assert_same(actual: Any, expected: Any) -> None:
    """Equal bits, except that any NaN is as good as another."""
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert (actual.dtype, actual.shape) == (expected.dtype, expected.shape)
    if actual.dtype.kind != "f":
        np.testing.assert_array_equal(actual, expected)
        return
    integer = f"i{actual.itemsize}"
    a, e = np.ascontiguousarray(actual), np.ascontiguousarray(expected)
    differ = (a.reshape(-1).view(integer) != e.reshape(-1).view(integer)) & ~(np.isnan(a) & np.isnan(e)).reshape(-1)
    where = np.flatnonzero(differ)[:5]
    assert not len(where), f"{differ.sum()} differ, as {a.reshape(-1)[where]} from {e.reshape(-1)[where]}"


def sample(dtype: str, n: int = 1 << 18) -> np.ndarray:
    """Numbers of every magnitude, NaN, infinities, zeros and subnormals among them."""
    bits = np.dtype(dtype).itemsize * 8
    spread = (np.arange(n, dtype=np.uint64) * np.uint64(((1 << bits) // n) | 1)).astype(f"u{bits // 8}").view(dtype)
    tiny = np.finfo(dtype).smallest_subnormal
    special = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, tiny, -tiny, 88.8, -88.8, -104.0, -745.5], dtype)
    usual = np.random.default_rng(0).normal(0, 5, n).astype(dtype)
    return np.concatenate([special, spread, usual])


def ulps(actual: np.ndarray, expected: np.ndarray) -> float:
    """Largest distance in units in the last place, from what is expected in a wider format."""
    return float(np.max(np.abs(actual - expected) / np.spacing(np.abs(expected.astype(actual.dtype)))))


LAYOUTS = {
    "step": lambda a: a[::2, ::3],
    "reversed": lambda a: a[::-1, ::-2],
    "transposed": lambda a: a.T,
    "column": lambda a: a[:, 1:2],
    "row": lambda a: a[1],
    "three axes": lambda a: a.reshape(3, 5, 8)[:, ::2, 1:5],
    "broadcast": lambda a: np.broadcast_to(a[:, :1], (15, 4)),
    "Fortran": lambda a: np.asfortranarray(a),
}


# --- the trainer ------------------------------------------------------------------------------------------------------

#: (output, loss, units, hidden activation, optimizer)
TRAINED = [
    ("softmax", "cross_entropy", 3, "relu", "adam"),
    ("sigmoid", "bce", 1, "leaky_relu", "sgd"),
    ("identity", "mse", 2, "softsign", "adam"),
    ("tanh", "huber", 1, "tanh", "sgd"),
]

#: What else a network may have, for the first kind.
OPTIONS: list[dict[str, Any]] = [
    {"batch_norm": True, "dropout": 0.3, "residual": True, "trainable": True},
    {"l2": 0.1, "l2_shared": True, "weight_decay": 0.1, "clip_norm": 0.5, "clip_value": 0.3},
    {"schedule": {"name": "cosine", "steps": 9, "warm_up": 2}},
]


def network(output: str, loss: str, units: int, hidden: str, optimizer: str, **settings: Any) -> fa.MLP:
    settings = {"seed": 0, "learning_rate": 0.05, "batch_size": 4, "dtype": np.float64, **settings}
    return fa.MLP((3, 4, units), hidden, output, loss, optimizer, **settings)


def samples(loss: str, units: int, n: int = 10) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    y = rng.normal(size=(n, units)) if loss in ("mse", "huber") else rng.integers(0, max(units, 2), n)
    return rng.normal(size=(n, 3)), y


def assert_trains_as_on_cpu(cupy: Any, kind: Any, dtype: str, n: int, weighted: bool = False, **options: Any) -> None:
    """Loss by loss, weight by weight and prediction by prediction, but for rounding."""
    x, y = samples(kind[1], kind[2], n)
    cpu, gpu = (network(*kind, dtype=dtype, device=name, **options) for name in ("cpu", "cuda"))
    weights = np.arange(1.0, n + 1) if weighted else None
    assert_same(cupy.asnumpy(gpu.parameters), cpu.parameters)
    for model in (cpu, gpu):
        model.fit(x, y, epochs=2, validation=(x[:5], y[:5]), sample_weight=weights)
    close = {"float32": {"rtol": 1e-3, "atol": 1e-4}, "float64": {"rtol": 1e-9, "atol": 1e-11}}[dtype]
    for array in ("parameters", "gradients"):
        found = getattr(gpu, array)
        assert type(found) is cupy.ndarray
        np.testing.assert_allclose(cupy.asnumpy(found), getattr(cpu, array), **close)
    assert gpu.history.keys() == cpu.history.keys()
    for name in gpu.history.keys() - {"seconds"}:
        assert {type(value) for value in gpu.history[name]} == {float}
        np.testing.assert_allclose(gpu.history[name], cpu.history[name], **close)
    calls = ["forward", "predict", *(["predict_proba"] if cpu.loss.classifies else [])]
    for call in calls:
        wanted, found, there = getattr(cpu, call)(x), getattr(gpu, call)(x), getattr(gpu, call)(cupy.asarray(x))
        assert type(found) is np.ndarray
        assert type(there) is cupy.ndarray
        assert found.dtype == wanted.dtype
        np.testing.assert_allclose(found, wanted, **close)
        assert_same(cupy.asnumpy(there), found)
    assert type(gpu.score(x, y)) is float
    assert gpu.score(cupy.asarray(x), y) == gpu.score(x, cupy.asarray(y)) == pytest.approx(cpu.score(x, y), rel=1e-3)
