"""Times on the GPU, beside PyTorch's and those of a copy of as many bytes. Calls take turns; the median counts."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch

from card.record import Figure

__all__ = ["DEVICE", "DTYPES", "compared", "differs", "microseconds", "milliseconds", "random"]

DEVICE = "cuda"
DTYPES = {"float32": torch.float32, "float64": torch.float64, "float16": torch.float16, "bfloat16": torch.bfloat16}
#: How often each call is timed, after two that are not.
ROUNDS = 9

Call = Callable[[], Any]


def random(*shape: int, dtype: str = "float32") -> Any:
    """Normal numbers on the GPU."""
    return torch.randn(shape, device=DEVICE, dtype=DTYPES[dtype])


def differs(found: Any, wanted: Any, relative: float, share: float = 0.0) -> str:
    """A fault if a number is further off than `relative` of itself and `share` of the largest; else nothing."""
    close = torch.allclose(found, wanted, rtol=relative, atol=share * float(wanted.abs().max()))
    return "" if close else "differs from PyTorch's"


def milliseconds(calls: list[Call | None]) -> list[float | None]:
    """What each call costs the GPU, without what the host does before the launch; None for None."""
    times: list[list[float]] = [[] for _ in calls]
    for turn in range(ROUNDS + 2):
        for call, seen in zip(calls, times, strict=True):
            if call is None:
                continue
            start, stop = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
            torch.cuda._sleep(1_000_000)  # the call is queued before the GPU is free
            start.record()
            call()
            stop.record()
            stop.synchronize()
            if turn >= 2:
                seen.append(start.elapsed_time(stop))
    return [statistics.median(seen) if seen else None for seen in times]


def microseconds(calls: list[Call]) -> list[float]:
    """What each call costs its caller: the least of 9 batches, which take turns."""
    least = [float("inf")] * len(calls)
    for _ in range(ROUNDS):
        for i, call in enumerate(calls):
            torch.cuda.synchronize()
            start = time.perf_counter()
            for _ in range(200):
                call()
            least[i] = min(least[i], (time.perf_counter() - start) / 200 * 1e6)
    torch.cuda.synchronize()
    return least


def compared(moved: float, own: Call, peer: Call | None = None, *, share: float = 0.0, ratio: float = 1.0) -> Figure:
    """Time fastact's call, which reads and writes `moved` bytes, beside PyTorch's and a copy of as many.

    At least `share` of the copy's bandwidth and `ratio` of PyTorch's time over fastact's are asked.
    """
    source = torch.empty(int(moved) // 2, dtype=torch.uint8, device=DEVICE)
    target = torch.empty_like(source)
    copy, mine, theirs = milliseconds([lambda: target.copy_(source), own, peer])
    assert copy is not None
    assert mine is not None
    return Figure(mine, copy / mine, None if theirs is None else theirs / mine, share, 0.0 if peer is None else ratio)
