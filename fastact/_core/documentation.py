"""Docstrings of functions that are made of a formula, from what their paragraphs say."""

from __future__ import annotations

from typing import Any

__all__ = ["CONTAINERS", "of_activation", "of_gated_unit", "of_gradients"]

_BACKEND = """backend : str, optional
    "serial", "threads", "parallel", "cuda", "numpy" or "auto"; see `fastact.backends`.
"""

#: What every family says of containers.
CONTAINERS = """Containers of pandas, xarray, dask, polars, Arrow and PyTorch, and masked arrays, are taken and kept:
see docs/guides/containers.md.
"""

_RAISES = """Raises
------
TypeError
    For object, complex or long double input, and for an `out` of a dtype that the result cannot be cast to.
ValueError
    If the operands or `out` do not broadcast together.
"""


def of_activation(f: Any, summary: str) -> str:
    """The numpydoc text of an activation, from what its paragraph says."""
    parameters = "".join(
        f"\n{name} : array_like, default {value}\n    Broadcasts against x." for name, value in f.parameters.items()
    )
    keeps = "integers stay integers; " if "i" in f.dtypes else ""
    return f"""{summary}

{f.name}(x) = {f.formula}
{f.name}'(x) = {f.metadata.derivative_formula}

Parameters
----------
x : array_like
    float16, bfloat16 (of ml_dtypes), float32 and float64 are kept; {keeps}other real dtypes are converted as by
    `numpy.exp`.{parameters}
out, where, dtype, casting, order, subok
    As for any `numpy.ufunc`.
{_BACKEND}
Returns
-------
ndarray or scalar
    Of the broadcast shape of x and the parameters, values in {f.range}.

{_RAISES}
Notes
-----
{CONTAINERS}
{f"Derivative at kinks: {f.kinks}. " if f.kinks else ""}NaN gives NaN. Largest error in float32: {f.max_ulp} ULP.

References
----------
{f.reference or "none"}
"""


def of_gated_unit(unit: Any, summary: str) -> str:
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
{_BACKEND}
Returns
-------
ndarray or scalar
    Of the broadcast shape.

{_RAISES}
Notes
-----
{CONTAINERS}
Gradients: {unit.name}.backward(grad_output, value, gate, out=(grad_value, grad_gate)). NaN gives NaN, and so does an
infinite value times a gate of 0. Largest error in float32 and float64, where no product leaves the range of normal
numbers: {unit.max_ulp} ULP, and {unit.max_ulp_backward} ULP of the gradients.

References
----------
{unit.reference}
"""


def of_gradients(unit: Any) -> str:
    """The numpydoc text of the backward pass of a unit."""
    return f"""The gradients of {unit.name}: grad_output * {unit.activation.name}(gate), for the value, and
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
