"""All families of functions, how fastact computes their cases, and the grid of these.

A new function of a family is a name in its table; a new family is its calls and a line in FAMILIES.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

import fastact as fa
from fastact.measure.bench import cases
from fastact.measure.bench.cases import DTYPES, GATES, LAYOUTS, Array, Case, Operands, Size, dtype, label
from fastact.measure.bench.libraries import as_numpy, calls, library
from fastact.measure.bench.libraries.peer import keep
from fastact.measure.bench.timing import Contender, calling

__all__ = [
    "FAMILIES", "PARTS", "Contest", "Family", "activations", "canonical", "elementwise", "family_of", "function",
    "grid", "operands", "operation",
]  # fmt: skip

#: Columns of the rows that a mere number of elements is arranged in, at most.
COLUMNS = 1000
#: Of activations.
PARTS = ("forward", "derivative", "backward")


class Contest(NamedTuple):
    """The calls of a case: fastact's, its peers', and what undoes a call where that is needed."""

    own: Contender
    peers: dict[str, Contender]
    restore: Callable[[], None] | None = None


class Family(NamedTuple):
    """Functions that are called alike.

    functions : gives the functions' names and the parts of each
    contest : makes the calls of a case; the libraries are those that may take part
    arrays : how many arrays as large as the case a call reads and writes
    layouts, dtypes : what all functions can be timed with
    sizes : what is timed if nobody says
    rows : whether a size is the shape of an array of rows
    """

    functions: Callable[[], Mapping[str, tuple[str, ...]]]
    contest: Callable[[Case, Sequence[str]], Contest]
    arrays: Callable[[Case], int]
    layouts: tuple[str, ...] = ("new",)
    dtypes: tuple[str, ...] = DTYPES
    sizes: tuple[Size, ...] = ((128, 10), (4096, 1000))
    rows: bool = True

    def moved(self, case: Case) -> int:
        """The bytes that a call reads and writes."""
        return self.arrays(case) * case.elements * dtype(case.dtype).itemsize

    def fitted(self, name: str, size: Size) -> Size:
        """A size as this family's cases have it: a number of elements becomes rows of at most COLUMNS.

        Raises
        ------
        ValueError
            For a shape, if the family has no rows.
        """
        if isinstance(size, tuple):
            if not self.rows:
                raise ValueError(f"{name} acts on single elements; give their number, not the shape {label(size)}")
            return size
        if not self.rows:
            return size
        columns = next(n for n in range(min(size, COLUMNS), 0, -1) if size % n == 0)
        return size // columns, columns


# ---- Activations, in five layouts. Every library gets the same values in the same layout and gives an array of the
# same dtype; a backward pass takes (grad_output, x), a derivative x. Each goes its best way: PyTorch calls its backward
# kernels, and autograd where there is none, and writes to `out` where it can. JAX and onnxruntime, which have neither,
# get the plain call for out= and in place, and take no part in strided and transposed layouts.


def activations() -> list[str]:
    """The names of all elementwise activations."""
    return [name for name in fa.names() if isinstance(fa.get(name), fa.Activation)]


def operation(case: Case) -> Callable[..., Any]:
    """The function of fastact that a case times."""
    activation = fa.get(case.name)
    return activation if case.part == "forward" else getattr(activation, case.part)


def operands(case: Case) -> Operands:
    """(grad_output, x) or x."""
    return cases.operands(case, 2 if case.part == "backward" else 1)


def elementwise(case: Case, libraries: Sequence[str]) -> Contest:
    """The calls of an activation."""
    arrays, out, original = given = operands(case)
    own = Contender(calling(operation(case), *arrays, out=out))
    made = {name: library(name).ELEMENTWISE.contender(case.name, case.part, arrays, out) for name in libraries}
    peers = {name: contender for name, contender in made.items() if contender is not None}
    return Contest(own, peers, None if original is None else given.restore)


def function(library_name: str, name: str, part: str) -> Callable[..., Array]:
    """What a library computes for a part of an activation, as a function of arrays."""

    def f(*arrays: Array) -> Array:
        call, around = library(library_name).ELEMENTWISE.contender(name, part, arrays)
        with around():
            return as_numpy(call())

    return f


# ---- The softmax family over an axis. `data` of a case is its mask: `full`, a boolean array; `padding`, a number of
# keys for each batch; `causal`. Every library takes the same array and returns a new one; with layout `out` fastact and
# PyTorch write into one. A backward pass takes (grad_output, output).

BOTH = ("forward", "backward")
SOFTMAX = {"softmax": BOTH, "log_softmax": BOTH, "softmin": BOTH, "logsumexp": ("forward",)}


def _softmax(case: Case, libraries: Sequence[str]) -> Contest:
    arrays, out, _ = cases.operands(case, 2 if case.part == "backward" else 1, deviation=1.0)
    f, settings = getattr(fa, case.name), _settings(case)
    if case.part == "backward":
        g, x = arrays
        arrays = g, f(x, **settings)
        f = f.backward
    if out is not None:
        settings["out"] = out = np.empty_like(out.take(0, case.axis)) if case.name == "logsumexp" else out
    return Contest(Contender(lambda: f(*arrays, **settings)), calls("softmax", libraries, case, arrays, out))


def _settings(case: Case) -> dict[str, Any]:
    """Axis and mask as fastact takes them."""
    if case.data == "padding":
        return {"axis": case.axis, "lengths": keep(case).sum(-1)[:, 0, 0]}
    mask: Any = "causal" if case.data == "causal" else keep(case) if case.data else None
    return {"axis": case.axis} if mask is None else {"axis": case.axis, "where": mask}


# ---- sparsemax, entmax15, hardmax and gumbel_softmax. The peers sort each row, as papers and packages do, or take its
# argmax. Rows are standard normal numbers, of which few are in the support; with `data` "close" their differences are
# so small that most are. Backward passes have no peers, nor have the half types.

SPARSE = dict.fromkeys(("sparsemax", "entmax15", "hardmax", "gumbel_softmax"), BOTH)
CLOSE = 1e-4


def _sparse(case: Case, libraries: Sequence[str]) -> Contest:
    *_, x = cases.operands(case, deviation=CLOSE if case.data == "close" else 1.0).arrays
    f, axis = getattr(fa, case.name), case.axis
    noise = (np.random.default_rng(0),) if case.name == "gumbel_softmax" else ()
    if case.part == "backward":
        y = f(x, *noise, axis=axis)
        return Contest(Contender(lambda: f.backward(x, y, axis=axis)), {})
    return Contest(Contender(lambda: f(x, *noise, axis=axis)), calls("sparse", _exact(case, libraries), case, x))


def _exact(case: Case, libraries: Sequence[str]) -> Sequence[str]:
    """The libraries, but none for the half types."""
    return libraries if case.dtype in ("float32", "float64") else ()


# ---- Losses: the mean over random targets, alone or with its gradient. Classes lie along the last axis.

_VALUED = ("forward", "value_and_grad")
LOSSES = {"cross_entropy": _VALUED, "nll_loss": ("forward",)} | dict.fromkeys(
    ("binary_cross_entropy", "mse", "mae", "huber", "quantile_loss", "poisson_loss"), _VALUED
)
#: Those whose targets are classes.
OF_CLASSES = ("cross_entropy", "nll_loss")


def _losses(case: Case, libraries: Sequence[str]) -> Contest:
    (x,) = cases.operands(case, deviation=1.0).arrays
    random, f = np.random.default_rng(1), getattr(fa, case.name)
    if case.name in OF_CLASSES:  # PyTorch has classes in the second axis
        x = x.reshape(-1, x.shape[-1])
        targets = random.integers(0, x.shape[-1], len(x))
    else:
        targets = np.asarray(random.random(x.shape), x.dtype)
    own = f if case.part == "forward" else f.value_and_grad
    return Contest(Contender(lambda: own(x, targets)), calls("losses", _exact(case, libraries), case, x, targets))


# ---- Gated linear units: a value times an activation of a gate, and the gradients of both. The peers' are made of
# their activations; JAX compiles both into one function. glu takes the value and the gate as the halves of one array.


def _gated(case: Case, libraries: Sequence[str]) -> Contest:
    backward = case.part == "backward"
    arrays, out, _ = cases.operands(case, 3 if backward else 2)
    outs = () if out is None else (out, np.zeros_like(out))
    peers = calls("gated", libraries, case, arrays, outs)
    f: Any = getattr(fa, case.name)
    f = f.backward if backward else f
    target: Any = outs if backward else out
    if case.name == "glu":
        *g, value, gate = arrays
        arrays = *g, np.concatenate([value, gate])
        target = np.zeros_like(arrays[-1]) if backward else out
    keywords = {} if out is None else {"out": target}
    return Contest(Contender(lambda: f(*arrays, **keywords)), peers)


FAMILIES = (
    Family(
        lambda: {name: PARTS if fa.get(name).differentiable else ("forward",) for name in activations()}, elementwise,
        lambda case: 3 if case.part == "backward" else 2, LAYOUTS, sizes=(1_000, 1_000_000), rows=False,
    ),
    Family(
        lambda: SOFTMAX, _softmax, lambda case: 1 if case.name == "logsumexp" else 3 if case.part == "backward" else 2,
        ("new", "out", "strided", "transposed"),
    ),
    Family(lambda: SPARSE, _sparse, lambda case: 3 if case.part == "backward" else 2),
    Family(lambda: LOSSES, _losses, lambda case: 2 - (case.name in OF_CLASSES) + (case.part == "value_and_grad")),
    Family(
        lambda: dict.fromkeys(GATES, BOTH), _gated, lambda case: 5 if case.part == "backward" else 3, ("new", "out"),
        sizes=(1_000, 1_000_000), rows=False,
    ),
)  # fmt: skip


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
