"""The command `choose`, and the catalogue's commands in Japanese."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

import fastact as fa
from fastact.cli.wrapping import pieces
from fastact.recommending import PROBLEMS, TASKS

testing = pytest.importorskip("click.testing", reason="click is not installed (extra: demo)")

Fastact = Callable[..., str]


@pytest.fixture
def fastact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fastact:
    """Run the command in an empty folder in English unless it says otherwise; return the output."""
    from fastact.cli.app import cli

    monkeypatch.chdir(tmp_path)

    def run(*arguments: object, exit_code: int = 0, columns: int = 100) -> str:
        runner = testing.CliRunner(env={"COLUMNS": str(columns), "LANGUAGE": "en"})
        result = runner.invoke(cli, [str(argument) for argument in arguments])
        assert result.exit_code == exit_code, result.output
        return result.output

    return run


def width(line: str) -> int:
    """In cells of a terminal, where a Japanese character takes two."""
    return sum(2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in line)


def test_guide_answers_for_every_layer_and_names_what_can_be_asked(fastact: Fastact) -> None:
    words = " ".join(fastact("choose").split())
    assert (
        words.index("hidden layers: relu") < words.index("sigmoid") < words.index("softmax") < words.index("identity")
    )
    assert all(name in words for name in (*TASKS, *PROBLEMS))


def test_choose_prints_all_that_is_recommended(fastact: Fastact) -> None:
    words = " ".join(fastact("choose", "--task", "cnn", "--problem", "Dying ReLU", columns=300).split())
    found = fa.recommend(task="image", problem="dying relu")
    assert all(text in words for text in (found.title, found.diagnosis, *found.reasons, *found.next, *found.trade_off))
    assert all(command in words for command in found.see)


def test_unknown_problem_is_one_line(fastact: Fastact) -> None:
    assert fastact("choose", "--problem", "vanishing gradiant", exit_code=2) == (
        "Error: problem='vanishing gradiant'; did you mean 'vanishing gradient'?\n"
    )


@pytest.mark.parametrize("columns", [60, 100])
@pytest.mark.parametrize("command", [("list",), ("show", "gelu"), ("show", "softmax"), ("choose",)], ids=str)
def test_japanese_tables_align(fastact: Fastact, command: tuple[str, ...], columns: int) -> None:
    output = fastact(*command, "--language", "ja", columns=columns)
    lines = [line.rstrip() for line in output.splitlines()]
    boxes = "\n".join(line for line in lines if line and line[0] in "│┃┏┡├└┌").partition("└")
    assert boxes[1]
    assert len({width(line) for line in boxes[0].splitlines()}) == 1
    assert max(map(width, lines)) <= columns


def test_the_language_is_the_option_and_then_the_environment(fastact: Fastact, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "数式" in fastact("show", "relu", "--language", "ja")
    assert "formula" in fastact("show", "relu")
    assert "formula" in fastact("show", "relu", "--language", "en")


def test_japanese_lines_break_between_characters_but_not_before_punctuation() -> None:
    assert pieces("勾配が「0」になる。relu を使う") == [
        "勾",
        "配",
        "が",
        "「0」",
        "に",
        "な",
        "る。",
        "relu ",
        "を",
        "使",
        "う",
    ]
