"""The `cuda` backend: elementwise functions and softmax over the last axis, on arrays of Numba, CuPy and PyTorch.

The one file that knows numba.cuda; _dispatch.py imports it, and only a call imports Numba's CUDA target. Formulas and
primitives are the CPU's, compiled with the same explicit fma and nothing else contracted: results have the CPU's bits.
In order: kernels (plain Python, which Numba's simulator runs too), compiling, arrays, the calls. A new kind of array is
an entry in `LIBRARIES`. The kernels of the softmax family are in _cuda_rows.py.
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
from types import SimpleNamespace
from typing import Any, NamedTuple

import numba
import numpy as np
from numba import types
from numba.core import config
from numba.core.types import BaseTuple

from fastact._axes import (
    Options,
    as_dtype,
    as_lengths,
    as_mask,
    as_temperature,
    float_dtype,
    normalize_axes,
    reduced,
    wide_dtype,
)
from fastact._errors import BackendError
from fastact._primitives import COMPILED, JIT_OPTIONS, PRIMITIVES, install
from fastact.backends import _cuda_rows
from fastact.backends._cuda_rows import Layout
from fastact.backends._cuda_rows import Options as RowOptions

__all__ = ["elementwise", "ptx", "register", "softmax", "softmax_on_device", "vectorize", "why_not"]

SIMULATED: bool = config.ENABLE_CUDASIM  # type: ignore[attr-defined]

#: Threads of an elementwise block, and elements of each: four loads in flight per thread reach the copy bandwidth.
THREADS = 256
PER_THREAD = 4

#: Of each operand of a loop, the dtype of an array, or None for a number.
Items = tuple[np.dtype[Any] | None, ...]

#: The handle of CUDA's default stream.
LEGACY_STREAM = 1

#: The module numba.cuda, once `register` has imported it: kernels name it, and the simulator replaces it there.
cuda: Any = None


@functools.cache
def why_not() -> str | None:
    """None if this backend works here, else the reason and the remedy."""
    if find_spec("numba_cuda") is None:
        return 'numba-cuda is not installed; pip install "fastact[cuda]"'
    try:
        from numba import cuda
        from numba.cuda.cudadrv import nvvm
    except Exception as error:
        return (
            f"numba-cuda fails under NumPy {np.__version__} and Numba {numba.__version__} "
            f'({type(error).__name__}: {error}); pip install "fastact[cuda]" brings versions that fit'
        )
    if SIMULATED:
        return "NUMBA_ENABLE_CUDASIM makes Numba simulate CUDA; unset it"
    try:
        devices = len(cuda.gpus)
    except Exception as error:
        text = " ".join(str(error).split()).removeprefix("Error at driver init: ").rstrip(": ")
        return f"no NVIDIA driver or GPU is usable ({text}); install the driver and see whether nvidia-smi lists a GPU"
    if devices == 0:
        return "the NVIDIA driver shows no GPU; see nvidia-smi and the variable CUDA_VISIBLE_DEVICES"
    if not nvvm.is_available():
        return 'numba-cuda finds no compiler (libNVVM); pip install "fastact[cuda]"'
    return None


# --- kernels ----------------------------------------------------------------------------------------------------------


def _computes_in(dtype: np.dtype[Any]) -> Any:
    """The scalar type of a kernel's arithmetic: float32 for half types, which are converted as they are read and stored."""
    return np.float32 if dtype.itemsize == 2 else dtype.type


def _gather(items: Items, axes: int, dtype: np.dtype[Any]) -> Callable[..., Any]:
    """A device function: element i of each operand, an array's item or a number, as the loop computes, in a tuple."""
    if not items:
        return cuda.jit(device=True)(lambda operands, i, shape, strides: ())
    before, last, number = _gather(items[:-1], axes, dtype), len(items) - 1, _computes_in(dtype)
    item = items[-1]
    if item is None:

        @cuda.jit(device=True)
        def gather(operands, i, shape, strides):  # type: ignore[no-untyped-def]
            return before(operands, i, shape, strides) + (operands[last],)  # noqa: RUF005 (Numba takes no starred tuples)
    else:
        load, _ = _cuda_rows.access(item.name, number)
        offset = _cuda_rows.offset_of(axes)

        @cuda.jit(device=True)
        def gather(operands, i, shape, strides):  # type: ignore[no-untyped-def]
            value = load(operands[last], offset(i, shape, strides[last]))
            return before(operands, i, shape, strides) + (value,)  # noqa: RUF005

    return gather


def contiguous_kernel(formula: Callable[..., Any], items: Items, dtype: np.dtype[Any]) -> Callable[..., None]:
    """kernel(operands, output, n): output[i] = formula(*operands[i]), of contiguous arrays of one shape and numbers."""
    gather, unit = _gather(items, 1, dtype), ((1,),) * len(items)
    _, store = _cuda_rows.access(dtype.name, _computes_in(dtype))

    def kernel(operands, output, n):  # type: ignore[no-untyped-def]
        i = np.int64(cuda.blockIdx.x) * (THREADS * PER_THREAD) + cuda.threadIdx.x
        if i + 3 * THREADS < n:
            a = gather(operands, i, (n,), unit)  # all loads before the first store, which might alias them
            b = gather(operands, i + THREADS, (n,), unit)
            c = gather(operands, i + 2 * THREADS, (n,), unit)
            d = gather(operands, i + 3 * THREADS, (n,), unit)
            store(output, i, formula(*a))
            store(output, i + THREADS, formula(*b))
            store(output, i + 2 * THREADS, formula(*c))
            store(output, i + 3 * THREADS, formula(*d))
        else:
            while i < n:
                store(output, i, formula(*gather(operands, i, (n,), unit)))
                i += THREADS

    return kernel


def strided_kernel(formula: Callable[..., Any], items: Items, axes: int, dtype: np.dtype[Any]) -> Callable[..., None]:
    """kernel(operands, strides, output, output_strides, shape, n): the same for any strides, 0 and negative too."""
    gather, offset = _gather(items, axes, dtype), _cuda_rows.offset_of(axes)
    _, store = _cuda_rows.access(dtype.name, _computes_in(dtype))

    def kernel(operands, strides, output, output_strides, shape, n):  # type: ignore[no-untyped-def]
        i = np.int64(cuda.blockIdx.x) * THREADS + cuda.threadIdx.x
        if i < n:
            store(output, offset(i, shape, output_strides), formula(*gather(operands, i, shape, strides)))

    return kernel


# --- compiling --------------------------------------------------------------------------------------------------------


@functools.cache
def register() -> None:
    """Import numba-cuda and give it the primitives; then a formula can be called in any `numba.cuda.jit` code."""
    global cuda
    from numba import cuda as module

    cuda = _cuda_rows.cuda = module
    if SIMULATED:
        return
    extending: Any = importlib.import_module("numba.cuda.extending")
    for primitive in PRIMITIVES:
        install(extending, *primitive)
    for function, scalar in COMPILED.items():
        extending.overload(function, jit_options=JIT_OPTIONS, strict=False)(lambda *_, scalar=scalar: scalar)

    for conversion in _cuda_rows.CONVERSIONS:
        install(extending, *conversion)

    @extending.overload(_cuda_rows.log1p)
    def compiled_log1p(z):  # type: ignore[no-untyped-def]
        return lambda z: math.log1p(z)

    @extending.overload(_cuda_rows.exchange)
    def compiled_exchange(value, step):  # type: ignore[no-untyped-def]
        return lambda value, step: module.shfl_xor_sync(0xFFFFFFFF, value, step)


@contextmanager
def _compiling_for(capability: tuple[int, int]) -> Iterator[None]:
    """Stand in for the device that numba-cuda asks for its capability, where there is none to ask."""
    from numba.cuda import dispatcher
    from numba.cuda.core.compiler_lock import global_compiler_lock

    if why_not() is None:
        yield
        return
    with global_compiler_lock:
        original = dispatcher.get_current_device
        dispatcher.get_current_device = lambda: SimpleNamespace(compute_capability=capability)
        try:
            yield
        finally:
            dispatcher.get_current_device = original


def _compile(kernel: Callable[..., None], arguments: tuple[Any, ...], capability: tuple[int, int]) -> Any:
    """The code library of a kernel. `numba.cuda.compile` would do, had it the option fma=0: no contraction."""
    compiler: Any = importlib.import_module("numba.cuda.compiler")
    with _compiling_for(capability):
        result = compiler.compile_cuda(kernel, types.void, arguments, nvvm_options={"opt": 3, "fma": 0}, cc=capability)
        library = result.library
        function = library.get_function(result.fndesc.llvm_func_name)
        library._entry_name = function.name
        compiler.kernel_fixup(function, False)
    return library


def _type(dtype: np.dtype[Any]) -> Any:
    """The Numba type of an item in memory; bool is stored as a byte, bfloat16 as its bits."""
    if dtype.name == "bfloat16":
        return types.uint16
    return numba.from_dtype(np.dtype(np.uint8) if dtype.kind == "b" else dtype)


def _elementwise_library(
    formula: Callable[..., Any], dtype: np.dtype[Any], items: Items, axes: int, capability: tuple[int, int],
) -> Any:  # fmt: skip
    """Code for a formula. items: the dtype of each array operand, None for a number; axes: 0 if all are contiguous."""
    number = _type(np.dtype(_computes_in(dtype)))
    operands = BaseTuple.from_types([number if each is None else types.CPointer(_type(each)) for each in items])
    output = types.CPointer(_type(dtype))
    if not axes:
        return _compile(contiguous_kernel(formula, items, dtype), (operands, output, types.int64), capability)
    place = types.UniTuple(types.int64, axes)
    arguments = (operands, types.UniTuple(place, len(items)), output, place, place, types.int64)
    return _compile(strided_kernel(formula, items, axes, dtype), arguments, capability)


def _row_library(
    template: Callable[..., Any], kind: str, arrays: int, layout: Layout, options: RowOptions,
    capability: tuple[int, int],
) -> Any:  # fmt: skip
    """Code for rows: a template of _cuda_rows.py."""
    stored, result = (_type(_dtype(name)) for name in (options.stored, options.result))
    wide = np.float64 if "float64" in (options.stored, options.result) else np.float32
    number, long = numba.from_dtype(np.dtype(wide)), types.int64
    operands = BaseTuple.from_types([types.CPointer(stored)] * arrays)
    sums = [] if template is _cuda_rows.row_kernel else [types.CPointer(number)]
    out = [] if template is _cuda_rows.partial_kernel else [types.CPointer(result)]

    def of_rows(item: Any, axes: int, *more: Any) -> Any:
        shape = types.UniTuple(long, axes)
        return BaseTuple.from_types([types.CPointer(item), shape, shape, *more] if axes else [])

    mask, counts = of_rows(types.uint8, options.mask, long), of_rows(long, options.counts)
    arguments = (operands, *sums, *out, long, long, long, number, mask, counts, long)
    return _compile(template(kind, arrays, layout, options, wide), arguments, capability)


def _loaded(compile_library: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, but giving a kernel ready to be launched; kept for every key."""

    @functools.cache
    def kernel(*key: Any) -> Any:
        library = compile_library(*key)
        return library.get_cubin(cc=key[-1]).get_kernel(library._entry_name)

    return kernel


_elementwise_kernel = _loaded(_elementwise_library)
_row_kernel = _loaded(_row_library)


def ptx(operation: Any, dtype: Any, compute_capability: tuple[int, int] = (8, 0)) -> str:
    """The PTX of an operation's kernel for contiguous arrays and scalar parameters; needs numba-cuda, but no GPU.

    Parameters
    ----------
    operation : an elementwise fastact function
    dtype : the dtype of the loop
    compute_capability : the GPU to compile for
    """
    register()
    dtype = np.dtype(dtype)
    items = (dtype,) * operation.inputs + (None,) * len(operation.parameters)
    library = _elementwise_library(operation.scalar, dtype, items, 0, compute_capability)
    return str(library.get_asm_str(cc=compute_capability))


def vectorize(operation: Any) -> Any:
    """Numba's own `@vectorize(target="cuda")` ufunc of the formula."""
    register()
    arity = operation.inputs + len(operation.parameters)
    loops = [numba.from_dtype(np.dtype(c)) for c in operation.dtypes]
    return numba.vectorize([loop(*[loop] * arity) for loop in loops], target="cuda")(operation.scalar.py_func)


# --- arrays -----------------------------------------------------------------------------------------------------------


class Library(NamedTuple):
    """What differs between the kinds of device arrays."""

    empty: Callable[..., Any]  # (shape, dtype, array like which it shall be)
    stream: Callable[[Any], int]  # handle of the stream in which the array's library works now
    put: Callable[..., Any]  # (array in host memory, array beside which it is wanted)


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
        lambda shape, dtype, array: cuda.device_array(shape, dtype, stream=array.stream),
        _numba_stream,
        lambda host, array: cuda.to_device(host, stream=array.stream),
    ),
    "cupy": Library(_cupy_empty, _cupy_stream, _cupy_put),
    "torch": Library(
        _torch_empty, _torch_stream, lambda host, array: sys.modules["torch"].from_numpy(host).to(array.device)
    ),
}


@functools.cache
def _library_name(kind: Any) -> str:
    for base in kind.__mro__:
        name = base.__module__.partition(".")[0].removesuffix("_cuda")
        if name in LIBRARIES:
            return name
    raise TypeError(
        f"backend 'cuda' takes arrays of {', '.join(LIBRARIES)}, not {kind.__module__}.{kind.__name__}; convert it, as "
        "with cupy.from_dlpack(x)"
    )


def _dtype(name: str) -> np.dtype[Any]:
    """A dtype by name; bfloat16 is ml_dtypes'."""
    if name != "bfloat16":
        return np.dtype(name)
    if find_spec("ml_dtypes") is None:
        raise BackendError("bfloat16 needs ml_dtypes; pip install ml_dtypes")
    return np.dtype(importlib.import_module("ml_dtypes").bfloat16)


def _c_strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))


class View:
    """A device array as kernels see it: a pointer, and strides in items."""

    def __init__(self, array: Any, interface: dict[str, Any]) -> None:
        self.array = array
        self.pointer, self.read_only = interface["data"]
        self.dtype = _dtype("bfloat16" if interface["typestr"] == "<V2" else interface["typestr"])
        self.shape = tuple(interface["shape"])
        self.stream: int | None = interface.get("stream")
        bytes_ = interface.get("strides")
        if bytes_ is None:
            self.strides = _c_strides(self.shape)
        else:
            if any(step % self.dtype.itemsize for step in bytes_):
                raise BackendError("backend 'cuda' takes arrays whose strides are whole items; copy the array first")
            self.strides = tuple(step // self.dtype.itemsize for step in bytes_)

    @classmethod
    def of(cls, array: Any) -> View:
        return cls(array, array.__cuda_array_interface__)

    def contiguous(self) -> bool:
        """Whether the elements follow each other in C order."""
        places = zip(self.shape, self.strides, _c_strides(self.shape), strict=True)
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
def _collapse(
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
def _device(views: Sequence[View]) -> Iterator[tuple[int, int]]:
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


def _launch(
    kernel: Any, library: Library, views: Sequence[View], grid: int, block: int, arguments: Sequence[Any]
) -> None:
    """Launch in the stream of the first array, after what the streams of the others hold now."""
    from cuda.core import LaunchConfig, Stream, launch

    handle = library.stream(views[0].array) or LEGACY_STREAM
    stream = Stream.from_handle(handle)
    for other in {view.stream for view in views} - {None, handle}:
        stream.wait(Stream.from_handle(other))
    launch(stream, LaunchConfig(grid=grid, block=block), kernel, *arguments)


def _run(
    capability: tuple[int, int], library: Library, formula: Callable[..., Any], dtype: np.dtype[Any],
    operands: Sequence[Any], output: View,
) -> None:  # fmt: skip
    """output[...] = formula(*operands), which are views and numbers."""
    views = [operand for operand in operands if isinstance(operand, View)]
    number = (0,) * len(output.shape)
    places = [o.broadcast(output.shape) if isinstance(o, View) else number for o in operands]
    shape, strides = _collapse(output.shape, (*places, output.strides))
    size = math.prod(shape)
    if size == 0:
        return
    array_strides = [each for o, each in zip((*operands, output), strides, strict=True) if isinstance(o, View)]
    axes = 0 if all(each == (1,) for each in array_strides) else len(shape)
    items = tuple(o.dtype if isinstance(o, View) else None for o in operands)
    kernel = _elementwise_kernel(formula, dtype, items, axes, capability)
    number_type = _computes_in(dtype)
    arguments = [o.pointer if isinstance(o, View) else number_type(o) for o in operands]
    if axes:
        arguments += [step for each in strides[:-1] for step in each]
        arguments += [output.pointer, *strides[-1], *shape]
    else:
        arguments.append(output.pointer)
    per_block = THREADS if axes else THREADS * PER_THREAD
    _launch(kernel, library, [*views, output], -(-size // per_block), THREADS, [*arguments, size])


@functools.cache
def _copy_formula() -> Any:
    return cuda.jit(device=True)(lambda x: x)


def _copy(capability: tuple[int, int], library: Library, source: View, target: View) -> None:
    _run(capability, library, _copy_formula(), target.dtype, [source], target)


def _new(library: Library, shape: tuple[int, ...], dtype: np.dtype[Any], model: View) -> View:
    array = library.empty(shape, dtype, model.array)
    return View(array, array.__cuda_array_interface__)


def _is_number(operand: Any) -> bool:
    return isinstance(operand, (bool, int, float, np.generic))


def _views(operands: Sequence[Any]) -> list[Any]:
    """The operands, device arrays as views."""
    interfaces = [getattr(operand, "__cuda_array_interface__", None) for operand in operands]
    return [o if each is None else View(o, each) for o, each in zip(operands, interfaces, strict=True)]


def _common_library(name: str, views: Sequence[Any]) -> Library:
    """The library of all arrays, which must be on the GPU; numbers fit any."""
    for view in views:
        if not isinstance(view, View) and not _is_number(view):
            raise TypeError(
                f"{name}: a {type(view).__module__}.{type(view).__name__} in host memory is mixed with arrays on the "
                "GPU; move all to one side (Python numbers fit either)"
            )
    kinds: set[Any] = {type(view.array) for view in views if isinstance(view, View)}
    names = set(map(_library_name, kinds))
    if len(names) > 1:
        raise TypeError(f"{name}: arrays of {' and '.join(sorted(names))} are mixed; convert them to one of these")
    return LIBRARIES[names.pop()]


def _check_out(out: View, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    if out.dtype != dtype:
        raise TypeError(f"out has dtype {out.dtype}, the result {dtype}; pass an array of dtype {dtype}")
    if out.shape != shape:
        raise ValueError(f"out has shape {out.shape}, the result {shape}; pass an array of shape {shape}")
    if out.read_only:
        raise ValueError("out is read-only; pass a writeable array")


# --- the calls --------------------------------------------------------------------------------------------------------


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
    views = _views(operands if out is None else (*operands, out))
    if not any(isinstance(view, View) for view in views):
        return _elementwise_from_host(operation, operands, out, wanted)

    library = _common_library(operation.name, views)
    target = None if out is None else views.pop()
    arrays = [o for o in views if isinstance(o, View)]
    kinds = tuple(o.dtype if isinstance(o, (View, np.generic)) else type(o) for o in views)
    dtype = _loop(*operation.loop_for(operands, None if wanted is None else np.dtype(wanted)), kinds)
    shape = arrays[0].shape if len(arrays) == 1 else np.broadcast_shapes(*(view.shape for view in arrays))
    if target is not None:
        _check_out(target, np.broadcast_shapes(shape, target.shape), dtype)
    with _device(arrays if target is None else [*arrays, target]) as capability:
        if target is not None and not any(map(target.hides, arrays)):
            result = target
        elif target is not None:
            result = _new(library, target.shape, dtype, target)
        else:
            result = _new(library, shape, dtype, arrays[0])
        _run(capability, library, operation.scalar, dtype, views, result)
        if target is not None and result is not target:
            _copy(capability, library, result, target)
    return result.array if out is None else out


@functools.lru_cache(maxsize=4096)
def _loop(ufunc: np.ufunc, signature: tuple[Any, ...] | None, kinds: tuple[Any, ...]) -> np.dtype[Any]:
    """The dtype of a ufunc's result for these dtypes and types of Python numbers, as NumPy decides it."""
    return ufunc.resolve_dtypes((*kinds, None), signature=signature or (None,) * (len(kinds) + 1))[-1]


def _elementwise_from_host(operation: Any, operands: tuple[Any, ...], out: Any, wanted: Any) -> Any:
    hosts = [o if _is_number(o) else _host_array(operation.name, o) for o in operands]
    single = all(np.ndim(o) == 0 for o in hosts)
    if single:  # an array has to carry the result
        carrier = next((i for i, o in enumerate(hosts) if isinstance(o, np.generic)), 0)
        hosts[carrier] = np.array([hosts[carrier]])
    moved = tuple(cuda.to_device(o) if np.ndim(o) else o for o in hosts)
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


def softmax(kind: str, arrays: tuple[Any, ...], axes: tuple[int, ...], out: Any, options: Any = None) -> Any:
    """Forward for host arrays (x,), backward for two, checked before; they are copied to the GPU and back."""
    register()
    x, options = arrays[-1], options or Options(arrays[-1].dtype)
    if "bfloat16" in (x.dtype.name, options.dtype.name):
        raise BackendError(f"{kind}: backend 'cuda' takes bfloat16 of PyTorch's tensors, not of host arrays")
    if isinstance(options.temperature, np.ndarray):
        raise BackendError(f"{kind}: backend 'cuda' takes one temperature for all; divide x by the array instead")
    counting = [None if each is None else View.of(_put(each)) for each in (options.where, options.lengths)]
    views = [View.of(_put(each)) for each in arrays]
    result = _over_axes(
        kind, LIBRARIES["numba"], views, None, axes, options.dtype, *counting, options.causal, options.temperature
    ).array.copy_to_host()
    if out is None:
        return result
    out[...] = result
    return out


def _put(array: np.ndarray) -> Any:
    return cuda.to_device(np.ascontiguousarray(array, array.dtype.newbyteorder("=")))


def softmax_on_device(
    function: Any, operands: tuple[Any, ...], axis: Any, where: Any, lengths: Any, temperature: Any, out: Any, dtype: Any,
    keepdims: bool,
) -> Any:  # fmt: skip
    """A call of the softmax family whose x is on the GPU, with the arguments as its users write them."""
    register()
    kind, name = function.kind, function.name
    given = [*operands, *([] if out is None else [out])]
    counting = [each for each in (where, lengths) if hasattr(each, "__cuda_array_interface__")]
    library = _common_library(name, [*_views(given), *_views(counting)])
    views = [View.of(each) for each in operands]
    x = views[-1]
    whole = x.shape or (1,)
    axes = normalize_axes(axis, len(whole))
    natural = np.result_type(*(float_dtype(name, view.dtype) for view in views))
    result_dtype = natural if dtype is None else as_dtype(dtype)
    kept = reduced(x.shape, axes)
    rest = tuple(size for i, size in enumerate(x.shape) if i not in axes)
    if len(views) == 2 and views[0].shape not in ((x.shape,) if kind != "logsumexp" else (rest, kept)):
        raise ValueError(f"grad_output has shape {views[0].shape}; {name} of this has {x.shape}")
    shape = x.shape if kind != "logsumexp" or len(views) == 2 else kept if keepdims else rest
    target = None if out is None else View.of(out)
    if target is not None:
        _check_out(target, shape, result_dtype)
    mask, causal = _mask_view(name, where, whole, axes)
    counts = _counts_view(library, lengths, whole, axes, x.array)
    divisor = as_temperature(temperature, whole)
    if isinstance(divisor, np.ndarray):
        raise BackendError(f"{name}: backend 'cuda' takes one temperature for all; divide x by the array instead")
    operand_views = [view.shaped(whole if view.shape == x.shape else reduced(whole, axes)) for view in views]
    result = _over_axes(
        kind, library, operand_views, target, axes, result_dtype, mask, counts, causal, function.sign * divisor, shape
    )
    return result.array if out is None else out


def _mask_view(name: str, where: Any, shape: tuple[int, ...], axes: tuple[int, ...]) -> tuple[View | None, bool]:
    if where is None or isinstance(where, str):
        return None, False if where is None else as_mask(where, shape, axes)[1]
    if not hasattr(where, "__cuda_array_interface__"):
        raise TypeError(f"{name}: where is a {type(where).__name__} in host memory, and x on the GPU; move it there")
    mask = View.of(where)
    if mask.dtype != np.bool_:
        raise TypeError(f"where has dtype {mask.dtype}; pass a boolean mask, True where an element counts, or lengths=")
    new = len(shape) - len(mask.shape)
    if new < 0 or any(a not in (1, b) for a, b in zip(mask.shape, shape[new:], strict=True)):
        raise ValueError(f"where of shape {mask.shape} does not broadcast to x of shape {shape}")
    return mask, False


def _counts_view(
    library: Library, lengths: Any, shape: tuple[int, ...], axes: tuple[int, ...], model: Any
) -> View | None:
    """lengths of len(shape) dimensions, as int64; of host memory checked, on the GPU taken for 0 or n beyond these."""
    if lengths is None:
        return None
    if not hasattr(lengths, "__cuda_array_interface__"):
        return View.of(library.put(as_lengths(lengths, shape, axes), model))
    counts = View.of(lengths)
    if len(axes) != 1 or counts.dtype != np.int64:
        raise TypeError(f"lengths on the GPU has dtype {counts.dtype}; it must be int64, for one axis")
    others = shape[: axes[0]] + shape[axes[0] + 1 :]
    new = len(others) - len(counts.shape)
    if new < 0 or any(a not in (1, b) for a, b in zip(counts.shape, others, strict=False)):
        raise ValueError(f"lengths of shape {counts.shape} does not fit x of shape {shape} without axis {axes[0]}")
    sizes, strides = [*counts.shape, *[1] * new], [*counts.strides, *[0] * new]
    sizes.insert(axes[0], 1)
    strides.insert(axes[0], 0)
    return counts.with_places(tuple(sizes), tuple(strides))


def _over_axes(
    kind: str, library: Library, views: list[View], target: View | None, axes: tuple[int, ...], dtype: np.dtype[Any],
    mask: View | None, counts: View | None, causal: bool, divisor: float, shape: tuple[int, ...] | None = None,
) -> View:  # fmt: skip
    """The operation over `axes`, to `target` or a new array of the given shape."""
    x, arrays = views[-1], len(views)
    if (kind, arrays) not in _cuda_rows.KINDS:
        raise BackendError(f"backend 'cuda' has no {kind}; copy x to the host")
    computed = reduced(x.shape, axes) if kind == "logsumexp" and arrays == 1 else x.shape
    shape = computed if shape is None else shape
    natural = np.result_type(*(float_dtype(kind, view.dtype) for view in views))
    others = [axis for axis in range(len(x.shape)) if axis not in axes]
    together = not axes or axes == tuple(range(axes[0], axes[0] + len(axes)))
    order = list(range(len(x.shape))) if together else [*others, *axes]
    options = [each for each in (mask, counts) if each is not None]
    with _device([*views, *options, *([] if target is None else [target])]) as capability:
        ready = []
        for view in views:
            turned = view.permuted(order)
            if turned.dtype != natural or not turned.contiguous():
                copied = _new(library, turned.shape, natural, x)
                _copy(capability, library, turned, copied)
                turned = copied
            ready.append(turned)
        straight = together and target is not None and target.contiguous()
        if target is not None and straight and not any(map(target.hides, ready)):
            result = target
        else:
            result = _new(library, shape if together else tuple(computed[axis] for axis in order), dtype, x)
        places = [order.index(axis) for axis in axes]
        _rows(kind, library, capability, ready, result, places, mask and mask.broadcast_view(x.shape).permuted(order),
              counts and counts.broadcast_view(reduced(x.shape, axes)).permuted(order), causal, divisor)  # fmt: skip
        if result is target:
            return result
        if not together:
            back = [order.index(axis) for axis in range(len(order))]
            turned = result.shaped(tuple(computed[axis] for axis in order)).permuted(back)
            result = _new(library, shape, dtype, x) if target is None else target
            _copy(capability, library, turned, result.shaped(computed))
        elif target is not None:
            _copy(capability, library, result, target)
            result = target
    return result


def _rows(
    kind: str, library: Library, capability: tuple[int, int], views: Sequence[View], result: View, axes: Sequence[int],
    mask: View | None, counts: View | None, causal: bool, divisor: float,
) -> None:  # fmt: skip
    """Launch the kernels for contiguous arrays, over axes that are neighbours."""
    shape = views[-1].shape
    first, last = (axes[0], axes[-1] + 1) if axes else (len(shape), len(shape))
    n, inner = math.prod(shape[first:last]), math.prod(shape[last:])
    rows = math.prod(shape[:first]) * inner
    if rows == 0 or math.prod(result.shape) == 0:
        return
    mask_arguments: list[Any] = []
    count_arguments: list[Any] = []
    if mask is not None:
        step = _merge(shape[first:last], mask.strides[first:last])
        if len(step[0]) > 1:
            dense = _new(library, mask.shape, mask.dtype, views[0])
            _copy(capability, library, mask, dense)
            mask = dense
            step = _merge(shape[first:last], mask.strides[first:last])
        sizes, strides = _merge(shape[:first] + shape[last:], mask.strides[:first] + mask.strides[last:])
        mask_arguments = [mask.pointer, *sizes, *strides, step[1][0]]
    if counts is not None:
        kept, steps = _merge(shape[:first] + shape[last:], counts.strides[:first] + counts.strides[last:])
        count_arguments = [counts.pointer, *kept, *steps]
    wide = wide_dtype(views[-1].dtype, result.dtype)
    options = RowOptions(
        views[-1].dtype.name, result.dtype.name, (len(mask_arguments) - 2) // 2 if mask_arguments else 0,
        (len(count_arguments) - 1) // 2 if count_arguments else 0, causal, divisor != 1,
    )  # fmt: skip
    layout = _cuda_rows.layout_of(rows, n, inner)
    queries = shape[first - 1] if causal else 1
    pointers = [view.pointer for view in views]
    rest = [rows, n, inner, wide.type(divisor), *mask_arguments, *count_arguments, queries]
    used = [*views, result, *([] if mask is None else [mask]), *([] if counts is None else [counts])]

    def run(template: Callable[..., Any], grid: int, *middle: int) -> None:
        kernel = _row_kernel(template, kind, len(views), layout, options, capability)
        _launch(kernel, library, used, grid, layout.threads * layout.rows, [*pointers, *middle, *rest])

    if layout.parts == 1:
        run(_cuda_rows.row_kernel, -(-rows // layout.rows), result.pointer)
    else:
        sums = _new(library, (4 * rows * layout.parts,), wide, views[0])
        run(_cuda_rows.partial_kernel, rows * layout.parts, sums.pointer)
        run(_cuda_rows.finishing_kernel, rows * layout.parts, sums.pointer, result.pointer)


def _merge(shape: Sequence[int], strides: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
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
