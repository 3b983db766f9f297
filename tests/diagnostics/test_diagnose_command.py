"""The command `diagnose`: what it prints and writes, and how it words errors."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="matplotlib is not installed (extra: demo)")
pytest.importorskip("sklearn", reason="scikit-learn is not installed (extra: demo)")

Diagnose = Callable[..., str]


@pytest.fixture
def diagnose(fastact: Callable[..., str]) -> Diagnose:
    """Run the command in an empty folder and return its output."""
    return partial(fastact, "diagnose")


def test_diagnose_a_named_data_set(diagnose: Diagnose) -> None:
    output = diagnose("moons", "--activation", "tanh", "--epochs", 5, "--hidden", 8, "--depth", 1, "--json", "all.json")
    assert "Nothing to worry about: no alarm in 5 epochs." in output
    assert "wrote fastact-diagnose.png, all.json" in output
    assert Path("fastact-diagnose.png").read_bytes().startswith(b"\x89PNG")
    [found] = json.loads(Path("all.json").read_text(encoding="utf-8"))
    assert found["epochs"] == [0, 1, 2, 3, 4, 5]
    assert found["layers"] == ["hidden 1", "output layer"]
    assert np.shape(found["gradient_norm"]) == np.shape(found["dead"]) == (6, 2)
    assert np.shape(found["histograms"]) == (6, 2, len(found["edges"]) - 1)
    assert found["network"]["sizes"] == [2, 8, 1]


def test_diagnose_a_divergence(diagnose: Diagnose) -> None:
    output = diagnose("regression", "--optimizer", "sgd", "--learning-rate", "1e30", "--epochs", 3)
    assert "Divergence (epoch 1): The loss or a weight became infinite or NaN" in output
    assert "Clip the gradient: clip_norm=1." in output


def test_long_trainings_are_looked_at_now_and_then(diagnose: Diagnose) -> None:
    diagnose("xor", "--depth", 1, "--hidden", 4, "--epochs", 450, "-q", "--json", "all.json")
    [found] = json.loads(Path("all.json").read_text(encoding="utf-8"))
    assert found["epochs"] == list(range(0, 451, 5))
    assert len(found["history"]["loss"]) == 450


def test_diagnose_a_file_with_an_activation_of_ones_own(diagnose: Diagnose, own_registry: None) -> None:
    rng = np.random.default_rng(0)
    rows = [f"{a:.3f},{b:.3f},{'yes' if a > b else 'no'}" for a, b in rng.normal(size=(80, 2))]
    Path("table.csv").write_text("\n".join(["a,b,answer", *rows]), encoding="utf-8")
    Path("flat_everywhere.py").write_text(
        "import fastact as fa\n\n@fa.activation(derivative=lambda x: 0.0 * x)\ndef never(x):\n    return 0.0 * x\n",
        encoding="utf-8",
    )
    output = diagnose(
        "table.csv", "--target", "answer", "--from", "flat_everywhere.py", "--activation", "never", "--epochs", 3
    )
    assert "Dead units (epochs 0 to 3): 100% of the units of hidden 1" in output
    assert "Nothing to worry about" not in output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["moon"], "did you mean 'moons'?"),
        (["missing.csv", "--target", "y"], "missing.csv"),
        (["moons", "--activation", "rellu"], "did you mean 'relu'?"),
        (["moons", "--activation", "glu"], "glu"),
        (["moons", "--init-scale", "0"], "--init-scale"),
        (["moons", "-o", "nowhere/a.png"], "nowhere"),
    ],
    ids=str,
)
def test_wrong_input_is_one_line_and_writes_nothing(diagnose: Diagnose, arguments: list[str], message: str) -> None:
    with pytest.raises(AssertionError) as failed:  # of the exit code, which is 1 or 2
        diagnose(*arguments)
    lines = str(failed.value).splitlines()
    assert [line for line in lines if "Error: " in line and message in line]
    assert not any(Path().glob("*.png"))
