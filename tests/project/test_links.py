"""Links of the documents lead to files and headings that are there, and addresses on the web are well-formed."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import fastact as fa
from helpers import ROOT
from helpers.documents import PAGES, is_generated

#: A page for each function.
FUNCTIONS = ROOT / "docs" / "reference" / "functions"
#: Code, in which brackets are no links; blocks with a name in braces are directives of Sphinx.
CODE = re.compile(r"^(`{3,}|~{3,})(?!\{).*?^\1[ ]*$|`[^`\n]+`", re.M | re.S)
LINK = re.compile(
    r"\]\(<?([^)\s>]+)>?(?: \"[^\"]*\")?\)|^[`:]{3,}\{(?:figure|image|include|literalinclude)\} (\S+)$", re.M
)
LABEL = re.compile(r"^\(([\w-]+)\)=$", re.M)
ADDRESS = re.compile(r"\bhttps?:[^\s<>\"'`\]}]*")
#: Namespaces of XML, which nobody opens.
NAMESPACES = "http://www.w3.org/"


def targets(path: Path) -> list[str]:
    """Where the links of a page lead."""
    return [a or b for a, b in LINK.findall(CODE.sub("", path.read_text(encoding="utf-8")))]


@cache
def labels() -> set[str]:
    """The labels of all pages, which MyST finds from anywhere."""
    return {label for path in PAGES for label in LABEL.findall(path.read_text(encoding="utf-8"))}


def anchors(path: Path) -> set[str]:
    """The anchors of a page: of its headings, as GitHub and MyST make them, and its labels."""
    text = re.sub(r"^(`{3,}).*?^\1$", "", path.read_text(encoding="utf-8"), flags=re.M | re.S)
    found = set(LABEL.findall(text))
    for heading in re.findall(r"^#+ (.+)$", text, re.M):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
        found.add(re.sub(r"[^\w\- ]", "", plain).replace(" ", "-"))
    return found


def fault(page: Path, target: str) -> str | None:
    """What is wrong with a link that is no address on the web."""
    name, _, anchor = unquote(target).partition("#")
    path = Path(page, "..", name).resolve() if name else page
    if FUNCTIONS in path.parents and path.stem not in ("index", *fa.names()):
        return f"{target}: there is no such function"
    if is_generated(path):
        return None
    if not path.exists():
        return f"{target}: there is no such file"
    if anchor and path.suffix == ".md" and anchor not in anchors(path) | (set() if name else labels()):
        return f"{target}: the page has no such heading"
    return None


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    local = [target for target in targets(page) if not re.match(r"[a-z]+:", target)]
    assert [each for each in (fault(page, target) for target in local) if each] == []


def test_faults_are_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "(label)=\n# A `b`: c\n\n[a](page.md#a-b-c) [b](#label) `[c](none.md)`\n```python\n[d](none.md)\n```\n"
    )
    assert targets(page) == ["page.md#a-b-c", "#label"]
    assert [fault(page, target) for target in targets(page)] == [None, None]
    assert fault(FUNCTIONS / "relu.md", "silu.md") is None
    assert fault(FUNCTIONS / "relu.md", "rellu.md") == "rellu.md: there is no such function"
    assert fault(page, "none.md") == "none.md: there is no such file"
    assert fault(page, "#c") == "#c: the page has no such heading"


def test_addresses_are_well_formed() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("this is no checkout")
    wrong = []
    for name in listed.stdout.splitlines():
        path = ROOT / name
        if path.suffix not in (".py", ".pyi", ".pyx", ".pxi", ".md", ".toml", ".yml", ".cff", ".html", ".js", ".po"):
            continue
        for address in ADDRESS.findall(path.read_text(encoding="utf-8") if path.exists() else ""):
            parts = urlsplit(address.rstrip(".,;:!?)*"))
            secure = parts.scheme == "https" or address.startswith(NAMESPACES)
            if not (secure and re.fullmatch(r"([\w-]+\.)+[a-z]{2,}", parts.netloc)):
                wrong.append(f"{name}: {address}")
    assert wrong == []
