"""The commands train and predict: a model from a user's table, and its predictions."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pandas = pytest.importorskip("pandas", reason="pandas is not installed (extra: demo)")
pytest.importorskip("matplotlib", reason="matplotlib is not installed (extra: demo)")
datasets = pytest.importorskip("sklearn.datasets", reason="scikit-learn is not installed (extra: demo)")

from fastact.learn.data.reading import read  # noqa: E402
from fastact.learn.tabular import TableModel  # noqa: E402
from helpers.commands import one_line  # noqa: E402

Fastact = Callable[..., str]


def flowers(path: str = "iris.csv") -> Any:
    iris = datasets.load_iris(as_frame=True)
    frame = iris.frame.assign(target=iris.target_names[iris.target], length=iris.data.iloc[:, 0] > 6)
    frame.loc[::20, "petal width (cm)"] = np.nan
    frame.to_csv(path, index=False)
    return frame


def test_train_and_predict(fastact: Fastact) -> None:
    frame = flowers()
    output = fastact("train", "iris.csv", "--target", "target", "--epochs", 60, "--json", "found.json")
    assert "On 30 rows that it did not learn from" in output
    assert "learnt from 96 rows. 24 others" in output
    assert "petal width (cm) (" in output
    assert "wrote the model to iris.fastact" in output
    assert Path("fastact-train.png").read_bytes().startswith(b"\x89PNG")
    [found] = json.loads(Path("found.json").read_text(encoding="utf-8"))
    assert found["scores"]["accuracy"] > 0.85
    assert len(found["history"]["val_loss"]) == 60

    output = fastact("predict", "iris.fastact", "iris.csv", "-o", "all.csv", "--probabilities")
    assert "On 150 rows of this table" in output
    expected = TableModel.load("iris.fastact").predict(read("iris.csv"), probabilities=True)
    pandas.testing.assert_frame_equal(pandas.read_csv("all.csv"), expected, check_dtype=False, rtol=1e-12)
    assert (expected.prediction == frame.target).mean() > 0.85

    frame.drop(columns="target").assign(more=1, colour="red").to_csv("new.csv", index=False)
    output = fastact("predict", "iris.fastact", "new.csv", "-o", "new.npz")
    assert "does not use: more, colour." in output
    assert "rows of this table" not in output
    with np.load("new.npz") as arrays:
        assert arrays["prediction"].tolist() == expected.prediction.tolist()
    pytest.importorskip("pyarrow", reason="pyarrow is not installed (extra: parquet)")
    assert fastact("predict", "iris.fastact", "new.csv", "-o", "new.parquet", "-q") == ""
    assert pandas.read_parquet("new.parquet").prediction.tolist() == expected.prediction.tolist()


def test_predictions_do_not_depend_on_blocks(fastact: Fastact, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    frame = pandas.DataFrame({"x": rng.normal(size=300), "code": rng.choice(["01", "1", "x"], 300, p=[0.5, 0.4, 0.1])})
    frame["y"] = 100 * frame.x + np.where(frame.code == "01", 50, 0)
    frame.to_csv("t.csv", index=False)
    output = fastact("train", "t.csv", "--target", "y", "--epochs", 5, "--hidden", "8", "--activation", "tanh")
    assert "R2" in output
    fastact("predict", "t.fastact", "t.csv", "-o", "whole.csv")
    monkeypatch.setattr("fastact.learn.data.reading._BLOCK", 9)
    assert "On 300 rows" in fastact("predict", "t.fastact", "t.csv", "-o", "blocks.csv")
    whole, blocks = (pandas.read_csv(name).prediction for name in ("whole.csv", "blocks.csv"))
    np.testing.assert_allclose(whole, blocks, rtol=1e-5, atol=1e-4)


def test_what_is_new_to_the_model_is_told(fastact: Fastact) -> None:
    frame = flowers().rename(columns={"length": "size"}).assign(size=["s", "m", "l"] * 50)
    frame.to_csv("t.csv", index=False)
    fastact("train", "t.csv", "--target", "target", "--epochs", 2, "-q")
    frame.loc[0, "size"], frame.loc[1, "target"], frame.loc[2, "sepal length (cm)"] = "xl", "rose", np.nan
    frame.to_csv("new.csv", index=False)
    output = fastact("predict", "t.fastact", "new.csv", "-o", "o.csv")
    assert "rare or absent in training: size (1)." in output
    assert "became the median: sepal length (cm) (1)." in output
    assert "On 149 rows" in output
    assert "unknown to the model: 1." in output


def test_own_activations(fastact: Fastact, own_registry: None) -> None:
    flowers()
    source = "import fastact as fa\n\n@fa.activation(derivative=lambda x: 2 * x)\ndef squared(x):\n    return x * x\n"
    Path("own_of_a_user.py").write_text(source, encoding="utf-8")
    own = ["--from", "own_of_a_user.py"]
    fastact("train", "iris.csv", "--target", "target", "--activation", "squared", "--epochs", 2, "-q", *own)
    fastact("predict", "iris.fastact", "iris.csv", "-o", "o.csv", *own)


def test_texts_of_a_table_steer_neither_terminal_nor_picture(fastact: Fastact) -> None:
    frame = flowers().assign(target=["$\\frac$", "\x1b[31m</td>", "はい"] * 50)
    frame.rename(columns={"target": "$\\frac$"}).to_csv("t.csv", index=False)
    output = fastact("train", "t.csv", "--target", "$\\frac$", "--epochs", 1, "--report", "r.html")
    assert "$\\frac$" in output
    assert "\ufffd[31m</td>" in output
    assert "\x1b" not in output
    assert "&lt;/td&gt;" in Path("r.html").read_text(encoding="utf-8")


TRAIN = ["train", "t.csv", "--target"]


@pytest.mark.parametrize(
    ("arguments", "exit_code", "told"),
    [
        ([*TRAIN, "y"], 2, "no column 'y'; known: sepal length"),
        ([*TRAIN, "targe"], 2, "did you mean 'target'?"),
        ([*TRAIN, "target", "--task", "regression"], 2, "holds 'setosa'; a regression learns numbers"),
        (["train", "none.csv", "--target", "y"], 1, "none.csv: No such file"),
        ([*TRAIN, "target", "-m", "t.csv"], 2, "--model t.csv: is another file"),
        ([*TRAIN, "target", "--json", "t.csv"], 2, "--json t.csv: is another file"),
        ([*TRAIN, "target", "--report", "t.fastact"], 2, "--report t.fastact: is another file"),
        ([*TRAIN, "target", "--json", "a", "--report", "a"], 2, "--report a: is another file"),
        ([*TRAIN, "target", "--hidden", "99999999999"], 1, "Unable to allocate"),
        ([*TRAIN, "target", "-m", "none/m.fastact"], 1, "none/m.fastact"),
        ([*TRAIN, "target", "--activation", "rellu"], 2, "'relu'"),
        ([*TRAIN, "target", "--activation", "softmax"], 2, "softmax acts on whole rows"),
        ([*TRAIN, "target", "--learning-rate", "1e9"], 1, "diverged in epoch 1"),
        (["predict", "t.csv", "t.csv", "-o", "o.csv"], 2, "not a model of a table"),
        (["predict", "none", "t.csv", "-o", "o.csv"], 1, "none: No such file"),
        (["predict", "t.csv", "t.csv", "-o", "o.txt"], 2, "o.txt: unknown ending; predictions are written as .csv"),
        (["predict", "t.csv", "t.csv", "-o", "t.csv"], 2, "t.csv: is another file"),
    ],
    ids=lambda value: " ".join(value[-3:]) if isinstance(value, list) else None,
)
def test_wrong_input_is_one_line_and_writes_nothing(
    arguments: list[str], exit_code: int, told: str, fastact: Fastact, tmp_path: Path
) -> None:
    flowers("t.csv")
    before = Path("t.csv").read_bytes()
    assert told in one_line(fastact(*arguments, exit_code=exit_code))
    assert [each.name for each in tmp_path.iterdir()] == ["t.csv"]
    assert Path("t.csv").read_bytes() == before


def test_predictions_of_wrong_tables_write_nothing(fastact: Fastact) -> None:
    frame = flowers()
    fastact("train", "iris.csv", "--target", "target", "--epochs", 2, "-q")
    frame.drop(columns="length").to_csv("less.csv", index=False)
    frame.iloc[:0].to_csv("empty.csv", index=False)
    Path("o.csv").write_text("old", encoding="utf-8")
    for name, told in {"less": "lacks the column length", "empty": "has columns and no rows"}.items():
        assert told in one_line(fastact("predict", "iris.fastact", f"{name}.csv", "-o", "o.csv", exit_code=2))
    Path("iris.fastact").write_bytes(Path("iris.fastact").read_bytes()[:-9])
    assert "iris.fastact: " in one_line(fastact("predict", "iris.fastact", "iris.csv", "-o", "o.csv", exit_code=2))
    assert Path("o.csv").read_text(encoding="utf-8") == "old"
    assert not list(Path().glob("*.part"))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
def test_ctrl_c_keeps_the_best(tmp_path: Path) -> None:
    """The signal comes after the second epoch, which a callback tells by a file."""
    rng = np.random.default_rng(0)
    frame = pandas.DataFrame(rng.normal(size=(5000, 5))).add_prefix("x")
    frame.assign(y=frame.x0 * frame.x1).to_csv(tmp_path / "t.csv", index=False)
    code = (
        "import fastact.cli.train as command, pathlib\n"
        "learn = command.trained\n"
        "def train(*arguments, callback, **settings):\n"
        "    def tell(epoch, network):\n"
        "        callback(epoch, network)\n"
        "        epoch == 2 and pathlib.Path('two').touch()\n"
        "    return learn(*arguments, callback=tell, **settings)\n"
        "command.trained = train\n"
        "from fastact.cli import main\n"
        "main()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, "train", "t.csv", "--target", "y", "--epochs", "100000", "--patience", "100000"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "COLUMNS": "200"},
    )  # fmt: skip
    until = time.monotonic() + 60
    while not (tmp_path / "two").exists() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    printed, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert errors.startswith("interrupted after epoch ")
    assert errors.count("\n") == 1
    assert "Ctrl-C ended training after epoch" in printed
    assert len(TableModel.load(tmp_path / "t.fastact").predict(frame)) == 5000
    assert (tmp_path / "fastact-train.png").exists()
    assert not list(tmp_path.glob(".*.part"))


@pytest.mark.slow
def test_a_million_rows(tmp_path: Path) -> None:
    """Reading, training, predicting: memory is that of the table and its inputs, and one block for predictions."""
    rng = np.random.default_rng(0)
    block = pandas.DataFrame(rng.normal(size=(100_000, 18)).round(6)).add_prefix("x")
    block = block.assign(colour=rng.choice(["a", "b"], 100_000), y=np.where(block.x0 > 0, "up", "down"))
    for number in range(10):
        block.to_csv(tmp_path / "t.csv", mode="a", index=False, header=not number)
    code = (
        "import resource, sys; from fastact.cli.app import cli\n"
        "try: cli(sys.argv[1:])\n"
        "finally: print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)"
    )
    for most, arguments in (
        (900, ["train", "t.csv", "--target", "y", "--epochs", "2"]),
        (500, ["predict", "t.fastact", "t.csv", "-o", "o.csv"]),
    ):
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        assert float(done.stdout.splitlines()[-1]) < most
