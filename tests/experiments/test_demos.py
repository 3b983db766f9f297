"""The experiments behind `fastact demo`: each shows what it is for, and says only what its own figures show."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastact.learn import experiments
from fastact.learn.experiments.spread import Spread, share, short, times
from fastact.learn.result import Result, plain
from helpers.commands import pixels

pytest.importorskip("sklearn", reason="scikit-learn is not installed (extra: demo)")
pytest.importorskip("matplotlib", reason="matplotlib is not installed (extra: demo)")

#: Small runs of what learners run.
SMALL: dict[str, Callable[[], Any]] = {
    "vanishing": partial(experiments.vanishing, ["sigmoid", "tanh", "relu"], seeds=2, epochs=8),
    "exploding": partial(experiments.exploding, seeds=3, epochs=15),
    "dying_relu": partial(experiments.dying_relu, seeds=2, epochs=10),
    "linear": partial(experiments.linear, seeds=2),
    "softmax_hidden": partial(experiments.softmax_hidden, seeds=2, epochs=6),
    "initialisation": partial(experiments.initialisation, seeds=2),
}
#: Runs that show something else than usual.
ODD: dict[str, Callable[[], Any]] = {
    "one layer, one activation, one seed": partial(experiments.vanishing, ["relu"], depth=1, seeds=1, epochs=1),
    "without sigmoid and relu": partial(experiments.vanishing, ["softsign", "elu"], depth=3, seeds=1, epochs=1),
    "a gradient of 0": partial(experiments.vanishing, ["sigmoid", "relu"], depth=200, width=2, seeds=1, epochs=1),
    "nothing explodes": partial(experiments.exploding, "tanh", scale=1, depth=2, seeds=1, epochs=2),
    "all diverge": partial(experiments.exploding, learning_rate=1e30, seeds=2, epochs=2),
    "gradients overflow": partial(experiments.exploding, scale=1e6, seeds=1, epochs=1),
    "no unit dies": partial(experiments.dying_relu, ["tanh"], first_rate=1e-3, seeds=1, epochs=1, depth=1),
    "units of which all diverge": partial(experiments.dying_relu, ["relu"], first_rate=1e38, seeds=1, epochs=2),
    "identity is compared with itself": partial(experiments.linear, "identity", 1, problems=["moons"], seeds=1),
    "softmax that keeps up": partial(experiments.softmax_hidden, ["sigmoid"], depth=1, seeds=1, epochs=2),
    "outputs overflow": partial(experiments.initialisation, ["relu", "elu"], [1e20], seeds=1),
}


@cache
def found(name: str) -> Any:
    return SMALL[name]()


def ends(spread: Spread) -> tuple[float, float]:
    return spread.low, spread.high


def test_the_gradient_vanishes_with_sigmoid_and_not_with_relu_or_a_remedy() -> None:
    result = found("vanishing")
    for sigmoid, relu in zip(result.of("sigmoid"), result.of("relu"), strict=True):
        assert sigmoid.ratio < 1e-6 * relu.ratio
    assert result.ratio("sigmoid").high < 1e-9
    assert result.ratio("sigmoid", "residual").low > 1e-3
    assert result.ratio("sigmoid", "batch_norm").low > 0.1
    assert result.ratio("sigmoid", "large_init").low > 1000 * result.ratio("sigmoid").high
    assert max(each.end for each in result.of("sigmoid")) < 0.2
    for remedy in ("batch_norm", "residual"):
        assert min(each.end for each in result.of("sigmoid", remedy)) > 0.7
    assert "0.23, 0.05" in result.sentences()[0]


def test_training_diverges_with_large_weights_and_learns_with_clipping() -> None:
    result = found("exploding")
    assert [result.diverged(remedy) for remedy in ("", "clip_norm", "init", "batch_norm")] == [3, 0, 0, 0]
    for remedy in ("clip_norm", "init", "batch_norm"):
        assert min(each.end for each in result.of("relu", remedy)) > 0.75
    for large, usual in zip(result.of("relu"), result.of("relu", "init"), strict=True):
        assert large.norm > 20 * usual.norm
    assert "3 of 3 do without a remedy" in result.sentences()[1]


def test_relu_units_die_and_those_of_its_kin_keep_a_gradient() -> None:
    result = found("dying_relu")
    assert result.stuck("relu").low > 0.1
    assert ends(result.stuck("leaky_relu")) == ends(result.stuck("elu")) == (0, 0)
    for name in ("leaky_relu", "elu"):
        for relu, other in zip(result.of("relu"), result.of(name), strict=True):
            assert relu.never_fire[-1] > other.never_fire[-1]
        assert result.accuracy(name).centre > result.accuracy("relu").centre
    assert result.never_fire("relu", "learning_rate").high < 0.05
    assert result.never_fire("relu", "batch_norm").high < 0.15


def test_linear_layers_are_one_layer() -> None:
    result = found("linear")
    assert result.difference < 1e-12
    for depth in (1, 5):
        assert result.accuracy("xor", "identity", depth).high <= 0.75
        assert result.accuracy("circles", "identity", depth).high < 0.7
        assert result.accuracy("moons", "identity", depth).high < result.accuracy("moons", "relu", 1).low
    assert ends(result.accuracy("xor", "relu", 1)) == (1, 1)
    assert result.accuracy("circles", "relu", 1).low > 0.9


def test_softmax_slows_hidden_layers_down() -> None:
    result = found("softmax_hidden")
    for name in ("relu", "tanh"):
        assert result.gradient("softmax").high < 1e-3 * result.gradient(name).low
        assert result.accuracy("softmax").high < result.accuracy(name).low
    assert all(np.isclose(np.mean(each.outputs), 1 / 64) for each in result.of("softmax"))
    assert "not advised" in result.sentences()[-1]


def test_glorot_and_he_keep_the_size_of_outputs() -> None:
    result = found("initialisation")

    def change(row: str, name: str) -> float:
        deviations = result.cell(row, name).deviations
        return float((deviations[:, -1] / deviations[:, 0]).mean())

    assert change("0.01", "tanh") < 1e-3
    assert change("1", "relu") > 1000
    assert result.cell("1", "tanh").flat.min() > 0.7
    assert result.cell("1", "sigmoid").flat.min() > 0.4
    assert change("glorot", "tanh") > 0.4
    assert result.cell("glorot", "tanh").flat[:, -1].max() < 0.01
    assert 0.7 < change("he", "relu") < 1.4
    for name in result.activations:
        assert 0.9 < change("batch_norm", name) < 1.1
    for cell in result.cells:
        assert np.allclose(cell.counts.sum(axis=1), 1)


@pytest.mark.parametrize("name", [*SMALL, *ODD])
def test_results_show_themselves(name: str, tmp_path: Path) -> None:
    result: Result = found(name) if name in SMALL else ODD[name]()
    text = json.dumps(result.as_dict(), allow_nan=False)
    assert json.loads(text)["experiment"]
    words = " ".join([result.title, *result.sentences()])
    for table in result.tables():
        assert all(len(row) == len(table.columns) for row in table.rows)
        words += " ".join([table.caption, *(cell for row in table.rows for cell in row)])
    assert not {"nan", "inf"} & set(re.findall(r"\w+", words))
    assert not re.search("[{}]", words)
    assert "<table>" in result._repr_html_()
    result.figure().savefig(tmp_path / "picture.png")


WRONG = [
    (partial(experiments.vanishing, ["rellu"]), "did you mean 'relu'"),
    (partial(experiments.vanishing, ["softmax"]), "activations: 'softmax'"),
    (partial(experiments.vanishing, []), "activations=[]"),
    (partial(experiments.softmax_hidden, []), "others=[]"),
    (partial(experiments.vanishing, depth=0), "depth=0"),
    (partial(experiments.exploding, seeds=0), "seeds=0"),
    (partial(experiments.exploding, scale=-1), "scale=-1"),
    (partial(experiments.linear, problems=["digits"]), "problems: 'digits'"),
    (partial(experiments.linear, problems=[]), "problems=[]"),
    (partial(experiments.initialisation, scales=[]), "scales=[]"),
]


@pytest.mark.parametrize(("call", "message"), WRONG, ids=[message for _call, message in WRONG])
def test_wrong_arguments_are_named(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        call()


def test_figures_for_readers() -> None:
    assert [short(x) for x in (0, 0.234, 0.999, 1.26e-12, 3412, 12e6, float("nan"))] == [
        "0", "0.23", "1.0", "1.3e-12", "3,400", "1.2e7", "-",
    ]  # fmt: skip
    assert times(391_234_567_890.0) == "390,000,000,000"
    assert [share(x) for x in (0, 1e-5, 0.004, 0.97)] == ["0%", "0%", "0.4%", "97%"]
    assert Spread.of([0.93, 0.83, 0.95]).text(share) == "93% (83\u201395)"
    assert Spread.of([0.5]).text(short) == "0.50"
    assert Spread.of([float("nan")]).text(short) == "-"
    assert plain({1: [np.float32(0.5), float("inf")], "a": np.arange(2)}) == {"1": [0.5, None], "a": [0, 1]}


def test_commands_write_their_files(fastact: Callable[..., str]) -> None:
    listed = fastact("demo", "--help")
    assert all(f"  {name.replace('_', '-')} " in listed for name in SMALL)
    assert "3(2x) = 6x" in fastact("demo", "linear", "--seeds", 1, "--json", "linear.json")
    pixels("fastact-demo-linear.png")
    assert json.loads(Path("linear.json").read_text())[0]["seeds"] == 1
