"""The command `choose`, and the catalogue's commands in Japanese."""

from __future__ import annotations

import platform
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import fastact as fa
from fastact.cli.wrapping import pieces
from fastact.learn.experiments.comparison import compare
from fastact.learn.recommending.problems import PROBLEMS
from fastact.learn.recommending.tasks import TASKS

testing = pytest.importorskip("click.testing", reason="click is not installed (extra: demo)")
conclusion = pytest.importorskip("fastact.cli.choose").conclusion

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


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Two columns, whose signs decide."""
    x = np.random.default_rng(0).normal(size=(60, 2)).round(3)
    labels = np.where(x[:, 0] * x[:, 1] > 0, "same", "other")
    path = tmp_path / "signs.csv"
    path.write_text("a,b,sign\n" + "".join(f"{a},{b},{label}\n" for (a, b), label in zip(x, labels, strict=True)))
    return path


def test_choose_tries_the_shortlist_on_a_table(fastact: Fastact, table: Path) -> None:
    words = " ".join(fastact("choose", "--task", "gan discriminator", "--data", table, "--target", "sign").split())
    assert "discriminator, hidden layers: leaky_relu" in words
    assert "signs.csv: 2-" in words
    assert words.endswith("Take leaky_relu: nothing else is recommended here.")


def test_what_is_wrong_with_data_is_said_before_anything_else(fastact: Fastact, table: Path) -> None:
    for arguments, said in {
        ("--data", table, "--target", "sgin"): "Error: the table has no column 'sgin'; did you mean 'sign'?",
        ("--data", "none.csv", "--target", "sign"): "Error: none.csv: No such file or directory",
        ("--data", table): "name the column to predict by --target COLUMN",
        ("--target", "sign"): "give that too, by --data FILE",
        ("--data", table, "--target", "sign", "--layer", "output"): "leave out --layer output",
    }.items():
        output = fastact("choose", *arguments, exit_code=1 if "none.csv" in arguments else 2)
        assert said in output
        assert "relu" not in output


@pytest.mark.parametrize(("elu", "advice"), [(0.905, "Take relu, the first choice"), (1.0, "Take elu here")])
def test_the_conclusion_asks_for_more_than_noise(elu: float, advice: str) -> None:
    found = compare("moons", ["relu", "elu"], seeds=5, epochs=1)
    scores = {"relu": (0.9, 0.92, 0.88, 0.91, 0.89), "elu": (elu + 0.02, elu - 0.02, elu, elu - 0.01, elu + 0.01)}
    runs = [replace(run, score=[scores[run.setting.activation][run.seed]]) for run in found.runs]
    assert conclusion(replace(found, runs=runs), "relu").startswith(advice)


def test_the_conclusion_looks_at_all_and_not_only_at_the_best() -> None:
    """elu is the best, and within the noise of relu; tanh is second, and ahead of relu at every seed."""
    found = compare("moons", ["relu", "elu", "tanh"], seeds=8, epochs=1)
    scores = {"relu": lambda seed: 0.8, "elu": lambda seed: 0.75 + seed % 2 / 4, "tanh": lambda seed: 0.85 + seed / 1e4}
    runs = [replace(run, score=[scores[run.setting.activation](run.seed)]) for run in found.runs]
    assert conclusion(replace(found, runs=runs), "relu").startswith("Take tanh here: it is ahead of relu by 0.05")


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


def test_the_language_stands_before_or_after_the_command(fastact: Fastact) -> None:
    for arguments in (["--language", "ja", "{}"], ["{}", "--language", "ja"]):
        for command, japanese in {"choose": "隠れ層", "info": "バージョン", "list": "数式"}.items():
            assert japanese in fastact(*(each.format(command) for each in arguments))
    help_of = {command: fastact(command, "--help") for command in ("apply", "bench", "predict", "train", "warmup")}
    assert all("--language [en|ja]" in shown for shown in help_of.values())


def test_info_bench_and_warmup_speak_japanese(fastact: Fastact) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed (extra: demo)")
    shown = fastact("info", "--language", "ja")
    missing = [
        word for word in ("プロセッサー", "環境変数", "利用可能", "serial ", np.__version__) if word not in shown
    ]
    assert not missing
    section = shown.partition("プロセッサー")[2].splitlines()
    [system] = [line for line in section if platform.platform() in line]
    assert width(system.partition(platform.platform())[0]) == width("    softmax のカーネル ")
    assert "parallel" in fastact("info", "--language", "ja", "--json").partition('"backends"')[2]
    tiny = ["--no-peers", "--budget", 1e-3, "--size", 10, "--plot", "a.png", "--roofline", "b.png"]
    shown = fastact("bench", "relu", *tiny, "--size", 20, "--language", "ja")
    assert all(word in shown for word in ("名前", "大きさ", "コピー比"))
    assert "コンパイル" in fastact("warmup", "relu", "--language", "ja")


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
