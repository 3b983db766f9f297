"""Ask fastact's commands what beginners ask, and write questions, commands and answers to docs/questions.md.

`python tools/questions.py` runs every experiment once, which takes some minutes, and words it in each language:
docs/questions.ja.md is the Japanese page. To add a question, add it to `SECTIONS`.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

DOCS = Path(__file__).parents[1] / "docs"
PAGES = {"en": DOCS / "questions.md", "ja": DOCS / "questions.ja.md"}

HEADS = {
    "en": (
        "# What beginners ask, and which command answers",
        "Written by `python tools/questions.py`, which runs the commands. Measured on {provenance}.",
    ),
    "ja": (
        "# 初学者の質問と、答えるコマンド",
        "`python tools/questions.py` がコマンドを実行して書き出したページです（測定環境：{provenance}）。コマンドに "
        "`--language ja` を付けると日本語で答えます。",
    ),
}
COLON, STOP = {"en": ": ", "ja": "："}, {"en": ". ", "ja": "。"}
#: Files that commands of the list read.
FILES = {
    "MINE.py": """import fastact as fa
from fastact.math import like, sigmoid


def slope(x, beta):
    s = sigmoid(beta * x)
    return s + beta * x * s * (like(1.0, x) - s)


@fa.activation(derivative=slope, beta=1.5)
def my_swish(x, beta):
    return x * sigmoid(beta * x)
""",
    "signs.csv": "a,b,sign\n"
    + "".join(
        f"{a / 7:.3f},{b / 5:.3f},{'same' if (a > 0) == (b > 0) else 'other'}\n"
        for a in (-9, -6, -4, -2, 1, 3, 5, 7, 8)
        for b in (-8, -7, -5, -3, -1, 2, 4, 6, 9)
    ),
}

#: Labels of `fastact show`.
NOTES = ("for it", "against it", "use")
ALL = ("formula", "range", *NOTES, "f(x)")
#: Which words of the output answer: the sentences of an experiment, a recommendation, or the last line.
SENTENCES, ADVICE, LAST = "sentences", "advice", "last"


@dataclass(frozen=True)
class Question:
    """A question in both languages, the command that answers, and the lines that do: those of these labels, or as
    above. `said` comes before them: what no command says.
    """

    en: str
    ja: str
    command: str
    lines: str | tuple[str, ...] = SENTENCES
    said: tuple[str, str] = ("", "")


def shown(name: str, use: str, ja: str) -> Question:
    """The question for one function."""
    return Question(f"What is {name} ({use})?", f"{name} とは（{ja}）", f"fastact show {name}", ALL)


SECTIONS = {
    ("What an activation function is", "活性化関数とは"): [
        Question(
            "What does an activation function do, and where does its name come from?",
            "活性化関数は何をするものですか。名前の由来は？",
            "fastact show step",
            NOTES,
            (
                "A neuron weighs its inputs, sums them, passes the sum through the activation function and hands the "
                "result on. The name comes from the nerve cell, which fires above a threshold; step does just that.",
                "ニューロンは入力に重みを掛けて足し合わせ、その重み付き和を活性化関数に通して次へ渡します。"
                "しきい値を超えると発火（活性化）する神経細胞が名前の由来で、step はまさにそのような関数です。",
            ),
        ),
        Question("Why does a network need one?", "なぜ必要なのですか", "fastact demo linear"),
        Question(
            "What happens without one?",
            "活性化関数がないとどうなりますか",
            'fastact choose --problem "no activation"',
            ADVICE,
        ),
        Question("What is the identity?", "恒等関数とは何ですか", "fastact show identity", ALL),
        Question(
            "May layers have different ones?",
            "層ごとに違う活性化関数を使えますか",
            'fastact choose --task "binary classification"',
            ADVICE,
            ("Yes, and the output layer usually does.", "はい。特に出力層では、隠れ層と違うものを使うのが普通です。"),
        ),
        Question(
            "Is relu always the best?",
            "relu が常に最良ですか",
            "fastact compare digits --activations relu,leaky_relu,elu,tanh,sigmoid",
        ),
        Question(
            "Is newer always better?",
            "新しいほど良いのですか",
            "fastact compare digits --activations relu,gelu,mish,telu",
        ),
        Question(
            "May softmax stand in a hidden layer?", "隠れ層に softmax を使えますか", "fastact demo softmax-hidden"
        ),
        Question(
            "May I write my own?",
            "自分で作れますか",
            "fastact compare moons --from MINE.py --activations relu,my_swish",
            SENTENCES,
            (
                "Yes: write it under `@fastact.activation` in a file of your own. Its derivative is derived, unless "
                "you give one. With `--from` commands know it by its name.",
                "はい。自分のファイルで `@fastact.activation` を付けて定義します。導関数は、与えなければ数式から"
                "導かれます。`--from` で読み込めば、コマンドで名前を使えます。",
            ),
        ),
        Question(
            "How do I use it in PyTorch?",
            "PyTorch で使うには？",
            "fastact show cross_entropy",
            ("for it", "use"),
            (
                'As a function, `fastact.torch.gelu(x)`; as a module, `fastact.torch.Activation("gelu")`; in the loss, '
                "`fastact.torch.cross_entropy(logits, classes)`, which holds the softmax.",
                '関数なら `fastact.torch.gelu(x)`、モジュールなら `fastact.torch.Activation("gelu")`、損失関数の中では '
                "`fastact.torch.cross_entropy(logits, classes)`（softmax を内部に含む）です。",
            ),
        ),
    ],
    ("The functions", "それぞれの関数"): [
        Question(
            "What do their curves and slopes look like?",
            "グラフと傾きはどんな形ですか",
            "fastact plot sigmoid tanh relu -o slopes.png",
            LAST,
            (
                "Side by side f and f'; `fastact explore` shows all of them in the browser, with sliders.",
                "f と f' を並べて描きます。`fastact explore` ではすべての関数をブラウザで見られ、"
                "スライダーでパラメータを変えられます。",
            ),
        ),
        shown("sigmoid", "output of binary classification", "二値分類の出力層"),
        shown("tanh", "hidden layers, RNN", "隠れ層、RNN"),
        shown("relu", "the first choice for hidden layers", "隠れ層の最初の選択肢"),
        shown("leaky_relu", "when relu fails", "relu でうまくいかないとき"),
        shown("elu", "when relu fails", "relu でうまくいかないとき"),
        shown("swish", "deep networks", "深いネットワーク"),
        shown("gelu", "transformers", "transformer"),
        shown("mish", "a newer alternative", "比較的新しい関数"),
        shown("softmax", "output of multi-class classification", "多クラス分類の出力層"),
    ],
    ("Choosing", "選び方"): [
        Question("Which one in hidden layers?", "隠れ層にはどれを？", "fastact choose --layer hidden", ADVICE),
        Question("Which one in the output layer?", "出力層にはどれを？", "fastact choose --layer output", ADVICE),
        Question("For a regression?", "回帰では？", "fastact choose --task regression", ADVICE),
        Question("For images (CNN)?", "画像（CNN）では？", "fastact choose --task image", ADVICE),
        Question("For an RNN?", "RNN では？", "fastact choose --task rnn", ADVICE),
        Question("For a transformer?", "transformer では？", "fastact choose --task transformer", ADVICE),
        Question("For a GAN?", "GAN では？", "fastact choose --task gan", ADVICE),
        Question(
            "For my own data?",
            "自分のデータでは？",
            "fastact choose --data signs.csv --target sign",
            LAST,
        ),
    ],
    ("Problems of training", "学習で起こる問題"): [
        Question("What is the vanishing gradient?", "勾配消失とは？", "fastact demo vanishing"),
        Question(
            "What helps against vanishing gradients?",
            "勾配消失への対策は？",
            'fastact choose --problem "vanishing gradient"',
            ADVICE,
        ),
        Question("What is the exploding gradient?", "勾配爆発とは？", "fastact demo exploding"),
        Question(
            "What helps against exploding gradients?",
            "勾配爆発への対策は？",
            'fastact choose --problem "exploding gradient"',
            ADVICE,
        ),
        Question("What is a dying relu?", "Dying ReLU 問題とは？", "fastact demo dying-relu"),
        Question(
            "How bad is a dying relu, and what helps?",
            "Dying ReLU 問題はどのくらい深刻で、対策は？",
            'fastact choose --problem "dying relu"',
            ADVICE,
        ),
        Question("What do initial weights do?", "重みの初期化は何に効きますか", "fastact demo initialisation"),
        Question("Which activation learns XOR?", "XOR を学習できるのはどれですか", "fastact compare xor"),
        Question("Why is learning slow?", "学習が遅いのはなぜ？", 'fastact choose --problem "slow training"', ADVICE),
        Question("What goes on inside while it learns?", "学習中、中では何が起きていますか", "fastact diagnose digits"),
        Question(
            "What would that look like if something were wrong?",
            "問題があると、どう見えますか",
            "fastact diagnose digits --depth 12 --activation sigmoid",
        ),
        Question("What if it overfits?", "過学習したら？", "fastact choose --problem overfitting", ADVICE),
    ],
}


def run(command: str, *options: str) -> str:
    """What the command prints, in lines that do not wrap."""
    from click.testing import CliRunner

    from fastact.cli.app import cli

    found = CliRunner(env={"COLUMNS": "2000"}).invoke(cli, [*shlex.split(command)[1:], *options])
    if found.exit_code:
        raise SystemExit(f"{command}: {found.output}") from found.exception
    return found.output


@cache
def results(command: str) -> list[Any]:
    """What the experiment of the command found."""
    found: list[Any] = []
    with patch("fastact.cli.outputs.tell", found.extend):
        run(command)
    return found


def advice(command: str, code: str) -> list[str]:
    """What the command recommends: the functions and why, what to try next, and the trade-off."""
    found: list[Any] = []
    with patch("fastact.cli.choose.show", found.append):
        run(command, "--language", code)
    (advised,) = found
    from fastact import language

    texts = [f"{choice.headline()}{STOP[code]}{choice.why}" for choice in advised.choices]
    rest = [f"{label}{COLON[code]}{language.paragraph(lines)}" for label, lines in advised.rest()[:2]]
    return [*filter(None, [advised.diagnosis]), *texts, *rest]


def answer(question: Question, code: str) -> list[str]:
    """The lines that answer, in a language."""
    from fastact import language

    said = [question.said[code == "ja"]] if question.said[0] else []
    if question.lines == SENTENCES:
        found = results(question.command)
        with language.use(code):
            return [*said, *(sentence for result in found for sentence in result.sentences())]
    if question.lines == ADVICE:
        with language.use(code):
            return [*said, *advice(question.command, code)]
    lines = [line.strip() for line in run(question.command, "--language", code).splitlines()]
    if isinstance(question.lines, tuple):
        with language.use(code):
            labels = [language.translated(label) for label in question.lines]
        cells = [[cell.strip() for cell in re.split("[│┃]", line)[1:-1]] for line in lines]
        known = {label: rest for label, *rest in filter(None, cells)}
        return [*said, *(f"{label}{COLON[code]}{', '.join(known[label])}" for label in labels if label in known)]
    return [*said, lines[-1]]


def entry(question: Question, code: str) -> list[str]:
    """The question, the command and what it says, as Markdown."""
    lines = [line.replace("*", r"\*") for line in answer(question, code)]
    facts = len(lines) - bool(question.said[0]) if isinstance(question.lines, tuple) else 0
    paragraphs, items = lines[: len(lines) - facts], lines[len(lines) - facts :]
    answers = [each for line in paragraphs for each in ("", line)]
    answers += ["", *(f"- {line}" for line in items)] if items else []
    return ["", f"### {getattr(question, code)}", "", "```bash", question.command, "```", *answers]


def page(language: str) -> list[str]:
    """The page in one language."""
    from fastact.measure.bench.report import provenance

    title, lead = HEADS[language]
    lines = [title, "", lead.format(provenance=provenance().removeprefix("Measured on "))]
    for names, questions in SECTIONS.items():
        lines += ["", f"## {names[language == 'ja']}"]
        for question in questions:
            print(f"{language}: {question.command}", file=sys.stderr)
            lines += entry(question, language)
    return lines


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for name, text in FILES.items():
            Path(name).write_text(text, encoding="utf-8")
        for code, path in PAGES.items():
            path.write_text("\n".join(page(code)) + "\n", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
