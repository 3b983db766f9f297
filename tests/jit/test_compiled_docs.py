"""docs/numba.md: its examples run."""

from __future__ import annotations

import re

from helpers import ROOT


def test_examples() -> None:
    text = (ROOT / "docs" / "numba.md").read_text(encoding="utf-8")
    code = "".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL)).replace("(cache=True)", "")
    assert code.count("@numba.njit") == 4
    exec(compile(code, "numba.md", "exec"), {"__name__": __name__})
