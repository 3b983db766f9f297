"""The `numpy` backend: the same formulas run by plain NumPy on whole arrays, readable and without a compiler.

It is what the compiled backends are compared with; exact to a few units in the last place, except far in the tails.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastact.backends._losses_numpy import count_targets, cross_entropy, total
from fastact.backends._softmax_numpy import signed_logsumexp, softmax

__all__ = ["count_targets", "cross_entropy", "elementwise", "signed_logsumexp", "softmax", "total", "why_not"]


def why_not() -> str | None:
    return None


def elementwise(operation: Any, operands: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    dtype = operation.result_dtype(operands, keywords.get("dtype"), keywords.get("casting", "same_kind"))
    wide = np.dtype(np.float32) if dtype.itemsize == 2 and dtype.kind not in "iu" else dtype  # float16 and bfloat16
    with np.errstate(all="ignore"):
        result = operation.plain(*(np.asarray(o).astype(wide, copy=False) for o in operands))
        results = [each.astype(dtype, copy=False) for each in (result if operation.outputs > 1 else [result])]
    # np.positive brings out=, where=, casting=, order= and subok= as every ufunc has them.
    if operation.outputs == 1:
        return np.positive(*results, **keywords)
    shape = np.broadcast_shapes(*map(np.shape, operands))
    outputs = keywords.pop("out", None) or [None] * len(results)
    return tuple(
        np.positive(np.broadcast_to(each, shape), out=out, **keywords)
        for each, out in zip(results, outputs, strict=True)
    )
