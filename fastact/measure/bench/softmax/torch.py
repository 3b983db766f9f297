"""The softmax family of PyTorch; it masks by -inf."""

from __future__ import annotations

import math
from typing import Any

from fastact.measure.bench.cases import Array, Case
from fastact.measure.bench.libraries import tensor, torch
from fastact.measure.bench.softmax.masks import keep
from fastact.measure.bench.timing import Contender

__all__ = ["contender"]


def contender(case: Case, arrays: tuple[Array, ...], out: Array | None) -> Contender:
    """PyTorch's call on these arrays."""
    t, axis = torch(), case.axis
    a, *rest = map(tensor, arrays)
    target = None if out is None else tensor(out)
    if case.part == "backward":
        return Contender(_backward(t, case, a, rest[0], target), t.inference_mode)
    functions = {
        "softmax": t.softmax,
        "softmin": lambda a, axis, **more: t.softmax(-a, axis, **more),
        "log_softmax": t.log_softmax,
        "logsumexp": t.logsumexp,
    }
    f = functions[case.name]
    extra = {} if target is None else {"out": target}
    if not case.data:
        return Contender(lambda: f(a, axis, **extra), t.inference_mode)
    masked = t.from_numpy(~keep(case))
    lowest = math.inf if case.name == "softmin" else -math.inf
    return Contender(lambda: f(a.masked_fill(masked, lowest), axis, **extra), t.inference_mode)


def _backward(t: Any, case: Case, g: Any, y: Any, target: Any) -> Any:
    axis = case.axis
    if case.name == "log_softmax":
        extra = {} if target is None else {"out": target}
        return lambda: t._log_softmax_backward_data(g, y, axis, y.dtype, **extra)
    extra = {} if target is None else {"grad_input": target}
    if case.name == "softmax":
        return lambda: t._softmax_backward_data(g, y, axis, y.dtype, **extra)
    return lambda: t._softmax_backward_data(g, y, axis, y.dtype, **extra).neg_()
