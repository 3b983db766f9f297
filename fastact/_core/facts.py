"""What readers are told of a function, in the language in use, from its metadata: by commands, notebooks and pages.

A new field of `Metadata` becomes a line of `facts`.
"""

from __future__ import annotations

import inspect
import math
from typing import Any

import numpy as np

from fastact.language import translated as _

__all__ = ["curves", "facts", "samples", "summary"]

#: Kinds that take one array, and where a few values of them are shown.
SAMPLES = {"activation": (-2.0, -1.0, 0.0, 1.0, 2.0), "softmax": (2.0, 1.0, 0.1)}


def summary(function: Any) -> str:
    """What it is: the first line of its docstring."""
    return _((inspect.getdoc(function) or "").partition("\n")[0])


def facts(function: Any) -> list[tuple[str, str]]:
    """All of its metadata that says something, as pairs of label and text."""
    notes = {"for": _("for it"), "against": _("against it"), "use": _("use")}
    pairs = [
        (_("also called"), ", ".join(function.aliases)),
        (_("formula"), _(function.formula)),
        (_("derivative"), _(function.derivative_formula)),
        (_("range"), _(function.range)),
        (_("parameters"), ", ".join(f"{key} = {value:g}" for key, value in function.parameters.items())),
        (_("kinks"), _(function.kinks)),
        *((notes.get(key, key), _(text)) for key, text in function.notes.items()),
        (_("error"), error(function.max_ulp)),
        (_("paper"), function.reference),
    ]
    return [(label, text) for label, text in pairs if text]


def error(max_ulp: float) -> str:
    """The error bound in words; none where there is no such bound."""
    if math.isnan(max_ulp):
        return ""
    if not max_ulp:
        return _("exact")
    return _("at most {error:g} ULP off in float32 (1 ULP: the step from one float32 number to the next)").format(
        error=max_ulp
    )


def samples(function: Any) -> dict[str, np.ndarray]:
    """A few values for checks by hand: rows of "x", "f(x)" and "f'(x)"; empty for a kind that needs more than one x."""
    if function.kind not in SAMPLES:
        return {}
    x = np.array(SAMPLES[function.kind])
    return {"x": x, **(_values(function, x) if function.kind == "activation" else {"f(x)": _uncompiled(function, x)})}


def curves(activation: Any, x: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """x and f(x), and x and f'(x) where it was defined with one; each has a nan where it jumps."""
    return {label: _broken_at_jumps(x, y) for label, y in _values(activation, x).items()}


def _values(activation: Any, x: np.ndarray) -> dict[str, np.ndarray]:
    values = {"f(x)": _uncompiled(activation, x)}
    if activation.differentiable:
        values["f'(x)"] = _uncompiled(activation.derivative, x)
    return values


def _broken_at_jumps(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Put a gap where y jumps: it has no values in between. A step is a jump if its neighbours are far smaller."""
    steps = np.abs(np.diff(y))
    around = np.maximum(np.r_[0, steps[:-1]], np.r_[steps[1:], 0])
    jumps = np.flatnonzero((steps > 0.02) & (steps > 4 * around)) + 1
    return np.insert(x, jumps, np.nan), np.insert(y, jumps, np.nan)


def _uncompiled(f: Any, x: np.ndarray) -> np.ndarray:
    """f(x), without a compilation where NumPy can run the formula on arrays."""
    try:
        return f(x, backend="numpy")
    except Exception:  # whatever a formula of single numbers raises for an array
        return f(x)
