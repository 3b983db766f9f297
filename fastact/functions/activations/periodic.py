"""Functions with a periodic part: snake.

A paragraph each: its slope, its formula, what readers want to know; see the package's docstring.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastact._core.activation import activation, public
from fastact._core.function import Metadata
from fastact._kernels import scalar as m


@activation(
    derivative=m.snake_slope,
    parameter_derivatives={"alpha": m.snake_slope_by_alpha},
    alpha=1.0,
    text=Metadata(
        formula="x + sin(alpha x)**2 / alpha, x for alpha = 0",
        derivative_formula="1 + sin(2 alpha x)",
        range="(-inf, inf)",
        kinks="smooth; NaN at infinities, where it has no limit",
        reference="Ziyin, Hartwig, Ueda. Neural networks fail to learn periodic functions and how to fix it. "
        "NeurIPS 2020, arXiv:2006.08195.",
        max_ulp=1.0,
        notes={
            "for": "learns and extrapolates what repeats; never falls",
            "against": "cost; alpha must suit the period, or be learnt",
            "use": "time series, audio (vocoders such as BigVGAN)",
        },
    ),
)
def snake(x: Any, alpha: Any) -> Any:
    """Snake: x with ripples.

    The derivative keeps its digits beside its zeros for every x with a finite alpha x; where that overflows, it is some
    number from 0 to 2.
    """
    return m.snake(x, alpha)


if not TYPE_CHECKING:  # type checkers then see every name
    __all__ = public(globals())
