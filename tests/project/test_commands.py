"""The commands of README and docs exist, with the options that they are given."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from helpers import ROOT
from helpers.documents import DOCS

click = pytest.importorskip("click", reason="click is not installed (extra: demo)")

BLOCK = re.compile(r"^```bash\n(.*?)^```", re.S | re.M)
COMMAND = re.compile(r"(?:^|&& )(fastact .+?)(?: #.*|$)", re.M)
#: Those of docs/questions.md have a test of their own, and `--from` reads its file at once.
FOUND = [
    (path.relative_to(ROOT).as_posix(), command)
    for path in [*ROOT.glob("README*.md"), *DOCS]
    for block in BLOCK.findall(path.read_text(encoding="utf-8"))
    for command in COMMAND.findall(block)
    if "questions" not in path.name and "--from" not in command
]


@pytest.mark.parametrize(("page", "command"), FOUND)
def test_command_parses(page: str, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not run, and its files need not exist."""
    from fastact.cli.app import cli

    monkeypatch.setattr(click.Path, "convert", lambda self, value, parameter, context: Path(value))
    found, context, arguments = cli, click.Context(cli), shlex.split(command)[1:]
    while isinstance(found, click.Group):
        name, found, arguments = found.resolve_command(context, arguments)
    assert found is not None
    with found.make_context(name, arguments, parent=context):
        pass
