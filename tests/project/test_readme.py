"""README.md runs as printed, README.ja.md has the same code, and both have the figures that were measured."""

from __future__ import annotations

import re
import runpy
from typing import Any

import numpy as np
import pytest

from helpers import ROOT

ENGLISH, JAPANESE = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.ja.md"))


def code(text: str) -> list[str]:
    """The blocks of code without comments, which are translated."""
    return [re.sub(r"  # .*", "", block) for block in re.findall(r"^```\w*\n.*?^```", text, re.S | re.M)]


def test_python_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", ENGLISH, re.S)
    scope: dict[str, Any] = {}
    exec(compile(example, "README.md", "exec"), scope)
    assert capsys.readouterr().out.endswith("[1 0]\n")
    assert np.array_equal(scope["grad"], scope["slope"])
    np.testing.assert_allclose(scope["p"], [0.659, 0.242, 0.099], atol=5e-4)


def test_languages_agree() -> None:
    assert code(JAPANESE) == code(ENGLISH)


def test_two_screens() -> None:
    assert len(ENGLISH.splitlines()) <= 110
    assert len(ENGLISH.encode()) <= 7_000


@pytest.mark.parametrize(("page", "text"), [("README.md", ENGLISH), ("README.ja.md", JAPANESE)])
def test_figures_are_those_measured(page: str, text: str) -> None:
    written = runpy.run_path(str(ROOT / "tools" / "figures.py"))["written"]
    assert text == written(page, text), "run: python tools/figures.py"
