"""ONNX's own tests of its operators: models of one node, with inputs and outputs, made by the onnx package."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest


class Case(NamedTuple):
    name: str
    attributes: dict[str, Any]
    inputs: list[np.ndarray]
    outputs: list[np.ndarray]


@functools.cache
def _collected() -> list[Any]:
    node = pytest.importorskip("onnx.backend.test.case.node")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some cases divide by 0 on purpose
        # For all operators at once: only the first call in a process collects anything.
        return node.collect_testcases()


def cases(operator: str) -> list[Case]:
    """The cases of an operator, without its expansions into other operators."""
    onnx = pytest.importorskip("onnx")
    found = []
    for each in _collected():
        nodes = each.model.graph.node
        if len(nodes) == 1 and nodes[0].op_type == operator:
            attributes = {a.name: onnx.helper.get_attribute_value(a) for a in nodes[0].attribute}
            found += [Case(each.name, attributes, list(inputs), list(outputs)) for inputs, outputs in each.data_sets]
    return found


def check(operator: str, count: int, call: Callable[[Case], Any], rtol: float, atol: float = 0) -> None:
    """Check that every case of the operator gives its outputs, and that there are at least `count`."""
    ran = cases(operator)
    assert len(ran) >= count, f"onnx has {len(ran)} cases of {operator}"
    for case in ran:
        results = call(case)
        results = results if isinstance(results, tuple) else (results,)
        for result, wanted in zip(results, case.outputs, strict=True):
            assert result.dtype == wanted.dtype, case.name
            assert result.shape == wanted.shape, case.name
            np.testing.assert_allclose(result, wanted, rtol, atol, err_msg=case.name)
