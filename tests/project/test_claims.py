"""What the pages of docs/about/ claim: the tests that they name exist, and their tables are what the package says."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import fastact as fa
from helpers import ROOT

ABOUT = ROOT / "docs" / "about"
PROOF = re.compile(r"`([\w/]+\.py)::(\w+)`")
PAGES = [path for path in sorted(ABOUT.glob("*.md")) if PROOF.search(path.read_text(encoding="utf-8"))]


@cache
def functions(path: Path) -> set[str]:
    """The names of the functions of a module."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_proofs_exist(page: Path) -> None:
    for file, name in PROOF.findall(page.read_text(encoding="utf-8")):
        assert name in functions(ROOT / "tests" / file), f"{file}::{name}"


def rows(heading: str) -> Iterator[list[str]]:
    """The cells of the first table below a heading of the numeric contract."""
    section = (ABOUT / "contract.md").read_text(encoding="utf-8").partition(f"\n## {heading}\n")[2]
    lines = re.search(r"\n\n\|.*\n\|[-|]+\n((?:\|.*\n)+)", section)
    assert lines is not None
    for line in lines[1].splitlines():
        yield [cell.strip() for cell in line.strip("|").split("|")]


def test_kinks_are_those_of_the_metadata() -> None:
    kinks = {name: fa.get(name).metadata.kinks for name in fa.names("activation")}
    assert list(rows("Kinks")) == [[f"`{name}`", text] for name, text in kinks.items() if text]


def test_dtypes_are_those_of_results() -> None:
    pytest.importorskip("ml_dtypes")  # NumPy then knows bfloat16 by name
    for dtype, most, whole in rows("dtypes"):
        x = np.ones(2, np.dtype(dtype))
        assert (fa.gelu(x).dtype.name, fa.relu(x).dtype.name) == (most, whole), dtype
