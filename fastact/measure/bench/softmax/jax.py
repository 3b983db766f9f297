"""The softmax family of JAX, compiled."""

from __future__ import annotations

from typing import Any

from fastact.measure.bench.cases import Array, Case
from fastact.measure.bench.libraries import jax
from fastact.measure.bench.softmax.masks import keep
from fastact.measure.bench.timing import Contender

__all__ = ["contender"]


def contender(case: Case, arrays: tuple[Array, ...], out: Array | None) -> Contender:
    """JAX's call on these arrays, which gives a new one."""
    j, axis = jax(), case.axis
    given = [j.numpy.asarray(array) for array in arrays]
    if case.part == "backward":
        slope = j.jit(_slope(j, case))
        return Contender(lambda: slope(*given).block_until_ready())
    functions = {
        "softmax": j.nn.softmax,
        "softmin": lambda a, axis, **more: j.nn.softmax(-a, axis, **more),
        "log_softmax": j.nn.log_softmax,
        "logsumexp": j.nn.logsumexp,
    }
    f = functions[case.name]
    if case.data:
        mask = j.numpy.asarray(keep(case))
        masked = j.jit(lambda a, mask: f(a, axis, where=mask))
        return Contender(lambda: masked(*given, mask).block_until_ready())
    call = j.jit(lambda a: f(a, axis))
    if case.layout in ("strided", "transposed"):
        return Contender(lambda: call(j.numpy.asarray(*arrays)).block_until_ready())
    return Contender(lambda: call(*given).block_until_ready())


def _slope(j: Any, case: Case) -> Any:
    axis = case.axis
    if case.name == "log_softmax":
        return lambda g, y: g - j.numpy.exp(y) * g.sum(axis, keepdims=True)
    sign = -1 if case.name == "softmin" else 1
    return lambda g, y: sign * y * (g - (g * y).sum(axis, keepdims=True))
