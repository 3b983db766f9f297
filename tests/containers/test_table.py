"""docs/guides/containers.md says what every kind of container gives today; tools/containers.py writes its table."""

from __future__ import annotations

import pytest

from helpers import ROOT
from helpers.containers import CONTAINERS, FAMILIES, Container, outcome, table


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("container", CONTAINERS, ids=lambda each: each.name)
def test_outcome(container: Container, family: str) -> None:
    """Kind, numbers, labels, missing values and laziness are kept, unless a call with sparse arrays is refused."""
    for library in container.libraries:
        pytest.importorskip(library)
    found = outcome(container, family)
    if found.refused:
        assert not {"scipy.sparse", "sparse"}.isdisjoint(container.libraries)
    else:
        assert found == (False, True, True, True, True, container.lazy)


def test_document() -> None:
    for library in {library for each in CONTAINERS for library in each.libraries}:
        pytest.importorskip(library)
    text = (ROOT / "docs" / "guides" / "containers.md").read_text(encoding="utf-8")
    assert table() in text, "python tools/containers.py writes it anew"
