"""The benchmarks time the same function in every library: each peer in the tables agrees with fastact."""

from __future__ import annotations

import numpy as np
import pytest

from fastact.bench import peers
from fastact.bench.cases import DTYPES, LAYOUTS, PARTS, Case, activations, operands

#: Relative to the larger of 1 and the value; peers err by less. PyTorch's float64 hard_sigmoid has a float32 1/6.
TOLERANCE = {"float16": 2e-2, "bfloat16": 1e-1, "float32": 2e-5, "float64": 1e-7}
KINDS = [("new", dtype) for dtype in DTYPES] + [(layout, "float32") for layout in LAYOUTS if layout != "new"]


@pytest.fixture(params=peers.LIBRARIES)
def library(request: pytest.FixtureRequest) -> str:
    if request.param not in peers.installed():
        pytest.skip(f"{request.param} is not installed")
    return request.param


@pytest.mark.filterwarnings("default::DeprecationWarning")  # a peer's own
@pytest.mark.parametrize(("layout", "dtype"), KINDS)
def test_peers_compute_the_same_function(library: str, layout: str, dtype: str) -> None:
    for case in (Case(name, part, dtype, 1000, layout) for name in activations() for part in PARTS):
        arrays, out, _ = operands(case)
        exact = case.operation(*(array.astype(float) for array in arrays), backend="numpy")
        contender = peers.contender(library, case.name, case.part, arrays, out)
        if contender is None:
            continue
        with contender.around():
            result = peers.as_numpy(contender.call())
        assert (result.shape, result.dtype) == (arrays[0].shape, arrays[0].dtype), case
        error = np.abs(result.astype(float) - exact) / np.maximum(np.abs(exact), 1)
        # In the half types, a few numbers in a thousand lie on a kink, where libraries differ.
        assert np.quantile(error, 0.98) < TOLERANCE[dtype], case


def test_no_cell_is_empty_beside_scipy() -> None:
    """Between them, NumPy's and SciPy's tables have every part of every activation."""
    pytest.importorskip("scipy")
    for name in activations():
        for part in PARTS:
            arrays, out, _ = operands(Case(name, part, size=10))
            assert any(peers.contender(library, name, part, arrays, out) for library in ("numpy", "scipy")), name
