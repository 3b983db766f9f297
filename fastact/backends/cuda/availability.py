"""Does the cuda backend work here?"""

from __future__ import annotations

import functools
from importlib.util import find_spec

import numba
import numpy as np
from numba.core import config

__all__ = ["SIMULATED", "why_not"]

#: Does Numba simulate CUDA in this process?
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
        count = len(cuda.gpus)
    except Exception as error:
        text = " ".join(str(error).split()).removeprefix("Error at driver init: ").rstrip(": ")
        return f"no NVIDIA driver or GPU is usable ({text}); install the driver and see whether nvidia-smi lists a GPU"
    if count == 0:
        return "the NVIDIA driver shows no GPU; see nvidia-smi and the variable CUDA_VISIBLE_DEVICES"
    if not nvvm.is_available():
        return 'numba-cuda finds no compiler (libNVVM); pip install "fastact[cuda]"'
    return None
