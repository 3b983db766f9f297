"""Launches without a GPU: what reaches a driver that stands in for CUDA's."""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastact._kernels.native.launch import current_context, launch

ARGUMENTS: list[Any] = [
    1 << 46, 0, -3, np.float32(-0.5), np.float64(1 / 3), np.float16(0.1), np.int64(-(1 << 62)), np.int32(-7),
    np.uint32((1 << 32) - 1), np.int16(-2), np.uint8(200), np.bool_(True), *range(40),
]  # fmt: skip
WIDTHS = [8 if type(each) is int else each.itemsize for each in ARGUMENTS]

#: The signature of cuLaunchKernel.
LAUNCH = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_size_t, *[ctypes.c_uint] * 7, ctypes.c_size_t, ctypes.POINTER(ctypes.c_void_p),
    ctypes.c_size_t,
)  # fmt: skip


def bytes_at(pointers: Any) -> list[bytes]:
    return [ctypes.string_at(pointers[i], width) for i, width in enumerate(WIDTHS)]


def address_of(function: Any) -> int:
    return ctypes.cast(function, ctypes.c_void_p).value or 0


def test_launch_passes_what_it_is_given() -> None:
    calls = []

    @LAUNCH
    def driver(kernel: int, *rest: Any) -> int:
        *numbers, pointers, extra = rest
        calls.append((kernel, numbers, bytes_at(pointers), extra))
        return 700

    assert launch(address_of(driver), 1 << 45, (1 << 31) - 1, 256, 1 << 44, ARGUMENTS) == 700
    wanted = [
        each.to_bytes(8, sys.byteorder, signed=True) if type(each) is int else each.tobytes() for each in ARGUMENTS
    ]
    assert calls == [(1 << 45, [(1 << 31) - 1, 1, 1, 256, 1, 1, 0, 1 << 44], wanted, 0)]


def test_launch_takes_no_other_arguments() -> None:
    @LAUNCH
    def driver(*_: Any) -> int:
        raise AssertionError

    for wrong, error in (
        (1.0, TypeError), (True, TypeError), (None, TypeError), (np.longdouble(1), TypeError), (1 << 63, OverflowError),
    ):  # fmt: skip
        with pytest.raises(error):
            launch(address_of(driver), 1, 1, 1, 1, [1, wrong])


def test_arguments_are_packed_as_nvidia_does() -> None:
    holder: Any = pytest.importorskip("cuda.core._kernel_arg_handler").ParamHolder(ARGUMENTS)
    found = []

    @LAUNCH
    def driver(*given: Any) -> int:
        found.extend(bytes_at(given[-2]))
        return 0

    assert launch(address_of(driver), 1, 1, 1, 1, ARGUMENTS) == 0
    assert found == bytes_at((ctypes.c_void_p * len(ARGUMENTS)).from_address(holder.ptr))


def test_context() -> None:
    signature = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_size_t))

    def of(context: int, error: int) -> Any:
        def driver(found: Any) -> int:
            found[0] = context
            return error

        return signature(driver)

    for context, error, wanted in ((1 << 45, 0, 1 << 45), (0, 0, 0), (5, 3, 0)):
        driver = of(context, error)
        assert current_context(address_of(driver)) == wanted


DRIVER = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <string.h>

int cuGetProcAddress_v2(const char *name, void **address, int version, uint64_t flags, int *status) {
    Dl_info self;
    dladdr((void *)cuGetProcAddress_v2, &self);
    if (!strcmp(name, "cuGetProcAddress")) name = "cuGetProcAddress_v2";
    *address = dlsym(dlopen(self.dli_fname, RTLD_NOW), name);
    if (status) *status = *address ? 0 : 1;
    return 0;
}
int cuGetProcAddress(const char *name, void **address, int version, uint64_t flags) {
    return cuGetProcAddress_v2(name, address, version, flags, NULL);
}
int cuDriverGetVersion(int *version) { *version = 13000; return 0; }
int cuCtxGetCurrent(void **context) { *context = (void *)77; return 0; }
int cuGetErrorName(int error, const char **text) { *text = "CUDA_ERROR_INVALID_VALUE"; return 0; }
int cuGetErrorString(int error, const char **text) { *text = "invalid argument"; return 0; }
int cuLaunchKernel(void *kernel, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                   unsigned shared, void *stream, void **arguments, void **extra) {
    return *(int64_t *)arguments[0] == 9 && *(float *)arguments[1] == 1.5f ? 0 : 1;
}
"""
LAUNCHED = """
import numpy as np
import fastact as fa
from fastact.backends.cuda import launching
assert launching.current_context(launching._driver().cuCtxGetCurrent) == 77
launching._launch(5, 2, 3, 1, [9, np.float32(1.5)])
try:
    launching._launch(5, 2, 3, 1, [8, np.float32(1.5)])
except fa.BackendError as error:
    print(error)
"""


@pytest.mark.skipif(
    not sys.platform.startswith("linux") or not shutil.which("gcc") or not importlib.util.find_spec("numba_cuda"),
    reason="makes a library for numba-cuda's bindings with gcc",
)
def test_driver_is_found(tmp_path: Path) -> None:
    """The driver's functions are those of the library that NVIDIA's bindings load, and errors have its words."""
    (tmp_path / "driver.c").write_text(DRIVER)
    subprocess.run(["gcc", "-shared", "-fPIC", "driver.c", "-o", "libcuda.so.1", "-ldl"], cwd=tmp_path, check=True)
    environment = {**os.environ, "LD_LIBRARY_PATH": str(tmp_path)}
    run = subprocess.run(
        [sys.executable, "-P", "-c", LAUNCHED], env=environment, capture_output=True, text=True, check=False
    )
    assert run.stderr == ""
    assert run.stdout == "the CUDA driver launched no kernel: CUDA_ERROR_INVALID_VALUE, invalid argument\n"
