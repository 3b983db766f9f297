"""The examples of docstrings give what they say: those of modules, and those that public objects carry."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastact as fa
from helpers import ROOT

MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in sorted((ROOT / "fastact").rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]
PUBLIC = [name for name in fa.__all__ if ">>> " in (getattr(fa, name).__doc__ or "")]


@pytest.fixture
def run(own_registry: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run the examples of a docstring in an empty folder, and forget the activations that they define."""
    monkeypatch.chdir(tmp_path)

    def check(test: doctest.DocTest) -> None:
        output: list[str] = []
        failed, _ = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=output.append)
        assert not failed, "".join(output)

    return check


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_modules(name: str, run: Any) -> None:
    for library in ("torch", "onnx"):
        if name.startswith(f"fastact.{library}"):
            pytest.importorskip(library)
    tests = doctest.DocTestFinder(exclude_empty=True).find(importlib.import_module(name), globs={"fa": fa, "np": np})
    for test in tests:
        run(test)


@pytest.mark.parametrize("name", PUBLIC)
def test_examples_of_public_objects(name: str, run: Any) -> None:
    """Functions of the catalogue are objects, in which doctest's own search does not look."""
    run(doctest.DocTestParser().get_doctest(getattr(fa, name).__doc__, {"fa": fa, "np": np}, name, None, None))
