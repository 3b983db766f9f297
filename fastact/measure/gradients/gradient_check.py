"""The check of a function's gradients, and what it found, for readers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastact._core import registry
from fastact.errors import told
from fastact.functions.derivation.differences import Floats, kinks
from fastact.language import translated as _
from fastact.learn.result import Result, Table, plain
from fastact.measure.gradients.subjects import SUBJECTS, Subject

__all__ = ["GradientCheck", "Part", "checked"]

#: By how much a gradient may differ from differences: absolutely below 1, relatively above.
TOLERANCE = 1e-5
#: Numbers at which a function of one number is checked, besides its kinks.
_NEAR = np.linspace(-8, 8, 129)
_FAR = np.array([9.5, 12, 15, 17.5, 20.5, 25, 30, 40, 50, 75, 100])
_AROUND = np.array([0, -1e-6, 1e-6, -1e-3, 1e-3])


@dataclass(frozen=True, eq=False)
class Part:
    """One gradient of a function beside the slopes of its values.

    Attributes
    ----------
    name : str
    x : ndarray
        Where it was checked.
    found : ndarray
        The gradient that the function gives; NaN throughout where it gives none of the right shape.
    low, high : ndarray
        What it may be: the slopes from both sides, which differ at a kink. NaN where the function has no slope.
    note : str
        What kept it from being checked: another shape, an error that it raised; else empty.
    """

    name: str
    x: Floats
    found: Floats
    low: Floats
    high: Floats
    note: str = ""

    @property
    def error(self) -> Floats:
        """How far the gradient is from what it may be, relatively where that is above 1; inf for a wrong NaN."""
        with np.errstate(all="ignore"):
            off = np.maximum(np.maximum(self.low - self.found, self.found - self.high), 0)
            off /= np.maximum(1, np.maximum(np.abs(self.low), np.abs(self.high)))
        known = np.isfinite(self.low) & np.isfinite(self.high)
        off[~np.isfinite(self.found)] = np.inf
        off[~known] = 0
        return np.asarray(off)

    @property
    def wrong(self) -> NDArray[np.bool_]:
        """Where it is too far off."""
        return self.error > TOLERANCE

    @property
    def passed(self) -> bool:
        return not self.note and not bool(self.wrong.any())

    @property
    def worst(self) -> int:
        """Where, in the flattened arrays, it is farthest off."""
        return int(self.error.argmax())

    def place(self, at: int) -> str:
        """A place in words: x = 0.5, or x[1, 2] of a function of rows."""
        if self.x.ndim == 1:
            return f"x = {self.x[at]:.6g}"
        indices = ", ".join(map(str, np.unravel_index(at, self.x.shape)))
        return f"x[{indices}]"

    def sentence(self) -> str:
        """What is wrong, where, and by how much; empty where nothing is."""
        if self.note:
            return _("{part}: {note}.").format(part=self.name, note=self.note)
        if self.passed:
            return ""
        at, wrong = self.worst, self.wrong
        low, high = float(self.low.flat[at]), float(self.high.flat[at])
        one = np.isclose(low, high, rtol=1e-4, atol=1e-6)
        right = (
            f"{(low + high) / 2:.6g}" if one else _("from {low} to {high}").format(low=f"{low:.6g}", high=f"{high:.6g}")
        )
        return _(
            "{part}: wrong at {count} of {all} places, {range}. At {place} it is {found}, and the values of the "
            "function give {right}.{pattern}"
        ).format(
            part=self.name, count=int(wrong.sum()), all=wrong.size, range=self._range(), place=self.place(at),
            found=f"{float(self.found.flat[at]):.6g}", right=right, pattern=self._pattern(),
        )  # fmt: skip

    def _range(self) -> str:
        """Between which numbers the wrong places are."""
        places = self.x[self.wrong]
        if len(places) == 1:
            return self.place(int(np.flatnonzero(self.wrong)[0]))
        return _("for x from {low} to {high}").format(low=f"{places.min():.6g}", high=f"{places.max():.6g}")

    def _pattern(self) -> str:
        """What all wrong values have in common, if anything."""
        wrong = self.wrong & (np.abs(self.low) > 1e-3) & ~(self.high - self.low > 1e-6) & np.isfinite(self.found)
        if wrong.sum() < 3:
            return ""
        ratios = self.found[wrong] / self.low[wrong]
        factor = float(np.median(ratios))
        if np.abs(ratios - factor).max() > 1e-3 * max(abs(factor), 1e-3):
            return ""
        if abs(factor + 1) < 1e-3:
            return " " + _("Its sign is wrong.")
        return " " + _("It is {factor} times what it should be.").format(factor=f"{factor:.4g}")


@dataclass(frozen=True, eq=False, repr=False)
class GradientCheck(Result):
    """What `fastact.check_gradient` found; it is false where a gradient is wrong.

    Attributes
    ----------
    name : str
        Of the function.
    parts : list of Part
        Each gradient of it.
    """

    name: str
    parts: list[Part]

    @property
    def passed(self) -> bool:
        """Whether all gradients are right."""
        return all(part.passed for part in self.parts)

    def __bool__(self) -> bool:
        return self.passed

    @property
    def worst(self) -> Part:
        """The part that is farthest off."""
        return max(self.parts, key=lambda part: (bool(part.note), not part.passed, part.error.max(initial=0)))

    @property
    def title(self) -> str:
        return _("Gradients of {name}, beside differences of its values").format(name=self.name)

    def tables(self) -> list[Table]:
        columns = [_("gradient"), _("right"), _("largest error"), _("where"), _("places"), _("wrong")]
        rows = [
            [
                part.name, _("yes") if part.passed else _("no"), f"{part.error.max(initial=0):.2g}",
                part.place(part.worst) if part.error.any() else "-", str(part.x.size), str(int(part.wrong.sum())),
            ]
            for part in self.parts
        ]  # fmt: skip
        caption = _("At a kink, anything between the slopes of both sides is right.")
        return [Table(columns, rows, words=2, title=self.title, caption=caption)]

    def sentences(self) -> list[str]:
        found = [part.sentence() for part in self.parts if not part.passed]
        return found or [_("All gradients of {name} are right.").format(name=self.name)]

    def as_dict(self) -> dict[str, Any]:
        parts = [
            {
                "name": part.name, "passed": part.passed, "note": part.note, "x": part.x, "found": part.found,
                "low": part.low, "high": part.high,
            }
            for part in self.parts
        ]  # fmt: skip
        found: dict[str, Any] = plain({"name": self.name, "passed": self.passed, "parts": parts})
        return found

    def __repr__(self) -> str:
        return f"<gradients of {self.name}: {' '.join(self.sentences())}>"


def checked(function: Any, x: Any, parameters: dict[str, float]) -> GradientCheck:
    """Check every gradient of a function; see `fastact.check_gradient`."""
    f = registry.get(function) if isinstance(function, str) else function
    if getattr(f, "kind", None) not in SUBJECTS:
        raise TypeError(f"function={function!r}; pass a function of fastact, one's own too, or its name")
    for name in parameters:
        if name not in f.parameters:
            raise TypeError(f"{f.name} has no parameter {name!r}; it has {', '.join(f.parameters) or 'none'}")
    if f.kind == "loss" and not hasattr(f, "value_and_grad"):
        raise TypeError(f"{f.name} has no gradient")
    given = {**f.parameters, **{name: float(value) for name, value in parameters.items()}}
    if f.kind == "activation":
        f._part("derivative")  # TypeError if it has none
    at = _places(f, given) if x is None else _numbers(x)
    return GradientCheck(f.name, [_part(subject) for subject in SUBJECTS[f.kind](f, at, given)])


def _numbers(x: Any) -> Floats:
    """The numbers that a user asks for."""
    try:
        found = np.asarray(x, np.float64).ravel()
    except (TypeError, ValueError):
        raise TypeError(f"x={x!r}; pass numbers") from None
    if not found.size or not np.isfinite(found).all():
        raise ValueError("x must hold finite numbers, one at least")
    return found


def _places(f: Any, parameters: dict[str, float]) -> Floats:
    """Where to check it: near 0, far away, and at and around its kinks."""
    if f.kind != "activation":
        return np.concatenate([-_FAR, _NEAR + 0.03, _FAR])
    grid = np.concatenate([-_FAR[::-1], _NEAR, _FAR])
    special = [*kinks(lambda x: f(x, **parameters), grid + 0.0137), *parameters.values()]
    around = np.add.outer([0.0, *special, *(-each for each in parameters.values())], _AROUND)
    return np.unique(np.concatenate([grid, around.ravel()]))


def _part(subject: Subject) -> Part:
    """A gradient and its slopes; what goes wrong is noted."""
    x = subject.x
    slopes = subject.slopes()
    low, high = np.minimum(slopes.left, slopes.right), np.maximum(slopes.left, slopes.right)
    unknown = np.full(x.shape, np.nan)
    try:
        found = np.asarray(subject.claimed())
    except Exception as error:  # of whatever a user wrote
        text = f"{type(error).__name__}: {told(error)}"
        return Part(subject.name, x, unknown, low, high, _("it raises {error}").format(error=text))
    if found.shape != x.shape:
        note = _("it has the shape {found} where the input has {shape}").format(found=found.shape, shape=x.shape)
        return Part(subject.name, x, unknown, low, high, note)
    return Part(subject.name, x, found.astype(np.float64), low, high)
