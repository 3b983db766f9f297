"""What a function is measured by: an activation of fastact in float64, or by mpmath where that is not exact enough."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastact._core import registry
from fastact._core.dispatch import backends
from fastact.errors import FormulaError, UnknownNameError, nearest
from fastact.measure.verification import definitions
from fastact.measure.verification.formats import FORMATS, Format, has

__all__ = ["PARTS", "Reference", "named"]

PARTS = ("forward", "derivative")
Floats = NDArray[np.float64]

#: Names that libraries have for functions of fastact, besides fastact's own aliases.
NAMES = {"exp": "exponential", "log_expit": "log_sigmoid", "gelu_new": "gelu_tanh"}
#: Names that libraries have for parameters of fastact.
PARAMETERS = {
    "negative_slope": "alpha", "min_val": "min", "max_val": "max", "a_min": "min", "a_max": "max", "slope": "alpha",
}  # fmt: skip
#: A default that stands for a real number, to which it is not rounded: hard_sigmoid's slope.
REAL = 1 / 6


def plain(name: str) -> str:
    """A name without what libraries spell differently: case and underscores."""
    return name.lower().replace("_", "").replace("-", "")


def named(name: str, settings: Mapping[str, Any] | None = None) -> Reference:
    """The reference of this name, or of a library's name for it, with those of the settings that it knows.

    `approximate` chooses gelu's form, as in PyTorch and JAX.

    Raises
    ------
    UnknownNameError
        If there is none of this name; the message names the nearest.
    ValueError
        If it does not act on single elements.
    """
    known = {plain(alias): each for each in registry.names() for alias in (each, *registry.get(each).aliases)}
    known |= {plain(alias): each for alias, each in NAMES.items()}
    found = known.get(plain(name))
    if found is None:
        activations = registry.names("activation")
        aliases = [alias for each in activations for alias in registry.get(each).aliases]
        raise UnknownNameError(
            f"against={name!r}: no activation to compare with{nearest(name, [*activations, *aliases, *NAMES])}"
        )
    settings = dict(settings or {})
    if found == "gelu" and settings.pop("approximate", False) in (True, "tanh"):
        found = "gelu_tanh"
    function = registry.get(found)
    if function.kind != "activation" or found == "rrelu":
        what = {"softmax": "acts on whole rows", "activation": "draws random numbers"}
        raise ValueError(
            f"against={name!r}: {found} {what.get(function.kind, f'is a {function.kind}')}; "
            "verify takes functions that act on each element by itself"
        )
    given: dict[str, float] = {}
    for key, value in settings.items():
        own = key if key in function.parameters else PARAMETERS.get(key, key)
        if own in function.parameters:
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise ValueError(f"{key}={value!r}: {found}'s {own} is a number")
            given[own] = float(value)
    return Reference(found, given)


@dataclass(frozen=True)
class Reference:
    """An activation of fastact with its parameters.

    Attributes
    ----------
    name : str
    given : mapping
        Parameters that are not the defaults.
    """

    name: str
    given: Mapping[str, float] = field(default_factory=dict)

    @cached_property
    def function(self) -> Any:
        return registry.get(self.name)

    @property
    def differentiable(self) -> bool:
        return bool(self.function.differentiable)

    @cached_property
    def checked(self) -> bool:
        """Whether mpmath can compute it: not where a user's formula has no expression."""
        return has("mpmath") and (self.defined or self._formulas is not None)

    @property
    def defined(self) -> bool:
        """Whether it is fastact's own."""
        return self.name in definitions.DEFINITIONS

    @cached_property
    def _formulas(self) -> Mapping[str, Any] | None:
        """Of a user's own activation, each part as a function of mpmath numbers."""
        if not has("sympy"):
            return None
        from fastact.functions import derivation
        from fastact.functions.derivation.precision import Precise

        names = ["x", *self.function.parameters]
        parts = {"forward": self.function}
        if self.differentiable:
            parts["derivative"] = self.function.derivative
        try:
            return {part: Precise(derivation.expression(each), names) for part, each in parts.items()}
        except FormulaError:
            return None

    @cached_property
    def monotone(self) -> bool:
        """Whether it never falls, or never rises."""
        x = np.sinh(np.linspace(-80, 80, 20_001))  # of all sizes
        with np.errstate(all="ignore"):
            steps = np.diff(self.compute("forward", x))
        return bool((steps >= 0).all() or (steps <= 0).all())

    def __str__(self) -> str:
        settings = ", ".join(f"{key}={value:g}" for key, value in self.given.items())
        return f"{self.name}({settings})" if settings else self.name

    def parameters(self, kind: Format) -> list[float]:
        """The parameters, in the format in which functions of this one compute: float32 at least."""
        values = [self.given.get(key, value) for key, value in self.function.parameters.items()]
        wide = kind.bits == 64
        return [value if wide or value == REAL else float(np.float32(value)) for value in values]

    def compute(self, part: str, x: Floats, kind: Format = FORMATS["float64"]) -> Floats:
        """Compute results by fastact in float64, for numbers of a format; 2.5 ULP of float64 off at most."""
        operation = self.function if part == "forward" else self.function.derivative
        result: Floats = operation(x, *self.parameters(kind), backend=self._backend)
        return result

    @cached_property
    def _backend(self) -> str | None:
        """The one without threads: callers have their own."""
        return "serial" if backends().get("serial") == "available" else None

    def exactly(self, part: str, x: Floats, kind: Format) -> tuple[Floats, Floats]:
        """Compute results by mpmath at finite x: as float64, and the rest in ULP of that."""
        parameters = self.parameters(kind)
        if self.defined:
            return definitions.exact(self.name, part, x, parameters)
        assert self._formulas is not None
        formula = self._formulas[part]
        high, low = definitions.rounded(formula(each, *parameters) for each in x.tolist())
        unknown = np.isnan(high)  # where the expression has no value
        high[unknown] = self.compute(part, x[unknown], kind)
        return high, low
