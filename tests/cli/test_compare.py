"""The command compare: its options, what it prints and writes, and how it ends when it is told to."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from helpers.commands import one_line, pixels

for name in ("click", "matplotlib", "scipy", "sklearn"):
    pytest.importorskip(name, reason=f"{name} is not installed (extra: demo)")

Fastact = Callable[..., str]


def test_digits_by_default(fastact: Fastact) -> None:
    tiny = ["--seeds", 2, "--epochs", 1, "--activations", "relu, linear", "--json", "runs.json"]
    output = fastact("compare", *tiny)
    assert "relu" in output
    assert "identity" in output
    pixels("fastact-compare.png")
    [comparison] = json.loads(Path("runs.json").read_text())
    assert [(run["setting"]["activation"], run["seed"]) for run in comparison["runs"]] == [
        ("relu", 0), ("relu", 1), ("identity", 0), ("identity", 1),
    ]  # fmt: skip
    assert comparison["problem"] == "digits"
    assert comparison["training"]["epochs"] == 1


def test_xor_is_shown_twice(fastact: Fastact) -> None:
    output = fastact("compare", "xor", "--seeds", 2, "--activations", "identity,tanh", "-o", "xor.png")
    assert "2-4-1 network" in output
    assert "2-16-1 network" in output
    assert "0 of 2" in output
    assert "one straight line" in output
    pixels("xor.png")
    assert "2-16-1 network" not in fastact("compare", "xor", "--seeds", 2, "--activations", "tanh", "--epochs", 2)


def test_a_grid_with_ones_own_activation(fastact: Fastact, own_registry: None) -> None:
    Path("halved_for_compare.py").write_text(
        "import fastact as fa\n\n@fa.activation(derivative=lambda x: 0.5 + 0 * x)\n"
        "def halved_for_compare(x):\n    return 0.5 * x\n"
    )
    output = fastact(
        "compare", "circles", "--from", "halved_for_compare.py", "--activations", "relu,halved_for_compare",
        "--depths", "1,2", "--initialisers", "he,glorot", "--optimisers", "adam,sgd", "--hidden", 5, "--epochs", 2,
        "--batch-size", 50, "--seeds", 1, "-o", "a.png",
    )  # fmt: skip
    assert "halved_for_compare (2 layers, glorot, sgd)" in output
    assert "2-5-...-5-1 network, adam with learning rate 0.005, sgd with learning rate 0.05, batches of 50" in output


@pytest.mark.parametrize("task", ["classes", "number"])
def test_a_table(fastact: Fastact, task: str) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, 2))
    y = np.where(x[:, 0] > 0, "right", "left") if task == "classes" else x[:, 0] ** 2
    np.savez("points.npz", X=x, side=y)
    output = fastact(
        "compare", "points.npz", "--target", "side", "--activations", "relu,tanh", "--seeds", 2, "--epochs", 20,
        "-o", "a.png", "--json", "a.json",
    )  # fmt: skip
    assert ("test accuracy" if task == "classes" else "test R²") in output
    assert "Nadeau and Bengio" in " ".join(output.split())
    [found] = json.loads(Path("a.json").read_text())
    assert found["overlap"] == 0.25
    assert found["score_name"] == ("accuracy" if task == "classes" else "R2")


@pytest.mark.parametrize(
    ("options", "exit_code", "says"),
    [
        (["moon"], 2, "did you mean 'moons'?"),
        (["points.csv"], 2, "--target COLUMN"),
        (["points.csv", "--target", "y"], 1, "points.csv"),
        (["points.csv", "--target", "y", "--json", "points.csv"], 2, "--json points.csv: is another file"),
        (["digits", "--target", "y"], 2, "--target goes with a file"),
        (["--activations", "relu,tanhh"], 2, "did you mean 'tanh'?"),
        (["--activations", "GELU,ReLU"], 2, "did you mean 'gelu'?"),
        (["--activations", "softmax"], 2, "softmax acts on whole rows"),
        (["--optimisers", "adm"], 2, "did you mean 'adam'?"),
        (["--initialisers", "hee"], 2, "did you mean 'he'?"),
    ],
    ids=str,
)
def test_one_line_says_what_is_wrong(fastact: Fastact, options: list[str], exit_code: int, says: str) -> None:
    assert says in one_line(fastact("compare", *options, exit_code=exit_code))
    assert os.listdir() == []


@pytest.mark.parametrize(
    ("options", "exit_code", "says"),
    [
        (["--depths", "1,x"], 2, "'x' is no whole number from 1 on"),
        (["--activations", ","], 2, "names nothing"),
        (["--seeds", "0"], 2, "--seeds"),
        (["--epochs", "many"], 2, "--epochs"),
        (["--batch-size", "-1"], 2, "--batch-size"),
        (["--learning-rate", "0"], 2, "--learning-rate"),
        (["--output", "missing/a.png"], 1, "cannot write"),
        (["--json", "missing/a.json"], 1, "cannot write"),
    ],
    ids=str,
)
def test_it_says_which_option_is_wrong(fastact: Fastact, options: list[str], exit_code: int, says: str) -> None:
    assert says in fastact("compare", *options, exit_code=exit_code)
    assert os.listdir() == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for groups of processes")
def test_ctrl_c_ends_it_with_its_processes(tmp_path: Path) -> None:
    pytest.importorskip("joblib", reason="joblib is not installed (extra: demo)")
    command = [sys.executable, "-P", "-m", "fastact", "compare", "--seeds", "2000", "--jobs", "2", "--json", "a.json"]
    running = subprocess.Popen(
        command, cwd=tmp_path, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    children = Path(f"/proc/{running.pid}/task/{running.pid}/children")
    deadline = time.monotonic() + 60
    while children.exists() and len(children.read_text().split()) < 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(1)
    os.killpg(running.pid, signal.SIGINT)
    output, _ = running.communicate(timeout=60)  # also waits for the processes, which hold the pipe
    assert running.returncode == 1
    assert output.split() == ["Aborted!"]
    assert os.listdir(tmp_path) == []
