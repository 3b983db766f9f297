"""The pages of docs/questions.md, in each language, have what tools/questions.py asks, and fastact has the commands."""

from __future__ import annotations

import re
import runpy
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from unittest.mock import Mock

import pytest

from helpers import ROOT, tools

click = pytest.importorskip("click", reason="click is not installed (extra: demo)")


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ModuleType]:
    """The tool, in a folder that has its files."""
    module = tools.tool("questions")
    monkeypatch.chdir(tmp_path)
    for name, text in module.FILES.items():
        Path(name).write_text(text, encoding="utf-8")
    yield module
    sys.modules.pop("MINE", None)


def commands(tool: ModuleType) -> list[str]:
    return [question.command for questions in tool.SECTIONS.values() for question in questions]


@pytest.mark.usefixtures("own_registry")
def test_every_command_is_one(tool: ModuleType) -> None:
    """It is parsed, but not run."""
    from fastact.cli.app import cli

    for command in commands(tool):
        found, context, arguments = cli, click.Context(cli), shlex.split(command)[1:]
        while isinstance(found, click.Group):
            name, found, arguments = found.resolve_command(context, arguments)
            assert found is not None, command
        with found.make_context(name, [*arguments, "--language", "ja"], parent=context):
            pass


@pytest.mark.parametrize("code", ["en", "ja"])
def test_the_pages_ask_what_the_tool_asks(tool: ModuleType, code: str) -> None:
    text = tool.PAGES[code].read_text(encoding="utf-8")
    entries = re.findall(r"^### (.+)\n\n```bash\n(.+)\n```\n\n(.+)", text, re.M)
    wanted = [(getattr(each, code), each.command) for questions in tool.SECTIONS.values() for each in questions]
    assert [(question, command) for question, command, _said in entries] == wanted, "run: python tools/questions.py"


def test_answers_are_the_lines_that_answer(tool: ModuleType) -> None:
    shown = next(question for question in tool.SECTIONS["The functions", "それぞれの関数"] if "relu" in question.en)
    assert tool.answer(shown, "en")[0] == "formula: max(0, x)"
    assert tool.answer(shown, "ja")[0] == "数式：max(0, x)"
    assert tool.answer(shown, "en")[-1] == "f(x): 0.000, 0.000, 0.000, 1.000, 2.000"
    advice = next(question for question in tool.SECTIONS["Choosing", "選び方"] if "GAN" in question.en)
    assert any(line.startswith("generator, output layer: tanh. Real images") for line in tool.answer(advice, "en"))
    assert any(line.startswith("生成器の出力層：tanh。") for line in tool.answer(advice, "ja"))


def test_the_japanese_build_shows_the_japanese_page() -> None:
    pytest.importorskip("sphinx", reason="sphinx is not installed (extra: docs)")
    choose = runpy.run_path(str(ROOT / "docs" / "extensions" / "languages.py"))["choose"]
    japanese = (ROOT / "docs" / "questions.ja.md").read_text(encoding="utf-8")
    for page, code, shown in (("questions", "ja", japanese), ("questions", "en", "page"), ("index", "ja", "page")):
        app, source = Mock(srcdir=ROOT / "docs"), ["page"]
        app.config.language = code
        choose(app, page, source)
        assert source == [shown]
