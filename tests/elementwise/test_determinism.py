"""The same bits from any machine: a hash of results over fixed inputs, and another instruction set beside this one.

tests/hashes.json holds the hashes; `python tests/test_determinism.py` writes it anew, after a change of results that is
meant. Bits are the same for every instruction set, since fma is explicit and nothing else is contracted.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ACTIVATIONS

import fastact as fa

HASHES = Path(__file__).with_name("hashes.json")


def inputs(dtype: Any) -> np.ndarray:
    """Numbers of all exponents, ordinary numbers, and the specials."""
    kind = np.dtype(f"u{np.dtype(dtype).itemsize}")
    everywhere = np.arange(4096, dtype=kind) * (np.iinfo(kind).max // 4096) + kind.type(12345)
    ordinary = np.linspace(-30, 30, 4096).astype(dtype)
    x = np.concatenate([everywhere.view(dtype), ordinary, np.array([0.0, -0.0, np.inf, -np.inf], dtype)])
    return x[~np.isnan(x)]


def digest(name: str) -> str:
    """A hash of an activation's values, derivatives and gradients in both dtypes."""
    f, total = fa.get(name), hashlib.sha256()
    for dtype in np.float32, np.float64:
        with np.errstate(all="ignore"):
            x = inputs(dtype)
            parameters = tuple(map(dtype, f.parameters.values()))
            for result in f(x, *parameters), f.derivative(x, *parameters), f.backward(x[::-1], x, *parameters):
                total.update(np.where(np.isnan(result), dtype(0), result).tobytes())
                total.update(np.isnan(result).tobytes())
    return total.hexdigest()[:16]


def digests() -> dict[str, str]:
    return {name: digest(name) for name in ACTIVATIONS}


@pytest.mark.skipif(sys.byteorder == "big", reason="the hashes are of little-endian numbers")
def test_hashes(activation: Any) -> None:
    expected = json.loads(HASHES.read_text())
    if activation.name not in expected:
        pytest.skip(f"{activation.name} is new; python tests/test_determinism.py notes its hash")
    assert digest(activation.name) == expected[activation.name], "results changed; see this file's first lines if meant"


@pytest.mark.slow
def test_every_hash_is_noted() -> None:
    assert sorted(json.loads(HASHES.read_text())) == sorted(ACTIVATIONS)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_generic_processor(python: Any) -> None:
    """A processor without AVX and FMA gives the same bits."""
    code = "import sys; sys.path.insert(0, 'tests'); import json, test_determinism as t; print(json.dumps(t.digests()))"
    assert json.loads(python(code, NUMBA_CPU_NAME="generic")) == json.loads(HASHES.read_text())


if __name__ == "__main__":
    HASHES.write_text(json.dumps(digests(), indent=1) + "\n")
