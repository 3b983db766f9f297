"""IEEE's default arithmetic for what NumPy computes on fastact's behalf; kernels see to theirs in _arithmetic.pxi.

Whatever computes on arrays in Python, and is to give its results in every mode and without a warning, does so in a
`with standard_arithmetic():` block.
"""

from __future__ import annotations

from types import TracebackType

import numpy as np

from fastact import _threads

__all__ = ["standard_arithmetic"]


class standard_arithmetic(np.errstate):
    """A context that rounds to nearest, flushes nothing and warns of nothing, whatever the caller set."""

    __slots__ = ("_callers",)

    def __init__(self) -> None:
        super().__init__(all="ignore")

    def __enter__(self) -> None:
        super().__enter__()
        self._callers = _threads.enter_standard_mode()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _threads.leave_standard_mode(self._callers)
        super().__exit__(kind, error, traceback)
