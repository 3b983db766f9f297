"""The `numpy` backend: the same formulas run by plain NumPy on whole arrays, readable and without a compiler.

It is what the compiled backends are compared with; exact to a few units in the last place, except far in the tails.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastact.backends._softmax_numpy import softmax

__all__ = ["elementwise", "softmax", "why_not"]


def why_not() -> str | None:
    return None


def elementwise(operation: Any, operands: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    kinds = tuple(type(o) if type(o) in (int, float) else np.asarray(o).dtype for o in operands)
    wanted = {"casting": keywords.get("casting", "same_kind")}
    if keywords.get("dtype") is not None:
        wanted["signature"] = (*[None] * len(kinds), np.dtype(keywords["dtype"]))
    dtype = operation.ufunc.resolve_dtypes((*kinds, None), **wanted)[0]
    with np.errstate(all="ignore"):
        result = operation.plain(*(np.asarray(o).astype(dtype, copy=False) for o in operands))
    # np.positive brings out=, where=, casting=, order= and subok= as every ufunc has them.
    return np.positive(result, **keywords)
