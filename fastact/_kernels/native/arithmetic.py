"""IEEE's default arithmetic for what NumPy computes on fastact's behalf; arithmetic.pxi is the same for kernels.

Python code whose results must not depend on the mode of the floating-point unit computes in a `with standard_mode():`
block or, if it must not warn either, in a `with standard_arithmetic():` block.
"""

from __future__ import annotations

from contextlib import ContextDecorator
from typing import Any

import numpy as np

from fastact._kernels.native.pool import standard_mode

__all__ = ["standard_arithmetic", "standard_mode"]


class standard_arithmetic(ContextDecorator):
    """A context that rounds to nearest, flushes nothing and warns of nothing, whatever the caller set."""

    def __enter__(self) -> None:
        self._warnings, self._mode = np.errstate(all="ignore"), standard_mode()
        self._warnings.__enter__()
        self._mode.__enter__()

    def __exit__(self, *error: Any) -> None:
        self._mode.__exit__(*error)
        self._warnings.__exit__(*error)

    def _recreate_cm(self) -> standard_arithmetic:
        """Give each call of a decorated function a context of its own: calls may overlap."""
        return standard_arithmetic()
