"""The constants in the sources are those that tools/coefficients.py computes."""

from __future__ import annotations

import re
import subprocess
import sys

import numpy as np
import pytest

from helpers import ROOT

SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("exponential", "normal", "error", "gates")]
pytest.importorskip("mpmath")


def coefficients(*arguments: str) -> str:
    """What the generator prints; it must find nothing amiss."""
    command = [sys.executable, str(ROOT / "tools" / "coefficients.py"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("table", ["softmax", "sine", *SLOW])
def test_sources_have_what_the_generator_computes(table: str) -> None:
    assert coefficients("--check", table) == ""


def test_the_softmax_kernels_have_no_other_constants() -> None:
    source = (ROOT / "fastact" / "_kernels" / "native" / "softmax" / "simd.pxi").read_text(encoding="utf-8")
    written = re.findall(r"\b(?:vf_|vd_)?splat(?:\[vec\]\(&\w+, |\()-?(\d+\.\d{3,}(?:e[-+]?\d+)?)\)", source)
    computed = {float(number) for number in re.findall(r"\d+\.\d+(?:e[-+]?\d+)?", coefficients("softmax"))}
    assert len(written) > 20
    for number in map(float, written):
        assert {number, float(np.float32(number))} & computed, number
