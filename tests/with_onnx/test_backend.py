"""ONNX's own node tests, run through the backend, and what the backend says to wrong calls."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fastact as fa
from helpers.onnx_cases import cases, expanded

onnx = pytest.importorskip("onnx")
backend = pytest.importorskip("fastact.onnx.backend")

#: Operator -> how many cases onnx has of it, and how many expansions of them.
COUNTS = {
    "Celu": (3, 3), "Elu": (3, 3), "Erf": (1, 0), "Exp": (2, 0), "Gelu": (4, 4), "HardSigmoid": (3, 3),
    "HardSwish": (1, 1), "Hardmax": (7, 0), "LeakyRelu": (3, 3), "LogSoftmax": (7, 14), "Mish": (1, 1), "PRelu": (2, 2),
    "Relu": (1, 1), "Selu": (3, 3), "Shrink": (2, 2), "Sigmoid": (2, 0), "Softmax": (7, 14), "Softplus": (2, 2),
    "Softsign": (2, 2), "SwiGLU": (3, 3), "Swish": (1, 1), "Tanh": (2, 0), "ThresholdedRelu": (3, 3),
    "Clip": (12, 12), "ReduceLogSumExp": (9, 9),
    "SoftmaxCrossEntropyLoss": (34, 34), "NegativeLogLikelihoodLoss": (18, 18),
}  # fmt: skip

#: Of the newest onnx that the table is of; an older one has fewer cases, a newer one more.
VERSION = "1.23"

#: By dtype; the expected values were computed in it.
TOLERANCES = {"float64": 1e-7, "float32": 2e-6, "float16": 2e-3, "bfloat16": 1e-2}


def check(case: Any) -> None:
    """Run a case, of which nothing is left out, and compare all its outputs."""
    prepared = backend.prepare(case.model)
    assert case.data_sets
    for inputs, outputs in case.data_sets:
        results = prepared.run(list(inputs))
        for result, wanted in zip(results, outputs, strict=True):
            assert (result.dtype, result.shape) == (wanted.dtype, wanted.shape)
            tolerance = TOLERANCES.get(str(wanted.dtype), 0)
            result, wanted = (np.asarray(each, np.float64) for each in (result, wanted))
            np.testing.assert_allclose(result, wanted, tolerance, tolerance / 10, err_msg=case.name)


@pytest.mark.parametrize("operator", COUNTS)
def test_node_cases(operator: str) -> None:
    for case in cases(operator):
        check(case)


@pytest.mark.parametrize("operator", [name for name, (_, count) in COUNTS.items() if count])
def test_expanded_cases(operator: str) -> None:
    """In which an operator is written out in others: Softmax, for example, with Exp."""
    for case in expanded(operator):
        check(case)


def test_counts() -> None:
    """86 of 86 elementwise and softmax-like cases, 138 with the losses, and as many expansions."""
    found = {operator: (len(cases(operator)), len(expanded(operator))) for operator in COUNTS}
    if onnx.__version__.startswith(VERSION):
        assert found == COUNTS
        losses = "SoftmaxCrossEntropyLoss", "NegativeLogLikelihoodLoss"
        others = [counts for name, counts in found.items() if name not in losses]
        assert tuple(map(sum, zip(*others, strict=True))) == (86, 86)
        assert tuple(map(sum, zip(*found.values(), strict=True))) == (138, 138)
    assert all(count for count, _ in found.values() if onnx.__version__ >= VERSION)


def test_nodes_are_run_by_fastact(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each operator of the table is, and no other way leads around it."""
    for operator in COUNTS:
        assert {each.__name__: each for each in backend._CLASSES}[operator]
        for case in cases(operator)[:1]:
            assert type(backend.evaluator(case.model).rt_nodes_[0]) in backend._CLASSES, operator
    assert set(COUNTS) == set(backend.OPERATORS)


def test_run_node_and_run_model() -> None:
    node = onnx.helper.make_node("Elu", ["x"], ["y"], alpha=0.5)
    x = np.linspace(-2, 2, 9, dtype=np.float32)
    (y,) = backend.run_node(node, [x])
    assert (y == fa.elu(x, 0.5)).all()
    graph = onnx.helper.make_graph(
        [node],
        "one",
        [onnx.helper.make_tensor_value_info("x", 1, ["n"])],
        [onnx.helper.make_tensor_value_info("y", 1, ["n"])],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)])
    assert (backend.run_model(model, [x])[0] == y).all()
    assert (backend.prepare(model).run({"x": x})[0] == y).all()
    assert (backend.prepare(model).run(x)[0] == y).all()
    with pytest.raises(ValueError, match="inputs lacks x"):
        backend.run_model(model, {"z": x})


def test_rows_of_old_softmax() -> None:
    """Before operator set 13 all axes from the given one on are one row."""
    x = np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32)
    node = onnx.helper.make_node("Softmax", ["x"], ["y"], axis=1)
    (old,), (new,) = (backend.run_node(node, [x], opset_version=version) for version in (11, 13))
    assert (old == fa.softmax(x.reshape(2, 12)).reshape(x.shape)).all()
    assert (new == fa.softmax(x, axis=1)).all()


def test_devices() -> None:
    assert backend.supports_device("CPU:0")
    assert not backend.supports_device("CUDA")
    model = cases("Relu")[0].model
    assert backend.FastactBackend.is_compatible(model)
    with pytest.raises(ValueError, match="device='CUDA'; this backend runs on the CPU"):
        backend.prepare(model, "CUDA")
