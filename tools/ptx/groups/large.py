"""The last blocks of arrays whose items do not have numbers of 32 bits; the blocks before them are not run."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import fake_gpu as gpu
import numpy as np
from cases import Case, group
from comparing import numbers, same

import fastact as fa

BEYOND = 2**31 + 5000


def ending_in(tail: np.ndarray, n: int) -> gpu.Array:
    """An array of n items, of which the last ones are written."""
    array = gpu.empty(n, tail.dtype)
    data, shadow, _ = gpu.MEMORY.bytes_of(array.address)
    data[-tail.nbytes :], shadow[-tail.nbytes :] = tail.reshape(-1).view(np.uint8), 1
    return array


def check(name: str, first: int, x: Any, wanted: np.ndarray) -> None:
    with gpu.options(races=False, first=first):
        got = fa.get(name)(x)
    same(got[len(got) - len(wanted) :].copy_to_host(), wanted)


def relu(dtype: str, n: int) -> None:
    tail = numbers(dtype, 4000)[:4000]
    block = 2048 if dtype == "f2" else 1024
    check("relu", n // block - 2, ending_in(tail, n), fa.relu(tail)[-1000:])


def strided_relu() -> None:
    tail = numbers("i1", 4000)
    check("relu", BEYOND // 256 // 2 - 8, ending_in(tail, BEYOND)[1::2], fa.relu(tail[1::2])[-500:])


def softmax() -> None:
    rows, x = 2**29 + 1000, np.random.default_rng(0).normal(size=(2000, 5)).astype("f2")
    check("softmax", rows // 128 - 6, ending_in(x, rows * 5).reshape((rows, 5)), fa.softmax(x)[-500:])


@group
def large() -> Iterator[Case]:
    for dtype, n in (("i1", BEYOND), ("f2", BEYOND), ("u1", 2**32 + 5000)):
        yield Case(("relu", dtype, n), partial(relu, dtype, n))
    yield Case(("strided relu",), strided_relu)
    yield Case(("softmax",), softmax)
