"""The symbols that users' machine code calls: each name is bound to what this process has, also for cached code."""

from __future__ import annotations

import functools
from typing import Any

import llvmlite.binding as llvm
import numpy as np

from fastact._core.operation import Operation
from fastact._kernels.compile.row_loops import row_address
from fastact._kernels.native import strided
from fastact._kernels.native import ufunc as _ufunc
from fastact._kernels.native.ufunc import Threads
from fastact.backends.cpu import instruction_sets

__all__ = ["KERNELS", "LOSS_COLUMN_LIMIT", "Need", "provide"]

#: The numbers of the softmax kernels, by computation.
KERNELS: dict[str, int] = instruction_sets.kernels.KERNELS
LOSS_COLUMN_LIMIT: int = instruction_sets.kernels.LOSS_COLUMN_LIMIT

#: ("loop", dtype, "numbers" or "arrays"): an operation's loop. ("rows", computation, inputs, dtype): a loop of rows.
Need = tuple[Any, ...]


def provide(function: Any, need: Need) -> str:
    """Bind a symbol, and return its name."""
    kind, *rest = need
    if kind == "rows":
        computation, inputs, dtype = rest
        return _bind(f"fastact_rows_{computation}_{inputs}_{dtype}", row_address(computation, inputs, np.dtype(dtype)))
    dtype, parameters = rest
    return _bind_loop(function, np.dtype(dtype), parameters == "numbers")


def _bind(name: str, address: int) -> str:
    llvm.add_symbol(name, address)
    return name


@functools.cache
def _bind_loop(operation: Operation, dtype: np.dtype[Any], numbers: bool) -> str:
    """The loop, compiled now: a call may be made where it could not be."""
    ufunc = operation._ufunc_for(Threads.AUTO, numbers and bool(operation.parameters))
    arrays = bool(operation.parameters) and not numbers
    address = _ufunc.ready_loop(ufunc, dtype, arrays)
    if arrays:
        _ufunc.ready_loop(ufunc, dtype, False)  # which a call on a single element takes
    return _bind(f"fastact_loop_{operation.name}_{dtype}_{'numbers' if numbers else 'arrays'}", address)


for _name, _address in {
    **strided.entries(), **instruction_sets.kernels.entries(), "run_loop": _ufunc.entry(),
}.items():  # fmt: skip
    _bind(f"fastact_{_name}", _address)
