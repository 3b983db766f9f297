"""Check the types of the Python examples in the README and docs/: `python tools/examples.py`, part of `nox -s types`.

Every page is a module whose lines are those of the page. Other libraries than NumPy are Any, so that the result is the
same with and without them; whether the examples run is the tests' business.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
#: Their types count.
TYPED = {"fastact", "numpy", *sys.stdlib_module_names}
SETTINGS = {"typeCheckingMode": "standard", "extraPaths": [str(ROOT)], "stubPath": "stubs", "include": ["pages"]}


def example_lines(page: str) -> str:
    """The page with nothing but its examples, each line where it was."""
    lines, inside = [], False
    for line in page.splitlines():
        if line.startswith("```"):
            inside = line == "```python"
            line = ""
        lines.append(line if inside else "")
    return "\n".join(lines) + "\n"


def imported(text: str) -> set[str]:
    """The modules that an example imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def write_stub(folder: Path, module: str) -> None:
    """Let a library's module, and those above it, have any name."""
    for part in module.split("."):
        folder /= part
        folder.mkdir(parents=True, exist_ok=True)
        stub = "from typing import Any\ndef __getattr__(name: str) -> Any: ...\n"
        (folder / "__init__.pyi").write_text(stub, encoding="utf-8")


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "stubs").mkdir()
        (folder / "pyrightconfig.json").write_text(json.dumps(SETTINGS), encoding="utf-8")
        for path in [*sorted(ROOT.glob("README*.md")), *sorted((ROOT / "docs").rglob("*.md"))]:
            text = example_lines(path.read_text(encoding="utf-8"))
            if text.strip():
                # A hyphen, so that no page hides a library of its name.
                page = folder / "pages" / path.relative_to(ROOT).with_name(f"page-{path.stem}.py")
                page.parent.mkdir(parents=True, exist_ok=True)
                page.write_text(text, encoding="utf-8")
                for module in imported(text):
                    if module.partition(".")[0] not in TYPED:
                        write_stub(folder / "stubs", module)
        command = ["basedpyright", "--project", name, "--pythonpath", sys.executable]
        sys.exit(subprocess.run(command, check=False).returncode)


if __name__ == "__main__":
    main()
