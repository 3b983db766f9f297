"""The curves of an activation for many values of its parameters, computed by fastact: a page only shows them.

To give a parameter of the catalogue a range of its own, add a line to `RANGES`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["REACH", "Curve", "Sweep", "sweep"]

#: Curves go from -REACH to REACH; the middle half, which is looked at most, is four times as fine as the rest.
REACH = 10.0
GRID = np.concatenate([np.linspace(-10, -5, 50, endpoint=False), np.linspace(-5, 5, 401), np.linspace(5.1, 10, 50)])

#: The slope vanishes where it is below this share of the largest, or of 1 if that is larger.
VANISHING = 0.01
#: Narrower zones, as at the bottom of gelu's dip, hold back little.
NARROWEST = 0.2

#: From a step of the grid down to neighbouring float32 numbers, except close to 0.
HALVINGS = 30

#: How many values of each parameter, by the number of parameters; one with more has no sliders.
STEPS = {0: 0, 1: 21, 2: 11, 3: 5}

#: Between which values a parameter is shown; for all others `_range` has a rule.
RANGES = {
    ("leaky_relu", "alpha"): (0.0, 0.5),
    ("star_relu", "scale"): (0.2, 2.0),
    ("star_relu", "bias"): (-1.0, 1.0),
    ("threshold", "value"): (-2.0, 2.0),
    ("hard_tanh", "min"): (-3.0, -0.2),
    ("hard_tanh", "max"): (0.2, 3.0),
    ("hard_sigmoid", "slope"): (0.05, 0.5),
    ("hard_sigmoid", "offset"): (0.0, 1.0),
    ("softshrink", "lambd"): (0.1, 3.0),
    ("hardshrink", "lambd"): (0.1, 3.0),
    ("elu", "alpha"): (0.0, 3.0),
    ("squareplus", "b"): (0.2, 12.0),
    ("swish", "beta"): (0.0, 5.0),
    ("rrelu", "lower"): (0.0, 0.3),
    ("rrelu", "upper"): (0.3, 1.0),
}

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """An activation and its slope for certain parameters.

    Attributes
    ----------
    x, f, slope : ndarray of float32
        All of one length; NaN in all three where f or its slope jumps. The slope is NaN throughout where the function
        was defined without one.
    zones : list of tuple of float
        Where the slope vanishes.
    """

    x: NDArray[np.float32]
    f: NDArray[np.float32]
    slope: NDArray[np.float32]
    zones: list[tuple[float, float]]


@dataclass(frozen=True)
class Sweep:
    """The curves of an activation.

    Attributes
    ----------
    values : dict of str to list of float
        Parameter -> the values that it takes, its default among them.
    curves : list of Curve
        For each combination of values; those of the last parameter change fastest.
    """

    values: dict[str, list[float]]
    curves: list[Curve]


def sweep(activation: Any) -> Sweep:
    """Compute an activation for all combinations of its parameters' values.

    Raises
    ------
    ValueError
        If it is not finite for the default values.
    """
    steps = STEPS.get(len(activation.parameters), 0)
    values = {name: _values(activation, name, steps) for name in activation.parameters} if steps else {}
    combinations = [dict(zip(values, each, strict=True)) for each in itertools.product(*values.values())]
    return Sweep(values, [_curve(activation, parameters) for parameters in combinations])


def _values(activation: Any, name: str, steps: int) -> list[float]:
    """Values of a parameter with which the function is finite, and its default."""
    default = float(activation.parameters[name])
    low, high = RANGES.get((activation.name, name)) or _range(default)
    candidates = {round(float(value), 4) for value in np.linspace(low, high, steps)}
    nearest = min(candidates, key=lambda value: abs(value - default))
    candidates = candidates - {nearest} | {default}
    return [value for value in sorted(candidates) if value == default or _is_finite(activation, {name: value})]


def _range(default: float) -> tuple[float, float]:
    """Between a small multiple of the default and a large one, of the same sign."""
    if not default:
        return -2.0, 2.0
    low, high = sorted((0.1 * default, 3.0 * default))
    return low, high


def _is_finite(activation: Any, parameters: dict[str, float]) -> bool:
    forward, slope = _parts(activation, parameters)
    try:
        return all(bool(np.isfinite(part(GRID)).all()) for part in (forward, slope) if part)
    except ValueError:  # the function refuses the value
        return False


def _parts(activation: Any, parameters: dict[str, float]) -> tuple[Callable[[Array], Array], Any]:
    """The function and, unless it has none, its slope, by the numpy backend, which compiles nothing.

    A user's own may be scalar code that only a compiler understands.
    """
    options: dict[str, Any] = dict(parameters)
    if activation.__module__.startswith("fastact."):
        options["backend"] = "numpy"
    slope = getattr(activation, "differentiable", True) and (lambda x: activation.derivative(x, **options))
    return lambda x: activation(x, **options), slope or None


def _curve(activation: Any, parameters: dict[str, float]) -> Curve:
    forward, derivative = _parts(activation, parameters)

    def points(x: Array) -> Array:
        """Rows x, f, f'."""
        return np.stack([x, forward(x), derivative(x) if derivative else np.full_like(x, np.nan)])

    grid = GRID.astype(np.float32).astype(float)
    found = points(grid)
    if not np.isfinite(found[:2]).all():
        raise ValueError(f"{activation.name} is not finite for all x from -{REACH:g} to {REACH:g} with {parameters}")
    breaks = list(_jumps(found, points))
    after = [at for at, rows in breaks for _ in range(rows.shape[1])]
    if breaks:
        found = np.insert(found, after, np.concatenate([rows for _, rows in breaks], axis=1), axis=1)
    x, f, slope = found.astype(np.float32)
    return Curve(x, f, slope, _zones(found[0], found[2]))


def _jumps(found: Array, points: Callable[[Array], Array]) -> Iterator[tuple[int, Array]]:
    """Where f or f' jumps between two points: the position of the second, and the points to insert before it.

    These are the last float32 before the jump, a gap, and the first after it, unless they are there already. Halving
    finds them; what is no jump but steep becomes flat when looked at so closely.
    """
    large = 0.01 * np.nanmax(np.abs(found[1:]), axis=1, initial=0.0, keepdims=True)
    steep = np.flatnonzero((np.abs(np.diff(found[1:], axis=1)) > large).any(axis=0))
    first, last = found[:, steep], found[:, steep + 1]
    for _ in range(HALVINGS):
        middle = points((first[0] + (last[0] - first[0]) / 2).astype(np.float32).astype(float))
        left, right = (np.nansum(np.abs(step[1:]), axis=0) for step in (middle - first, last - middle))
        first, last = np.where(left >= right, first, middle), np.where(left >= right, middle, last)
        stays = (np.abs(last - first)[1:] > large / 2).any(axis=0)
        steep, first, last = steep[stays], first[:, stays], last[:, stays]
        if not len(steep):
            return
    for at, before, behind in zip(steep, first.T, last.T, strict=True):
        inserted = [before] if before[0] != found[0, at] else []
        inserted.append(np.full(3, np.nan))
        inserted += [behind] if behind[0] != found[0, at + 1] else []
        yield int(at) + 1, np.stack(inserted, axis=1)


def _zones(x: Array, slope: Array) -> list[tuple[float, float]]:
    """The intervals where the slope vanishes."""
    size = np.abs(slope)
    known = np.isfinite(size)
    if not known.any():
        return []
    x, size = x[known], size[known]
    small = (size < VANISHING * min(1.0, size.max())) | (size == 0)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], small, [False]]).astype(int)))
    pairs = zip(edges[::2], edges[1::2] - 1, strict=True)
    return [(round(float(x[a]), 3), round(float(x[b]), 3)) for a, b in pairs if x[b] - x[a] >= NARROWEST]
