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
    module : str
        What must be installed; none for NumPy and for what is only looked into.
    modules : tuple of str
        Where its functions are.
    extra : str
        Which of fastact's extras brings it.
    devices : bool
        Whether its functions can be sent to a device.
    few_shapes : bool
        Whether each shape is compiled anew.
    strides : bool
        Whether its functions see arrays as they are in memory.
    no_derivative : str
        Why it has none.
    """

    module = ""
    modules: tuple[str, ...] = ("numpy",)
    extra = "verify"
    devices = False
    few_shapes = False
    strides = True
    no_derivative = "NumPy does not differentiate"

    def __init__(self, device: str | None = None) -> None:
        if device is not None and not self.devices:
            raise ValueError(f"device={device!r}: only functions of PyTorch and JAX can be sent to a device")
        self.device = device
        self.library: Any = require(self.module, self.extra, f"verifying {self.what}") if self.module else None

    @property
    def what(self) -> str:
        """What is verified, for the error if the library is not installed."""
        return f"a function of {type(self).__name__}"

    def send(self, x: Array) -> Any:
        """The library's array of these numbers."""
        return x

    def fetch(self, result: Any) -> Array:
        """What a function returned, as an array of numbers."""
        found = np.asarray(result)
        if found.dtype == object:
            raise TypeError(f"it returns {type(result).__name__}, no array")
        return found

    def wrapped(self, function: Callable[..., Any]) -> Call:
        """The function on NumPy arrays; what it returns is an array too."""

        def call(x: Array) -> Array:
            given = self.send(x)
            result = self.fetch(function(given))
            if self.device is not None or not self.strides:  # what it did to its copy, it did to x
                x[...] = self.fetch(given)
            return result

        return call

    def differentiated(self, function: Callable[..., Any]) -> Call | None:
        """The derivative on NumPy arrays."""
        return None


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
        return lambda x: self.fetch(function.derivative(x, **bound))


class PyTorch(Library):
    module = extra = "torch"
    modules = ("torch.nn.functional", "torch", "torch.special")
    devices = True

    def wrapped(self, function: Callable[..., Any]) -> Call:
        return self.library.no_grad()(super().wrapped(function))

    def differentiated(self, function: Callable[..., Any]) -> Call | None:
        def call(x: Array) -> Array:
            given = self.send(x).detach().requires_grad_()
            y = function(given)
            if not y.requires_grad:
                raise TypeError("its result does not depend on its input for PyTorch's autograd")
            (slope,) = self.library.autograd.grad(y, given, self.library.ones_like(y))
            return self.fetch(slope)

        return call

    def send(self, x: Array) -> Any:
        torch = self.library
        bfloat16 = x.dtype.name == "bfloat16"
        tensor = torch.from_numpy(x.view(np.int16)).view(torch.bfloat16) if bfloat16 else torch.from_numpy(x)
        return tensor if self.device is None else tensor.to(self.device)

    def fetch(self, result: Any) -> Array:
        torch = self.library
        if isinstance(result, torch.Tensor):
            result = result.detach().cpu()
            if result.dtype == torch.bfloat16:
                found: Array = result.view(torch.int16).numpy().view(importlib.import_module("ml_dtypes").bfloat16)
                return found
        return super().fetch(result)


class JAX(Library):
    module, extra = "jax", "bench"
    modules = ("jax.nn", "jax.numpy", "jax.scipy.special", "jax.lax")
    devices = True
    few_shapes = True
    strides = False

    def wrapped(self, function: Callable[..., Any]) -> Call:
        device = None if self.device is None else self.library.devices(self.device)[0]

        def call(x: Array) -> Array:
            with self.library.enable_x64(True):
                return self.fetch(function(self.library.device_put(x, device)))

        return call

    def differentiated(self, function: Callable[..., Any]) -> Call | None:
        def slope(x: Any) -> Any:
            y, back = self.library.vjp(function, x)
            return back(self.library.numpy.ones_like(y))[0]

        return self.wrapped(self.library.jit(slope))


class CuPy(Library):
    module = extra = "cupy"
    modules = ("cupy", "cupyx.scipy.special")
    strides = False
    no_derivative = "CuPy does not differentiate"

    def send(self, x: Array) -> Any:
        return self.library.asarray(x)

    def fetch(self, result: Any) -> Array:
        return super().fetch(self.library.asnumpy(result))


class Numexpr(Library):
    """Not functions but expressions of x; a single name is called with x."""

    module, extra = "numexpr", "bench"
    modules = ()
    no_derivative = "numexpr does not differentiate"
    what = "an expression of numexpr"

    def expression(self, text: str) -> Callable[[Array], Any]:
        text = f"{text}(x)" if text.isidentifier() and text != "x" else text
        return lambda x: self.library.evaluate(text, {"x": x}, {})


#: What stands before the colon of a target -> the library.
LIBRARIES: dict[str, type[Library]] = {
    "fastact": Fastact, "numpy": Library, "scipy": Scipy, "torch": PyTorch, "jax": JAX, "cupy": CuPy,
    "numexpr": Numexpr,
}  # fmt: skip


def library_of(function: Any) -> str:
    """The library whose arrays a function takes: its own, or that of the modules that its code names.

    A function of NumPy arrays unless something speaks for another one.
    """
    if getattr(function, "kind", None) == "activation" or type(function).__module__.startswith("fastact."):
        return "fastact"
    inner = getattr(function, "func", function)  # of a partial
    with contextlib.suppress(AttributeError):
        inner = inner.__wrapped__ if callable(inner.__wrapped__) else inner  # of a jitted one
    speaking = [type(function), function, *type(inner).__mro__, inner]  # the bases of a module of PyTorch too
    if (code := getattr(inner, "__code__", None)) is not None:
        speaking += [inner.__globals__.get(name) for name in _names(code)]
    for each in speaking:
        module = each.__name__ if isinstance(each, ModuleType) else getattr(each, "__module__", None) or ""
        root = {"jaxlib": "jax", "cupyx": "cupy"}.get(module.split(".")[0], module.split(".")[0])
        if root in ("torch", "jax", "cupy"):
            return root
    return "numpy"


def _names(code: Any) -> list[str]:
    """The global names that code uses, that of functions inside of it too."""
    inner = [name for each in code.co_consts if hasattr(each, "co_names") for name in _names(each)]
    return [*code.co_names, *inner]
