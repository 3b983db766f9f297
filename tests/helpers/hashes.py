"""Hashes of results over fixed inputs; `cd tests && python -m helpers.hashes` writes those of hashes.json anew."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np

import fastact as fa
from helpers import ROOT
from helpers.catalogue import ACTIVATIONS

HASHES = ROOT / "tests" / "hashes.json"


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


if __name__ == "__main__":
    HASHES.write_text(json.dumps(digests(), indent=1) + "\n")
