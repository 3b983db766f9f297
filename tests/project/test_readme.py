"""The README's Python runs as printed, top to bottom."""

import re

import numpy as np
import pytest

import fastact as fa
from fastact._core import registry as _registry
from helpers import ROOT

README = ROOT / "README.md"


@pytest.fixture
def registry(monkeypatch):
    monkeypatch.setattr(_registry, "_functions", dict(_registry._functions))
    monkeypatch.setattr(_registry, "_aliases", dict(_registry._aliases))


def test_python_of_the_readme_runs(registry, capsys):
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 2
    scope = {"fa": fa}
    for block in blocks:
        exec(compile(block, str(README), "exec"), scope)
    assert "gelu: backend 'serial'" in capsys.readouterr().out
    np.testing.assert_allclose(scope["p"], [0.659, 0.242, 0.099], atol=5e-4)
    np.testing.assert_allclose(scope["my_swish"](scope["x"], 2.0), fa.swish(scope["x"], 2.0), rtol=1e-6)


def test_commands_of_the_readme_exist():
    text = README.read_text(encoding="utf-8")
    for command in ("info", "list", "show", "plot", "apply", "compare", "bench", "warmup"):
        assert f"`fastact {command}" in text or f"`{command}" in text
