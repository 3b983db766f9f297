"""Gated linear units: a value times an activation of a gate, both arrays, with the gradients of both in one pass.

Imported by the package's __init__. A new unit is a line at the end of the file; `glu` alone takes its value and gate as
the halves of one array.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastact._core import dispatch
from fastact._core.activation import Activation, ElementwiseOperation, Formula
from fastact._core.arguments import halved
from fastact._core.devices import on_gpu
from fastact._native.ufunc import enable_vectorcall
from fastact.activations import gelu, gelu_tanh, identity, relu, sigmoid, silu

__all__ = ["Gated", "GatedBackward", "Glu", "bilinear", "geglu", "glu", "reglu", "swiglu"]

#: Of a unit: its activation's error and one rounding; of its gradients: the slope's error and two roundings.
MAX_ULP, MAX_ULP_BACKWARD = 2.0, 3.5


def _unit(activation: Formula) -> Formula:
    def unit(value, gate):  # type: ignore[no-untyped-def]
        return value * activation(gate)

    return unit


def _gradients(activation: Formula, backward: Formula) -> Formula:
    def gradients(grad_output, value, gate):  # type: ignore[no-untyped-def]
        return grad_output * activation(gate), backward(grad_output * value, gate)

    return gradients


class Gated(ElementwiseOperation):
    """A gated linear unit: f(value, gate) = value * activation(gate), called like a ufunc of two arrays.

    Attributes
    ----------
    activation : Activation
    backward : callable
        The gradients of a loss with respect to value and gate, from that with respect to the output, in one pass.
    ufunc, scalar : see `ElementwiseOperation`
    formula, reference
        What it computes, for readers.
    """

    def __init__(self, name: str, activation: Activation, summary: str, reference: str) -> None:
        super().__init__(name, _unit(activation.jitted), ("value", "gate"), {})
        self.plain = _unit(activation.plain)
        self.activation = activation
        self.formula = f"value * {activation.name}(gate)"
        self.reference = reference
        self.backward = GatedBackward(self)
        self.__doc__ = _documentation(self, summary)

    def add_variants(self, keyword: str, choices: dict[str, Gated]) -> None:
        """Let `keyword` of this unit and of its backward pass select another unit."""
        self.variants[keyword] = dict(choices)
        self.backward.variants[keyword] = {name: unit.backward for name, unit in choices.items()}

    def operations(self) -> list[ElementwiseOperation]:
        """All that can be computed, for `fastact.warmup`."""
        return [self, self.backward]

    def __reduce__(self) -> str:
        return self.name


class GatedBackward(ElementwiseOperation):
    """The backward pass of a `Gated` unit: two results, for which `out` takes a tuple of two arrays."""

    def __init__(self, unit: Gated) -> None:
        slope = unit.activation.backward
        formula, inputs = _gradients(unit.activation.jitted, slope.jitted), ("grad_output", *unit.input_names)
        super().__init__(f"{unit.name}_backward", formula, inputs, {}, outputs=2)
        self.plain = _gradients(unit.activation.plain, slope.plain)
        self._unit = unit
        self.__doc__ = f"""The gradients of {unit.name}: grad_output * {unit.activation.name}(gate), for the value, and
grad_output * value * {unit.activation.name}'(gate), for the gate, in one pass.

Parameters
----------
grad_output, value, gate : array_like
    Broadcast together.
out : tuple of two ndarrays, optional
    Where to write; they may be inputs.
where, dtype, casting, order, subok, backend
    As for {unit.name} itself.

Returns
-------
tuple of two ndarrays or scalars
    Both of the broadcast shape: sum them over the axes along which an operand was stretched.
"""

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, (self._unit, "backward")


for _kind in (Gated, GatedBackward):
    enable_vectorcall(_kind)


def _documentation(unit: Gated, summary: str) -> str:
    """The numpydoc text of a unit."""
    return f"""{summary}

{unit.name}(value, gate) = {unit.formula}

Parameters
----------
value, gate : array_like
    Broadcast together. float16, bfloat16 (of ml_dtypes), float32 and float64 are kept, the wider of the two where they
    differ; other real dtypes are converted as by `numpy.exp`.
out, where, dtype, casting, order, subok
    As for any `numpy.ufunc`; `out` may be an input.
backend : str, optional
    "serial", "threads", "parallel", "cuda", "numpy" or "auto"; see `fastact.backends`.

Returns
-------
ndarray or scalar
    Of the broadcast shape.

Raises
------
TypeError
    For object, complex or long double input, and for an `out` of a dtype that the result cannot be cast to.
ValueError
    If the operands or `out` do not broadcast together.

Notes
-----
Gradients: {unit.name}.backward(grad_output, value, gate, out=(grad_value, grad_gate)). NaN gives NaN, and so does an
infinite value times a gate of 0. Largest error in float32 and float64, where no product leaves the range of normal
numbers: {MAX_ULP} ULP, and {MAX_ULP_BACKWARD} ULP of the gradients.

References
----------
{unit.reference}
"""


class Glu:
    """Gated linear unit of the two halves of an array: the first half times the sigmoid of the second, which gates.

    glu(x) = value / (1 + e**-gate), value and gate = numpy.split(x, 2, axis)

    Parameters
    ----------
    x : array_like
        Its length along `axis` is even. Dtypes as for `swiglu`.
    axis : int, default -1
        The axis that is halved.
    out : ndarray, optional
        Where to write; half as long as x along `axis`.
    backend : str, optional
        As for `swiglu`.

    Returns
    -------
    ndarray
        Half as long as x along `axis`.

    Raises
    ------
    numpy.exceptions.AxisError
        If there is no such axis.
    TypeError, ValueError
        As for `swiglu`; ValueError if the length along `axis` is odd.

    Notes
    -----
    Nothing is copied: both halves are views. Errors are bounded as those of `swiglu`.

    References
    ----------
    Dauphin, Fan, Auli, Grangier. Language modeling with gated convolutional networks. ICML 2017, arXiv:1612.08083.
    """

    name = "glu"
    formula = "value / (1 + e**-gate), the halves of x"

    def __call__(
        self, x: ArrayLike, axis: int = -1, *, out: np.ndarray | None = None, backend: str | None = None
    ) -> Any:
        if on_gpu(x):
            return dispatch.choose("elementwise", backend, x).of_halves(_sigmoid_unit, x, axis, out)
        return _sigmoid_unit(*_halves(x, axis), out=out, backend=backend)

    def backward(
        self,
        grad_output: ArrayLike,
        x: ArrayLike,
        axis: int = -1,
        *,
        out: np.ndarray | None = None,
        backend: str | None = None,
    ) -> Any:
        """The gradient for x, both halves in one pass.

        Parameters
        ----------
        grad_output : array_like
            The gradient for the output, of its shape.
        x, axis, backend
            As in the forward call.
        out : ndarray, optional
            Where to write, of x's shape; it may be x.
        """
        given = grad_output, x, out
        if any(map(on_gpu, given)):
            kernels = dispatch.choose("elementwise", backend, *given)
            return kernels.backward_of_halves(_sigmoid_unit.backward, grad_output, x, axis, out)
        value, gate = _halves(x, axis)
        if np.shape(grad_output) != value.shape:
            raise ValueError(f"grad_output has shape {np.shape(grad_output)}, glu(x) {value.shape}; they must be equal")
        if out is None:
            dtype = _sigmoid_unit.backward.result_dtype((grad_output, value, gate))
            out = np.empty(np.shape(x), dtype)
        elif np.shape(out) != np.shape(x):
            raise ValueError(f"out has shape {np.shape(out)}, x {np.shape(x)}; they must be equal")
        _sigmoid_unit.backward(grad_output, value, gate, out=_halves(out, axis), backend=backend)
        return out

    def __repr__(self) -> str:
        return f"<fastact.{self.name}: {self.formula}>"

    def __reduce__(self) -> str:
        return self.name


def _halves(x: ArrayLike, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Views of the first and second half of an array."""
    array = np.asanyarray(x)
    axis, half = halved(array.shape, axis)
    before = (slice(None),) * axis
    return array[(*before, slice(half))], array[(*before, slice(half, None))]


_SHAZEER = "Shazeer. GLU variants improve transformer. arXiv:2002.05202, 2020."
_DAUPHIN = "Dauphin, Fan, Auli, Grangier. Language modeling with gated convolutional networks. arXiv:1612.08083, 2017."

bilinear = Gated("bilinear", identity, "Bilinear unit: the value times the gate.", _DAUPHIN)
reglu = Gated("reglu", relu, "Rectified gated linear unit: the value times relu of the gate.", _SHAZEER)
geglu = Gated(
    "geglu", gelu, 'GELU gated linear unit: the value times gelu of the gate; approximate="tanh" as for gelu.', _SHAZEER
)
geglu_tanh = Gated("geglu_tanh", gelu_tanh, 'What geglu(value, gate, approximate="tanh") computes.', _SHAZEER)
geglu.add_variants("approximate", {"none": geglu, "tanh": geglu_tanh})
swiglu = Gated(
    "swiglu",
    silu,
    "Swish gated linear unit: the value times silu of the gate. With swish it is swiglu(value / beta, beta * gate).",
    _SHAZEER,
)
_sigmoid_unit = Gated("_sigmoid_unit", sigmoid, "What glu computes.", _DAUPHIN)
glu = Glu()
