"""An emulated GPU for fastact: its arrays, and what fastact uses of numba.cuda, cuda.core and the driver.

`install()` puts it in the place of these. All other Python of fastact runs as it does for a real GPU, and launches go
through its own Cython. numba-cuda compiles the kernels to PTX, which `EmulatedKernel` keeps on disk.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import hashlib
import math
import os
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import emulator
import numpy as np
from emulator import KEPT, MEMORY, EmulationError

import fastact
from fastact._kernels.compile import cache as _cache
from fastact._kernels.native import launch as native
from fastact.backends.cuda import availability, compiling, launching, libraries
from fastact.backends.cuda.calls import host, repeated

#: What the code of kernels is made of, in the package.
SOURCES = ("_scalar/*.py", "activations/*.py", "losses/*.py", "gated_units.py", "math.py", "backends/cuda/kernels/*.py")
#: What emulator.launch takes beside a kernel and its arguments.
OPTIONS: dict[str, Any] = {"resident": 4, "seed": 0, "races": True}


@contextlib.contextmanager
def options(**values: Any) -> Iterator[None]:
    """Launch with other values of OPTIONS for a while."""
    before = dict(OPTIONS)
    OPTIONS.update(values)
    try:
        yield
    finally:
        OPTIONS.clear()
        OPTIONS.update(before)


@functools.cache
def sources() -> str:
    """A digest of what the PTX of kernels is made of and by."""
    package = Path(fastact.__file__).parent
    paths = sorted(path for pattern in SOURCES for path in package.glob(pattern))
    everything = b"".join(path.read_bytes() for path in paths) + repr(compiling._versions()).encode()
    return hashlib.sha256(everything).hexdigest()[:12]


def kept() -> Path:
    """The folder with the PTX of the sources as they are."""
    return KEPT / sources()


class Launched(SimpleNamespace):
    """A launch: template, parameters, grid, block, stats, hits, program."""


LAUNCHES: list[Launched] = []
TOTALS: Counter[str] = Counter()
KERNELS: set[str] = set()


class Array:
    """Memory of the emulated GPU, as Numba's arrays show it."""

    stream = 0
    read_only = False

    def __init__(
        self,
        address: int,
        shape: tuple[int, ...],
        dtype: Any,
        strides: tuple[int, ...] | None = None,
        owner: Any = None,
    ) -> None:
        self.address, self.shape, self.dtype, self.owner = address, tuple(shape), np.dtype(dtype), owner
        self.strides = np.empty(shape, dtype).strides if strides is None else tuple(strides)
        if strides is None and 0 in self.shape:
            self.strides = np.zeros(shape, dtype).strides
        self.size, self.itemsize, self.ndim = math.prod(self.shape), self.dtype.itemsize, len(self.shape)
        self.nbytes = self.size * self.itemsize

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        text = "<V2" if self.dtype.name == "bfloat16" else self.dtype.str
        return {
            "data": (self.address, self.read_only),
            "shape": self.shape,
            "strides": self.strides,
            "typestr": text,
            "version": 3,
        }

    def host_view(self) -> tuple[np.ndarray, np.ndarray]:
        """The array, and which bytes of it are defined, without a copy."""
        data, shadow, offset = MEMORY.bytes_of(self.address)
        if self.size == 0:
            return np.empty(self.shape, self.dtype), np.ones((*self.shape, self.itemsize), np.uint8)
        low = offset + sum(min(0, s * (n - 1)) for s, n in zip(self.strides, self.shape, strict=True))
        high = offset + sum(max(0, s * (n - 1)) for s, n in zip(self.strides, self.shape, strict=True)) + self.itemsize
        if low < 0 or high > len(data):
            raise EmulationError("a view beyond its memory")
        view = np.ndarray(self.shape, self.dtype, data.data, offset, self.strides)
        return view, np.ndarray((*self.shape, self.itemsize), np.uint8, shadow.data, offset, (*self.strides, 1))

    def copy_to_host(self, target: Any = None, stream: Any = None) -> np.ndarray:
        view, defined = self.host_view()
        if not defined.all():
            bad = np.argwhere(~defined.all(-1))
            raise EmulationError(
                f"the host reads {len(bad)} undefined items of {self.size}, the first at {bad[0].tolist()}"
            )
        if target is None:
            return view.copy()
        target[...] = view
        return target

    def copy_to_device(self, source: np.ndarray, stream: Any = None) -> None:
        view, defined = self.host_view()
        view[...] = source
        defined[...] = 1

    def __getitem__(self, part: Any) -> Array:
        part = part if isinstance(part, tuple) else (part,)
        part = part if Ellipsis in part else (*part, ...)
        base = np.lib.stride_tricks.as_strided(np.empty(1, self.dtype), self.shape, self.strides)
        found = base[part]
        return type(self)(
            self.address + found.ctypes.data - base.ctypes.data, found.shape, self.dtype, found.strides, self
        )

    def reshape(self, shape: Any) -> Array:
        return type(self)(self.address, shape, self.dtype, None, self)

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return self.copy_to_host()  # as Numba's do

    def __len__(self) -> int:
        return self.shape[0]


Array.__module__ = "numba.emulated"


class CupyArray(Array):
    """The same, as CuPy's arrays show it."""

    class device(contextlib.nullcontext):
        id = 0

    device = device()

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        raise TypeError("Implicit conversion to a NumPy array is not allowed")

    @property
    def data(self) -> Any:
        root = self
        while isinstance(root.owner, Array):
            root = root.owner
        return SimpleNamespace(
            ptr=self.address, mem=SimpleNamespace(ptr=root.address >> emulator.WINDOW << emulator.WINDOW), device_id=0
        )

    def transpose(self, axes: Any) -> CupyArray:
        shape, strides = (tuple(each[axis] for axis in axes) for each in (self.shape, self.strides))
        return CupyArray(self.address, shape, self.dtype, strides, self)


CupyArray.__module__ = "cupy.emulated"


class _Allocation:
    def __init__(self, size: int) -> None:
        self.address = MEMORY.allocate(size)

    def __del__(self) -> None:
        MEMORY.free(self.address)


def empty(shape: Any, dtype: Any, kind: type[Array] = Array, strides: Any = None) -> Array:
    shape = (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)
    own = _Allocation(math.prod(shape) * np.dtype(dtype).itemsize)
    return kind(own.address, shape, dtype, strides, own)


def put(array: Any, kind: type[Array] = Array, roots: dict[int, Any] | None = None) -> Array:
    """A copy of the memory that a host array is a view of, and the same view of it. Views share what `roots` knows."""
    array = np.asarray(array)
    root = array
    while isinstance(root.base, np.ndarray):
        root = root.base
    if (
        not (root.flags.c_contiguous or root.flags.f_contiguous)
        or root.size == 0
        or array.dtype.itemsize != root.dtype.itemsize
    ):
        root = array = np.ascontiguousarray(array).reshape(array.shape)
    roots = {} if roots is None else roots
    if id(root) not in roots:
        own = _Allocation(root.nbytes)
        data, shadow, _ = MEMORY.bytes_of(own.address)
        raw = np.frombuffer(root.tobytes("A"), np.uint8)
        data[: root.nbytes], shadow[:] = raw, 1
        roots[id(root)] = own, root
    own = roots[id(root)][0]
    return kind(own.address + array.ctypes.data - root.ctypes.data, array.shape, array.dtype, array.strides, own)


def root_of(array: Array) -> np.ndarray:
    """All bytes of the allocation that an array is in."""
    return MEMORY.bytes_of(array.address)[0].copy()


# --- kernels ----------------------------------------------------------------------------------------------------------


#: Handle of a kernel -> the kernel.
HANDLES: dict[int, EmulatedKernel] = {}


class EmulatedKernel:
    """The PTX of a kernel, from disk or compiled; its first line says what it was compiled from."""

    def __init__(self, template: Any, parameters: Any, capability: Any) -> None:
        self.template, self.parameters = template.__name__, parameters
        formula = next((each for each in parameters if hasattr(each, "py_func")), template)
        rest = [each for each in parameters if each is not formula]
        self.key = _cache.key(formula, (template.__name__, repr(rest), capability, sources()))
        if self.key is None:
            raise EmulationError("the cache of fastact is off, and with it the names of kernels")
        path = kept() / f"{self.key}.ptx"
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            code = compiling.assembly(template, *parameters, capability=capability)
            new = path.with_suffix(f".{os.getpid()}")  # another process may make the same one
            described = " ".join(re.sub(r"\s+", " ", getattr(each, "__qualname__", repr(each))) for each in parameters)
            new.write_text(f"// {self.template} {described}\n{code}")
            new.replace(path)
        self.program = emulator.parse(path.read_text())
        self.handle = len(HANDLES) + 1
        HANDLES[self.handle] = self


_kernels: dict[Any, EmulatedKernel] = {}


def _kernel(template: Any, *parameters: Any, capability: Any) -> EmulatedKernel:
    key = template, parameters, capability
    if key not in _kernels:
        _kernels[key] = EmulatedKernel(template, parameters, capability)
    return _kernels[key]


def forget() -> None:
    """Compile and parse kernels again at their next call."""
    _kernels.clear()
    repeated._known.clear()


def _launch(_: int, kernel: int, grid: int, block: int, stream: int, arguments: Any) -> int:
    """Launch by what the package launches with, which calls `_run`."""
    sizes = [size for _, size in HANDLES[kernel].program.params]
    given = [8 if type(each) is int else each.itemsize for each in arguments]
    if given != sizes:
        raise EmulationError(f"arguments of {given} bytes, parameters of {sizes} of {HANDLES[kernel].template}")
    result = native.launch(ctypes.cast(_ENTRY, ctypes.c_void_p).value, kernel, grid, block, stream, arguments)
    if FAILURES:
        raise FAILURES.pop()
    return result


def _entry(handle: int, *numbers: Any) -> int:
    """cuLaunchKernel; an error is kept, because none passes through C."""
    *dimensions, _, _, arguments, _ = numbers
    kernel = HANDLES[handle]
    values = [ctypes.string_at(arguments[i], size) for i, (_, size) in enumerate(kernel.program.params)]
    try:
        _run(kernel, dimensions[0], dimensions[3], values)
    except Exception as error:
        FAILURES.append(error)
    return 0


_ENTRY = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_size_t, *[ctypes.c_uint] * 7, ctypes.c_size_t, ctypes.POINTER(ctypes.c_void_p),
    ctypes.c_size_t,
)(_entry)  # fmt: skip
FAILURES: list[Exception] = []


def _run(kernel: EmulatedKernel, grid: int, block: int, values: list[bytes]) -> None:
    program = kernel.program
    try:
        stats, hits = emulator.launch(program, grid, block, values, **OPTIONS)
    except EmulationError as error:
        raise EmulationError(f"{kernel.template} {kernel.parameters}, grid {grid}, block {block}: {error}") from None
    KERNELS.add(kernel.key)
    TOTALS.update(stats)
    TOTALS["launches"] += 1
    LAUNCHES.append(
        Launched(
            template=kernel.template,
            parameters=kernel.parameters,
            grid=grid,
            block=block,
            stats=stats,
            hits=hits,
            program=program,
        )
    )
    del LAUNCHES[:-64]


class _Stream(SimpleNamespace):
    handle = 1

    def synchronize(self) -> None:
        pass

    def wait(self, other: Any) -> None:
        pass


class _Device(SimpleNamespace):
    compute_capability = (8, 0)
    id = 0

    def set_current(self) -> None:
        pass


def _attribute(_: Any, pointer: int) -> tuple[Any, int]:
    known = (pointer >> emulator.WINDOW) in MEMORY.data
    return (0, 0) if known else (SimpleNamespace(name="CUDA_ERROR_INVALID_VALUE"), 0)


DRIVER = SimpleNamespace(
    cuCtxSetCurrent=lambda context: (0,), cuPointerGetAttribute=_attribute, CUdeviceptr=int, CUcontext=int,
    CUpointer_attribute=SimpleNamespace(CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL=9),
)  # fmt: skip
CORE = SimpleNamespace(
    driver=DRIVER, device=lambda ordinal: _Device(), stream=lambda handle: _Stream(), cuLaunchKernel=0,
    cuCtxGetCurrent=0,
)  # fmt: skip
NUMBA = SimpleNamespace(
    to_device=lambda array, stream=0: put(np.ascontiguousarray(array).reshape(np.shape(array))),
    device_array=lambda shape, dtype, strides=None, stream=0: empty(shape, dtype, strides=strides),
    stream=_Stream, pinned_array=lambda size, dtype: np.empty(size, dtype), get_current_device=_Device,
    gpus=[_Device],
)  # fmt: skip


def install(capability: tuple[int, int] = (8, 0)) -> None:
    """Put the emulated GPU of this compute capability in the place of a real one."""
    _Device.compute_capability = capability
    launching._driver = lambda: CORE
    launching.launch, launching.current_context = _launch, lambda _: 7
    launching.kernel = _kernel
    availability.why_not = lambda: None  # what the public functions ask; compiling.py has its own
    libraries.cuda = host.cuda = NUMBA
    cupy: Any = ModuleType("cupy")
    cupy.empty = lambda shape, dtype: empty(shape, dtype, CupyArray)
    cupy.asarray = lambda array: put(array, CupyArray)
    cupy.cuda = SimpleNamespace(get_current_stream=lambda: SimpleNamespace(ptr=0))
    sys.modules["cupy"] = cupy
