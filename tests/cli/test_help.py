"""Every command has examples in its --help, and they run."""

from __future__ import annotations

import importlib
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("click", reason="click is not installed (extra: demo)")
pytest.importorskip("matplotlib", reason="matplotlib is not installed (extra: demo)")

import click

from fastact.cli.app import cli

#: What takes more than a second or two.
SLOW = re.compile(
    r"bench softmax|choose --data|compare|demo|diagnose|explore|train .*--report|verify|"
    "warmup$"
)
#: What an example needs besides the extra demo.
NEEDS = {
    "torch:": ["torch"],
    "numexpr:": ["numexpr"],
    ".onnx": ["onnx", "onnxruntime"],
    ".parquet": ["dask", "pyarrow"],
}

OWN = """
import numpy as np
import fastact as fa

def my_silu(x):
    return fa.silu(x)

def slope(x):
    return fa.sigmoid.derivative(x)
"""


def commands(group: Any = cli, path: str = "") -> Iterator[tuple[str, Any]]:
    """All commands by name, and groups after theirs."""
    for name, command in group.commands.items():
        yield f"{path}{name}", command
        if isinstance(command, click.Group):
            yield from commands(command, f"{name} ")


def examples(command: Any) -> list[str]:
    return re.findall(r"^ +fastact (.+)$", command.help, re.M)


EXAMPLES = [
    pytest.param(example, marks=[pytest.mark.slow] if SLOW.search(example) else [])
    for _, command in commands()
    for example in examples(command)
]


@pytest.mark.parametrize(("name", "command"), list(commands()))
def test_every_command_has_examples_of_itself(name: str, command: Any) -> None:
    found = examples(command)
    assert found
    assert all(example.startswith(name) for example in found)


@pytest.mark.parametrize("example", EXAMPLES)
def test_examples_run(example: str, fastact: Callable[..., str]) -> None:
    for part, modules in NEEDS.items():
        if part in example:
            for module in modules:
                pytest.importorskip(module)
    arguments = shlex.split(example.partition(" > ")[0])
    prepare(arguments, fastact)
    verdict = 0
    if "verify" in arguments:  # which libraries fail by float16's or bfloat16's errors alone, or far out
        arguments = [*(each for each in arguments if each != "--all"), "--samples", "1000"]
        verdict = int("FILE.py:my_silu" not in arguments)
    assert fastact(*arguments, exit_code=verdict)
    for name in re.findall(r"(?:-o|--output|--json|--report|--plot) (\S+\.\w+)", example):
        assert Path(name).stat().st_size


def prepare(arguments: list[str], fastact: Callable[..., str]) -> None:
    """The files that the examples name."""
    random = np.random.default_rng(0)
    np.save("in.npy", random.normal(size=100))
    rows = [f"{a:.2f},{b:.2f},{'rose' if a > b else 'iris'}" for a, b in random.normal(size=(60, 2))]
    for name in ("flowers.csv", "new.csv"):
        Path(name).write_text("\n".join(["petal,sepal,species", *rows]))
    Path("FILE.py").write_text(OWN)
    if "predict" in arguments:
        fastact("train", "flowers.csv", "--target", "species", "--epochs", "2")
    if "scores.parquet" in arguments:
        pandas = importlib.import_module("pandas")
        pandas.DataFrame({"id": ["a", "b"], "cat": [1.0, 2.0], "dog": [0.5, 3.0]}).to_parquet("scores.parquet")
    if "model.onnx" in arguments:
        onnx = importlib.import_module("onnx")
        x, y = (onnx.helper.make_tensor_value_info(name, 1, ["n"]) for name in "xy")
        graph = onnx.helper.make_graph([onnx.helper.make_node("Mish", ["x"], ["y"])], "graph", [x], [y])
        onnx.save(
            onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=9), "model.onnx"
        )
