"""From a kernel's template to machine code: the file to replace where another compiler is to be used.

It uses internals of numba-cuda, whose version the extra `cuda` pins for that reason. CONTRIBUTING.md lists what else
names numba-cuda, and what its successor lacks.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import metadata
from importlib.metadata import version
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numba
import numpy as np
from numba import types
from numba.core import config
from numba.core.types import BaseTuple

from fastact._kernels.compile import cache as _cache
from fastact._kernels.scalar.primitives import COMPILED, JIT_OPTIONS, PRIMITIVES, install
from fastact.backends.cuda.availability import SIMULATED, why_not

if TYPE_CHECKING:
    from fastact.backends.cuda.kernels import Kernel

__all__ = ["Template", "assembly", "kernel", "machine_code", "register", "vectorize"]

#: A function of parameters that makes a kernel.
Template = Callable[..., "Kernel"]


@functools.cache
def register() -> None:
    """Give numba-cuda the primitives, so that any `numba.cuda.jit` code can call a formula."""
    if SIMULATED:
        return
    extending: Any = importlib.import_module("numba.cuda.extending")
    for primitive in PRIMITIVES:
        install(extending, *primitive)
    for function, scalar in COMPILED.items():
        extending.overload(function, jit_options=JIT_OPTIONS, strict=False)(lambda *_, scalar=scalar: scalar)


@functools.cache
def _register_intrinsics() -> None:
    """Give numba-cuda the primitives and what else kernels call."""
    register()
    extending: Any = importlib.import_module("numba.cuda.extending")
    importlib.import_module("fastact.backends.cuda.kernels.intrinsics").register(extending)


@contextmanager
def _compiling_for(capability: tuple[int, int]) -> Iterator[None]:
    """Answer numba-cuda's question for the device's capability where there is no device."""
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


def _item_type(dtype: np.dtype[Any]) -> Any:
    """The Numba type of an item in memory; a bool is stored as a byte, a bfloat16 as its bits."""
    if dtype.name == "bfloat16":
        return types.uint16
    return numba.from_dtype(np.dtype(np.uint8) if dtype.kind == "b" else dtype)


def _argument_type(argument: Any) -> Any:
    """The Numba type of an argument, which `Kernel.arguments` describes."""
    if isinstance(argument, tuple):
        return BaseTuple.from_types([_argument_type(each) for each in argument])
    if isinstance(argument, np.dtype):
        return types.CPointer(_item_type(argument))
    return numba.from_dtype(np.dtype(argument))


def _code_library(template: Template, *parameters: Any, capability: tuple[int, int]) -> Any:
    """Numba's code library of the kernel that a template makes for these parameters."""
    _register_intrinsics()
    function, arguments, block = template(*parameters)
    # numba.cuda.compile would do, had it the option fma=0: no contraction.
    compiler: Any = importlib.import_module("numba.cuda.compiler")
    options = {"opt": 3, "fma": 0}
    with _compiling_for(capability):
        signature = tuple(map(_argument_type, arguments))
        result = compiler.compile_cuda(function, types.void, signature, nvvm_options=options, cc=capability)
        library = result.library
        entry = library.get_function(result.fndesc.llvm_func_name)
        library._entry_name = entry.name
        compiler.nvvm.set_launch_bounds(entry, block)  # so that a thread gets no more registers than the block has
        compiler.kernel_fixup(entry, False)
    return library


def assembly(template: Template, *parameters: Any, capability: tuple[int, int]) -> str:
    """The PTX of the kernel that a template makes for these parameters."""
    return str(_code_library(template, *parameters, capability=capability).get_asm_str(cc=capability))


@functools.cache
def _versions() -> tuple[Any, ...]:
    """What shapes the code of a kernel besides the kernel itself and what every entry of the cache depends on."""
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
    library = _code_library(template, *parameters, capability=capability)
    code = bytes(library.get_cubin(cc=capability).code)
    _cache.write(name, library._entry_name.encode() + b"\0" + code)
    return library._entry_name, code


@functools.cache
def kernel(template: Template, *parameters: Any, capability: tuple[int, int]) -> Any:
    """A kernel that is ready to be launched."""
    from cuda.core import ObjectCode

    entry, code = machine_code(template, *parameters, capability=capability)
    return ObjectCode.from_cubin(code).get_kernel(entry)


def vectorize(operation: Any) -> Any:
    """Numba's own `@vectorize(target="cuda")` ufunc of the formula."""
    register()
    arity = operation._inputs + len(operation.parameters)
    loops = [numba.from_dtype(np.dtype(c)) for c in operation._dtypes]
    return numba.vectorize([loop(*[loop] * arity) for loop in loops], target="cuda")(operation.scalar.py_func)
