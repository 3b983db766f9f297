"""Elementwise calls on arrays of the GPU, and on host arrays, which are copied there and back."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastact._errors import BackendError

from . import device
from .arrays import (
    Library,
    View,
    check_out,
    collapse,
    common_library,
    current_device,
    is_number,
    launch,
    new,
    put,
    views_of,
)
from .compiling import elementwise_kernel, register
from .device import computes_in
from .elementwise_kernels import PER_THREAD, THREADS

__all__ = ["copy_to", "elementwise"]


def elementwise(operation: Any, operands: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    """Apply an operation to device arrays of one library, or to host arrays, which are copied to the GPU and back."""
    register()
    if operation.outputs > 1:
        raise BackendError(
            f"backend 'cuda' has no functions of several results, as {operation.name} is; the CPU's have"
        )
    keywords = dict(keywords)
    out, wanted = keywords.pop("out", None), keywords.pop("dtype", None)
    if isinstance(out, tuple):
        (out,) = out
    for keyword, default in {"where": True, "casting": "same_kind", "order": "K", "subok": True}.items():
        value = keywords.pop(keyword, default)
        if type(value) is not type(default) or value != default:
            raise BackendError(f"backend 'cuda' takes out= and dtype=, not {keyword}=; the CPU backends take it")
    if keywords:
        raise TypeError(f"{operation.name}() got an unexpected keyword argument {next(iter(keywords))!r}")
    views = views_of(operands if out is None else (*operands, out))
    if not any(isinstance(view, View) for view in views):
        return _elementwise_from_host(operation, operands, out, wanted)

    library = common_library(operation.name, views)
    target = None if out is None else views.pop()
    arrays = [o for o in views if isinstance(o, View)]
    kinds = tuple(o.dtype if isinstance(o, (View, np.generic)) else type(o) for o in views)
    dtype = _loop(*operation.loop_for(operands, None if wanted is None else np.dtype(wanted)), kinds)
    shape = arrays[0].shape if len(arrays) == 1 else np.broadcast_shapes(*(view.shape for view in arrays))
    if target is not None:
        check_out(target, np.broadcast_shapes(shape, target.shape), dtype)
    with current_device(arrays if target is None else [*arrays, target]) as capability:
        if target is not None and not any(map(target.hides, arrays)):
            result = target
        elif target is not None:
            result = new(library, target.shape, dtype, target)
        else:
            result = new(library, shape, dtype, arrays[0])
        _run(capability, library, operation.scalar, dtype, views, result)
        if target is not None and result is not target:
            copy_to(capability, library, result, target)
    return result.array if out is None else out


@functools.lru_cache(maxsize=4096)
def _loop(ufunc: np.ufunc, signature: tuple[Any, ...] | None, kinds: tuple[Any, ...]) -> np.dtype[Any]:
    """The dtype of a ufunc's result for these dtypes and types of Python numbers, as NumPy decides it."""
    return ufunc.resolve_dtypes((*kinds, None), signature=signature or (None,) * (len(kinds) + 1))[-1]


def _elementwise_from_host(operation: Any, operands: tuple[Any, ...], out: Any, wanted: Any) -> Any:
    hosts = [o if is_number(o) else _host_array(operation.name, o) for o in operands]
    single = all(np.ndim(o) == 0 for o in hosts)
    if single:  # an array has to carry the result
        carrier = next((i for i, o in enumerate(hosts) if isinstance(o, np.generic)), 0)
        hosts[carrier] = np.array([hosts[carrier]])
    moved = tuple(put(o) if isinstance(o, np.ndarray) and o.ndim else o for o in hosts)
    result = elementwise(operation, moved, {"dtype": wanted}).copy_to_host()
    if single:
        result = result[0]
    if out is None:
        return result
    np.copyto(out, result, casting="same_kind")
    return out


def _host_array(name: str, operand: Any) -> np.ndarray | np.generic:
    if isinstance(operand, np.ma.MaskedArray):
        raise TypeError(f"{name}: backend 'cuda' does not take masked arrays; the CPU backends do")
    array = np.asarray(operand)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name}: backend 'cuda' does not take {array.dtype} arrays; convert to float32 or float64")
    return np.ascontiguousarray(array, array.dtype.newbyteorder("=")) if array.ndim else array[()]


def _run(
    capability: tuple[int, int], library: Library, formula: Callable[..., Any], dtype: np.dtype[Any],
    operands: Sequence[Any], output: View,
) -> None:  # fmt: skip
    """output[...] = formula(*operands), which are views and numbers."""
    views = [operand for operand in operands if isinstance(operand, View)]
    number = (0,) * len(output.shape)
    places = [o.broadcast(output.shape) if isinstance(o, View) else number for o in operands]
    shape, strides = collapse(output.shape, (*places, output.strides))
    size = math.prod(shape)
    if size == 0:
        return
    array_strides = [each for o, each in zip((*operands, output), strides, strict=True) if isinstance(o, View)]
    axes = 0 if all(each == (1,) for each in array_strides) else len(shape)
    items = tuple(o.dtype if isinstance(o, View) else None for o in operands)
    kernel = elementwise_kernel(formula, dtype, items, axes, capability)
    number_type = computes_in(dtype)
    arguments = [o.pointer if isinstance(o, View) else number_type(o) for o in operands]
    if axes:
        arguments += [step for each in strides[:-1] for step in each]
        arguments += [output.pointer, *strides[-1], *shape]
    else:
        arguments.append(output.pointer)
    per_block = THREADS if axes else THREADS * PER_THREAD
    launch(kernel, library, [*views, output], -(-size // per_block), THREADS, [*arguments, size])


@functools.cache
def _copy_formula() -> Any:
    return device.cuda.jit(device=True)(lambda x: x)


def copy_to(capability: tuple[int, int], library: Library, source: View, target: View) -> None:
    _run(capability, library, _copy_formula(), target.dtype, [source], target)
