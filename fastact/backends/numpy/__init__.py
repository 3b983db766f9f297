"""The `numpy` backend: the same formulas run by plain NumPy on whole arrays, readable and without a compiler.

The compiled backends are compared with it. Exact to a few units in the last place, except far in the tails.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastact._core.arguments import SoftmaxArguments
from fastact._kernels.native.ufunc import Threads
from fastact.backends.host import ClassLosses, Elementwise
from fastact.backends.numpy import cross_entropy, softmax

__all__ = ["backend"]


class NumPy(Elementwise, ClassLosses):
    """Has everything."""

    name = "numpy"
    kernels = cross_entropy

    def elementwise(self, operation: Any, operands: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        # NumPy calls the formula for each row of an array that has gaps.
        whole = (np.array(o, order="K") if type(o) is np.ndarray and not o.flags.forc else o for o in operands)
        return operation._run(Threads.PYTHON, tuple(whole), keywords)

    def over_axes(self, record: SoftmaxArguments) -> Any:
        return record.finished(softmax.over_axes(record))

    def signed_logsumexp(self, record: SoftmaxArguments, weights: NDArray[Any]) -> tuple[Any, Any]:
        return softmax.signed_logsumexp(record, weights)


backend = NumPy()
