"""How each library's functions are called with NumPy arrays, and how they are differentiated.

To add a library, write its class below and add it to LIBRARIES, with the modules in which `name:function` is looked
for.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastact.errors import require

__all__ = ["LIBRARIES", "Library", "library_of"]

Array = NDArray[Any]
Call = Callable[[Array], Array]


class Library:
    """NumPy, and whatever takes its arrays.

    Attributes
    ----------
    modules : tuple of str
        Where its functions are.
    extra : str
        Which of fastact's extras brings it.
    few_shapes : bool
        Whether each shape is compiled anew.
    strides : bool
        Whether its functions see arrays as they are in memory.
    no_derivative : str
        Why it has none.
    """

    modules: tuple[str, ...] = ("numpy",)
    extra = "verify"
    few_shapes = False
    strides = True
    no_derivative = "NumPy does not differentiate"

    def __init__(self, device: str | None = None) -> None:
        if device is not None:
            raise ValueError(f"device={device!r}: only functions of PyTorch and JAX can be sent to a device")

    def wrapped(self, function: Callable[..., Any]) -> Call:
        """The function on NumPy arrays; what it returns is an array too."""
        return lambda x: as_array(function(x))

    def differentiated(self, function: Callable[..., Any]) -> Call | None:
        """The derivative on NumPy arrays."""
        return None


class Numpy(Library):
    """See Library."""


class Scipy(Library):
    modules = ("scipy.special",)
    no_derivative = "SciPy does not differentiate"


class Fastact(Library):
    """Functions of fastact bring their derivative along."""

    modules = ("fastact",)
    no_derivative = "it was defined without a derivative"

    def differentiated(self, function: Any) -> Call | None:
        """The function's own derivative; parameters that were bound to it are its too."""
        bound = getattr(function, "keywords", {})
        function = getattr(function, "func", function)
        if not getattr(function, "differentiable", False):
            return None
        return lambda x: as_array(function.derivative(x, **bound))


class Torch(Library):
    modules = ("torch.nn.functional", "torch", "torch.special")
    extra = "torch"

    def __init__(self, device: str | None = None) -> None:
        self.torch = require("torch", self.extra, "verifying a function of PyTorch")
        self.device = device

    def wrapped(self, function: Callable[..., Any]) -> Call:
        def call(x: Array) -> Array:
            with self.torch.no_grad():
                given = self._tensor(x)
                result = self._array(function(given))
                self._return(given, x)
            return result

        return call

    def differentiated(self, function: Callable[..., Any]) -> Call | None:
        def call(x: Array) -> Array:
            given = self._tensor(x).detach().requires_grad_()
            y = function(given)
            if not y.requires_grad:
                raise TypeError("its result does not depend on its input for PyTorch's autograd")
            (slope,) = self.torch.autograd.grad(y, given, self.torch.ones_like(y))
            return self._array(slope)

        return call

    def _tensor(self, x: Array) -> Any:
        torch = self.torch
        if x.dtype.name == "bfloat16":
            tensor = torch.from_numpy(x.view(np.int16)).view(torch.bfloat16)
        else:
            tensor = torch.from_numpy(x)
        return tensor if self.device is None else tensor.to(self.device)

    def _return(self, given: Any, x: Array) -> None:
        """What a function did to its input on a device, it did to x."""
        if self.device is not None:
            x[...] = self._array(given)

    def _array(self, result: Any) -> Array:
        if not isinstance(result, self.torch.Tensor):
            return as_array(result)
        result = result.detach().cpu()
        if result.dtype == self.torch.bfloat16:
            found: Array = result.view(self.torch.int16).numpy().view(importlib.import_module("ml_dtypes").bfloat16)
            return found
        return as_array(result.numpy())


class Jax(Library):
    modules = ("jax.nn", "jax.numpy", "jax.scipy.special", "jax.lax")
    extra = "bench"
    few_shapes = True
    strides = False

    def __init__(self, device: str | None = None) -> None:
        self.jax = require("jax", self.extra, "verifying a function of JAX")
        self.device = device

    def wrapped(self, function: Callable[..., Any]) -> Call:
        return self._call(function)

    def differentiated(self, function: Callable[..., Any]) -> Call | None:
        def slope(x: Any) -> Any:
            y, back = self.jax.vjp(function, x)
            return back(self.jax.numpy.ones_like(y))[0]

        return self._call(self.jax.jit(slope))

    def _call(self, function: Callable[..., Any]) -> Call:
        device = None if self.device is None else self.jax.devices(self.device)[0]

        def call(x: Array) -> Array:
            with self.jax.enable_x64(True):
                return as_array(function(self.jax.device_put(x, device)))

        return call


class Cupy(Library):
    modules = ("cupy", "cupyx.scipy.special")
    extra = "cupy"
    strides = False
    no_derivative = "CuPy does not differentiate"

    def __init__(self, device: str | None = None) -> None:
        super().__init__(device)
        self.cupy = require("cupy", self.extra, "verifying a function of CuPy")

    def wrapped(self, function: Callable[..., Any]) -> Call:
        def call(x: Array) -> Array:
            given = self.cupy.asarray(x)
            result = self.cupy.asnumpy(function(given))
            x[...] = self.cupy.asnumpy(given)
            return as_array(result)

        return call


class Numexpr(Library):
    """Not functions but expressions of x; a single name is called with x."""

    modules = ()
    extra = "bench"
    no_derivative = "numexpr does not differentiate"

    def __init__(self, device: str | None = None) -> None:
        super().__init__(device)
        self.numexpr = require("numexpr", self.extra, "verifying an expression of numexpr")

    def expression(self, text: str) -> Callable[[Array], Any]:
        text = f"{text}(x)" if text.isidentifier() and text != "x" else text
        return lambda x: self.numexpr.evaluate(text, {"x": x}, {})


#: What stands before the colon of a target -> the library.
LIBRARIES: dict[str, type[Library]] = {
    "fastact": Fastact,
    "numpy": Numpy,
    "scipy": Scipy,
    "torch": Torch,
    "jax": Jax,
    "cupy": Cupy,
    "numexpr": Numexpr,
}


def as_array(result: Any) -> Array:
    """What a function returned, as an array of numbers."""
    found = np.asarray(result)
    if found.dtype == object:
        raise TypeError(f"it returns {type(result).__name__}, no array")
    return found


def library_of(function: Any) -> str:
    """The library whose arrays a function takes: its own, or that of the modules that its code names.

    A function of NumPy arrays unless something speaks for another one.
    """
    if getattr(function, "kind", None) == "activation" or type(function).__module__.startswith("fastact."):
        return "fastact"
    inner = getattr(function, "func", function)  # of a partial
    with contextlib.suppress(AttributeError):
        inner = inner.__wrapped__ if callable(inner.__wrapped__) else inner  # of a jitted one
    for each in (function, inner):
        for module in (type(each).__module__, getattr(each, "__module__", None) or ""):
            if (found := _root(module)) is not None:
                return found
    for base in type(inner).__mro__:  # a module of PyTorch
        if (found := _root(base.__module__)) is not None:
            return found
    code = getattr(inner, "__code__", None)
    names = {} if code is None else {name: inner.__globals__.get(name) for name in _names(code)}
    for value in names.values():
        module = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
        if (found := _root(module or "")) is not None:
            return found
    return "numpy"


def _names(code: Any) -> list[str]:
    """The global names that code uses, that of functions inside of it too."""
    inner = [name for each in code.co_consts if hasattr(each, "co_names") for name in _names(each)]
    return [*code.co_names, *inner]


def _root(module: str) -> str | None:
    root = {"jaxlib": "jax", "cupyx": "cupy"}.get(module.split(".")[0], module.split(".")[0])
    return root if root in ("torch", "jax", "cupy") else None
