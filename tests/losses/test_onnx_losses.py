"""ONNX's own tests of SwiGLU, SoftmaxCrossEntropyLoss and NegativeLogLikelihoodLoss, run by fastact's functions."""

from __future__ import annotations

from typing import Any

import fastact as fa
from helpers.onnx_cases import Case, check


def options(case: Case) -> dict[str, Any]:
    """Keywords of fastact's losses; ONNX ignores nothing by default, and its classes lie along axis 1."""
    found: dict[str, Any] = {"axis": 1, "reduction": case.attributes.get("reduction", b"mean").decode()}
    if "ignore_index" in case.attributes:
        found["ignore_index"] = case.attributes["ignore_index"]
    if len(case.inputs) > 2:
        found["weight"] = case.inputs[2]
    return found


def test_softmax_cross_entropy_loss() -> None:
    def call(case: Case) -> Any:
        x, targets = case.inputs[:2]
        loss = fa.cross_entropy(x, targets, **options(case))
        value, _ = fa.cross_entropy.value_and_grad(x, targets, **options(case))
        assert (value == loss).all()
        return (loss, fa.log_softmax(x, axis=1)) if len(case.outputs) > 1 else loss

    check("SoftmaxCrossEntropyLoss", 34, call, rtol=1e-6)


def test_negative_log_likelihood_loss() -> None:
    def call(case: Case) -> Any:
        x, targets = case.inputs[:2]
        return fa.nll_loss(x, targets, **options(case))

    check("NegativeLogLikelihoodLoss", 18, call, rtol=1e-6)


def test_swiglu() -> None:
    """There the gate comes first, and alpha is swish's beta."""

    def call(case: Case) -> Any:
        gate, value = case.inputs
        alpha = case.inputs[0].dtype.type(case.attributes.get("alpha", 1.0))
        return fa.swiglu(value / alpha, alpha * gate)

    check("SwiGLU", 3, call, rtol=1e-6)
