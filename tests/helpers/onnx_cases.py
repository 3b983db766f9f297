"""ONNX's own tests of its operators: models of one node, or of its expansion, with inputs and outputs."""

from __future__ import annotations

import functools
import importlib
import pkgutil
import warnings
from typing import Any
from unittest import mock

import pytest


@functools.cache
def _collected(operator: str) -> dict[str, Any]:
    """Those of one operator, from its file alone: collecting all of them takes half a minute."""
    node = pytest.importorskip("onnx.backend.test.case.node")
    files = [info.name for info in pkgutil.iter_modules(node.__path__)]
    names = [name for name in files if name.replace("_", "") == operator.lower()]

    def import_some(package: Any) -> None:
        for name in names:
            importlib.import_module(f"{package.__name__}.{name}")

    with warnings.catch_warnings(), mock.patch.object(node, "import_recursive", import_some):
        warnings.simplefilter("ignore")  # some cases divide by 0 on purpose
        return {each.name: each for each in node.collect_testcases(None)}


def cases(operator: str) -> list[Any]:
    """The cases of an operator, each a model of this node alone."""
    single = [each for each in _collected(operator).values() if len(each.model.graph.node) == 1]
    return [each for each in single if each.model.graph.node[0].op_type == operator]


def expanded(operator: str) -> list[Any]:
    """The expansions of its cases into other operators."""
    names = [f"{each.name}_expanded" for each in cases(operator)]
    return [each for name, each in _collected(operator).items() if name.startswith(tuple(names))]
