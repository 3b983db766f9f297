"""The `cuda` backend: elementwise functions and softmax over the last axis, on arrays of Numba, CuPy and PyTorch.

The one file that knows numba.cuda; _dispatch.py imports it, and only a call imports Numba's CUDA target. Formulas and
primitives are the CPU's, compiled with the same explicit fma and nothing else contracted: results have the CPU's bits.
In order: kernels (plain Python, which Numba's simulator runs too), compiling, arrays, the calls. A new kind of array is
an entry in `LIBRARIES`, a softmax operation one in `ROW_KERNELS`.
"""

from __future__ import annotations

import functools
import importlib
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any, NamedTuple, NoReturn

import numba
import numpy as np
from numba import types
from numba.core import config
from numba.core.types import BaseTuple

from fastact._errors import BackendError
from fastact._primitives import COMPILED, JIT_OPTIONS, PRIMITIVES, install, where
from fastact.math import exp

__all__ = ["elementwise", "ptx", "register", "softmax", "vectorize", "why_not"]

SIMULATED: bool = config.ENABLE_CUDASIM  # type: ignore[attr-defined]

#: Threads of an elementwise block, and elements of each: four loads in flight per thread reach the copy bandwidth.
THREADS = 256
PER_THREAD = 4

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


def item(operand: Any, i: Any) -> Any:
    """Item i behind a pointer, or the number itself. This body is the simulator's; `register` has the compiled one."""
    return operand if _is_number(operand) else operand[i]


def _computes_in(dtype: Any) -> Any:
    """The scalar type of a kernel's arithmetic: float32 for float16, which is converted as it is loaded and stored."""
    return np.float32 if dtype is np.float16 else dtype


def _offset(axes: int) -> Callable[..., Any]:
    """A device function: where element i in C order stands, in items, for strides over `axes` axes."""
    if axes == 1:

        @cuda.jit(device=True)
        def offset(i, shape, strides):  # type: ignore[no-untyped-def]
            return i * strides[0]
    else:
        outer, axis = _offset(axes - 1), axes - 1

        @cuda.jit(device=True)
        def offset(i, shape, strides):  # type: ignore[no-untyped-def]
            above = i // shape[axis]
            return (i - above * shape[axis]) * strides[axis] + outer(above, shape, strides)

    return offset


def _gather(count: int, axes: int, dtype: Any) -> Callable[..., Any]:
    """A device function: element i of each of `count` operands, in the dtype of the loop, as a tuple."""
    if count == 0:
        return cuda.jit(device=True)(lambda operands, i, shape, strides: ())
    before, last, offset = _gather(count - 1, axes, dtype), count - 1, _offset(axes)

    @cuda.jit(device=True)
    def gather(operands, i, shape, strides):  # type: ignore[no-untyped-def]
        value = item(operands[last], offset(i, shape, strides[last]))
        return before(operands, i, shape, strides) + (dtype(value),)  # noqa: RUF005 (Numba takes no starred tuples)

    return gather


def contiguous_kernel(formula: Callable[..., Any], count: int, dtype: Any) -> Callable[..., None]:
    """kernel(operands, output, n): output[i] = formula(*operands[i]), of contiguous arrays of one shape and numbers."""
    gather, unit = _gather(count, 1, _computes_in(dtype)), ((1,),) * count

    def kernel(operands, output, n):  # type: ignore[no-untyped-def]
        i = np.int64(cuda.blockIdx.x) * (THREADS * PER_THREAD) + cuda.threadIdx.x
        if i + 3 * THREADS < n:
            a = gather(operands, i, (n,), unit)  # all loads before the first store, which might alias them
            b = gather(operands, i + THREADS, (n,), unit)
            c = gather(operands, i + 2 * THREADS, (n,), unit)
            d = gather(operands, i + 3 * THREADS, (n,), unit)
            output[i] = formula(*a)
            output[i + THREADS] = formula(*b)
            output[i + 2 * THREADS] = formula(*c)
            output[i + 3 * THREADS] = formula(*d)
        else:
            while i < n:
                output[i] = formula(*gather(operands, i, (n,), unit))
                i += THREADS

    return kernel


def strided_kernel(formula: Callable[..., Any], count: int, axes: int, dtype: Any) -> Callable[..., None]:
    """kernel(operands, strides, output, output_strides, shape, n): the same for any strides, 0 and negative too."""
    gather, offset = _gather(count, axes, _computes_in(dtype)), _offset(axes)

    def kernel(operands, strides, output, output_strides, shape, n):  # type: ignore[no-untyped-def]
        i = np.int64(cuda.blockIdx.x) * THREADS + cuda.threadIdx.x
        if i < n:
            output[offset(i, shape, output_strides)] = formula(*gather(operands, i, shape, strides))

    return kernel


def _row_tools(threads: int, dtype: Any) -> tuple[Callable[..., Any], Callable[..., Any], Callable[..., Any]]:
    """Device functions for a row that one block shares: maximum of it, sum of it, and adding without loss."""

    @cuda.jit(device=True)
    def add(total, low, value):  # type: ignore[no-untyped-def]
        """total + low + value, the low part of the sum apart (two-sum)."""
        high = total + value
        rounded = high - total
        return high, low + ((total - (high - rounded)) + (value - rounded))

    @cuda.jit(device=True)
    def block_maximum(value, shared):  # type: ignore[no-untyped-def]
        me = cuda.threadIdx.x
        shared[me] = value
        step = threads // 2
        while step > 0:
            cuda.syncthreads()
            if me < step and shared[me + step] > shared[me]:
                shared[me] = shared[me + step]
            step //= 2
        cuda.syncthreads()
        result = shared[0]
        cuda.syncthreads()
        return result

    @cuda.jit(device=True)
    def block_sum(high, low, shared, shared_low):  # type: ignore[no-untyped-def]
        me = cuda.threadIdx.x
        shared[me] = high
        shared_low[me] = low
        step = threads // 2
        while step > 0:
            cuda.syncthreads()
            if me < step:
                low_parts = shared_low[me] + shared_low[me + step]
                shared[me], shared_low[me] = add(shared[me], low_parts, shared[me + step])
            step //= 2
        cuda.syncthreads()
        result = shared[0] + shared_low[0]
        cuda.syncthreads()
        return result

    return add, block_maximum, block_sum


def _exp_of_difference(dtype: Any) -> Callable[..., Any]:
    """A device function: e**(x - m), with what rounding took from x - m."""

    @cuda.jit(device=True)
    def exp_of_difference(x, m):  # type: ignore[no-untyped-def]
        d = x - m
        rounded = d - x
        low = (x - (d - rounded)) - (m + rounded)
        e = exp(d)
        return e + e * where(d > dtype(-800), low, dtype(0))

    return exp_of_difference


def forward_kernel(logarithm: bool, threads: int, dtype: Any) -> Callable[..., None]:
    """kernel(x, out, n): softmax or log_softmax of contiguous rows of n, a block each; out may be x."""
    add, block_maximum, block_sum = _row_tools(threads, dtype)
    exp_of_difference = _exp_of_difference(dtype)

    def kernel(x, out, n):  # type: ignore[no-untyped-def]
        shared = cuda.shared.array(threads, dtype)
        shared_low = cuda.shared.array(threads, dtype)
        row, me = np.int64(cuda.blockIdx.x) * n, cuda.threadIdx.x
        m = dtype(-np.inf)
        for j in range(me, n, threads):
            m = where(x[row + j] > m, x[row + j], m)
        m = block_maximum(m, shared)
        total, low, count = dtype(0), dtype(0), dtype(0)
        for j in range(me, n, threads):
            v = x[row + j]
            e = exp_of_difference(v, m)
            if logarithm:  # of 1 + what all but one maximum add: it keeps its digits where one element dominates
                count += where(v == m, dtype(1), dtype(0))
                e = where(v == m, dtype(0), e)
            total, low = add(total, low, e)
        total = block_sum(total, low, shared, shared_low)
        if logarithm:
            count = block_sum(count, dtype(0), shared, shared_low)
            total = math.log1p(total + (count - dtype(1))) + (m - m)  # m - m is NaN for an infinite maximum
        for j in range(me, n, threads):
            if logarithm:
                out[row + j] = (x[row + j] - m) - total
            else:
                out[row + j] = exp_of_difference(x[row + j], m) / total

    return kernel


def backward_kernel(logarithm: bool, threads: int, dtype: Any) -> Callable[..., None]:
    """kernel(grad_output, output, out, n): the gradient for the input of contiguous rows; out may be either."""
    add, _, block_sum = _row_tools(threads, dtype)

    def kernel(g, y, out, n):  # type: ignore[no-untyped-def]
        shared = cuda.shared.array(threads, dtype)
        shared_low = cuda.shared.array(threads, dtype)
        row, me = np.int64(cuda.blockIdx.x) * n, cuda.threadIdx.x
        total, low = dtype(0), dtype(0)
        for j in range(me, n, threads):
            total, low = add(total, low, g[row + j] if logarithm else g[row + j] * y[row + j])
        total = block_sum(total, low, shared, shared_low)
        for j in range(me, n, threads):
            if logarithm:
                out[row + j] = g[row + j] - exp(y[row + j]) * total
            else:
                out[row + j] = y[row + j] * (g[row + j] - total)

    return kernel


#: (name, number of arrays) -> (template, whether of the logarithm)
ROW_KERNELS: dict[tuple[str, int], tuple[Callable[..., Any], bool]] = {
    ("softmax", 1): (forward_kernel, False),
    ("softmax", 2): (backward_kernel, False),
    ("log_softmax", 1): (forward_kernel, True),
    ("log_softmax", 2): (backward_kernel, True),
}


def row_threads(n: int) -> int:
    """Threads of the block that takes a row of n elements: about eight elements each."""
    return int(min(1024, max(32, 1 << max(0, (n - 1).bit_length() - 3))))


# --- compiling --------------------------------------------------------------------------------------------------------


@functools.cache
def register() -> None:
    """Import numba-cuda and give it the primitives; then a formula can be called in any `numba.cuda.jit` code."""
    global cuda
    from numba import cuda as module

    cuda = module
    if SIMULATED:
        return
    extending: Any = importlib.import_module("numba.cuda.extending")
    for primitive in PRIMITIVES:
        install(extending, *primitive)
    for function, scalar in COMPILED.items():
        extending.overload(function, jit_options=JIT_OPTIONS, strict=False)(lambda *_, scalar=scalar: scalar)

    @extending.overload(item)
    def compiled_item(operand, i):  # type: ignore[no-untyped-def]
        if isinstance(operand, types.CPointer):
            return lambda operand, i: operand[i]
        return lambda operand, i: operand


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
    """The Numba type of an item in memory; bool is stored as a byte."""
    return numba.from_dtype(np.dtype(np.uint8) if dtype.kind == "b" else dtype)


def _elementwise_library(
    formula: Callable[..., Any], dtype: np.dtype[Any], items: tuple[np.dtype[Any] | None, ...], axes: int,
    capability: tuple[int, int],
) -> Any:  # fmt: skip
    """Code for a formula. items: the dtype of each array operand, None for a number; axes: 0 if all are contiguous."""
    number = _type(np.dtype(_computes_in(dtype.type)))
    operands = BaseTuple.from_types([number if each is None else types.CPointer(_type(each)) for each in items])
    output = types.CPointer(_type(dtype))
    if not axes:
        return _compile(contiguous_kernel(formula, len(items), dtype.type), (operands, output, types.int64), capability)
    place = types.UniTuple(types.int64, axes)
    arguments = (operands, types.UniTuple(place, len(items)), output, place, place, types.int64)
    return _compile(strided_kernel(formula, len(items), axes, dtype.type), arguments, capability)


def _row_library(kind: str, arrays: int, threads: int, dtype: np.dtype[Any], capability: tuple[int, int]) -> Any:
    template, logarithm = ROW_KERNELS[kind, arrays]
    pointer = types.CPointer(_type(dtype))
    return _compile(template(logarithm, threads, dtype.type), (*[pointer] * (arrays + 1), types.int64), capability)


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


#: top-level module of an array's class -> its library, which is imported already if there is such an array
LIBRARIES = {
    "numba": Library(lambda shape, dtype, array: cuda.device_array(shape, dtype, stream=array.stream), _numba_stream),
    "cupy": Library(_cupy_empty, _cupy_stream),
    "torch": Library(_torch_empty, _torch_stream),
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


def _c_strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))


class View:
    """A device array as kernels see it: a pointer, and strides in items."""

    def __init__(self, array: Any, interface: dict[str, Any]) -> None:
        self.array = array
        self.pointer, self.read_only = interface["data"]
        self.dtype = np.dtype(interface["typestr"])
        self.shape = tuple(interface["shape"])
        self.stream: int | None = interface.get("stream")
        bytes_ = interface.get("strides")
        if bytes_ is None:
            self.strides = _c_strides(self.shape)
        else:
            if any(step % self.dtype.itemsize for step in bytes_):
                raise BackendError("backend 'cuda' takes arrays whose strides are whole items; copy the array first")
            self.strides = tuple(step // self.dtype.itemsize for step in bytes_)

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
    number_type = _computes_in(dtype.type)
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
    """Forward for arrays (x,), backward for (grad_output, output), over the last axis; float32 and float64."""
    if (kind, len(arrays)) not in ROW_KERNELS or options is not None:
        raise BackendError(
            f"{kind}: backend 'cuda' has softmax and log_softmax, without where, lengths, temperature and dtype; "
            "copy x to the host"
        )
    register()
    views = _views(arrays if out is None else (*arrays, out))
    if not any(isinstance(view, View) for view in views):
        moved = tuple(cuda.to_device(np.ascontiguousarray(array)) for array in arrays)
        result = softmax(kind, moved, axes, None).copy_to_host()
        if out is None:
            return result
        out[...] = result
        return out

    library = _common_library(kind, views)
    target = None if out is None else views.pop()
    shape = views[-1].shape
    if tuple(axes) != (len(shape) - 1,):
        _refuse_axes(kind, axes, len(shape))
    if views[0].shape != shape:
        raise ValueError(f"grad_output has shape {views[0].shape}, output {shape}; they must be equal")
    dtype = np.result_type(*(np.exp.resolve_dtypes((view.dtype, None))[-1] for view in views))
    if dtype not in (np.float32, np.float64):
        raise TypeError(f"{kind}: backend 'cuda' takes float32 and float64, not {dtype}; convert x first")
    if target is not None:
        _check_out(target, shape, dtype)
    with _device(views if target is None else [*views, target]) as capability:
        contiguous = _c_strides(shape)
        for i, view in enumerate(views):
            if view.strides != contiguous or view.dtype != dtype:
                views[i] = _new(library, shape, dtype, view)
                _copy(capability, library, view, views[i])
        if target is not None and target.strides == contiguous and not any(map(target.hides, views)):
            result = target
        else:
            result = _new(library, shape, dtype, views[0])
        rows, n = math.prod(shape[:-1]), shape[-1]
        if rows and n:
            threads = row_threads(n)
            kernel = _row_kernel(kind, len(views), threads, dtype, capability)
            pointers = [view.pointer for view in (*views, result)]
            _launch(kernel, library, [*views, result], rows, threads, [*pointers, n])
        if target is not None and result is not target:
            _copy(capability, library, result, target)
    return result.array if out is None else out


def _refuse_axes(kind: str, axes: Sequence[int], ndim: int) -> NoReturn:
    raise BackendError(
        f"{kind}: backend 'cuda' works over the last axis, not over axes {tuple(axes)} of {ndim}; move the axis last "
        "(numpy.moveaxis, cupy.moveaxis, torch.movedim), or use the CPU"
    )
