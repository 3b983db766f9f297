"""Activations from a user's file: what is wrong with one is one line, before any work."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

import fastact as fa
from fastact.functions import own
from fastact.learn.experiments import compare

HEAD = "import fastact as fa\n\n@fa.activation(derivative=lambda x: 1.0)\ndef mine(x):\n    "


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("def (:", "line 1: invalid syntax"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("import sys\nsys.exit(3)", "SystemExit: 3"),
        ("x = 1", "defines no activation"),
        (HEAD + "return unknown(x)", "mine cannot be compiled (NameError: name 'unknown' is not defined)"),
        (HEAD + "return x.max()", "mine cannot be compiled (Unknown attribute 'max' of type float32)"),
        (HEAD + "return x, x", "mine cannot be compiled (Cannot cast UniTuple(float32 x 2) to float32)"),
        (HEAD.replace("lambda x", "lambda") + "return x", "too many positional arguments"),
    ],
    ids=range(8),
)
def test_a_wrong_file_is_one_line(source: str, told: str, tmp_path: Path, own_registry: None) -> None:
    file = tmp_path / "own_with_faults.py"
    file.write_text(source, encoding="utf-8")
    with pytest.raises(ValueError, match=r"own_with_faults\.py") as caught:
        own.load(file)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "own_with_faults" not in sys.modules
    file.write_text(HEAD + "return 2 * x", encoding="utf-8")
    assert own.load(file) == ["mine"]
    del sys.modules["own_with_faults"]


def test_a_file_takes_no_module_s_name(tmp_path: Path, own_registry: None) -> None:
    for name in ("colorsys", "numpy"):  # the first one is not imported yet
        file = tmp_path / f"{name}.py"
        file.write_text(HEAD + "return x", encoding="utf-8")
        with pytest.raises(ValueError, match=r"rename it to my_activations\.py"):
            own.load(file)


def test_an_activation_that_is_nan_diverges_without_a_warning(own_registry: None) -> None:
    @fa.activation(derivative=lambda x: x)
    def nowhere(x):  # type: ignore[no-untyped-def]
        return x * np.nan

    found = compare("moons", ["nowhere"], seeds=1, epochs=2)
    assert found.runs[0].diverged == 1
    assert found.boundaries is not None
    assert {*found.boundaries.values["nowhere"].flat} == {128}
