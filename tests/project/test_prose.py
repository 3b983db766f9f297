"""Comments, docstrings and documents name files that exist, and docstrings leave to a test who imports a module."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from pathlib import Path

import pytest

from helpers import ROOT

FOLDERS = ("fastact", "tests", "benchmarks", "docs", "tools")
FILES = [path for folder in (ROOT / name for name in FOLDERS) for path in folder.rglob("*") if path.is_file()]
FILES += [path for path in ROOT.iterdir() if path.is_file()]
#: The ends of all paths: for tests/conftest.py also conftest.py.
ENDS = {"/".join(path.parts[at:]) for path in FILES for at in range(len(ROOT.parts), len(path.parts))}
PYTHON, CYTHON = (".py", ".pyi"), (".pyx", ".pxd", ".pxi")
SOURCES = [path for path in sorted(FILES) if path.suffix in (*PYTHON, *CYTHON, ".md") and path.name != "CHANGELOG.md"]
NAME = re.compile(r"(?:[\w-]+/)*[\w-]+(?:\.ja)?\.(?:pyi|pyx?|pxd|pxi|md)\b")

#: Pages that docs/extensions/ writes, which Sphinx misses where there are none.
GENERATED = re.compile(r"^(?:reference/)?(?:functions/\w+|python/\w+|commands)\.md$")
#: As in fastact/functions/activations/FAMILY.py.
PLACEHOLDER = re.compile(r"(?:^|/)[A-Z]+(?:\.ja)?\.\w+$")


def prose(path: Path) -> str:
    """The comments and docstrings of a Python file; other files whole."""
    text = path.read_text(encoding="utf-8")
    if path.suffix not in PYTHON:
        return text
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    comments = [token.string for token in tokens if token.type == tokenize.COMMENT]
    nodes = [
        node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
    ]
    return "\n".join([*comments, *(ast.get_docstring(node) or "" for node in nodes)])


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_prose(path: Path) -> None:
    text = prose(path)
    missing = {name for name in NAME.findall(text) if not (GENERATED.match(name) or PLACEHOLDER.search(name))} - ENDS
    assert not missing
    assert "Imported by" not in text
