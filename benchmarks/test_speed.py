"""pytest-benchmark's view of a moderate part of the grid: `pytest benchmarks`. No peer may be faster.

Speed is asserted here, never in tests/: the machine should have nothing else to do. The whole grid is grid.py's.
"""

from __future__ import annotations

from typing import Any

import pytest

import fastact as fa
from fastact.measure.bench import libraries
from fastact.measure.bench.cases import LAYOUTS, Case
from fastact.measure.bench.families import activations, grid, operands, operation
from fastact.measure.bench.measure import measure
from fastact.measure.bench.results import best_peer, ratio
from fastact.measure.bench.timing import calling

#: Every activation as it is called most, and five of them in every other way.
CASES = [
    *grid(activations(), ["forward"], ["float32"], [1_000, 1_000_000], ["new"]),
    *grid(["relu", "sigmoid", "tanh", "silu", "gelu"], ["derivative", "backward"], ["float32"], [100_000], ["new"]),
    *grid(["relu", "sigmoid", "tanh", "silu", "gelu"], ["forward"], ["float64"], [100_000], LAYOUTS),
]


@pytest.fixture(scope="module", autouse=True)
def threads() -> None:
    libraries.set_threads(fa.get_num_threads())


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("case", CASES, ids=str)
def test_no_peer_is_faster(case: Case, benchmark: Any) -> None:
    arrays, out, _ = operands(case)
    benchmark.pedantic(calling(operation(case), *arrays, out=out), rounds=20, warmup_rounds=1)
    times = measure(case, libraries.installed(), budget=0.3)
    benchmark.extra_info.update(times)
    assert not ratio(times) < 1, f"{best_peer(times)} is faster: {times}"
