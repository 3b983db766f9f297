from collections.abc import Callable
from contextvars import ContextVar
from enum import IntEnum
from typing import Any

import numpy as np

SLABS_FROM: int

class Threads(IntEnum):
    AUTO = 0
    SERIAL = 1
    OWN = 2
    NUMBA = 3
    PYTHON = 4

class QuickCall:
    name: str
    _common_ufunc: np.ufunc
    _knows_bfloat16: bool
    _keeps_integers: bool
    _inputs: int
    _outputs: int
    _parameter_names: tuple[str, ...]
    _defaults: tuple[float, ...]
    def __init__(
        self, name: str, inputs: int, parameters: dict[str, float], dispatch: Callable[..., Any], outputs: int = 1
    ) -> None: ...  # fmt: skip
    def _set_common_ufunc(self, ufunc: np.ufunc) -> None: ...
    def _set_common_bfloat16(self, number: int, loop: int) -> None: ...
    def _are_numbers(self, operands: tuple[Any, ...], start: int) -> bool: ...
    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...

def add_bfloat16(
    ufunc: np.ufunc, dtype: np.dtype[Any], inputs: int, parameters: int, outputs: int, rows: str,
    compile: Callable[..., Any], threads: int, numbers: bool,
) -> int: ...  # fmt: skip
def call(ufunc: np.ufunc, operands: tuple[Any, ...], kwargs: dict[str, Any]) -> Any: ...
def enable_vectorcall(kind: type) -> None: ...
def entry() -> int: ...
def half_instruction_sets() -> list[str]: ...
def make_ufunc(
    name: str,
    inputs: int,
    parameters: int,
    outputs: int,
    rows: str,
    compile: Callable[..., Any],
    threads: int,
    numbers: bool,
) -> np.ufunc: ...
def note_override(variable: ContextVar[str | None] | None = None) -> None: ...
def nanoseconds_per_element(address: int, operands: int, parameters: int, dtype: np.dtype[Any]) -> float: ...
def ready_loop(ufunc: np.ufunc, dtype: np.dtype[Any], array_parameters: bool) -> int: ...
def use_half_instructions(name: str) -> None: ...
