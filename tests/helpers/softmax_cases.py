"""Shapes, memory layouts and exact results of softmax and log_softmax."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from fastact.backends.cpu import instruction_sets

KINDS = ["softmax", "log_softmax"]
DTYPES = [np.float32, np.float64]
WIDE = np.longdouble if np.finfo(np.longdouble).nmant > 60 else np.float64
SHAPES = [  # every loop of the kernels, with and without rest: short rows, rows, long rows, strips, groups
    ((1, 10), 1), ((37, 10), 1), ((3, 1), 1), ((19, 16), 1), ((5, 64), 1), ((5, 65), 1), ((3, 1003), 1),
    ((1, 65536), 1), ((1, 70_003), 1), ((50, 64), 0), ((4, 30, 45), 1), ((7, 50, 3), 1), ((300, 5, 2), 1),
    ((1100, 70), 0), ((66_000, 2), 0), ((66_000, 3), 0), ((2, 9001, 8), 1), ((5001, 16), 0),
    ((6, 4, 5), (0, 1)), ((6, 4, 5), (0, 2)), ((6, 4, 5), None), ((5, 3), ()),
]  # fmt: skip
LAYOUTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "C": lambda x: x,
    "Fortran": np.asfortranarray,
    "reversed": lambda x: x[..., ::-1].copy()[..., ::-1],
    "strided": lambda x: np.repeat(x, 2, axis=0)[::2],
    "swapped": lambda x: x.astype(x.dtype.newbyteorder()),
    "unaligned": lambda x: np.frombuffer(b"0" + x.tobytes(), np.uint8)[1:].view(x.dtype).reshape(x.shape),
}


def each_instruction_set(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Let the kernels be those for every instruction set that this CPU can run, in turn."""
    for name in instruction_sets.available():
        monkeypatch.setattr(instruction_sets, "kernels", instruction_sets.load(name))
        yield name


def numbers(shape: tuple[int, ...], dtype: type, scale: float = 3, offset: float = 0) -> np.ndarray:
    return (np.random.default_rng(0).normal(size=shape) * scale + offset).astype(dtype)


def exact(kind: str, x: np.ndarray, axis: int | tuple[int, ...] | None) -> np.ndarray:
    """The textbook's definition in extended precision, which has 11 bits more than float64."""
    wide = x.astype(WIDE)
    top = wide.max(axis, keepdims=True)
    e = np.exp(wide - top)
    if kind == "softmax":
        return e / e.sum(axis, keepdims=True)
    ties = (wide == top).sum(axis, keepdims=True)
    return (wide - top) - np.log1p(e.sum(axis, keepdims=True, where=wide != top) + (ties - 1))


def ulps(result: np.ndarray, wanted: np.ndarray) -> float:
    """The largest error in units in the last place; a subnormal's unit is the least subnormal."""
    quantum = np.spacing(np.abs(wanted).astype(result.dtype)).astype(WIDE)
    return float(np.max(np.abs(result.astype(WIDE) - wanted) / quantum))
