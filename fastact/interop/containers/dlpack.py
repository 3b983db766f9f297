"""Any other array that exports host memory by DLPack: the result is an array of its namespace, if it has one."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastact.interop.containers.tensors import Tensors

__all__ = ["adapter"]


class _DLPack(Tensors):
    def array(self, function: str, value: Any) -> Any:
        if not hasattr(value, "__dlpack__") or isinstance(value, np.ndarray):
            return value
        try:
            return np.from_dlpack(value)
        except (BufferError, RuntimeError, TypeError, ValueError) as error:
            text = str(error).partition("\n")[0]
            raise TypeError(
                f"{function} takes arrays in host memory; this {type(value).__name__} is not exported as one ({text})"
            ) from None

    def tensor(self, array: Any, like: Any) -> Any:
        namespace = getattr(like, "__array_namespace__", None)
        return array if namespace is None else namespace().asarray(array)


adapter = _DLPack()
