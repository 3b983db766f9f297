"""Losses: an autograd Function that has the gradient from the pass that computes the value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

import fastact
from fastact.torch.calls import Call, Last, call, forward_mode, kept, primals, reverse_mode, run

__all__ = ["loss"]


def loss(function: Any, x: Tensor, target: Tensor, *axis: int, **keywords: Any) -> Any:
    """A loss, with a gradient for x; keywords are those of fastact's function, but for `out`."""
    if "out" in keywords:
        raise TypeError(f"{function.name}() takes no out= here; the gradient is a new tensor")
    if axis:
        (keywords["axis"],) = axis
    tensors = {name: each for name, each in keywords.items() if isinstance(each, Tensor)}
    others = {name: each for name, each in keywords.items() if name not in tensors}
    wanted = torch.is_grad_enabled() and x.requires_grad
    return run(_Loss, _Pass(function, tuple(tensors), others, wanted), x, target, *tensors.values())


@dataclass
class _Pass:
    """One call of a loss: keywords that are tensors are operands, and have `names`, those that are not are `others`.

    If it is known that the gradient will be wanted, it is computed with the value and waits in `gradient`.
    """

    function: Any
    names: tuple[str, ...]
    others: dict[str, Any]
    wanted: bool
    gradient: Tensor | None = None

    def value(self, x: Tensor, target: Tensor, *tensors: Tensor) -> Tensor:
        if self.wanted:
            value, self.gradient = self._both(x, target, *tensors)
        else:
            value = call(self.function, x, target, **self._keywords(tensors))
        return value

    def take_gradient(self, *operands: Tensor) -> Tensor:
        found, self.gradient = self.gradient, None
        return self._both(*operands)[1] if found is None else found

    def _both(self, x: Tensor, target: Tensor, *tensors: Tensor) -> tuple[Tensor, Tensor]:
        if self.function is fastact.nll_loss:
            return _of_nll_loss(x, target, **self._keywords(tensors))
        found: tuple[Tensor, Tensor] = call(self.function.value_and_grad, x, target, **self._keywords(tensors))
        return found

    def _keywords(self, tensors: Sequence[Tensor]) -> dict[str, Any]:
        return {**self.others, **dict(zip(self.names, tensors, strict=True))}

    @property
    def name(self) -> str:
        return str(self.function.name)

    @property
    def lost_axis(self) -> int | None:
        """The axis of x that its losses do not have."""
        if self.function._family != "class loss" or self.others.get("reduction") != "none":
            return None
        return int(self.others.get("axis", -1))

    def check_no_gradient(self, asked: Sequence[bool]) -> None:
        """Raise NotImplementedError if a gradient is asked for another operand than x."""
        for name, each in zip(("the target", *self.names), asked, strict=True):
            if each:
                raise NotImplementedError(f"fastact has no gradient of {self.name} for {name}; detach it")


class _OneByOne(Call):
    """Is called for each of a batch of vmap: their means may be over different numbers of targets."""

    @classmethod
    def vmap(cls, info: Any, in_dims: Sequence[Any], each: _Pass, *operands: Tensor) -> Any:
        pairs = list(zip(in_dims[1:], operands, strict=True))
        rows = [[x if dim is None else x.select(dim, i) for dim, x in pairs] for i in range(info.batch_size)]
        return torch.stack([cls.apply(replace(each, wanted=False, gradient=None), *row) for row in rows]), 0


class _Loss(_OneByOne):
    """The loss."""

    @staticmethod
    def forward(this: _Pass, *operands: Tensor) -> Tensor:
        return this.value(*operands)

    @staticmethod
    @reverse_mode
    def backward(ctx: Any, grad: Tensor) -> Any:
        this, x, *others = kept(ctx)
        this.check_no_gradient(ctx.needs_input_grad[2:])
        gradient, axis = run(_Gradient, this, x, *others), this.lost_axis
        found = (grad if axis is None else grad.unsqueeze(axis)) * gradient
        return None, found.sum_to_size(x.shape).to(x.dtype), *[None] * len(others)

    @staticmethod
    @forward_mode
    def jvp(ctx: Any, _: Any, tangent: Any, *tangents: Any) -> Any:
        this, *operands = primals(ctx)
        this.check_no_gradient([each is not None for each in tangents])
        found = run(_Gradient, this, *operands) * tangent
        if this.lost_axis is not None:
            return found.sum(this.lost_axis)
        return found if this.others.get("reduction") == "none" else found.sum()


class _Gradient(_OneByOne, Last):
    """The gradient of the loss for x."""

    @staticmethod
    def forward(this: _Pass, *operands: Tensor) -> Tensor:
        return this.take_gradient(*operands)


def _of_nll_loss(
    x: Tensor, targets: Tensor, axis: int = -1, reduction: str = "mean", **keywords: Any
) -> tuple[Tensor, Tensor]:
    """nll_loss, and its gradient: minus the weight of the target, as the loss of ones has it, and 0 for others."""
    value = call(fastact.nll_loss, x, targets, axis=axis, reduction=reduction, **keywords)
    slope = call(fastact.nll_loss, torch.ones_like(x), targets, axis=axis, reduction="none", **keywords)
    if reduction == "mean":
        slope = torch.where(slope == 0, slope, slope / -slope.sum(dtype=torch.float64))
    places = targets.long().clamp(0, x.shape[axis] - 1)  # those to be ignored may be anything; their slope is 0
    return value, torch.zeros_like(x).scatter(axis, places.unsqueeze(axis), slope.unsqueeze(axis))
