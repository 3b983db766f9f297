"""Arrays on a device: how they are known, and what the checks of arguments see of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["REPEATS", "DeviceArray", "on_gpu"]

#: DLPack's number for the memory of a CUDA device.
DLPACK_CUDA = 2

#: A class of arrays on a device -> (function, operands, out, options), which gives the result of a call like one that
#: was made before, and None for any other.
REPEATS: dict[type, Callable[[Any, tuple[Any, ...], Any, Any], Any]] = {}


class DeviceArray:
    """What a backend makes of an array on its device; arguments are checked by what it shows of itself here."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    read_only: bool

    def reshape(self, shape: tuple[int, ...]) -> Any:
        """The same items with other axes of size 1."""
        raise NotImplementedError


def on_gpu(operand: Any) -> bool:
    """Whether the operand is an array on a CUDA device, of whatever library."""
    if type(operand) is np.ndarray:
        return False
    if hasattr(operand, "__cuda_array_interface__"):
        return True
    device = getattr(operand, "__dlpack_device__", None)  # all that JAX's bfloat16 has
    try:
        return device is not None and device()[0] == DLPACK_CUDA
    except Exception:  # it is on several devices, or on none
        return False
