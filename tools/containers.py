"""Writes the table of docs/guides/containers.md: which containers which functions take, by making every call.

python tools/containers.py
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from helpers.containers import table  # noqa: E402

DOCUMENT = ROOT / "docs" / "guides" / "containers.md"
BEGIN, END = "<!-- table: by tools/containers.py -->", "<!-- end of the table -->"

if __name__ == "__main__":
    before, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    DOCUMENT.write_text(f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}", encoding="utf-8")
