"""Gated linear units: a value times an activation of a gate, both arrays, with the gradients of both in one pass.

A new unit is a line at the end of the file; `glu` alone takes its value and gate as the halves of one array.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastact._core import containers, dispatch, registry
from fastact._core.activation import Activation
from fastact._core.documentation import of_gated_unit, of_gradients
from fastact._core.function import Function, Metadata
from fastact._core.operation import Formula, Operation, Part
from fastact.functions.activations import gelu, gelu_tanh, identity, relu, sigmoid, silu

__all__ = ["GatedUnit", "Glu", "bilinear", "geglu", "glu", "reglu", "swiglu"]


def _unit(activation: Formula) -> Formula:
    def unit(value, gate):  # type: ignore[no-untyped-def]
        return value * activation(gate)

    return unit


def _gradients(activation: Formula, backward: Formula) -> Formula:
    def gradients(grad_output, value, gate):  # type: ignore[no-untyped-def]
        return grad_output * activation(gate), backward(grad_output * value, gate)

    return gradients


class GatedUnit(Operation, Function):
    """A gated linear unit: f(value, gate) = value * activation(gate), called like a ufunc of two arrays.

    Attributes
    ----------
    activation : Activation
    backward : callable
        The gradients of a loss with respect to value and gate, from that with respect to the output, in one pass: two
        results, for which `out` takes a tuple of two arrays.
    max_ulp_backward : float
        The error bound of the gradients, as `max_ulp` is that of the unit.
    ufunc, scalar : see `Operation`
    metadata, formula, range, reference, notes, max_ulp : see `Metadata`
    """

    kind = "gated unit"
    _family = "elementwise"
    max_ulp_backward = 3.5  # the slope's error and two roundings

    def __init__(self, name: str, activation: Activation, summary: str, use: str, reference: str) -> None:
        super().__init__(name, _unit(activation._jitted), ("value", "gate"), {})
        self._plain = _unit(activation._plain)
        self.activation = activation
        self.metadata = Metadata(
            formula=f"value * {activation.name}(gate)",
            derivative_formula=f"{activation.name}(gate), and value * {activation.name}'(gate)",
            kinks=activation.kinks,
            reference=reference,
            notes={"for": "the gate decides what passes", "against": "twice the weights of an activation", "use": use},
            max_ulp=2.0,  # the activation's error and one rounding
        )
        slope = activation.backward
        inputs = "grad_output", "value", "gate"
        self.backward = Part(self, "backward", _gradients(activation._jitted, slope._jitted), inputs, {}, outputs=2)
        self.backward._plain = _gradients(activation._plain, slope._plain)
        self.__doc__, self.backward.__doc__ = of_gated_unit(self, summary), of_gradients(self)

    def _operations(self) -> list[Operation]:
        return [self, self.backward]

    def _find(self, name: str) -> Operation | None:
        return {"forward": self, "backward": self.backward}.get(name)

    __reduce__ = Function.__reduce__


class Glu(Function):
    """Gated linear unit of the two halves of an array: the first half times the sigmoid of the second, which gates.

    glu(x) = value / (1 + e**-gate), value and gate = numpy.split(x, 2, axis)

    Parameters
    ----------
    x : array_like
        Its length along `axis` is even. Dtypes and containers as for `swiglu`.
    axis : int or str, default -1
        The axis that is halved; containers have names of dimensions too.
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

    Examples
    --------
    >>> import fastact as fa
    >>> fa.glu([1.0, 2.0, 0.0, 0.0])
    array([0.5, 1. ])
    """

    name = "glu"
    kind = "gated unit"
    _family = "elementwise"
    metadata = Metadata(
        formula="value / (1 + e**-gate), the halves of x",
        derivative_formula="s, and value s (1 - s) with s = 1 / (1 + e**-gate)",
        kinks="smooth",
        reference="Dauphin, Fan, Auli, Grangier. Language modeling with gated convolutional networks. ICML 2017, "
        "arXiv:1612.08083.",
        notes={
            "for": "the gate decides what passes",
            "against": "halves the width",
            "use": "convolutional and recurrent networks",
        },
        max_ulp=2.0,
    )

    def __init__(self) -> None:
        self.unit = _UnitOfGlu("glu_unit", sigmoid, "What glu computes of its halves.", "glu", self.reference)

    def __call__(
        self, x: ArrayLike, axis: int | str = -1, *, out: np.ndarray | None = None, backend: str | None = None
    ) -> Any:
        adapter = containers.adapter(x, out)
        if adapter is not None:
            return adapter.call(self, "__call__", (x,), {"axis": axis, "out": out, "backend": backend})
        return dispatch.choose(self._family, backend, x).of_halves(self.unit, x, axis, out)

    def backward(
        self,
        grad_output: ArrayLike,
        x: ArrayLike,
        axis: int | str = -1,
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
        adapter = containers.adapter(grad_output, x, out)
        if adapter is not None:
            return adapter.call(self, "backward", (grad_output, x), {"axis": axis, "out": out, "backend": backend})
        chosen = dispatch.choose(self._family, backend, grad_output, x, out)
        return chosen.backward_of_halves(self.unit.backward, grad_output, x, axis, out)

    def _operations(self) -> list[Operation]:
        return self.unit._operations()

    def _find(self, name: str) -> Operation | None:
        return {"unit": self.unit, "unit_backward": self.unit.backward}.get(name)


class _UnitOfGlu(GatedUnit):
    """Has no name of its own; pickles as a part of glu."""

    def __reduce__(self) -> Any:
        return Function._part, (glu, "unit")


_SHAZEER = "Shazeer. GLU variants improve transformer. arXiv:2002.05202, 2020."
_DAUPHIN = "Dauphin, Fan, Auli, Grangier. Language modeling with gated convolutional networks. arXiv:1612.08083, 2017."
_TRANSFORMERS = "feed-forward layers of transformers"

bilinear = GatedUnit(
    "bilinear", identity, "Bilinear unit: the value times the gate.", "to see what the activation is for", _DAUPHIN
)
reglu = GatedUnit(
    "reglu", relu, "Rectified gated linear unit: the value times relu of the gate.", _TRANSFORMERS, _SHAZEER
)
geglu = GatedUnit(
    "geglu",
    gelu,
    'GELU gated linear unit: the value times gelu of the gate; approximate="tanh" as for gelu.',
    _TRANSFORMERS,
    _SHAZEER,
)
geglu_tanh = GatedUnit(
    "geglu_tanh", gelu_tanh, 'What geglu(value, gate, approximate="tanh") computes.', _TRANSFORMERS, _SHAZEER
)
geglu._add_variants("approximate", {"none": geglu, "tanh": geglu_tanh})
swiglu = GatedUnit(
    "swiglu",
    silu,
    "Swish gated linear unit: the value times silu of the gate. With swish it is swiglu(value / beta, beta * gate).",
    "feed-forward layers of transformers, as in most large language models",
    _SHAZEER,
)
glu = Glu()
for _function in (glu, bilinear, reglu, geglu, geglu_tanh, swiglu):
    registry.add(_function)
