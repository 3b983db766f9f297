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

from fastact._compile import cache as _cache
from fastact._scalar.primitives import COMPILED, JIT_OPTIONS, PRIMITIVES, fma, install
from fastact.backends.cuda.kernels import elementwise as elementwise_kernels
from fastact.backends.cuda.kernels import groups, losses, softmax, sparse, tiles
from fastact.backends.cuda.kernels import memory as device
from fastact.backends.cuda.kernels.elementwise import contiguous_kernel, half_kernel
from fastact.backends.cuda.kernels.memory import Kernel
from fastact.backends.cuda.libraries import dtype_of

__all__ = ["SIMULATED", "code_library", "kernel", "machine_code", "ptx", "register", "vectorize", "why_not"]

#: A function of parameters that makes a kernel.
Template = Callable[..., Kernel]

#: The modules whose functions name numba.cuda.
KERNEL_MODULES = (device, elementwise_kernels, groups, tiles, softmax, sparse, losses)

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

    device.compile_counters(extending)
    device.compile_eights(extending)
    for conversion in device.CONVERSIONS:
        install(extending, *conversion)

    @extending.overload(device.log1p)
    def compiled_log1p(z):  # type: ignore[no-untyped-def]
        return lambda z: math.log1p(z)

    @extending.overload(device.fma)
    def compiled_fma(a, b, c):  # type: ignore[no-untyped-def]
        return lambda a, b, c: fma(a, b, c)

    @extending.overload(groups.exchange)
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


def _type(dtype: np.dtype[Any]) -> Any:
    """The Numba type of an item in memory; bool is stored as a byte, bfloat16 as its bits."""
    if dtype.name == "bfloat16":
        return types.uint16
    return numba.from_dtype(np.dtype(np.uint8) if dtype.kind == "b" else dtype)


def _numba_type(item: Any) -> Any:
    """The Numba type of an argument, or of a tuple of them, as templates describe it."""
    if isinstance(item, tuple):
        return BaseTuple.from_types([_numba_type(each) for each in item])
    return types.CPointer(_type(item)) if isinstance(item, np.dtype) else numba.from_dtype(np.dtype(item))


def code_library(template: Template, *parameters: Any, capability: tuple[int, int]) -> Any:
    """The code library of the kernel that a template makes for these parameters."""
    function, arguments, block = template(*parameters)
    # numba.cuda.compile would do, had it the option fma=0: no contraction.
    compiler: Any = importlib.import_module("numba.cuda.compiler")
    options = {"opt": 3, "fma": 0}
    with _compiling_for(capability):
        types_ = tuple(map(_numba_type, arguments))
        result = compiler.compile_cuda(function, types.void, types_, nvvm_options=options, cc=capability)
        library = result.library
        kernel = library.get_function(result.fndesc.llvm_func_name)
        library._entry_name = kernel.name
        compiler.nvvm.set_launch_bounds(kernel, block)  # as many registers as so many threads can have
        compiler.kernel_fixup(kernel, False)
    return library


@functools.cache
def _versions() -> tuple[Any, ...]:
    """What shapes a kernel's code beside the kernel itself and what the cache of the CPU's kernels asks for anyway."""
    packages = ("numba-cuda", "nvidia-nvvm", "nvidia-nvjitlink", "cuda-core")
    found = tuple(version(each) if any(metadata.distributions(name=each)) else None for each in packages)
    options = {name: repr(value) for name, value in sorted(vars(config).items()) if name.startswith("CUDA")}
    return found, repr(options)


def machine_code(template: Template, *parameters: Any, capability: tuple[int, int]) -> tuple[str, bytes]:
    """The name of a kernel and its code: from the cache on disk, or compiled."""
    formula = next((each for each in parameters if hasattr(each, "py_func")), template)
    rest = [each for each in parameters if each is not formula]
    name = _cache.key(formula, (template.__name__, repr(rest), capability, _versions()))
    entry, _, code = (_cache.read(name) or b"").partition(b"\0")
    if code:
        return entry.decode(), code
    library = code_library(template, *parameters, capability=capability)
    code = bytes(library.get_cubin(cc=capability).code)
    _cache.write(name, library._entry_name.encode() + b"\0" + code)
    return library._entry_name, code


@functools.cache
def kernel(template: Template, *parameters: Any, capability: tuple[int, int]) -> Any:
    """A kernel ready to be launched."""
    from cuda.core import ObjectCode

    entry, code = machine_code(template, *parameters, capability=capability)
    return ObjectCode.from_cubin(code).get_kernel(entry)


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
    template = half_kernel if dtype.itemsize == 2 else contiguous_kernel
    library = code_library(template, operation.scalar, items, operation.outputs, dtype, capability=compute_capability)
    return str(library.get_asm_str(cc=compute_capability))


def vectorize(operation: Any) -> Any:
    """Numba's own `@vectorize(target="cuda")` ufunc of the formula."""
    register()
    arity = operation.inputs + len(operation.parameters)
    loops = [numba.from_dtype(np.dtype(c)) for c in operation.dtypes]
    return numba.vectorize([loop(*[loop] * arity) for loop in loops], target="cuda")(operation.scalar.py_func)
