"""The README's Python runs as printed, top to bottom."""

import re
from typing import Any

import numpy as np
import pytest

import fastact as fa
from helpers import ROOT

README = ROOT / "README.md"


@pytest.mark.usefixtures("own_registry")
def test_python_of_the_readme_runs(capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 4
    scope: dict[str, Any] = {"fa": fa}
    for block in blocks:
        exec(compile(block, str(README), "exec"), scope)
    assert "gelu: backend 'serial'" in capsys.readouterr().out
    np.testing.assert_allclose(scope["p"], [0.659, 0.242, 0.099], atol=5e-4)
    np.testing.assert_allclose(scope["my_swish"](scope["x"], 2.0), fa.swish(scope["x"], 2.0), rtol=1e-6)


def test_commands_of_the_readme_exist() -> None:
    app = pytest.importorskip("fastact.cli.app", reason="click is not installed (extra: demo)")
    text = README.read_text(encoding="utf-8")
    for command in app.cli.commands:
        assert f"`fastact {command}" in text or f"`{command}`" in text or f"`{command} " in text, command
