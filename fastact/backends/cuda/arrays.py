"""Arrays on the GPU, whatever their library: as pointers and strides, where they are, and launching kernels on them.

A new kind of array is an entry in `LIBRARIES`.
"""

from __future__ import annotations

import functools
import importlib
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np

from fastact._errors import BackendError

__all__ = [
    "LIBRARIES",
    "Library",
    "View",
    "c_strides",
    "check_out",
    "collapse",
    "common_library",
    "current_device",
    "dtype_of",
    "is_number",
    "launch",
    "library_name",
    "merge",
    "new",
    "numba_cuda",
    "put",
    "views_of",
]

#: The handle of CUDA's default stream.
LEGACY_STREAM = 1

#: The module numba.cuda, once `register` has imported it: kernels name it, and the simulator replaces it there.
cuda: Any = None


class Library(NamedTuple):
    """What differs between the kinds of device arrays."""

    empty: Callable[..., Any]  # (shape, dtype, array like which it shall be)
    stream: Callable[[Any], int]  # handle of the stream in which the array's library works now
    put: Callable[..., Any]  # (array in host memory, array beside which it is wanted)


def numba_cuda() -> Any:
    return importlib.import_module("numba.cuda")


def put(array: np.ndarray) -> Any:
    """A copy on the GPU, as Numba's array."""
    return numba_cuda().to_device(np.ascontiguousarray(array, array.dtype.newbyteorder("=")))


def _numba_stream(array: Any) -> int:
    return array.__cuda_array_interface__.get("stream") or 0


def _cupy_empty(shape: tuple[int, ...], dtype: np.dtype[Any], array: Any) -> Any:
    with array.device:
        return sys.modules["cupy"].empty(shape, dtype)


def _cupy_stream(array: Any) -> int:
    return int(sys.modules["cupy"].cuda.get_current_stream().ptr)


def _torch_empty(shape: tuple[int, ...], dtype: np.dtype[Any], array: Any) -> Any:
    torch = sys.modules["torch"]
    return torch.empty(shape, dtype=getattr(torch, dtype.name), device=array.device)


def _torch_stream(array: Any) -> int:
    return int(sys.modules["torch"].cuda.current_stream(array.device).cuda_stream)


def _cupy_put(host: np.ndarray, array: Any) -> Any:
    with array.device:
        return sys.modules["cupy"].asarray(host)


#: top-level module of an array's class -> its library, which is imported already if there is such an array
LIBRARIES = {
    "numba": Library(
        lambda shape, dtype, array: numba_cuda().device_array(shape, dtype, stream=array.stream),
        _numba_stream,
        lambda host, array: numba_cuda().to_device(host, stream=array.stream),
    ),
    "cupy": Library(_cupy_empty, _cupy_stream, _cupy_put),
    "torch": Library(
        _torch_empty, _torch_stream, lambda host, array: sys.modules["torch"].from_numpy(host).to(array.device)
    ),
}


@functools.cache
def library_name(kind: Any) -> str:
    for base in kind.__mro__:
        name = base.__module__.partition(".")[0].removesuffix("_cuda")
        if name in LIBRARIES:
            return name
    raise TypeError(
        f"backend 'cuda' takes arrays of {', '.join(LIBRARIES)}, not {kind.__module__}.{kind.__name__}; convert it, as "
        "with cupy.from_dlpack(x)"
    )


def dtype_of(name: str) -> np.dtype[Any]:
    """A dtype by name; bfloat16 is ml_dtypes'."""
    if name != "bfloat16":
        return np.dtype(name)
    if find_spec("ml_dtypes") is None:
        raise BackendError("bfloat16 needs ml_dtypes; pip install ml_dtypes")
    return np.dtype(importlib.import_module("ml_dtypes").bfloat16)


def c_strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))


class View:
    """A device array as kernels see it: a pointer, and strides in items."""

    def __init__(self, array: Any, interface: dict[str, Any]) -> None:
        self.array = array
        self.pointer, self.read_only = interface["data"]
        self.dtype = dtype_of("bfloat16" if interface["typestr"] == "<V2" else interface["typestr"])
        self.shape = tuple(interface["shape"])
        self.stream: int | None = interface.get("stream")
        bytes_ = interface.get("strides")
        if bytes_ is None:
            self.strides = c_strides(self.shape)
        else:
            if any(step % self.dtype.itemsize for step in bytes_):
                raise BackendError("backend 'cuda' takes arrays whose strides are whole items; copy the array first")
            self.strides = tuple(step // self.dtype.itemsize for step in bytes_)

    @classmethod
    def of(cls, array: Any) -> View:
        return cls(array, array.__cuda_array_interface__)

    def contiguous(self) -> bool:
        """Whether the elements follow each other in C order."""
        places = zip(self.shape, self.strides, c_strides(self.shape), strict=True)
        return all(size == 1 or step == wanted for size, step, wanted in places)

    def with_places(self, shape: tuple[int, ...], strides: tuple[int, ...]) -> View:
        view = copy(self)
        view.shape, view.strides = shape, strides
        return view

    def permuted(self, order: Sequence[int]) -> View:
        return self.with_places(tuple(self.shape[i] for i in order), tuple(self.strides[i] for i in order))

    def shaped(self, shape: tuple[int, ...]) -> View:
        """With other axes of size 1."""
        steps = iter([step for size, step in zip(self.shape, self.strides, strict=True) if size != 1])
        return self.with_places(shape, tuple(1 if size == 1 else next(steps) for size in shape))

    def broadcast_view(self, shape: tuple[int, ...]) -> View:
        return self.with_places(shape, self.broadcast(shape))

    def broadcast(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Strides in which this array is read as one of `shape`."""
        if shape == self.shape:
            return self.strides
        new = len(shape) - len(self.shape)
        fits = zip(self.shape, self.strides, shape[new:], strict=True)
        return (0,) * new + tuple(0 if n == 1 and wanted != 1 else step for n, step, wanted in fits)

    def extent(self) -> tuple[int, int]:
        """The bytes from its first item in memory to the end of its last."""
        reach = [step * (n - 1) for n, step in zip(self.shape, self.strides, strict=True)]
        first = self.pointer + self.dtype.itemsize * sum(min(0, each) for each in reach)
        last = self.pointer + self.dtype.itemsize * sum(max(0, each) for each in reach)
        return first, last + self.dtype.itemsize

    def hides(self, other: View) -> bool:
        """Whether writing here could change what is still to be read from `other`."""
        if (self.pointer, self.shape, self.strides, self.dtype) == (
            other.pointer, other.shape, other.strides, other.dtype,
        ):  # fmt: skip
            return False  # item by item in place
        (first, end), (other_first, other_end) = self.extent(), other.extent()
        return first < other_end and other_first < end


@functools.lru_cache(maxsize=4096)
def collapse(
    shape: tuple[int, ...], strides: tuple[tuple[int, ...], ...]
) -> tuple[tuple[int, ...], tuple[tuple[int, ...], ...]]:
    """The same places with as few axes as possible, in the order in which the last array, the output, is stored."""
    axes = sorted((a for a in range(len(shape)) if shape[a] != 1), key=lambda a: -abs(strides[-1][a]))
    merged: list[int] = []
    columns: list[tuple[int, ...]] = []
    for axis in axes:
        column = tuple(each[axis] for each in strides)
        if merged and columns[-1] == tuple(step * shape[axis] for step in column):
            merged[-1] *= shape[axis]
            columns[-1] = column
        else:
            merged.append(shape[axis])
            columns.append(column)
    if not merged:
        return (1,), ((1,),) * len(strides)
    return tuple(merged), tuple(zip(*columns, strict=True))


@contextmanager
def current_device(views: Sequence[View]) -> Iterator[tuple[int, int]]:
    """The compute capability of the arrays' device, with its context current meanwhile."""
    from cuda.bindings import driver
    from cuda.core import Device

    attribute = driver.CUpointer_attribute.CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL
    found = set()
    for view in views:
        if math.prod(view.shape):
            error, ordinal = driver.cuPointerGetAttribute(attribute, driver.CUdeviceptr(view.pointer))
            if error:
                raise BackendError(f"an array's address is not known to the CUDA driver ({error.name})")
            found.add(int(ordinal))
    if len(found) > 1:
        raise BackendError(f"operands are on several GPUs ({', '.join(map(str, sorted(found)))}); move them to one")
    _, context = driver.cuCtxGetCurrent()
    device = Device(*found)
    device.set_current()
    try:
        yield tuple(device.compute_capability)
    finally:
        if int(context):
            driver.cuCtxSetCurrent(context)


def launch(
    kernel: Any, library: Library, views: Sequence[View], grid: int, block: int, arguments: Sequence[Any]
) -> None:
    """Launch in the stream of the first array, after what the streams of the others hold now."""
    from cuda.core import LaunchConfig, Stream, launch

    handle = library.stream(views[0].array) or LEGACY_STREAM
    stream = Stream.from_handle(handle)
    for other in {view.stream for view in views} - {None, handle}:
        stream.wait(Stream.from_handle(other))
    launch(stream, LaunchConfig(grid=grid, block=block), kernel, *arguments)


def new(library: Library, shape: tuple[int, ...], dtype: np.dtype[Any], model: View) -> View:
    array = library.empty(shape, dtype, model.array)
    return View(array, array.__cuda_array_interface__)


def is_number(operand: Any) -> bool:
    return isinstance(operand, (bool, int, float, np.generic))


def views_of(operands: Sequence[Any]) -> list[Any]:
    """The operands, device arrays as views."""
    interfaces = [getattr(operand, "__cuda_array_interface__", None) for operand in operands]
    return [o if each is None else View(o, each) for o, each in zip(operands, interfaces, strict=True)]


def common_library(name: str, views: Sequence[Any]) -> Library:
    """The library of all arrays, which must be on the GPU; numbers fit any."""
    for view in views:
        if not isinstance(view, View) and not is_number(view):
            raise TypeError(
                f"{name}: a {type(view).__module__}.{type(view).__name__} in host memory is mixed with arrays on the "
                "GPU; move all to one side (Python numbers fit either)"
            )
    kinds: set[Any] = {type(view.array) for view in views if isinstance(view, View)}
    names = set(map(library_name, kinds))
    if len(names) > 1:
        raise TypeError(f"{name}: arrays of {' and '.join(sorted(names))} are mixed; convert them to one of these")
    return LIBRARIES[names.pop()]


def check_out(out: View, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    if out.dtype != dtype:
        raise TypeError(f"out has dtype {out.dtype}, the result {dtype}; pass an array of dtype {dtype}")
    if out.shape != shape:
        raise ValueError(f"out has shape {out.shape}, the result {shape}; pass an array of shape {shape}")
    if out.read_only:
        raise ValueError("out is read-only; pass a writeable array")


def merge(shape: Sequence[int], strides: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The same places in the same order with as few axes as possible, at least one."""
    sizes, steps = [1], [0]
    for size, step in zip(shape, strides, strict=True):
        if size == 1:
            continue
        if sizes == [1]:
            sizes, steps = [size], [step]
        elif steps[-1] == step * size:
            sizes[-1] *= size
            steps[-1] = step
        else:
            sizes.append(size)
            steps.append(step)
    return tuple(sizes), tuple(steps)
