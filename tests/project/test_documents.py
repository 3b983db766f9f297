"""The Python examples of docs/ run as printed, each page from top to bottom."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path
from typing import Any

import pytest

from helpers import ROOT

EXAMPLE = re.compile(r"```python\n(.*?)```", re.S)
PAGES = [path for path in sorted((ROOT / "docs").rglob("*.md")) if EXAMPLE.search(path.read_text(encoding="utf-8"))]


def libraries(examples: list[str]) -> set[str]:
    """The modules that the examples import."""
    found: set[str] = set()
    for node in ast.walk(ast.parse("\n".join(examples))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


@pytest.mark.usefixtures("own_registry")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_examples_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    examples = EXAMPLE.findall(page.read_text(encoding="utf-8"))
    for library in libraries(examples):
        try:
            importlib.import_module(library)
        except ImportError as error:
            pytest.skip(str(error))
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "example"}
    for example in examples:
        exec(compile(example, str(page), "exec"), names)
