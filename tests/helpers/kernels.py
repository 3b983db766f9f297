"""Implementations of tanh with a fault each, for the tests of `fastact.verify`."""

from __future__ import annotations

from typing import Any

import numpy as np

#: Function -> the words in which the fault is told; all of them fail.
FAULTS: dict[Any, tuple[str, ...]] = {}


def fault(*words: str) -> Any:
    def decorate(function: Any) -> Any:
        FAULTS[function] = words
        return function

    return decorate


@fault("forward at x = inf: nan, where 1 is right")
def nan_at_infinity(x: Any) -> Any:
    return np.where(np.isinf(x), np.nan, np.tanh(x)).astype(x.dtype)


@fault("Subnormal results are flushed to 0", "in float32 forward")
def flushes(x: Any) -> Any:
    y = np.tanh(x)
    y[np.abs(y) < np.finfo(np.float32).tiny] = 0
    return y


@fault("forward at x = -0: 0, where -0 is right", "Zeros have the wrong sign: 1 in float32 forward")
def loses_the_sign_of_zero(x: Any) -> Any:
    return np.tanh(x) + x.dtype.type(0)


@fault("Wrong are that at x = 0.33325", "It is not monotone")
def one_wrong(x: Any) -> Any:
    y = np.tanh(x)
    y[x == np.float16(1 / 3)] *= x.dtype.type(1.01)
    return y


@fault("it changes its input")
def in_place(x: Any) -> Any:
    return np.tanh(x, out=x)


@fault("errors are above the limit at some places of an array only", "in an array of length")
def wrong_tail(x: Any) -> Any:
    y = np.tanh(x)
    body = x.size // 4 * 4
    y[body:] *= x.dtype.type(1.01)
    return y


def sums(x: Any) -> Any:
    return x.sum()


def softmax(x: Any) -> Any:
    e = np.exp(x - x.max())
    return e / e.sum()


def of_two(x: Any, y: Any) -> Any:
    return x + y


def refuses(x: Any) -> Any:
    raise RuntimeError("no such kernel")


def refuses_nan(x: Any) -> Any:
    if np.isnan(x).any():
        raise RuntimeError("a NaN")
    return np.tanh(x)


def integers(x: Any) -> Any:
    return np.zeros(x.shape, int)
