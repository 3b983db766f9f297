"""The same bits from any machine: a hash of results over fixed inputs, and another instruction set beside this one.

tests/hashes.json holds the hashes. helpers/hashes.py writes them anew, after a change of results that is meant. Bits
are the same for every instruction set, since fma is explicit and nothing else is contracted.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from helpers.catalogue import ACTIVATIONS
from helpers.hashes import HASHES, digest


@pytest.mark.skipif(sys.byteorder == "big", reason="the hashes are of little-endian numbers")
def test_hashes(activation: Any) -> None:
    expected = json.loads(HASHES.read_text())
    if activation.name not in expected:
        pytest.skip(f"{activation.name} is new; helpers/hashes.py notes its hash")
    assert digest(activation.name) == expected[activation.name], "results changed; see helpers/hashes.py if meant"


@pytest.mark.slow
def test_every_hash_is_noted() -> None:
    assert sorted(json.loads(HASHES.read_text())) == sorted(ACTIVATIONS)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_generic_processor(python: Any) -> None:
    """A processor without AVX and FMA gives the same bits."""
    code = (
        "import json, sys; sys.path.insert(0, 'tests'); from helpers import hashes; print(json.dumps(hashes.digests()))"
    )
    assert json.loads(python(code, NUMBA_CPU_NAME="generic")) == json.loads(HASHES.read_text())
