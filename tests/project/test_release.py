"""The version and the supported Pythons are the same wherever they stand; `nox -s package` tests the built files."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import version

import fastact as fa
from helpers import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
TESTS = (ROOT / ".github/workflows/tests.yml").read_text(encoding="utf-8")


def found(pattern: str, name: str) -> str:
    """The first match of a pattern's group in a file at the root."""
    match = re.search(pattern, (ROOT / name).read_text(encoding="utf-8"), re.M)
    assert match, f"{name}: {pattern}"
    return match[1]


def test_version_stands_once() -> None:
    assert "version" in PROJECT["project"]["dynamic"]
    assert version("fastact") == fa.__version__
    assert found(r"^## \[(.+?)\]", "CHANGELOG.md") == fa.__version__
    assert found(r"^version: (.+)$", "CITATION.cff") == fa.__version__


def test_pythons_are_the_same_everywhere() -> None:
    lowest, end = re.findall(r"3\.(\d+)", PROJECT["project"]["requires-python"])
    minors = list(range(int(lowest), int(end)))
    pythons = [f"3.{minor}" for minor in minors]
    classifiers = [name.rpartition(" :: ")[2] for name in PROJECT["project"]["classifiers"]]
    assert [name for name in classifiers if re.fullmatch(r"3\.\d+", name)] == pythons
    assert PROJECT["tool"]["cibuildwheel"]["build"][0] == f"cp3{{{','.join(map(str, minors))}}}-*"
    (matrix,) = re.findall(r"python: \[(.*)\]", TESTS)
    assert re.findall(r'"(.+?)"', matrix) == pythons
    assert PROJECT["tool"]["mypy"]["python_version"] == pythons[0]
    assert PROJECT["tool"]["ruff"]["target-version"] == f"py3{lowest}"
    assert found(r"Python (3\.\d+) or newer", "README.md") == pythons[0]
