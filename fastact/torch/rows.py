"""The softmax family: autograd Functions over axes, whose backward pass takes the output, or x if rows are reduced."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

import fastact
from fastact.torch.calls import Call, Last, call, forward_mode, keep, kept, primals, reverse_mode, run, side_by_side

__all__ = ["reduction", "sampling", "softmax"]

Axis = int | tuple[int, ...] | None


def softmax(
    function: Any, x: Tensor, axis: Axis = -1, where: Any = None, temperature: Any = None, *, lengths: Any = None
) -> Any:
    """A function of the softmax family; tensors are taken for `where`, `lengths` and `temperature` too."""
    return run(_Rows, function, axis, {}, *_options(x, where=where, temperature=temperature, lengths=lengths))


def reduction(
    function: Any, x: Tensor, axis: Axis = None, *, keepdims: bool = False, where: Any = None, temperature: Any = None,
    lengths: Any = None,
) -> Any:  # fmt: skip
    """logsumexp, without weights."""
    options = _options(x, where=where, temperature=temperature, lengths=lengths)
    found = run(_Rows, function, axis, {"keepdims": True}, *options)
    return found if keepdims else found.squeeze(_axes(axis, x.ndim))


def sampling(
    function: Any, x: Tensor, rng: np.random.Generator, tau: float = 1.0, hard: bool = False, axis: Axis = -1, *,
    where: Any = None, lengths: Any = None,
) -> Any:  # fmt: skip
    """gumbel_softmax, with noise by NumPy's generator; gradients pass straight through a hard sample."""
    forward = {"rng": rng, "hard": hard, "return_soft": hard}
    found = run(_Rows, function, axis, forward, *_options(x, where=where, tau=tau, lengths=lengths))
    return found[0] if hard else found


def _options(x: Tensor, **given: Any) -> tuple[Any, ...]:
    """The names of the options that are given, x, and the options."""
    options = {name: each for name, each in given.items() if each is not None}
    return tuple(options), x, *options.values()


def _axes(axis: Axis, ndim: int) -> tuple[int, ...]:
    """The axes, counted from 0; numpy.exceptions.AxisError if there is no such axis."""
    axes = range(ndim) if axis is None else (axis,) if isinstance(axis, int) else axis
    for each in axes:
        if not -ndim <= each < ndim:
            raise np.exceptions.AxisError(each, ndim)
    return tuple(each % ndim for each in axes)


class _OverAxes(Call):
    """Is called with function, axis, keywords of the forward pass alone, the names of options, arrays and the options.

    The arrays have one number of axes: a batch of vmap is a first axis more.
    """

    @classmethod
    def vmap(
        cls, info: Any, in_dims: Sequence[Any], function: Any, axis: Axis, forward: Any, names: Any, *operands: Any
    ) -> Any:
        if "rng" in forward and info.randomness != "different":
            raise RuntimeError(
                f"{function.name} draws numbers for each element; pass vmap(..., randomness='different')"
            )
        dims, n, size = in_dims[4:], len(operands) - len(names), info.batch_size
        arrays = [_with_batch(size, dim, each) for dim, each in zip(dims[:n], operands[:n], strict=True)]
        rank = arrays[-1].ndim - 1
        options = side_by_side(dims[n:], operands[n:], rank)
        if "lengths" in names:  # which begin with x's first axis
            i = names.index("lengths")
            options[i] = _with_batch(size, dims[n + i], operands[n + i])
        axes = tuple(each + 1 for each in _axes(axis, rank))
        found = cls.apply(function, axes, forward, names, *arrays, *options)
        return found, (0,) * len(found) if isinstance(found, tuple) else 0


def _with_batch(size: int, dim: int | None, tensor: Any) -> Tensor:
    """The tensor with the batch as its first axis."""
    if dim is None:
        tensor = torch.as_tensor(tensor)
        return tensor.expand(size, *tensor.shape)
    moved: Tensor = tensor.movedim(dim, 0)
    return moved


class _Rows(_OverAxes):
    """function(x, axis, **options)."""

    @staticmethod
    def forward(function: Any, axis: Axis, forward: dict[str, Any], names: Any, x: Tensor, *options: Any) -> Any:
        return call(function, x, axis=axis, **forward, **dict(zip(names, options, strict=True)))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        function, axis, _, names, x, *options = inputs
        ctx.hard = isinstance(output, tuple)  # a hard sample, and the soft one, which has the gradient
        if ctx.hard:
            output = output[1]
            ctx.mark_non_differentiable(output)
        keep(ctx, function, axis, {}, names, x if function.kind == "reduction" else output, *options)

    @staticmethod
    @reverse_mode
    def backward(ctx: Any, grad: Tensor, *_: Any) -> Any:
        function, axis, _, names, saved, *options = kept(ctx)
        _check_no_gradient(names, ctx.needs_input_grad[5:])
        gradient = run(_Gradient, function, axis, {}, names, grad, saved, *options)
        return None, None, None, None, gradient, *[None] * len(options)

    @staticmethod
    @forward_mode
    def jvp(ctx: Any, *tangents: Any) -> Any:
        function, axis, _, names, saved, *options = primals(ctx)
        _, _, _, _, tangent, *others = tangents
        _check_no_gradient(names, [each is not None for each in others])
        gradient = functools.partial(run, _Gradient, function, axis, {}, names)
        axes = _axes(axis, saved.ndim)
        if function.kind == "reduction":
            ones = torch.ones_like(saved.sum(axes, keepdim=True))
            return _weighted(gradient(ones, saved, *options), tangent, axes)
        if function is fastact.log_softmax:
            scaled = tangent / dict(zip(names, options, strict=True)).get("temperature", 1.0)
            change = scaled - _weighted(saved.exp(), scaled, axes)
            return torch.where(saved == -torch.inf, 0.0, change).to(saved.dtype)
        found = gradient(tangent, saved, *options)  # the Jacobian is symmetric
        return (found, None) if ctx.hard else found


def _weighted(weights: Tensor, values: Tensor, axes: tuple[int, ...]) -> Tensor:
    """The sum of weights * values along the axes; values of weight 0, masked ones, may be anything."""
    return torch.where(weights == 0, 0.0, weights * values).sum(axes, keepdim=True)


def _check_no_gradient(names: Sequence[str], asked: Sequence[bool]) -> None:
    """Raise NotImplementedError if a gradient is asked for an option."""
    for name, each in zip(names, asked, strict=True):
        if each:
            raise NotImplementedError(f"fastact.torch has no gradient for {name}; detach it, or divide x by it before")


class _Gradient(_OverAxes, Last):
    """function.backward(grad, output or x, axis, **options)."""

    @staticmethod
    def forward(function: Any, axis: Axis, _: Any, names: Any, grad: Tensor, saved: Tensor, *options: Any) -> Any:
        grad = grad.to(saved.dtype)
        return call(function.backward, grad, saved, axis=axis, **dict(zip(names, options, strict=True)))
