"""What the benchmarks time is the same function in every library: each library beside fastact, in every family."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from fastact.measure.bench import libraries
from fastact.measure.bench.cases import DTYPES, LAYOUTS, Case
from fastact.measure.bench.families import FAMILIES, PARTS, Family, activations, family_of, operands, operation

#: Relative to the larger of 1 and the value; peers err by less. PyTorch's float64 hard_sigmoid has a float32 1/6.
TOLERANCE = {"float16": 2e-2, "bfloat16": 1e-1, "float32": 2e-5, "float64": 1e-7}
KINDS = [("new", dtype) for dtype in DTYPES] + [(layout, "float32") for layout in LAYOUTS if layout != "new"]


@pytest.fixture(params=libraries.NAMES)
def library(request: pytest.FixtureRequest) -> str:
    if request.param not in libraries.installed():
        pytest.skip(f"{request.param} is not installed")
    return request.param


@pytest.mark.filterwarnings("default::DeprecationWarning")  # a peer's own
@pytest.mark.parametrize(("layout", "dtype"), KINDS)
def test_peers_compute_the_same_function(library: str, layout: str, dtype: str) -> None:
    for case in (Case(name, part, dtype, 1000, layout) for name in activations() for part in PARTS):
        arrays, out, _ = operands(case)
        exact = operation(case)(*(array.astype(float) for array in arrays), backend="numpy")
        contender = libraries.library(library).ELEMENTWISE.contender(case.name, case.part, arrays, out)
        if contender is None:
            continue
        with contender.around():
            result = libraries.as_numpy(contender.call())
        assert (result.shape, result.dtype) == (arrays[0].shape, arrays[0].dtype), case
        error = np.abs(result.astype(float) - exact) / np.maximum(np.abs(exact), 1)
        # In the half types, a few numbers in a thousand lie on a kink, where libraries differ.
        assert np.quantile(error, 0.98) < TOLERANCE[dtype], case


def test_no_cell_is_empty_beside_scipy() -> None:
    """Between them, NumPy's and SciPy's tables have every part of every activation."""
    pytest.importorskip("scipy")
    for name in activations():
        for part in PARTS:
            assert any(libraries.library(each).ELEMENTWISE.has(name, part) for each in ("numpy", "scipy")), name


def others(family: Family) -> Iterator[Case]:
    """Small cases of all that the functions of a family can do, but for what is drawn at random."""
    for name, parts in family.functions().items():
        for part in parts if name != "gumbel_softmax" else ():
            case = Case(name, part, size=(6, 7) if family.rows else 40)
            yield from (case._replace(dtype=kind) for kind in DTYPES)
            yield from (case._replace(layout=layout) for layout in family.layouts)
            if family.rows and family is not family_of("mse"):
                yield case._replace(axis=0)


MASKED = [
    Case(name, "forward", "float32", (2, 3, 4, 4), data=data)
    for name in ("softmax", "softmin", "log_softmax", "logsumexp")
    for data in ("full", "padding", "causal")
]
CLOSE = [Case(name, size=(6, 7), data="close") for name in ("sparsemax", "entmax15", "hardmax")]


@pytest.mark.filterwarnings("default::DeprecationWarning")
@pytest.mark.parametrize("family", FAMILIES[1:], ids=lambda family: next(iter(family.functions())))
def test_peers_of_the_other_families_compute_the_same(library: str, family: Family) -> None:
    special = [case for case in MASKED + CLOSE if case.name in family.functions()]
    for case in [*others(family), *special]:
        own, peers, _ = family.contest(case, [library])
        for contender in peers.values():
            with contender.around():
                wanted, found = flat(own.call()), flat(contender.call())
            np.testing.assert_allclose(found, wanted, TOLERANCE[case.dtype], TOLERANCE[case.dtype], err_msg=str(case))


def flat(results: Any) -> np.ndarray:
    """All numbers of one or several results."""
    several = results if isinstance(results, tuple | list) else [results]
    return np.concatenate([libraries.as_numpy(each).astype(float).ravel() for each in several])
