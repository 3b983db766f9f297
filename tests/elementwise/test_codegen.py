"""A look into the machine code of every kernel: packed instructions, no wider float type, no calls.

LLVM's final text is read, so this holds on every processor; the other tests run these kernels.
"""

from __future__ import annotations

import math
import platform
import re
from typing import Any, NamedTuple

import numpy as np
import pytest
from llvmlite.binding import get_host_cpu_features

import fastact as fa
from fastact._kernels.compile import cache as _cache
from fastact._kernels.compile import loops
from helpers.catalogue import ACTIVATIONS, PARTS

ONE_INSTRUCTION = r"llvm\.(?:fma|fabs|copysign|sqrt|floor|fshl|ldexp|[su]?max|[su]?min|maximum|minimum)\."
ARITHMETIC = r"= (?:f(?:add|sub|mul|div|cmp|neg)|tail call|call|select)\b"

FEATURES = get_host_cpu_features()

KERNELS = [
    (name, part, array_parameters)
    for name in ACTIVATIONS
    for part in PARTS
    for array_parameters in ((False, True) if fa.get(name).parameters else (False,))
]


class Code(NamedTuple):
    """What a kernel for numbers of `size` bytes is compiled to."""

    size: int
    llvm: str
    assembly: str


def code_of_last(size: int) -> Code:
    """What the kernel was compiled to that was compiled last."""
    compiled = loops._compiled[-1]
    return Code(size, compiled.inspect_llvm(), compiled._library.get_asm_str())


@pytest.fixture(scope="module", params=[4, 8], ids=["float32", "float64"])
def size(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(scope="module", params=KERNELS, ids=lambda k: f"{k[0]}-{k[1]}{'-arrays' * k[2]}")
def code(request: pytest.FixtureRequest, size: int) -> Code:
    """A kernel, compiled once for all tests, which run one after another."""
    name, part, array_parameters = request.param
    operation = fa.get(name) if part == "forward" else getattr(fa.get(name), part)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(_cache, "load", lambda name: None)
        layout = operation._inputs, len(operation.parameters), operation._outputs
        loops.compile_loop(operation._jitted, operation.name, *layout, np.dtype(f"f{size}"), array_parameters)
    return code_of_last(size)


def main_loop(llvm: str) -> str:
    """The body of the vectorised loop."""
    blocks = re.findall(r"^vector\.body:.*?(?=^\S|\Z)", llvm, re.M | re.S)
    assert len(blocks) == 1, "the loop is not vectorised"
    return blocks[0]


def test_main_loop_is_packed(code: Code) -> None:
    kind, body = {4: "float", 8: "double"}[code.size], main_loop(code.llvm)
    assert re.search(rf"store <\d+ x {kind}>", body)
    for line in body.splitlines():
        if re.search(ARITHMETIC, line):
            assert re.search(r"<\d+ x ", line), f"not packed: {line.strip()}"


@pytest.mark.skipif(not FEATURES.get("avx2"), reason="this processor has no vectors of 256 bits")
def test_vectors_are_as_wide_as_they_go(code: Code) -> None:
    """By default LLVM uses half of the width on some processors."""
    width = 64 if FEATURES.get("avx512f") else 32
    kind = {4: "float", 8: "double"}[code.size]
    assert f"store <{width // code.size} x {kind}>" in main_loop(code.llvm)


def test_no_other_float_type(code: Code) -> None:
    assert not re.search({4: r"\bdouble\b", 8: r"\bfloat\b"}[code.size], code.llvm)


def calls(code: Code) -> set[str]:
    """What the main loop calls: intrinsics of LLVM that are one instruction, or else functions of a library."""
    names = re.findall(r"\bcall\b[^@\n]*@([\w.]+)", main_loop(code.llvm))
    library = re.findall(r"\b(?:fma|exp|expm1|ldexp|tanh|erfc?|log|log1p)f?\b", code.assembly)
    return {name for name in names if not re.match(ONE_INSTRUCTION, name)} | set(library)


def test_no_calls(code: Code) -> None:
    assert calls(code) == set()


@pytest.mark.usefixtures("no_cache", "own_registry")
def test_calls_would_be_seen() -> None:
    @fa.activation
    def libm(x):  # type: ignore[no-untyped-def]
        return math.exp(x)

    libm(1.0)
    assert "exp" in calls(code_of_last(8))


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="names x86 instructions")
def test_instructions_keep_the_width(code: Code) -> None:
    """No arithmetic in the other float type, and no conversion to it, anywhere in the assembly."""
    other = {4: "(?:sd|pd)", 8: "(?:ss|ps)"}[code.size]
    stem = r"\bv?(?:add|sub|mul|div|max|min|fn?m(?:add|sub)\w*|cvt\w*2)"
    assert not re.search(stem + other + r"\b", code.assembly)
