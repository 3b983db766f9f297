from collections.abc import Callable
from enum import IntEnum
from typing import Any

import numpy as np

class Threads(IntEnum):
    AUTO = 0
    SERIAL = 1
    PARALLEL = 2

class Operation:
    name: str
    ufunc: np.ufunc
    inputs: int
    defaults: tuple[float, ...]
    def __init__(self, name: str, inputs: int, defaults: tuple[float, ...], dispatch: Callable[..., Any]) -> None: ...
    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...

def call(ufunc: np.ufunc, operands: tuple[Any, ...], kwargs: dict[str, Any]) -> Any: ...
def enable_vectorcall(kind: type) -> None: ...
def make_ufunc(
    name: str, inputs: int, parameters: int, rows: str, compile: Callable[[int, bool], int], threads: int
) -> np.ufunc: ...
def note_override() -> None: ...
def set_parallel_from(elements: int) -> None: ...
