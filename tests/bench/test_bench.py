"""The benchmark's own arithmetic: cases, stopwatch, ratios and their file. No speed is asserted here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastact as fa
from fastact.measure.bench import results, timing
from fastact.measure.bench.cases import DTYPES, LAYOUTS, Case, label
from fastact.measure.bench.families import FAMILIES, PARTS, Family, activations, canonical, family_of, grid, operands
from fastact.measure.bench.measure import measure
from fastact.measure.bench.timing import Contender, interleaved
from helpers.catalogue import ACTIVATIONS

CASE = Case("tanh", size=1000)


@pytest.fixture(autouse=True)
def short_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "TURN", 10_000)


def cells(*names: str) -> list[Case]:
    return grid(names, PARTS, ("float32", "float64"), (1, 1000), LAYOUTS)


def test_the_grid_has_every_activation_once() -> None:
    assert activations() == ACTIVATIONS
    found = cells("relu", "tanh")
    assert len(set(found)) == len(found) == 2 * len(PARTS) * 2 * 2 * len(LAYOUTS)
    assert [case.elements for case in found] == sorted(case.elements for case in found)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: next(iter(family.functions())))
def test_the_grid_has_all_that_a_family_can_do(family: Family) -> None:
    for name, parts in family.functions().items():
        assert (family_of(name), canonical(name)) == (family, name)
        own = grid([name], parts, family.dtypes, (12,), family.layouts)
        assert len(own) == len(parts) * len(family.dtypes) * len(family.layouts)


@pytest.mark.parametrize("family", FAMILIES[1:], ids=lambda family: next(iter(family.functions())))
def test_measure_times_every_function(family: Family) -> None:
    for name, parts in family.functions().items():
        for case in grid([name], parts, ["float32"], (12,), ["new"]):
            assert measure(case, [], 1e-4).keys() == {"fastact", "copy"}, case


def test_functions_of_rows_have_shapes() -> None:
    softmax = family_of("softmax")
    sizes: tuple[Any, ...] = (7, 1000, 10**6, 1_000_003, (3, 4, 5))
    fitted = [(1, 7), (1, 1000), (1000, 1000), (1_000_003, 1), (3, 4, 5)]
    assert [softmax.fitted("softmax", size) for size in sizes] == fitted
    assert [label(size) for size in (*sizes, *fitted[:1])] == ["7", "1e3", "1e6", "1000003", "3x4x5", "1x7"]
    assert [case.size for case in grid(["softmax"], ["forward"], ["float32"], (), ["new"])] == [(128, 10), (4096, 1000)]


@pytest.mark.parametrize(
    ("name", "choice", "says"),
    [
        ("softmax", {"parts": ["derivative"]}, "softmax has no part derivative; choose from forward, backward"),
        ("swiglu", {"layouts": ["strided", "inplace"]}, "strided or inplace; choose from new, out"),
        ("relu", {"sizes": [(2, 3)]}, "relu acts on single elements"),
        ("rrelu", {}, "rrelu"),
    ],
)
def test_what_a_family_lacks_is_said(name: str, choice: dict[str, Any], says: str) -> None:
    given: dict[str, Any] = {"parts": ["forward"], "dtypes": ["float32"], "sizes": [10], "layouts": ["new"]}
    with pytest.raises(ValueError, match=says):
        grid([name], **(given | choice))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("size", [1, 1000, 1001])
def test_operands_are_laid_out_as_said(dtype: str, layout: str, size: int) -> None:
    arrays, out, original = operands(Case("tanh", "backward", dtype, size, layout))
    assert [array.size for array in arrays] == [size, size]
    assert {array.dtype.name for array in arrays} == {dtype}
    assert (out is not None) == (layout in ("out", "inplace"))
    assert (out is arrays[0]) == (original is not None) == (layout == "inplace")
    if size > 1:
        assert (arrays[0].strides[0] == 2 * arrays[0].itemsize) == (layout == "strided")
        assert (arrays[0].ndim == 2 and arrays[0].flags.f_contiguous) == (layout == "transposed")


def test_operands_come_back_after_a_call_in_place() -> None:
    given = operands(CASE._replace(layout="inplace"))
    fa.tanh(given.arrays[0], out=given.out)
    given.restore()
    np.testing.assert_array_equal(given.arrays[0], operands(CASE).arrays[0])


def test_slow_contenders_drop_out_and_restore_comes_before_each_call() -> None:
    calls: list[str] = []
    clock = {"fast": 1, "slow": 1000, "own": 1000}

    def contender(name: str) -> Contender:
        def call() -> None:
            calls.append(name)
            sum(range(100 * clock[name]))

        return Contender(call)

    least = interleaved({name: contender(name) for name in clock}, 0.5, ["own"], lambda: calls.append("restore"))
    assert least["fast"] < least["slow"]
    assert calls[::2] == ["restore"] * (len(calls) // 2)
    assert calls.count("slow") < calls.count("own")


def test_the_context_of_a_contender_is_around_its_calls() -> None:
    events: list[str] = []

    class Around:
        def __enter__(self) -> None:
            events.append("in")

        def __exit__(self, *error: Any) -> None:
            events.append("out")

    interleaved({"a": Contender(lambda: events.append("call"), Around)}, 1e-3)
    assert events[:3] == ["in", "call", "out"]
    depth = np.cumsum([{"in": 1, "out": -1, "call": 0}[event] for event in events])
    assert {depth[i] for i, event in enumerate(events) if event == "call"} == {1}


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_measure_times_fastact_copy_and_peers(part: str, layout: str) -> None:
    times = measure(CASE._replace(part=part, layout=layout), ["numpy"], 1e-3)
    assert set(times) == {"fastact", "copy", "numpy"}
    assert min(times.values()) > 0


def found() -> Iterator[tuple[Case, dict[str, float]]]:
    for k, case in enumerate([*cells("relu", "tanh"), Case("softmax", size=(10, 20))]):
        times = {"fastact": 1.0 + k, "copy": 0.5, "torch": 3.0, "jax": 4.0}
        yield case, times if case.layout != "strided" else {"fastact": 2.0, "copy": 1.0}


def test_results_survive_their_file(tmp_path: Path) -> None:
    results.save(tmp_path / "a.json", dict(found()), {"threads": 2})
    assert results.load(tmp_path / "a.json") == (dict(found()), {"threads": 2})


def test_ratios() -> None:
    times = {"fastact": 2.0, "copy": 1.0, "torch": 3.0, "jax": 4.0}
    assert results.best_peer(times) == "torch"
    assert results.ratio(times) == 1.5
    assert results.copy_share(times) == 0.5
    assert np.isnan(results.ratio({"fastact": 2.0, "copy": 1.0}))
    assert results.geometric_mean([2.0, 8.0, float("nan")]) == pytest.approx(4)
    below = [results.ratio(times) for _, times in results.slower(dict(found()))]
    assert below == sorted(below)
    assert max(below) < 1
