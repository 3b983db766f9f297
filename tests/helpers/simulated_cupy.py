"""A stand-in for the module cupy, on host memory: what the trainer uses of it, and as strict.

Nothing turns into a NumPy array of its own accord, and NumPy's arrays do not mix with these. `ndarray.waits` counts how
often somebody asked for a value, for which CuPy waits until the GPU has it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin


class Device(nullcontext[None]):
    id = 0


class ndarray(NDArrayOperatorsMixin):
    """Host memory that passes for an array of CuPy."""

    waits = 0
    device = Device()
    __cuda_array_interface__: Any = None  # that it is there says where the array is

    def __init__(self, host: Any) -> None:
        self.host = np.asarray(host)

    def __getattr__(self, name: str) -> Any:
        """Attributes and methods that are NumPy's but for what they give."""
        if name in ("dtype", "itemsize", "ndim", "shape", "size", "strides"):
            return getattr(self.host, name)
        if name in ("all", "any", "argmax", "astype", "copy", "mean", "reshape", "sum", "transpose"):
            return on_device(getattr(self.host, name))
        raise AttributeError(f"the stand-in for CuPy has no ndarray.{name}")

    @property
    def T(self) -> ndarray:
        return ndarray(self.host.T)

    @property
    def data(self) -> Any:
        whole = self.host
        while isinstance(whole.base, np.ndarray):
            whole = whole.base
        return SimpleNamespace(ptr=self.host.ctypes.data, mem=SimpleNamespace(ptr=whole.ctypes.data), device_id=0)

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise TypeError("Implicit conversion to a NumPy array is not allowed")

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, out: Any = (None,), **keywords: Any) -> Any:
        return on_device(getattr(ufunc, method))(*inputs, out=out[0], **keywords)

    def __len__(self) -> int:
        return len(self.host)

    def __iter__(self) -> Iterator[ndarray]:
        return map(self.__getitem__, range(len(self)))

    def __getitem__(self, key: Any) -> ndarray:
        return ndarray(self.host[on_host(key)])

    def __setitem__(self, key: Any, value: Any) -> None:
        self.host[on_host(key)] = on_host(value)

    def item(self) -> Any:
        ndarray.waits += 1
        return self.host.item()

    def __bool__(self) -> bool:
        return bool(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __float__(self) -> float:
        return float(self.item())

    def __str__(self) -> str:
        return str(self.item())


ndarray.__module__ = "cupy"


def on_host(value: Any) -> Any:
    """What NumPy computes with."""
    if isinstance(value, np.ndarray):
        raise TypeError("Unsupported type numpy.ndarray")
    if isinstance(value, (list, tuple)):
        return type(value)(map(on_host, value))
    return value.host if isinstance(value, ndarray) else value


def on_device(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of NumPy's that takes and gives these arrays."""

    def call(*arguments: Any, out: Any = None, **keywords: Any) -> Any:
        given = keywords if out is None else {**keywords, "out": out.host}
        result = function(*map(on_host, arguments), **given)
        return ndarray(result) if out is None else out

    return call


def asarray(values: Any) -> ndarray:
    if isinstance(values, ndarray):
        return values
    return ndarray(np.array(values if isinstance(values, np.ndarray) else on_host(values)))


def asnumpy(array: ndarray) -> np.ndarray:
    ndarray.waits += 1
    return array.host.copy()


add = SimpleNamespace(reduce=on_device(np.add.reduce))
arange = on_device(np.arange)
argwhere = on_device(np.argwhere)
ascontiguousarray = on_device(np.ascontiguousarray)
count_nonzero = on_device(np.count_nonzero)
divide = on_device(np.divide)
empty = on_device(np.empty)
empty_like = on_device(np.empty_like)
exp = on_device(np.exp)
eye = on_device(np.eye)
floor = on_device(np.floor)
hstack = on_device(np.hstack)
isfinite = on_device(np.isfinite)
matmul = on_device(np.matmul)
multiply = on_device(np.multiply)
ones = on_device(np.ones)
sqrt = on_device(np.sqrt)
square = on_device(np.square)
where = on_device(np.where)
zeros = on_device(np.zeros)
zeros_like = on_device(np.zeros_like)
