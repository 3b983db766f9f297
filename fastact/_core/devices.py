"""Where an array is."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["on_gpu"]

#: DLPack's number for the memory of a CUDA device.
DLPACK_CUDA = 2


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
