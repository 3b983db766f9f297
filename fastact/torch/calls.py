"""Calls of fastact with tensors, and what every autograd Function made of one needs."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import numpy as np
import torch
from torch import Tensor
from torch.autograd.forward_ad import _set_fwd_grad_enabled, unpack_dual

__all__ = ["call", "forward_mode", "keep", "kept", "primals", "refuse_second", "reverse_mode", "side_by_side"]


def call(function: Callable[..., Any], *operands: Any, **keywords: Any) -> Any:
    """function(*operands, **keywords) without history, as tensors; on the CPU through arrays of the tensors' memory."""
    on_gpu = any(isinstance(each, Tensor) and each.is_cuda for each in operands)
    form = _plain if on_gpu else _array
    if keywords:
        keywords = {name: form(each) for name, each in keywords.items()}
    found = function(*map(form, operands), **keywords)
    if on_gpu:
        return found
    return tuple(map(_tensor, found)) if isinstance(found, tuple) else _tensor(found)


def _plain(value: Any) -> Any:
    """A tensor whose memory holds its numbers, without history; anything else as it is."""
    return value.detach().resolve_conj().resolve_neg() if isinstance(value, Tensor) else value


def _array(value: Any) -> Any:
    """The array of a tensor's memory; anything else as it is."""
    if not isinstance(value, Tensor):
        return value
    tensor = _plain(value)
    if tensor.dtype == torch.bfloat16:  # which NumPy does not know: its bits, as the type of ml_dtypes
        import ml_dtypes

        return tensor.view(torch.uint16).numpy().view(ml_dtypes.bfloat16)
    return tensor.numpy()


def _tensor(array: Any) -> Tensor:
    array = np.asarray(array)
    if array.dtype.name == "bfloat16":
        return torch.from_numpy(array.view(np.uint16)).view(torch.bfloat16)
    return torch.from_numpy(array)


def keep(ctx: Any, *values: Any) -> None:
    """Save tensors and other values for `kept`; derivatives that are not asked for become None, not zeros."""
    ctx.others = [None if isinstance(each, Tensor) else each for each in values]
    tensors = [each if isinstance(each, Tensor) else None for each in values]
    ctx.save_for_backward(*tensors)
    ctx.save_for_forward(*tensors)
    ctx.set_materialize_grads(False)


def kept(ctx: Any) -> list[Any]:
    """The values saved by `keep`."""
    pairs = zip(ctx.saved_tensors, ctx.others, strict=True)
    return [other if tensor is None else tensor for tensor, other in pairs]


def primals(ctx: Any) -> list[Any]:
    """The values saved by `keep`, for a jvp: without the tangents that it was called for."""
    return [unpack_dual(each).primal if isinstance(each, Tensor) else each for each in kept(ctx)]


def forward_mode(jvp: Callable[..., Any]) -> Callable[..., Any]:
    """A jvp whose result can be differentiated in forward mode again: PyTorch would take it for a constant."""

    @functools.wraps(jvp)
    def enabled(ctx: Any, *tangents: Any) -> Any:
        with _set_fwd_grad_enabled(True):
            return jvp(ctx, *tangents)

    return enabled


def reverse_mode(backward: Callable[..., Any]) -> Callable[..., Any]:
    """A backward pass that is not called where its only gradient is None, which stands for zeros."""

    @functools.wraps(backward)
    def of_gradient(ctx: Any, grad: Any, *others: Any) -> Any:
        return (None,) * len(ctx.needs_input_grad) if grad is None else backward(ctx, grad, *others)

    return of_gradient


def refuse_second(function: Any) -> NoReturn:
    """Raise NotImplementedError: a gradient was differentiated again."""
    raise NotImplementedError(
        f"fastact has no second derivative of {function.name}; detach x where its gradient is differentiated again"
    )


def side_by_side(in_dims: Sequence[int | None], operands: Sequence[Any], rank: int = 0) -> list[Any]:
    """Operands under vmap, made to broadcast: the batch is their first axis, and axes of size 1 follow it.

    `rank` is the least number of axes that all are brought to, the batch not counted.
    """
    pairs = list(zip(in_dims, operands, strict=True))
    rank = max([rank, *(each.ndim - (dim is not None) for dim, each in pairs if isinstance(each, Tensor))])
    moved = [each if dim is None else each.movedim(dim, 0) for dim, each in pairs]
    return [
        each if dim is None else each.reshape(len(each), *[1] * (rank + 1 - each.ndim), *each.shape[1:])
        for dim, each in zip(in_dims, moved, strict=True)
    ]
