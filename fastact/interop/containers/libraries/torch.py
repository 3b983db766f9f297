"""PyTorch's tensors in host memory, without a gradient; fastact.torch has functions that PyTorch differentiates."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from fastact.interop.containers.tensors import Tensors

__all__ = ["adapter"]


class _Torch(Tensors):
    def array(self, function: str, value: Any) -> Any:
        if isinstance(value, torch.dtype):
            return _dtype(value)
        return _memory(function, value) if isinstance(value, torch.Tensor) else value

    def tensor(self, array: Any, like: Any) -> Any:
        array = np.asarray(array)
        if array.dtype.name == "bfloat16":
            return torch.from_numpy(array.view(np.uint16)).view(torch.bfloat16)
        return torch.from_numpy(array)

    def target(self, function: str, out: Any) -> Any:
        return _memory(function, out) if isinstance(out, torch.Tensor) else super().target(function, out)


def _memory(function: str, tensor: Any) -> Any:
    if tensor.requires_grad:
        if torch.is_grad_enabled():
            raise TypeError(
                f"{function} got a tensor that requires grad, which would lose its history; call "
                f"fastact.torch, whose functions PyTorch differentiates, or pass x.detach()"
            )
        tensor = tensor.detach()
    try:
        if tensor.dtype == torch.bfloat16:  # which NumPy does not know: its bits, as the type of ml_dtypes
            import ml_dtypes

            return tensor.view(torch.uint16).numpy().view(ml_dtypes.bfloat16)
        return tensor.numpy()
    except (RuntimeError, TypeError, ValueError) as error:
        text = str(error).partition("\n")[0]
        raise TypeError(
            f"{function} takes dense tensors in host memory; this one, of {tensor.dtype} and layout {tensor.layout} on "
            f"{tensor.device}, is not ({text})"
        ) from None


def _dtype(dtype: Any) -> Any:
    """NumPy's dtype of this name, as PyTorch has it."""
    if dtype == torch.bfloat16:
        import ml_dtypes

        return np.dtype(ml_dtypes.bfloat16)
    return str(dtype).removeprefix("torch.")


adapter = _Torch()
