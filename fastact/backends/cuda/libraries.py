"""The libraries whose arrays the backend takes, and what differs between them.

To add a library, make an entry in `LIBRARIES`.
"""

from __future__ import annotations

import functools
import importlib
import math
import sys
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np
from numba import cuda

from fastact._core.devices import on_gpu
from fastact.backends.cuda.dtypes import dtype_of
from fastact.backends.cuda.views import View, c_strides, in_items

__all__ = [
    "LEGACY_STREAM", "LIBRARIES", "Library", "common_library", "is_number", "library_name", "may_repeat", "put",
    "view_of", "views_of",
]  # fmt: skip


#: The handle of CUDA's default stream.
LEGACY_STREAM = 1


class Library(NamedTuple):
    """What differs between libraries of device arrays.

    `look` gives an array's address, and all else of it that decides about a call; None where calls are not remembered.
    """

    view: Callable[[Any], View]  # of an array
    empty: Callable[..., Any]  # (shape, strides in items, dtype, array, its device), an array on the current device
    stream: Callable[[Any], int]  # (array), the handle of the stream in which its library works now
    put: Callable[..., Any]  # (array in host memory, view), a copy of the array beside the view
    look: Callable[[Any], tuple[int, Any]] | None = None
    owner: Callable[[Any], int] | None = None  # the address of the memory that an array is a part of
    finished: Callable[[View], Any] = attrgetter("array")  # what users get as a result


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


def _numba_look(array: Any) -> tuple[int, Any]:
    interface = array.__cuda_array_interface__
    pointer, read_only = interface["data"]
    facts = interface["typestr"], interface["shape"], interface.get("strides"), interface.get("stream"), read_only
    return pointer, (facts, pointer % 16)


def _numba_empty(
    shape: tuple[int, ...], strides: tuple[int, ...], dtype: np.dtype[Any], array: Any, device: int | None
) -> Any:
    steps = tuple(step * dtype.itemsize for step in strides)
    return cuda.device_array(shape, dtype, strides=steps, stream=array.stream)


def _numba_stream(array: Any) -> int:
    return array.__cuda_array_interface__.get("stream") or 0


# --- CuPy -------------------------------------------------------------------------------------------------------------


def _cupy_view(array: Any) -> View:
    strides = in_items(array.strides, array.itemsize)
    return View(array, array.data.ptr, array.dtype, array.shape, strides, device=array.device.id)


def _cupy_look(array: Any) -> tuple[int, Any]:
    memory = array.data
    pointer = memory.ptr
    return pointer, (array.dtype, array.shape, array.strides, memory.device_id, pointer % 16)


def _cupy_empty(
    shape: tuple[int, ...], strides: tuple[int, ...], dtype: np.dtype[Any], array: Any, device: int | None
) -> Any:
    empty = sys.modules["cupy"].empty
    if strides == c_strides(shape):
        return empty(shape, dtype)
    stored, places = _storage(shape, strides)
    return empty(stored, dtype).transpose(places)


@functools.lru_cache(maxsize=4096)
def _storage(shape: tuple[int, ...], strides: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The shape in C order of the memory of a dense array, and where in it each axis of the array is."""
    order = sorted(range(len(shape)), key=lambda axis: (-strides[axis], shape[axis] != 1))
    return tuple(shape[axis] for axis in order), tuple(map(order.index, range(len(order))))


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


def _torch_look(array: Any) -> tuple[int, Any]:
    try:
        pointer = array.data_ptr()
        facts = array.dtype, array.shape, array.stride(), array.device, array.requires_grad, array.is_neg()
    except RuntimeError:  # a sparse tensor, or one that is being traced
        return 0, None
    return pointer, (facts, pointer % 16)


@functools.cache
def _from_torch(dtype: Any) -> np.dtype[Any]:
    return dtype_of(str(dtype).removeprefix("torch."))


@functools.cache
def _to_torch(dtype: np.dtype[Any]) -> Any:
    return getattr(sys.modules["torch"], dtype.name)


def _torch_empty(
    shape: tuple[int, ...], strides: tuple[int, ...], dtype: np.dtype[Any], array: Any, device: int | None
) -> Any:
    return array.new_empty_strided(shape, strides, dtype=_to_torch(dtype))


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


def _jax_empty(
    shape: tuple[int, ...], strides: tuple[int, ...], dtype: np.dtype[Any], array: Any, device: int | None
) -> Any:
    """An array of Numba's, in C order as all of JAX's are; a bfloat16 is its bits."""
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
        _interface_view, _numba_empty, _numba_stream,
        lambda host, model: cuda.to_device(host, stream=model.array.stream), _numba_look,
    ),
    "cupy": Library(_cupy_view, _cupy_empty, _cupy_stream, _cupy_put, _cupy_look, attrgetter("data.mem.ptr")),
    "torch": Library(
        _torch_view, _torch_empty, _torch_stream, _torch_put, _torch_look,
        lambda array: array.untyped_storage().data_ptr(),
    ),
    "jax": Library(_jax_view, _jax_empty, lambda array: LEGACY_STREAM, _jax_put, finished=_jax_finished),
}  # fmt: skip


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


def view_of(array: Any) -> View:
    """An array of any library as a view."""
    kind: Any = type(array)
    return LIBRARIES[library_name(kind)].view(array)


def views_of(operands: Sequence[Any]) -> list[Any]:
    """The operands, with views for device arrays."""
    return [view_of(each) if on_gpu(each) else each for each in operands]


def may_repeat(library: Library) -> bool:
    """May calls be remembered? What `look` gives of Numba's arrays does not tell their device."""
    return library is not LIBRARIES["numba"] or len(cuda.gpus) == 1


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
