"""The libraries whose arrays the backend takes, and what differs between them.

To add a library, make an entry in `LIBRARIES`.
"""

from __future__ import annotations

import functools
import importlib
import math
import sys
from collections.abc import Callable, Sequence
from operator import attrgetter, methodcaller
from typing import Any, NamedTuple

import numpy as np
from numba import cuda

from fastact._core.devices import on_gpu
from fastact.backends.cuda.dtypes import dtype_of
from fastact.backends.cuda.views import View, in_items

__all__ = [
    "LEGACY_STREAM", "LIBRARIES", "Library", "Quick", "common_library", "is_number", "library_name", "put", "quick_of",
    "view_of", "views_of",
]  # fmt: skip


#: The handle of CUDA's default stream.
LEGACY_STREAM = 1


class Quick(NamedTuple):
    """Functions of an array by which a call is found to be like one that was made before."""

    facts: Callable[[Any], Any]  # all of it, but its address, that decides about a call
    address: Callable[[Any], int]
    owner: Callable[[Any], int]  # the address of the memory that it is a part of


class Library(NamedTuple):
    """What differs between libraries of device arrays."""

    view: Callable[[Any], View]  # of an array
    empty: Callable[..., Any]  # (shape, dtype, array, number of the array's device), an array beside that one
    stream: Callable[[Any], int]  # (array), the handle of the stream in which its library works now
    put: Callable[..., Any]  # (array in host memory, view), a copy of the array beside the view
    finished: Callable[[View], Any] = attrgetter("array")  # what users get as a result
    quick: Quick | None = None  # where these functions are all that repeating a call takes


# --- Numba ------------------------------------------------------------------------------------------------------------


def put(array: np.ndarray) -> Any:
    """A copy on the GPU, as Numba's array."""
    return cuda.to_device(np.ascontiguousarray(array, array.dtype.newbyteorder("=")))


def _interface_view(array: Any) -> View:
    """The view that `__cuda_array_interface__`, version 3, describes."""
    interface = array.__cuda_array_interface__
    (pointer, read_only), strides = interface["data"], interface.get("strides")
    dtype = dtype_of("bfloat16" if interface["typestr"] == "<V2" else interface["typestr"])
    items = None if strides is None else in_items(strides, dtype.itemsize)
    return View(array, pointer, dtype, tuple(interface["shape"]), items, read_only, interface.get("stream"))


def _numba_stream(array: Any) -> int:
    return array.__cuda_array_interface__.get("stream") or 0


# --- CuPy -------------------------------------------------------------------------------------------------------------


def _cupy_view(array: Any) -> View:
    strides = in_items(array.strides, array.itemsize)
    return View(array, array.data.ptr, array.dtype, array.shape, strides, device=array.device.id)


def _cupy_facts(array: Any) -> Any:
    return array.dtype, array.shape, array.strides, array.device.id, array.data.ptr % 16


_CUPY = Quick(_cupy_facts, attrgetter("data.ptr"), attrgetter("data.mem.ptr"))


def _cupy_empty(shape: tuple[int, ...], dtype: np.dtype[Any], array: Any, device: int | None) -> Any:
    with array.device:
        return sys.modules["cupy"].empty(shape, dtype)


def _cupy_stream(array: Any) -> int:
    return int(sys.modules["cupy"].cuda.get_current_stream().ptr)


def _cupy_put(host: np.ndarray, model: View) -> Any:
    with model.array.device:
        return sys.modules["cupy"].asarray(host)


# --- PyTorch ----------------------------------------------------------------------------------------------------------


def _torch_view(array: Any) -> View:
    if array.requires_grad:
        raise RuntimeError("a tensor that requires grad: use fastact.torch, or pass x.detach()")
    if array.is_neg():
        raise RuntimeError("a tensor whose memory holds the negative numbers; pass x.resolve_neg()")
    shape, device = tuple(array.shape), array.get_device()
    return View(array, array.data_ptr(), _from_torch(array.dtype), shape, array.stride(), device=device)


def _torch_facts(array: Any) -> Any:
    flags = array.requires_grad, array.is_neg(), array.data_ptr() % 16
    return array.dtype, array.shape, array.stride(), array.device, flags


_TORCH = Quick(_torch_facts, methodcaller("data_ptr"), lambda array: array.untyped_storage().data_ptr())


@functools.cache
def _from_torch(dtype: Any) -> np.dtype[Any]:
    return dtype_of(str(dtype).removeprefix("torch."))


@functools.cache
def _to_torch(dtype: np.dtype[Any]) -> Any:
    return getattr(sys.modules["torch"], dtype.name)


def _torch_empty(shape: tuple[int, ...], dtype: np.dtype[Any], array: Any, device: int | None) -> Any:
    return array.new_empty(shape, dtype=_to_torch(dtype))


def _torch_stream(array: Any) -> int:
    return int(sys.modules["torch"].cuda.current_stream(array.device).cuda_stream)


def _torch_put(host: np.ndarray, model: View) -> Any:
    return sys.modules["torch"].from_numpy(host).to(model.array.device)


# --- JAX --------------------------------------------------------------------------------------------------------------
# JAX's arrays do not change, and its streams are its own. Results are Numba's arrays, which JAX takes over by DLPack. A
# call waits until they are finished, because JAX may use the memory of an argument again as soon as nobody holds it.


def _jax_view(array: Any) -> View:
    from cuda.core.utils import StridedMemoryView

    found = StridedMemoryView.from_dlpack(array, stream_ptr=LEGACY_STREAM)  # which waits for JAX's own stream
    strides = None if found.strides is None else tuple(found.strides)
    dtype = np.dtype(array.dtype)
    return View(array, found.ptr, dtype, tuple(array.shape), strides, read_only=True, device=found.device_id)


def _jax_empty(shape: tuple[int, ...], dtype: np.dtype[Any], array: Any, device: int | None) -> Any:
    """An array of Numba's; a bfloat16 is its bits."""
    with cuda.gpus[device]:
        return cuda.device_array(shape, np.uint16 if dtype.name == "bfloat16" else dtype)


def _jax_put(host: np.ndarray, model: View) -> Any:
    with cuda.gpus[model.device]:
        return put(host)


def _jax_finished(view: View) -> Any:
    from cuda.core.utils import StridedMemoryView

    jax = importlib.import_module("jax")
    if not math.prod(view.shape):
        return jax.numpy.zeros(view.shape, view.dtype)
    with cuda.gpus[view.device]:
        cuda.default_stream().synchronize()
    found = jax.dlpack.from_dlpack(StridedMemoryView.from_any_interface(view.array, stream_ptr=-1))
    return found.view(jax.numpy.bfloat16) if view.dtype.name == "bfloat16" else found


#: Top-level module of an array's class -> its library. Where there is such an array, the module is imported already.
LIBRARIES = {
    "numba": Library(
        _interface_view,
        lambda shape, dtype, array, device: cuda.device_array(shape, dtype, stream=array.stream),
        _numba_stream,
        lambda host, model: cuda.to_device(host, stream=model.array.stream),
    ),
    "cupy": Library(_cupy_view, _cupy_empty, _cupy_stream, _cupy_put, quick=_CUPY),
    "torch": Library(_torch_view, _torch_empty, _torch_stream, _torch_put, quick=_TORCH),
    "jax": Library(_jax_view, _jax_empty, lambda array: LEGACY_STREAM, _jax_put, _jax_finished),
}


@functools.cache
def library_name(kind: Any) -> str:
    """The key of a class of arrays in `LIBRARIES`; raises TypeError for other classes."""
    for base in kind.__mro__:
        name = base.__module__.partition(".")[0].removesuffix("_cuda").removesuffix("lib")
        if name in LIBRARIES:
            return name
    raise TypeError(
        f"backend 'cuda' takes arrays of {', '.join(LIBRARIES)}, not {kind.__module__}.{kind.__name__}; convert it, as "
        "with cupy.from_dlpack(x)"
    )


@functools.cache
def quick_of(kind: Any) -> Quick | None:
    """`quick` of the library of a class; None for other classes. It is remembered, because it raises and catches."""
    try:
        return LIBRARIES[library_name(kind)].quick
    except TypeError:
        return None


def view_of(array: Any) -> View:
    """An array of any library as a view."""
    kind: Any = type(array)
    return LIBRARIES[library_name(kind)].view(array)


def views_of(operands: Sequence[Any]) -> list[Any]:
    """The operands, with views for device arrays."""
    return [view_of(each) if on_gpu(each) else each for each in operands]


def is_number(operand: Any) -> bool:
    """Is it a number of Python's or NumPy's?"""
    return isinstance(operand, (bool, int, float, np.generic))


def common_library(name: str, views: Sequence[Any]) -> Library:
    """The library of all arrays; numbers fit any.

    Raises TypeError for arrays of several libraries, and for anything else in host memory.
    """
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
