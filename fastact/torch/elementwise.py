"""Activations and gated units: autograd Functions of operands that broadcast against each other."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

import fastact
from fastact.torch.calls import (
    Call,
    Last,
    call,
    forward_mode,
    kept,
    primals,
    refuse_second,
    reverse_mode,
    run,
    side_by_side,
)

__all__ = ["activation", "gated_unit"]


def activation(function: Any, x: Tensor, *parameters: Any, **keywords: Any) -> Any:
    """An activation of a tensor; parameters are numbers, or tensors that broadcast against x."""
    if function is fastact.rrelu:
        return _rrelu(x, *parameters, **keywords)
    function = function._selected(keywords)
    operands = function._bind((x, *parameters), keywords)
    _check_none_left(function, keywords)
    return run(_Activation, function, *operands)


def _rrelu(x: Tensor, lower: float = 1 / 8, upper: float = 1 / 3, *, generator: Any = None) -> Any:
    """leaky_relu with the slopes that fastact.rrelu draws; in evaluation with that which it has for all."""
    if generator is None:
        slopes = -float(fastact.rrelu(-1.0, lower, upper))
    else:
        _, slopes = call(fastact.rrelu, x, lower, upper, generator=generator, return_slopes=True)
    return run(_Activation, fastact.leaky_relu, x, slopes)


def gated_unit(function: Any, *operands: Tensor, **keywords: Any) -> Any:
    """A gated unit of value and gate; glu of the halves of one tensor along `axis`."""
    if function is fastact.glu:
        return run(_Gated, function._part("unit"), *_halves(*operands, **keywords))
    function = function._selected(keywords)
    _check_none_left(function, keywords)
    return run(_Gated, function, *operands)


def _halves(x: Tensor, axis: int = -1) -> Sequence[Tensor]:
    length = x.shape[axis]
    if length % 2:
        raise ValueError(f"glu halves x along axis {axis}, and its length there is odd: {length}")
    return x.split(length // 2, axis)


def _check_none_left(function: Any, keywords: dict[str, Any]) -> None:
    """Raise TypeError if a keyword was not taken."""
    if keywords:
        raise TypeError(f"{function.name}() got an unexpected keyword argument {next(iter(keywords))!r}")


class _Broadcasting(Call):
    """Its operands broadcast: a batch of vmap is one more axis of them."""

    @classmethod
    def vmap(cls, info: Any, in_dims: Sequence[int | None], *arguments: Any) -> Any:
        found = cls.apply(*side_by_side(in_dims, arguments))
        return found, (0,) * len(found) if isinstance(found, tuple) else 0


class _Activation(_Broadcasting):
    """f(x, *parameters) of an activation f."""

    @staticmethod
    def forward(function: Any, *operands: Any) -> Tensor:
        found: Tensor = call(function, *operands)
        return found

    @staticmethod
    @reverse_mode
    def backward(ctx: Any, grad: Tensor) -> Any:
        function, *operands = kept(ctx)
        return None, *(
            _like(run(_Partial, function, part, grad, *operands), operand) if needed else None
            for part, operand, needed in zip(_parts(function), operands, ctx.needs_input_grad[1:], strict=True)
        )

    @staticmethod
    @forward_mode
    def jvp(ctx: Any, _: Any, *tangents: Any) -> Any:
        function, *operands = primals(ctx)
        return sum(
            run(_Partial, function, part, tangent, *operands)
            for part, tangent in zip(_parts(function), tangents, strict=True)
            if tangent is not None
        )


@functools.cache
def _parts(function: Any) -> tuple[str, ...]:
    """The parts of an activation that have the gradients with respect to its operands."""
    return "backward", *(f"{name}_backward" for name in function.parameters)


class _Partial(_Broadcasting):
    """slope * df/doperand, that operand whose gradient `part` is: linear in slope, and else differentiable if 0."""

    @staticmethod
    def forward(function: Any, part: str, slope: Tensor, *operands: Any) -> Tensor:
        found: Tensor = call(function._part(part), slope, *operands)
        return found

    @staticmethod
    @reverse_mode
    def backward(ctx: Any, grad: Tensor) -> Any:
        function, part, slope, *operands = kept(ctx)
        _, _, of_slope, *of_operands = ctx.needs_input_grad
        _check_zero(function, part, of_operands)
        again = _like(run(_Partial, function, part, grad, *operands), slope) if of_slope else None
        return None, None, again, *(torch.zeros_like(x) if needed else None
                                    for x, needed in zip(operands, of_operands, strict=True))  # fmt: skip

    @staticmethod
    @forward_mode
    def jvp(ctx: Any, _: Any, __: Any, tangent: Any, *tangents: Any) -> Any:
        function, part, slope, *operands = primals(ctx)
        _check_zero(function, part, [each is not None for each in tangents])
        tangent = torch.zeros_like(slope) if tangent is None else tangent
        return run(_Partial, function, part, tangent, *operands)


def _check_zero(function: Any, part: str, asked: list[bool]) -> None:
    """Raise NotImplementedError unless the second derivatives that are asked for are 0 between kinks."""
    if any(asked) and (part != "backward" or any(asked[1:]) or not _piecewise_linear(function)):
        refuse_second(function)


@functools.cache
def _piecewise_linear(function: Any) -> bool:
    """Whether the slope is constant between kinks: it then has few values, at whatever many places."""
    x = np.random.default_rng(0).normal(0, 4, 4096)
    parameters = [value + 0.375 for value in function.parameters.values()]  # some that are not special
    return len(np.unique(function._part("derivative")(x, *parameters))) <= 8


class _Gated(_Broadcasting):
    """A gated unit, with the gradients of value and gate in one pass."""

    @staticmethod
    def forward(function: Any, value: Tensor, gate: Tensor) -> Tensor:
        found: Tensor = call(function, value, gate)
        return found

    @staticmethod
    @reverse_mode
    def backward(ctx: Any, grad: Tensor) -> Any:
        function, *operands = kept(ctx)
        gradients = run(_GatedGradients, function, grad, *operands)
        return None, *(_like(gradient, each) for gradient, each in zip(gradients, operands, strict=True))

    @staticmethod
    @forward_mode
    def jvp(ctx: Any, _: Any, *tangents: Any) -> Any:
        function, *operands = primals(ctx)
        return sum(
            run(_GatedGradients, function, tangent, *operands)[i]
            for i, tangent in enumerate(tangents)
            if tangent is not None
        )


class _GatedGradients(_Broadcasting, Last):
    """The gradients with respect to value and gate."""

    @staticmethod
    def forward(function: Any, grad: Tensor, value: Tensor, gate: Tensor) -> tuple[Tensor, Tensor]:
        found: tuple[Tensor, Tensor] = call(function._part("backward"), grad, value, gate)
        return found


def _like(gradient: Tensor, operand: Tensor) -> Tensor:
    """The gradient summed over the axes along which the operand was broadcast, in its dtype."""
    return gradient.sum_to_size(operand.shape).to(operand.dtype)
