"""All 2**32 float32 numbers: elementwise functions have the CPU's bits; softmax is within 4 ULP."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import torch

import fastact as fa
from card.elementwise import ACTIVATIONS
from card.record import Figure, Units
from card.timing import DEVICE

__all__ = ["units"]

PIECE = 1 << 26
MOST_ULP = 4


def _pieces(count: int) -> Iterator[np.ndarray]:
    """`count` float32 numbers of every magnitude, at even distances; 2**32 are all."""
    step = np.uint64((1 << 32) // count)
    for start in range(0, count, PIECE):
        places = np.arange(start, min(count, start + PIECE), dtype=np.uint64) * step
        yield places.astype(np.uint32).view(np.float32)


def _bits(f: Any, count: int) -> dict[str, Figure]:
    """Compare on the GPU, which is faster there than on the host."""
    differ = {"forward": 0, "derivative": 0}
    for x in _pieces(count):
        device = torch.from_numpy(x).to(DEVICE)
        for part, function in (("forward", f), ("derivative", f.derivative)):
            found, wanted = function(device), torch.from_numpy(function(x)).to(DEVICE)
            same = (found.view(torch.int32) == wanted.view(torch.int32)) | (found.isnan() & wanted.isnan())
            differ[part] += int(same.numel() - same.sum())
    return {
        part: Figure(note=f"{count} numbers", fault=f"{n} results differ from the CPU's" if n else "")
        for part, n in differ.items()
    }


def _ulps(found: Any, exact: Any) -> Any:
    """Errors in units of the last place of the exact results, which are float64; infinite for NaN."""
    _, exponent = torch.frexp(exact)
    last = torch.ldexp(torch.ones_like(exact), torch.clamp(exponent, min=-125) - 24)
    return ((found.double() - exact).abs() / last).nan_to_num(nan=torch.inf)


def _softmax(count: int) -> dict[str, Figure]:
    """Rows of two: each finite number, and 0."""
    worst = 0.0
    for numbers in _pieces(count):
        x = torch.from_numpy(numbers[np.isfinite(numbers)]).to(DEVICE)
        y = fa.softmax(torch.stack([x, torch.zeros_like(x)], 1), -1)
        for sign, column in ((1, 0), (-1, 1)):
            errors = _ulps(y[:, column], torch.sigmoid(sign * x.double()))
            worst = max(worst, float(errors.max()) if len(x) else 0.0)
    fault = f"more than {MOST_ULP} ULP" if worst > MOST_ULP else ""
    return {"softmax": Figure(note=f"{count} numbers, {worst:.3f} ULP", fault=fault)}


def units(power: int) -> Units:
    count = 1 << min(32, power + 4)
    yield "softmax", partial(_softmax, count)
    for f in ACTIVATIONS:
        yield f.name, partial(_bits, f, count)
