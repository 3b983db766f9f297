"""A memory map through the GPU, beside what page-locked memory alone gives one way."""

from __future__ import annotations

import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
import torch

import fastact as fa
from card.record import Figure, Units
from card.timing import DEVICE, milliseconds

__all__ = ["units"]

#: The most bytes of the GPU that a call may keep.
KEPT = 1 << 30
PIECE = 1 << 26


def _one_way() -> float:
    """Bytes per second from page-locked memory to the GPU."""
    pinned, there = torch.empty(1 << 28, pin_memory=True), torch.empty(1 << 28, device=DEVICE)
    (took,) = milliseconds([lambda: there.copy_(pinned, non_blocking=True)])
    assert took is not None
    return 4 * 2**28 / took * 1000


def _memory_map(n: int) -> dict[str, Figure]:
    one_way = _one_way()
    torch.cuda.empty_cache()
    with tempfile.TemporaryDirectory() as folder:
        source, target = (np.memmap(Path(folder, name), np.float32, "w+", shape=n) for name in ("x", "y"))
        pieces = {start: np.float32(0.1 * i - 4) for i, start in enumerate(range(0, n, PIECE))}
        for start, number in pieces.items():
            source[start : start + PIECE] = number
        free = torch.cuda.mem_get_info()[0]
        fa.gelu(source[:PIECE], out=target[:PIECE], backend="cuda")  # what is compiled at first
        began = time.perf_counter()
        fa.gelu(source, out=target, backend="cuda")
        took = time.perf_counter() - began
        kept = free - torch.cuda.mem_get_info()[0]
        right = all(
            (target[start : start + PIECE : PIECE // 8] == fa.gelu(number)).all() for start, number in pieces.items()
        )
    rate = 4 * n / took
    fault = f"keeps {kept} bytes of the GPU" if kept > KEPT else "" if right else "wrong results"
    note = f"{rate / 1e9:.1f} GB/s each way, page-locked memory one way {one_way / 1e9:.1f}"
    return {"gelu": Figure(took * 1000, rate / one_way, None, 0.85, note=note, fault=fault)}


def units(power: int) -> Units:
    n = 5 << (power + 2)  # 20 GB for the power 28
    yield f"memory map of {4 * n / 2**30:g} GB", partial(_memory_map, n)
