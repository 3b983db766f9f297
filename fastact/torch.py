"""fastact's functions for PyTorch: differentiable, on tensors of the CPU and of CUDA.

    import fastact.torch as ft
    y = ft.gelu(x)                              # any name of `fastact.names()`; gradients by fastact's backward kernels
    ft.softmax(x, -1), ft.swiglu(value, gate)   # the softmax family, and the gated units
    layer = ft.Activation("leaky_relu", alpha=torch.nn.Parameter(torch.tensor(0.1)))    # a module; a trainable slope

Nothing of fastact imports this file. To PyTorch each function is an autograd Function below, which calls the public
function of its name on the tensors' own memory.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

try:
    import torch
    from torch import Tensor
except ImportError as error:
    raise ImportError("fastact.torch needs PyTorch; pip install torch") from error

import fastact

__all__ = ["Activation", "Softmax", "apply"]

_OVER_AXIS = ("softmax", "log_softmax", "softmin", "sparsemax", "entmax15")


def _call(function: Callable[..., Any], *operands: Any, **keywords: Any) -> Any:
    """function(*operands) of tensors without their history, as tensors: on the CPU through arrays of their memory."""
    tensors = [each.detach() if isinstance(each, Tensor) else each for each in operands]
    if any(isinstance(each, Tensor) and each.is_cuda for each in tensors):
        return function(*tensors, **keywords)
    found = function(*(_array(each) if isinstance(each, Tensor) else each for each in tensors), **keywords)
    return tuple(map(_tensor, found)) if isinstance(found, tuple) else _tensor(found)


def _array(tensor: Tensor) -> Any:
    if tensor.dtype == torch.bfloat16:  # which NumPy does not know: its bits, as the type of ml_dtypes
        import ml_dtypes

        return tensor.view(torch.uint16).numpy().view(ml_dtypes.bfloat16)
    return tensor.numpy()


def _tensor(array: Any) -> Tensor:
    array = np.asarray(array)
    if array.dtype.name == "bfloat16":
        return torch.from_numpy(array.view(np.uint16)).view(torch.bfloat16)
    return torch.from_numpy(array)


@functools.cache
def _piecewise_linear(function: Any, parameters: tuple[float, ...]) -> bool:
    """Whether the slope is constant between kinks: it then has few values, at whatever many places."""
    x = np.random.default_rng(0).normal(0, 4, 4096)
    return len(np.unique(function.derivative(x, *parameters))) <= 8


class _Elementwise(torch.autograd.Function):
    """f(x, *parameters) of an activation."""

    @staticmethod
    def forward(ctx: Any, function: Any, x: Tensor, *parameters: Any) -> Tensor:
        ctx.function = function
        ctx.numbers = [None if isinstance(each, Tensor) else each for each in parameters]
        ctx.save_for_backward(x, *(each for each in parameters if isinstance(each, Tensor)))
        return _call(function, x, *parameters)

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> Any:
        x, *tensors = ctx.saved_tensors
        given = iter(tensors)
        parameters = [next(given) if number is None else number for number in ctx.numbers]
        function = ctx.function
        grad_x = None
        if ctx.needs_input_grad[1]:
            grad_x = _Slope.apply(function, grad_output, x, *parameters)
            grad_x = grad_x.sum_to_size(x.shape)
        gradients: list[Any] = []
        for name, parameter, needed in zip(function.parameters, parameters, ctx.needs_input_grad[2:], strict=False):
            if not needed:
                gradients.append(None)
                continue
            slope = _call(function.parameter_derivative(name), x, *parameters)
            gradients.append((grad_output * slope).sum_to_size(parameter.shape).to(parameter.dtype))
        return None, grad_x, *gradients


class _Slope(torch.autograd.Function):
    """grad_output * f'(x, *parameters): linear in grad_output; in x its slope is 0 if f is piecewise linear."""

    @staticmethod
    def forward(ctx: Any, function: Any, grad_output: Tensor, x: Tensor, *parameters: Any) -> Tensor:
        ctx.function, ctx.parameters = function, parameters
        ctx.save_for_backward(grad_output, x)
        return _call(function.backward, grad_output, x, *parameters)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        _, x = ctx.saved_tensors
        function, parameters = ctx.function, ctx.parameters
        again = _Slope.apply(function, grad, x, *parameters) if ctx.needs_input_grad[1] else None
        second = None
        if ctx.needs_input_grad[2]:
            numbers = tuple(float(each) for each in parameters if np.ndim(each) == 0)
            if len(numbers) < len(parameters) or not _piecewise_linear(function, numbers):
                raise NotImplementedError(
                    f"fastact has no second derivative of {function.name}; detach x where its gradient is "
                    f"differentiated again, or use torch's own {function.name}"
                )
            second = torch.zeros_like(x)
        return None, again, second, *[None] * len(parameters)


class _OverAxis(torch.autograd.Function):
    """softmax and its kin, whose backward pass takes the output."""

    @staticmethod
    def forward(ctx: Any, function: Any, x: Tensor, axis: Any, keywords: dict[str, Any]) -> Tensor:
        ctx.function, ctx.axis, ctx.keywords = function, axis, keywords
        y: Tensor = _call(function, x, axis=axis, **keywords)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad_output: Tensor) -> Any:
        (y,) = ctx.saved_tensors
        grad = _call(ctx.function.backward, grad_output.to(y.dtype), y, axis=ctx.axis, **ctx.keywords)
        return None, grad, None, None


class _Gated(torch.autograd.Function):
    """A gated unit, with the gradients of value and gate in one pass."""

    @staticmethod
    def forward(ctx: Any, function: Any, value: Tensor, gate: Tensor) -> Tensor:
        ctx.function = function
        ctx.save_for_backward(value, gate)
        return _call(function, value, gate)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad_output: Tensor) -> Any:
        value, gate = ctx.saved_tensors
        grads = _call(ctx.function.backward, grad_output, value, gate)
        return None, *(grad.sum_to_size(each.shape) for grad, each in zip(grads, (value, gate), strict=True))


def apply(function: Any, x: Tensor, *parameters: Any, **named: Any) -> Tensor:
    """An activation of a tensor, with gradients for it and for parameters that are tensors.

    Parameters
    ----------
    function : str or fastact.Activation
    x : tensor
        float16, bfloat16, float32 or float64, on the CPU or a CUDA device.
    *parameters, **named
        The activation's parameters: numbers, or tensors that broadcast against x.

    Returns
    -------
    tensor
        Of the broadcast shape, with x's dtype.

    Raises
    ------
    NotImplementedError
        Where the gradient is differentiated again, but for functions that are piecewise linear.
    """
    function = fastact.get(function) if isinstance(function, str) else function
    for keyword, choices in function.variants.items():
        if keyword in named:
            function = choices[named.pop(keyword)]
    _, *values = function.bind((x, *parameters), named)
    if named:
        raise TypeError(f"{function.name}() got an unexpected keyword argument {next(iter(named))!r}")
    result: Tensor = _Elementwise.apply(function, x, *values)
    return result


def _over_axis(function: Any, x: Tensor, dim: int = -1, **keywords: Any) -> Tensor:
    result: Tensor = _OverAxis.apply(function, x, dim, keywords)
    return result


def _gated(function: Any, value: Tensor, gate: Tensor, **keywords: Any) -> Tensor:
    for keyword, choices in function.variants.items():
        if keyword in keywords:
            function = choices[keywords.pop(keyword)]
    if keywords:
        raise TypeError(f"{function.name}() got an unexpected keyword argument {next(iter(keywords))!r}")
    result: Tensor = _Gated.apply(function, value, gate)
    return result


def __getattr__(name: str) -> Any:
    """The differentiable form of fastact's function of this name."""
    function = getattr(fastact, name, None)
    if name in _OVER_AXIS:
        made: Any = functools.partial(_over_axis, function)
    elif isinstance(function, fastact.Activation):
        made = functools.partial(apply, function)
    elif hasattr(function, "activation") and hasattr(function, "backward"):
        made = functools.partial(_gated, function)
    else:
        kinds = ", ".join(["the activations", "the gated units", *_OVER_AXIS])
        raise AttributeError(f"fastact.torch has no {name!r}; it has {kinds}")
    globals()[name] = made
    return made


class Activation(torch.nn.Module):
    """An activation as a module: Activation(name, **parameters). A parameter that is an `nn.Parameter` is trained."""

    def __init__(self, function: str | Any, **parameters: Any) -> None:
        super().__init__()
        self.function = fastact.get(function) if isinstance(function, str) else function
        unknown = parameters.keys() - {*self.function.parameters, *self.function.variants}
        if unknown:
            known = ", ".join([*self.function.parameters, *self.function.variants]) or "none"
            raise TypeError(f"{self.function.name} has no parameter {sorted(unknown)[0]!r}; its parameters: {known}")
        self.names = tuple(parameters)
        for name, value in parameters.items():
            setattr(self, name, value)

    def forward(self, x: Tensor) -> Tensor:
        return apply(self.function, x, **{name: getattr(self, name) for name in self.names})

    def extra_repr(self) -> str:
        given = (f"{name}={getattr(self, name)!r}" for name in self.names if name not in self._parameters)
        return ", ".join([self.function.name, *given])


class Softmax(torch.nn.Module):
    """softmax over an axis, as `torch.nn.Softmax`; `temperature` divides its input."""

    def __init__(self, dim: int = -1, temperature: float = 1.0) -> None:
        super().__init__()
        self.dim, self.temperature = dim, temperature

    def forward(self, x: Tensor) -> Tensor:
        return _over_axis(fastact.softmax, x, self.dim, temperature=self.temperature)

    def extra_repr(self) -> str:
        return f"dim={self.dim}, temperature={self.temperature}"
