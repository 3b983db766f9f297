"""ONNX's tests of Softmax, LogSoftmax, Hardmax and ReduceLogSumExp, run for fastact's functions.

The tolerances are those of the expected values, which NumPy computed in the input's dtype.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fastact as fa
from helpers import onnx_cases

OVER_AXIS: dict[str, tuple[Any, int]] = {
    "Softmax": (fa.softmax, 7),
    "LogSoftmax": (fa.log_softmax, 7),
    "Hardmax": (fa.hardmax, 7),
}


@pytest.mark.parametrize("backend", ["auto", "serial", "numpy"])
@pytest.mark.parametrize("operator", OVER_AXIS)
def test_over_an_axis(operator: str, backend: str) -> None:
    function, count = OVER_AXIS[operator]
    onnx_cases.check(
        operator,
        count,
        lambda case: function(*case.inputs, axis=case.attributes.get("axis", -1), backend=backend),
        2e-6,
    )


@pytest.mark.parametrize("backend", ["auto", "serial", "numpy"])
def test_reduce_log_sum_exp(backend: str) -> None:
    def reduce(case: onnx_cases.Case) -> Any:
        x, *axes = case.inputs
        axis: Any = tuple(axes[0].tolist()) if axes else ()
        if not axis and not case.attributes.get("noop_with_empty_axes"):
            axis = None
        return np.asarray(fa.logsumexp(x, axis, keepdims=bool(case.attributes.get("keepdims", 1)), backend=backend))

    onnx_cases.check("ReduceLogSumExp", 9, reduce, 2e-6)
