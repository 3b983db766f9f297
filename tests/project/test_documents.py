"""The Python examples of docs/ run, each page from top to bottom, and print what stands in the block below them."""

from __future__ import annotations

import ast
import importlib
import io
import re
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from helpers.documents import DOCS

#: An example, and what it prints where a block of text follows at once.
EXAMPLE = re.compile(r"^```python\n(.*?)^```(?:\n+```text\n(.*?)^```)?", re.S | re.M)
PAGES = [path for path in DOCS if EXAMPLE.search(path.read_text(encoding="utf-8"))]


def libraries(examples: list[str]) -> set[str]:
    """The modules that the examples import."""
    found: set[str] = set()
    for node in ast.walk(ast.parse("\n".join(examples))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def lines(text: str) -> list[str]:
    """The lines of a text, without spaces at their ends."""
    return [line.rstrip() for line in text.rstrip().splitlines()]


@pytest.mark.usefixtures("own_registry")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_examples_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    examples = EXAMPLE.findall(page.read_text(encoding="utf-8"))
    for library in libraries([example for example, _printed in examples]):
        try:
            importlib.import_module(library)
        except ImportError as error:
            pytest.skip(str(error))
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "example"}
    for example, printed in examples:
        with redirect_stdout(io.StringIO()) as told:
            exec(compile(example, str(page), "exec"), names)
        if printed:
            assert lines(told.getvalue()) == lines(printed)
