"""Docstrings of functions that are made of a formula, from what their paragraphs say."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import Any

__all__ = ["CONTAINERS", "of_activation", "of_gated_unit", "of_gradients", "with_sections", "with_variants"]

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
    kinks = "Smooth" if f.kinks in ("", "smooth") else f"Derivative at kinks: {f.kinks}"
    keeps = "integers stay integers; " if "i" in f._dtypes else ""
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
{kinks}. NaN gives NaN. Largest error in float32: {f.max_ulp} ULP.

References
----------
{f.reference or "none"}

Examples
--------
{_example(f)}
"""


def _example(f: Any) -> str:
    """How the activation is called; a user's own is called by its name alone."""
    own = not (f.__module__ or "").startswith("fastact.")
    call = f.name if own else f"fa.{f.name}"
    given = "".join(f", {name}={value}" for name, value in f.parameters.items())
    lines = ["import numpy as np", *([] if own else ["import fastact as fa"]), "x = np.array([-1.0, 0.0, 1.0])"]
    lines += [f"y = {call}(x{given})", *([] if own else [f"slope = {call}.derivative(x{given})"])]
    return "\n".join(f">>> {line}" for line in lines)


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

Examples
--------
>>> import numpy as np
>>> import fastact as fa
>>> value, gate = np.array([1.0, 2.0]), np.array([-1.0, 0.5])
>>> y = fa.{unit.name}(value, gate)
>>> grad_value, grad_gate = fa.{unit.name}.backward(np.ones(2), value, gate)
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


def with_variants(text: str, keyword: str, choices: Mapping[str, Any]) -> str:
    """The text of a function with a keyword that selects another one."""
    names = ", ".join(f'"{choice}"' for choice in choices)
    selected = ", ".join(f'"{choice}" is `fastact.{function.name}`' for choice, function in choices.items())
    return text.replace("\nout, where,", f"\n{keyword} : {{{names}}}, optional\n    {selected}.\nout, where,", 1)


def with_sections(text: str, model: str) -> str:
    """The text of a function whose parameters, results and errors are those of another one, which has that text."""
    head, *own = _SECTION.split(inspect.cleandoc(text))
    shared = [each for each in _SECTION.split(inspect.cleandoc(model)) if each.startswith(_SHARED)]
    return "\n\n".join([head, *shared, *own])


_SECTION = re.compile(r"\n\n(?=[A-Z][A-Za-z ]+\n---)")
_SHARED = "Parameters", "Returns", "Raises"
