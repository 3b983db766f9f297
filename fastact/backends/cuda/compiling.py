"""From a kernel's template to machine code: the one file that imports numba.cuda."""

from __future__ import annotations

import functools
import importlib
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import metadata
from importlib.metadata import version
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any

import numba
import numpy as np
from numba import types
from numba.core import config
from numba.core.types import BaseTuple

from fastact import _cache
from fastact._primitives import COMPILED, JIT_OPTIONS, PRIMITIVES, fma, install

from . import device, elementwise_kernels, loss_kernels, rows, softmax_kernels, sparse_kernels
from .arrays import dtype_of
from .device import computes_in
from .elementwise_kernels import Items, contiguous_kernel, half_kernel, strided_kernel
from .loss_kernels import Targets
from .rows import Layout, Options

__all__ = [
    "SIMULATED",
    "elementwise_kernel",
    "loss_kernel",
    "machine_code",
    "ptx",
    "register",
    "row_kernel",
    "vectorize",
    "why_not",
]

#: The modules whose functions name numba.cuda.
KERNEL_MODULES = (device, elementwise_kernels, rows, softmax_kernels, sparse_kernels, loss_kernels)

SIMULATED: bool = config.ENABLE_CUDASIM  # type: ignore[attr-defined]


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


@functools.cache
def register() -> None:
    """Import numba-cuda and give it the primitives; then a formula can be called in any `numba.cuda.jit` code."""
    from numba import cuda

    for module in KERNEL_MODULES:
        vars(module)["cuda"] = cuda
    if SIMULATED:
        return
    extending: Any = importlib.import_module("numba.cuda.extending")
    for primitive in PRIMITIVES:
        install(extending, *primitive)
    for function, scalar in COMPILED.items():
        extending.overload(function, jit_options=JIT_OPTIONS, strict=False)(lambda *_, scalar=scalar: scalar)

    device.compile_eights(extending)
    for conversion in device.CONVERSIONS:
        install(extending, *conversion)

    @extending.overload(device.log1p)
    def compiled_log1p(z):  # type: ignore[no-untyped-def]
        return lambda z: math.log1p(z)

    @extending.overload(device.square_rest)
    def compiled_square_rest(x, square):  # type: ignore[no-untyped-def]
        return lambda x, square: fma(x, x, -square)

    @extending.overload(rows.exchange)
    def compiled_exchange(value, step):  # type: ignore[no-untyped-def]
        return lambda value, step: cuda.shfl_xor_sync(0xFFFFFFFF, value, step)


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


def _compile(
    kernel: Callable[..., None], arguments: tuple[Any, ...], capability: tuple[int, int], block: int | None = None
) -> Any:
    """The code library of a kernel, with no more registers than `block` threads can have.

    `numba.cuda.compile` would do, had it the option fma=0: no contraction.
    """
    compiler: Any = importlib.import_module("numba.cuda.compiler")
    with _compiling_for(capability):
        result = compiler.compile_cuda(kernel, types.void, arguments, nvvm_options={"opt": 3, "fma": 0}, cc=capability)
        library = result.library
        function = library.get_function(result.fndesc.llvm_func_name)
        library._entry_name = function.name
        compiler.nvvm.set_launch_bounds(function, block)
        compiler.kernel_fixup(function, False)
    return library


def _type(dtype: np.dtype[Any]) -> Any:
    """The Numba type of an item in memory; bool is stored as a byte, bfloat16 as its bits."""
    if dtype.name == "bfloat16":
        return types.uint16
    return numba.from_dtype(np.dtype(np.uint8) if dtype.kind == "b" else dtype)


def _elementwise_library(
    formula: Callable[..., Any], dtype: np.dtype[Any], items: Items, outputs: int, axes: int, halves: bool,
    capability: tuple[int, int],
) -> Any:  # fmt: skip
    """Code for a formula. items: the dtype of each array operand, None for a number; axes: 0 if all are contiguous, and
    then `halves`: whether `half_kernel` may take them."""
    number = _type(np.dtype(computes_in(dtype)))
    operands = BaseTuple.from_types([number if each is None else types.CPointer(_type(each)) for each in items])
    arrays = types.UniTuple(types.CPointer(_type(dtype)), outputs)
    if not axes:
        template = half_kernel if halves else contiguous_kernel
        return _compile(template(formula, items, outputs, dtype), (operands, arrays, types.int64), capability)
    place = types.UniTuple(types.int64, axes)
    strides, array_strides = types.UniTuple(place, len(items)), types.UniTuple(place, outputs)
    arguments = (operands, strides, arrays, array_strides, place, types.int64)
    return _compile(strided_kernel(formula, items, outputs, axes, dtype), arguments, capability)


def _row_library(
    template: Callable[..., Any], kind: str, arrays: int, layout: Layout, options: Options,
    capability: tuple[int, int],
) -> Any:  # fmt: skip
    """Code for rows: a template of softmax_kernels.py or sparse_kernels.py."""
    stored, result = (_type(dtype_of(name)) for name in (options.stored, options.result))
    wide = np.float64 if "float64" in (options.stored, options.result) else np.float32
    number, long = numba.from_dtype(np.dtype(wide)), types.int64
    operands = BaseTuple.from_types([types.CPointer(stored)] * arrays)
    whole = (softmax_kernels.row_kernel, sparse_kernels.row_kernel)
    sums = [] if template in whole else [types.CPointer(number)]
    out = [] if template is softmax_kernels.partial_kernel else [types.CPointer(result)]

    def of_rows(item: Any, axes: int, *more: Any) -> Any:
        shape = types.UniTuple(long, axes)
        return BaseTuple.from_types([types.CPointer(item), shape, shape, *more] if axes else [])

    mask, counts = of_rows(types.uint8, options.mask, long), of_rows(long, options.counts)
    arguments = (operands, *sums, *out, long, long, long, number, mask, counts, long)
    kernel = template(kind, arrays, layout, options, wide)
    return _compile(kernel, arguments, capability, layout.threads * layout.rows)


def _loss_library(
    template: Callable[..., Any], layout: Layout, options: Options, targets: Targets, capability: tuple[int, int]
) -> Any:
    """Code for the parts of cross-entropy: a template of loss_kernels.py."""
    stored, result = (types.CPointer(_type(dtype_of(name))) for name in (options.stored, options.result))
    wide = np.float64 if options.stored == "float64" else np.float32
    number, long, double = numba.from_dtype(np.dtype(wide)), types.int64, types.float64
    values, integers, scale = types.CPointer(number), types.CPointer(long), types.CPointer(double)
    weights = BaseTuple.from_types([types.CPointer(double)] if targets.weighted else [])
    if template is loss_kernels.count_kernel:
        kernel = template(targets.weighted, layout.threads)
        return _compile(kernel, (integers, long, long, long, weights, scale), capability)
    if template is loss_kernels.total_kernel:
        kernel = template(options.result, layout.threads, wide)
        return _compile(kernel, (values, long, scale, result), capability)
    kernel = template(layout, options, targets, wide)
    arguments = (stored, result, values, long, long, long, integers, long, number, number, weights, scale)
    return _compile(kernel, arguments, capability, layout.threads * layout.rows)


@functools.cache
def _versions() -> tuple[Any, ...]:
    """What shapes a kernel's code beside the kernel itself and what the cache of the CPU's kernels asks for anyway."""
    packages = ("numba-cuda", "nvidia-nvvm", "nvidia-nvjitlink", "cuda-core")
    found = tuple(version(each) if any(metadata.distributions(name=each)) else None for each in packages)
    options = {name: repr(value) for name, value in sorted(vars(config).items()) if name.startswith("CUDA")}
    return found, repr(options)


def machine_code(compile_library: Callable[..., Any], key: tuple[Any, ...]) -> tuple[str, bytes]:
    """The name of a kernel and its code for the compute capability key[-1]: from the cache on disk, or compiled."""
    name = _cache.key(key[0], (compile_library.__name__, repr(key[1:]), _versions()))
    entry, _, code = (_cache.read(name) or b"").partition(b"\0")
    if code:
        return entry.decode(), code
    library = compile_library(*key)
    code = bytes(library.get_cubin(cc=key[-1]).code)
    _cache.write(name, library._entry_name.encode() + b"\0" + code)
    return library._entry_name, code


def _loaded(compile_library: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, but giving a kernel ready to be launched; kept for every key."""

    @functools.cache
    def kernel(*key: Any) -> Any:
        from cuda.core import ObjectCode

        entry, code = machine_code(compile_library, key)
        return ObjectCode.from_cubin(code).get_kernel(entry)

    return kernel


elementwise_kernel = _loaded(_elementwise_library)
row_kernel = _loaded(_row_library)
loss_kernel = _loaded(_loss_library)


def ptx(operation: Any, dtype: Any, compute_capability: tuple[int, int] = (8, 0)) -> str:
    """The PTX of an operation's kernel for contiguous arrays and scalar parameters; needs numba-cuda, but no GPU.

    Parameters
    ----------
    operation : an elementwise fastact function
    dtype : the dtype of the loop
    compute_capability : the GPU to compile for
    """
    register()
    dtype = dtype_of(dtype) if isinstance(dtype, str) else np.dtype(dtype)
    items = (dtype,) * operation.inputs + (None,) * len(operation.parameters)
    halves = dtype.itemsize == 2
    library = _elementwise_library(operation.scalar, dtype, items, operation.outputs, 0, halves, compute_capability)
    return str(library.get_asm_str(cc=compute_capability))


def vectorize(operation: Any) -> Any:
    """Numba's own `@vectorize(target="cuda")` ufunc of the formula."""
    register()
    arity = operation.inputs + len(operation.parameters)
    loops = [numba.from_dtype(np.dtype(c)) for c in operation.dtypes]
    return numba.vectorize([loop(*[loop] * arity) for loop in loops], target="cuda")(operation.scalar.py_func)
