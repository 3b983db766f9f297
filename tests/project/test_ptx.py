"""Which cases of tools/ptx are a sample."""

from __future__ import annotations

from types import ModuleType

import pytest

from helpers import tools


@pytest.fixture(scope="module")
def cases() -> ModuleType:
    return tools.tool("ptx/cases")


def test_a_sample_has_every_label_in_few_cases(cases: ModuleType) -> None:
    labels = [(f, n, axis) for f in ("gelu", "mish") for n in ("3", "70", "500", "1e4") for axis in ("rows", "columns")]
    everything = [cases.Case(each, lambda: None) for each in labels]
    sample = cases.some(everything, 20)
    assert len(sample) == 4
    assert {label for case in sample for label in case.labels} == {label for each in labels for label in each}
    assert sample == cases.some(everything[::-1], 20)
    assert cases.some(everything, 3) == sample[:3]


def test_a_sample_has_no_long_case(cases: ModuleType) -> None:
    short, long = cases.Case(("short",), lambda: None), cases.Case(("long",), lambda: None, long=True)
    assert cases.some([long, short], 20) == [short]
