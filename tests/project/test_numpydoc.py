"""Public docstrings have the sections that pyproject.toml asks for in [tool.numpydoc_validation], and say the truth."""

from __future__ import annotations

import importlib
import inspect
import re
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest

from helpers import ROOT

validate = pytest.importorskip("numpydoc.validate", reason="numpydoc is not installed (extra: docs)")

SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["numpydoc_validation"]
#: Module -> its public names; None for those of `__all__`.
MODULES: dict[str, list[str] | None] = {
    "fastact": None,
    "fastact.cli.about": ["about", "text"],
    "fastact.learn.data.named": ["problem"],
    "fastact.learn.diagnostics": None,
    "fastact.learn.experiments": None,
    "fastact.language": ["use"],
    "fastact.onnx": None,
    "fastact.onnx.backend": None,
    "fastact.functions.own": None,
    "fastact.learn.pages.explorer": ["write"],
    "fastact.learn.pages.report": ["write"],
    "fastact.sklearn": None,
    "fastact.torch": None,
}
#: Of a method's docstring of one line these are not asked for.
OF_LONG_ONES = {"EX01", "PR01", "RT01"}


def public(module: str) -> Iterator[tuple[str, Any, bool]]:
    """The name of each public object of a module and, if it is a class, of its methods; whether it is one of these."""
    owner = importlib.import_module(module)
    for name in MODULES[module] or owner.__all__:
        found = getattr(owner, name)
        if not callable(found) or any(re.search(each, f"{module}.{name}") for each in SETTINGS["exclude"]):
            continue
        yield f"{module}.{name}", found, False
        if inspect.isclass(found):
            for method, each in vars(found).items():
                if method[0] != "_" and (inspect.isfunction(each) or isinstance(each, classmethod)):
                    yield f"{module}.{name}.{method}", getattr(found, method), True


def faults(found: Any, is_method: bool) -> Iterator[str]:
    """What is wrong with the docstring of an object."""
    text = inspect.getdoc(found) or ""
    has_parameters = "\nParameters\n---" in text
    keywords = re.search(r"\*\*\w+", str(inspect.signature(found)))
    for code, message in validate.validate(validate.get_doc_object(found))["errors"]:
        if code not in SETTINGS["checks"]:
            continue
        if is_method and code in OF_LONG_ONES - ({"PR01"} if has_parameters else set()):
            continue
        if code == "PR01" and inspect.isclass(found) and not has_parameters:
            continue  # one that fastact itself makes; it lists attributes
        # Keywords of which there may be any are documented one by one.
        if keywords and (code == "PR02" or message == f"Parameters {{'{keywords[0]}'}} not documented"):
            continue
        yield f"{code} {message}"


@pytest.mark.parametrize("module", MODULES)
def test_docstrings(module: str) -> None:
    if "onnx" in module or "sklearn" in module or "torch" in module:
        pytest.importorskip(module.split(".")[1])
    found = {name: list(faults(each, is_method)) for name, each, is_method in public(module)}
    assert {name: wrong for name, wrong in found.items() if wrong} == {}


def test_faults_are_found() -> None:
    def short(x: int) -> int:
        """Double a number"""
        return 2 * x

    codes = {each[:4] for each in faults(short, False)}
    assert codes == {"SS03", "PR01", "RT01", "EX01"}
