"""Calls of fastact with tensors, and what every autograd Function made of one needs."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, NoReturn

import numpy as np
import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.autograd.forward_ad import _set_fwd_grad_enabled, unpack_dual

__all__ = [
    "Call", "Last", "call", "forward_mode", "keep", "kept", "primals", "refuse_second", "reverse_mode", "run",
    "side_by_side",
]  # fmt: skip


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


class _Bound(NamedTuple):
    """Arguments as they were given."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    def apply_defaults(self) -> None:
        """There are none."""


class _AsGiven(inspect.Signature):
    """A signature that binds nothing. PyTorch binds the arguments of a forward pass to its own, which takes 15 us."""

    def bind(self, *args: Any, **kwargs: Any) -> Any:
        return _Bound(args, kwargs)


class Call(torch.autograd.Function):
    """An autograd Function that keeps what it is called with, tensors and other values; the first is what is called.

    What autograd does not ask for is None to its passes, and not zeros: second derivatives that are not needed may be
    missing.
    """

    def __init_subclass__(cls) -> None:
        if "forward" in vars(cls):
            cls.forward.__signature__ = _AsGiven()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        keep(ctx, *inputs)


def run(function: type[Call], *arguments: Any) -> Any:
    """function.apply(*arguments), by the shortest way.

    Without PyTorch's preparations for transforms, which take 4 us, where there is none, and without autograd, which
    takes 4 us more, where nobody can ask for a derivative.
    """
    if torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active():
        return function.apply(*arguments)
    asked = torch.is_grad_enabled() and any(isinstance(each, Tensor) and each.requires_grad for each in arguments)
    if asked or forward_ad._current_level >= 0:
        return super(torch.autograd.Function, function).apply(*arguments)
    return function.forward(*arguments)


class Last(Call):
    """A gradient, which cannot be differentiated again."""

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        refuse_second(ctx.others[0])

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Any:
        refuse_second(ctx.others[0])


def refuse_second(function: Any) -> NoReturn:
    """Raise NotImplementedError: a gradient is differentiated again."""
    raise NotImplementedError(
        f"fastact has no second derivative of {function.name}; detach x where its gradient is differentiated again"
    )


def keep(ctx: Any, *values: Any) -> None:
    """Save tensors and other values for `kept` and `primals`."""
    ctx.others = [None if isinstance(each, Tensor) else each for each in values]
    tensors = [each if isinstance(each, Tensor) else None for each in values]
    ctx.save_for_backward(*tensors)
    ctx.save_for_forward(*tensors)
    ctx.set_materialize_grads(False)


def kept(ctx: Any) -> list[Any]:
    """What was saved, for a backward pass."""
    pairs = zip(ctx.saved_tensors, ctx.others, strict=True)
    return [other if tensor is None else tensor for tensor, other in pairs]


def primals(ctx: Any) -> list[Any]:
    """What was saved, for a jvp: without the tangents that it is called for."""
    return [unpack_dual(each).primal if isinstance(each, Tensor) else each for each in kept(ctx)]


def reverse_mode(backward: Callable[..., Any]) -> Callable[..., Any]:
    """A backward pass that is not called where its only gradient is None, which stands for zeros."""

    @functools.wraps(backward)
    def of_gradient(ctx: Any, grad: Any, *others: Any) -> Any:
        return (None,) * len(ctx.needs_input_grad) if grad is None else backward(ctx, grad, *others)

    return of_gradient


def forward_mode(jvp: Callable[..., Any]) -> Callable[..., Any]:
    """A jvp whose result can be differentiated in forward mode again: PyTorch would take it for a constant."""

    @functools.wraps(jvp)
    def enabled(ctx: Any, *tangents: Any) -> Any:
        with _set_fwd_grad_enabled(True):
            return jvp(ctx, *tangents)

    return enabled


def side_by_side(in_dims: Sequence[int | None], operands: Sequence[Any], rank: int = 0) -> list[Any]:
    """Make tensors under vmap broadcast: the batch is their first axis, and axes of size 1 follow it.

    `rank` is the least number of axes that they are brought to, the batch not counted.
    """
    pairs = list(zip(in_dims, operands, strict=True))
    rank = max([rank, *(each.ndim - (dim is not None) for dim, each in pairs if isinstance(each, Tensor))])
    moved = [each if dim is None else each.movedim(dim, 0) for dim, each in pairs]
    return [
        each if dim is None else each.reshape(len(each), *[1] * (rank + 1 - each.ndim), *each.shape[1:])
        for dim, each in zip(in_dims, moved, strict=True)
    ]
