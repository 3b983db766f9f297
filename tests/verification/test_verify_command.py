"""The command `fastact verify`: what it prints, draws and writes, and its exit code."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from helpers.commands import fastact, one_line, pixels  # noqa: F401

pytest.importorskip("mpmath")

QUICK = ("--samples", 20_000, "--dtype", "float32")


def test_passes(fastact: Callable[..., str]) -> None:  # noqa: F811
    output = fastact("verify", "fastact:gelu", "--max-ulp", 1, "--json", "found.json", *QUICK)
    assert "fastact:gelu passes as gelu" in output
    assert "wrote fastact-verify.png, found.json" in output
    pixels("fastact-verify.png")
    (found,) = json.loads(Path("found.json").read_text())
    assert found["passed"]
    assert [each["part"] for each in found["errors"]] == ["forward", "derivative"]


def test_fails(fastact: Callable[..., str]) -> None:  # noqa: F811
    """Exit code 1; files are written all the same."""
    Path("kernels.py").write_text("import numpy as np\n\n\ndef tanh(x):\n    return np.tanh(x) * x.dtype.type(1.01)\n")
    output = fastact("verify", "kernels.py:tanh", "-o", "errors.png", *QUICK, exit_code=1)
    assert "kernels.py:tanh fails as tanh" in output
    assert "FAILED" in output
    pixels("errors.png")
    fastact("verify", "kernels.py:tanh", "--max-ulp", 2**24, *QUICK)


@pytest.mark.usefixtures("own_registry")
def test_own_activations(fastact: Callable[..., str]) -> None:  # noqa: F811
    pytest.importorskip("sympy")
    text = "import fastact as fa\n\n\n@fa.activation(beta=1.0)\ndef verified_line(x, beta):\n    return beta * x\n"
    Path("verified_own.py").write_text(text)
    output = fastact("verify", "fastact:verified_line", "--from", "verified_own.py", "--param", "beta=3", *QUICK)
    assert "passes as verified_line(beta=3)" in output
    assert "mpmath checked it" in output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fastact:gelo"], "did you mean 'gelu'"),
        (["missing.py:f"], "missing.py"),
        (["missing.onnx"], "missing.onnx"),
        (["fastact:gelu", "--against", "softmax"], "acts on whole rows"),
        (["fastact:gelu", "--device", "cuda"], "can be sent to a device"),
        (["fastact:gelu", "--param", "gamma=1"], "takes none of these dtypes"),
        (["fastact:gelu", "--json", "fastact-verify.png"], "another file of this command"),
    ],
)
def test_wrong_input(fastact: Callable[..., str], arguments: list[str], message: str) -> None:  # noqa: F811
    """One line, exit code 2, and nothing written."""
    assert message in one_line(fastact("verify", *arguments, *QUICK, exit_code=2))
    assert not list(Path.cwd().glob("*"))
