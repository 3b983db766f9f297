"""The examples of docs/guides/own.md run, one after the other, and say what it says that they do."""

from __future__ import annotations

import re
from typing import Any

import pytest

from helpers import ROOT


def test_examples(own_registry: None, capsys: pytest.CaptureFixture[str]) -> None:
    for library in "sympy", "mpmath":
        pytest.importorskip(library)
    text = (ROOT / "docs" / "guides" / "own.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.S)
    assert len(blocks) == text.count("```python") == 3
    names: dict[str, Any] = {"__name__": "example"}
    for block in blocks:
        exec(block, names)
    printed = capsys.readouterr().out
    said = re.findall(r"^It says: `(.*) At x = \.\.\. (.*)`$", text, re.M)
    assert said
    assert all(part in printed for part in said[0])
