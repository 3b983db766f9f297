"""All families of functions, and the grid of their cases. A new family is a module with a FAMILY, named here."""

from __future__ import annotations

from collections.abc import Sequence

import fastact as fa
from fastact.measure.bench import elementwise, gated, losses, softmax, sparse
from fastact.measure.bench.cases import Case, Size
from fastact.measure.bench.family import Family

__all__ = ["FAMILIES", "canonical", "family_of", "grid"]

FAMILIES = (elementwise.FAMILY, softmax.FAMILY, sparse.FAMILY, losses.FAMILY, gated.FAMILY)


def canonical(name: str) -> str:
    """The name that a function is timed under, of its name or alias.

    Raises
    ------
    UnknownNameError
        If there is no such function.
    """
    return name if any(name in family.functions() for family in FAMILIES) else fa.get(name).name


def family_of(name: str) -> Family:
    """The family of this function.

    Raises
    ------
    ValueError
        If no family has it.
    """
    for family in FAMILIES:
        if name in family.functions():
            return family
    raise ValueError(f"{name} is not among the functions that are timed")


def grid(
    names: Sequence[str],
    parts: Sequence[str],
    dtypes: Sequence[str],
    sizes: Sequence[Size],
    layouts: Sequence[str],
) -> list[Case]:
    """All combinations that exist, by size, so that the arrays of one size are made once; no sizes: each family's own.

    Raises
    ------
    ValueError
        If a function has none of the parts, dtypes or layouts, or a size does not suit it.
    """
    cases = []
    for kind in dtypes:
        for name in names:
            family = family_of(name)
            own_parts = _able(name, "part", parts, family.functions()[name])
            own_layouts = _able(name, "layout", layouts, family.layouts)
            _able(name, "dtype", dtypes, family.dtypes)
            for size in [family.fitted(name, size) for size in sizes or family.sizes] if kind in family.dtypes else ():
                cases += [Case(name, part, kind, size, layout) for part in own_parts for layout in own_layouts]
    return sorted(cases, key=lambda case: case.elements)


def _able(name: str, field: str, asked: Sequence[str], able: Sequence[str]) -> list[str]:
    """Those of `asked` that a function has.

    Raises
    ------
    ValueError
        If it has none of them.
    """
    both = [each for each in asked if each in able]
    if not both:
        raise ValueError(f"{name} has no {field} {' or '.join(asked)}; choose from {', '.join(able)}")
    return both
