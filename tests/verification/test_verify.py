"""`fastact.verify`: what is wrong with an implementation is found, and what is right passes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fastact as fa
from fastact.measure.bench import families
from fastact.measure.verification import definitions
from fastact.measure.verification.formats import FORMATS
from fastact.measure.verification.inputs import Blocks, kinks, sample
from fastact.measure.verification.intervals import intervals
from fastact.measure.verification.measuring import Counts, Tally
from fastact.measure.verification.reference import named
from helpers import kernels
from helpers.catalogue import ACTIVATIONS

pytest.importorskip("mpmath")

#: So many float32 numbers are enough for these.
FEW = 20_000


def found(function: Any, against: str | None = None, **options: Any) -> Any:
    """A verification of few numbers."""
    return fa.verify(function, against, **{"samples": FEW, **options})


def measured(verification: Any, dtype: str, part: str = "forward") -> Any:
    return next(each for each in verification.measurements if (each.kind.name, each.part) == (dtype, part))


@pytest.mark.parametrize("part", ["forward", "derivative"])
@pytest.mark.parametrize("library", ["numpy", "scipy", "torch"])
def test_definitions(library: str, part: str) -> None:
    """They agree with what other libraries compute; NumPy and PyTorch together have all of them."""
    peers = pytest.importorskip(f"fastact.measure.bench.libraries.{library}")
    for package in peers.NEEDS:
        pytest.importorskip(package)
    x = np.array([-30, -8.3, -3, -1.1, -0.7, -0.1, -1e-3, 0, 1e-3, 0.1, 0.6, 1.1, 1.4, 3, 6, 7.7, 30])
    names = [name for name in definitions.DEFINITIONS if peers.ELEMENTWISE.has(name, part)]
    assert len(names) > 1
    for name in names:
        exact, _ = definitions.exact(name, part, x, list(fa.get(name).parameters.values()))
        with np.errstate(all="ignore"):
            theirs = families.function(library, name, part)(x)
        rtol = 1e-7 if (library, name) == ("torch", "hard_sigmoid") else 1e-12  # its 1/6 is a float32
        np.testing.assert_allclose(exact, theirs, rtol, 1e-15, err_msg=name)


def test_every_activation_has_a_definition() -> None:
    """Its parameters have the same names."""
    found = {name: list(definition.names[1:]) for name, definition in definitions.DEFINITIONS.items()}
    assert found == {name: list(fa.get(name).parameters) for name in ACTIVATIONS}


@pytest.mark.parametrize("name", ["gelu", "hard_silu", "leaky_relu", "softsign"])
def test_figures_are_those_of_the_documentation(name: str, documented: dict[str, Any]) -> None:
    verification = found(f"fastact:{name}", max_ulp=1)
    assert verification.passed
    for part in ("forward", "derivative"):
        row = documented[f"{name} {part}"]
        for dtype in ("float16", "bfloat16"):
            assert measured(verification, dtype, part).ulp == pytest.approx(row[dtype], abs=1e-6)
        assert measured(verification, "float32", part).ulp <= row["ulp"] + 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gelu", "tanh"])
def test_all_figures_are_those_of_the_documentation(name: str, documented: dict[str, Any]) -> None:
    verification = found(f"fastact:{name}", dtypes=["float32"], exhaustive=True)
    for part in ("forward", "derivative"):
        row, each = documented[f"{name} {part}"], measured(verification, "float32", part)
        assert each.counts.inputs == row["count"]
        assert each.ulp == pytest.approx(row["ulp"], abs=1e-6)
        assert each.at == row["at"]
        assert each.mean == pytest.approx(row["mean"], rel=1e-6)
        assert each.counts.rounded / each.counts.inputs == pytest.approx(row["over"], rel=1e-4)


@pytest.fixture(scope="module")
def documented() -> Any:
    from helpers import ROOT

    return json.loads((ROOT / "docs" / "accuracy.json").read_text())["fastact"]


def test_numpy_passes() -> None:
    verification = found("numpy:tanh", dtypes=["float16", "float32"])
    assert verification.passed
    assert "NumPy does not differentiate" in verification.without_derivative


@pytest.mark.parametrize("function", kernels.FAULTS, ids=lambda each: each.__name__)
def test_faults_are_found(function: Callable[..., Any]) -> None:
    dtypes = ["float16"] if function is kernels.one_wrong else ["float32"]
    verification = found(function, "tanh", dtypes=dtypes)
    assert not verification.passed
    assert not verification
    told = " ".join(verification.sentences())
    for words in kernels.FAULTS[function]:
        assert words in told


def test_a_single_wrong_number_of_float16_is_the_only_one() -> None:
    one = measured(found(kernels.one_wrong, "tanh", dtypes=["float16"]), "float16")
    assert one.counts.wrong == 1
    assert one.at == np.float16(1 / 3)
    assert [(each.low, each.high, each.wrong) for each in one.where] == [(one.at, one.at, 1)]


def test_torch() -> None:
    """Its float32 silu is wrong from -107 to -88.7 without exception, its gelu below -6."""
    pytest.importorskip("torch")
    for name, low, high in (("silu", -106, -89), ("gelu", -13, -6)):
        verification = found(f"torch:{name}", dtypes=["float32"])
        assert not verification.passed
        whole = measured(verification, "float32").where[0]
        assert whole.low < low
        assert whole.high > high
        assert whole.share > 0.99
        assert re.search(r"Wrong are (all|99\.\d+ %) (of those )?from x = -1\d", " ".join(verification.sentences()))
        assert measured(verification, "float32", "derivative").counts.wrong
    assert found("torch:relu", dtypes=["float16", "float32"]).passed
    assert found("torch:relu", dtypes="float16")


def test_jax() -> None:
    """Subnormals are flushed; its gelu is the tanh form unless told otherwise."""
    pytest.importorskip("jax")
    verification = found("jax:relu", dtypes=["float32", "float64"])
    counts = measured(verification, "float32").counts
    assert counts.flushed == counts.subnormal > 0
    assert found("jax:gelu?approximate=True", dtypes=["float16"]).reference.name == "gelu_tanh"


def test_onnx(tmp_path: Any) -> None:
    """The name comes from the operator; a model of fixed shape is called as often as needed."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")

    def saved(operator: str, shape: list[Any], inputs: int = 1) -> str:
        names = ["x", "z"][:inputs]
        infos = [onnx.helper.make_tensor_value_info(each, 1, shape) for each in [*names, "y"]]
        node = onnx.helper.make_node(operator, names, ["y"])
        graph = onnx.helper.make_graph([node], "g", infos[:-1], infos[-1:])
        path = tmp_path / "model.onnx"
        onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=9), path)
        return str(path)

    for shape in (["n"], [2, "n"], [3, 1000]):
        assert found(saved("Relu", shape), samples=2000).passed
    assert found(saved("Gelu", ["n"])).reference.name == "gelu"
    with pytest.raises(ValueError, match=r"has 2 inputs \(x, z\)"):
        found(saved("Add", ["n"], inputs=2))


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (kernels.sums, r"the shape \(\) of \(16,\)"),
        (kernels.softmax, "depends on the other elements"),
        (kernels.of_two, r"takes none of these dtypes \(float16, bfloat16, float32, float64: it raises TypeError"),
        (kernels.refuses, "RuntimeError: no such kernel"),
        (kernels.refuses_nan, "raises RuntimeError for float16 numbers .*: a NaN"),
        (kernels.integers, "it makes int64"),
        ("fastact:gelo", "did you mean 'gelu'"),
        ("fastact:softmax", "acts on whole rows"),
        ("fastact:glu", "is a gated unit"),
        ("fastact", "names no function"),
        ("fastact:gelu?approximate", r"\?name=value"),
        ("nowhere:f", "no library or module 'nowhere'"),
        ("helpers.kernels:flushe", "did you mean 'flushes'"),
        ("numpy:nan", "has no function 'nan'"),
        ("helpers.kernels:flushes", "name what it should compute by against="),
    ],
)
def test_wrong_targets(function: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        found(function, None if isinstance(function, str) else "tanh")


def test_wrong_arguments() -> None:
    for options in ({"dtypes": ["float8"]}, {"max_ulp": -1}, {"samples": 0}, {"threads": 0}, {"library": "tensor"}):
        with pytest.raises(ValueError, match=str(next(iter(options)))[:5]):
            found(np.tanh, "tanh", **options)
    with pytest.raises(ValueError, match="did you mean 'gelu'"):
        found(np.tanh, "gelo")
    with pytest.raises(TypeError, match="is no function"):
        found(3, "tanh")


def test_parameters_reach_both() -> None:
    verification = found("fastact:leaky_relu?alpha=0.3", dtypes=["float32"])
    assert verification.passed
    assert verification.reference.given == {"alpha": 0.3}
    assert named("leakyReLU", {"negative_slope": 0.2}).given == {"alpha": 0.2}
    assert named("gelu", {"approximate": "tanh"}).name == "gelu_tanh"


def test_own_activations(own_activation: Any) -> None:
    """As a target and as what is compared with; the exact results are those of its formula."""
    pytest.importorskip("sympy")
    verification = found(own_activation, dtypes=["float32", "float64"])
    assert verification.passed
    assert measured(verification, "float64", "derivative").ulp == 0
    assert measured(verification, "float32").checked
    verification = found(lambda x: 5 * x, own_activation.name, dtypes=["float32"])
    assert not verification.passed
    assert found(lambda x: 3 * x, own_activation.name, dtypes=["float32"]).passed


@pytest.fixture
def own_activation() -> Any:
    from fastact._core import registry
    from fastact.math import like

    before = set(fa.names())
    try:

        @fa.activation(derivative=lambda x, by: like(2.0, x) * by, by=1.5)
        def verified_twice(x: Any, by: Any) -> Any:
            return like(2.0, x) * by * x

        yield verified_twice
    finally:
        for name in set(fa.names()) - before:
            registry._functions.pop(name)


def test_derivative_that_is_given() -> None:
    right, wrong = (
        found(np.tanh, "tanh", derivative=each, dtypes=["float32"])
        for each in (fa.tanh.derivative, lambda x: 1 - np.tanh(x) ** 2)
    )
    assert right.passed
    assert not wrong.passed
    assert measured(wrong, "float32", "derivative").where[-1].high > 8


def test_what_it_prints_and_warns_of_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    import warnings

    def chatty(x: Any) -> Any:
        print("computing")  # noqa: T201
        warnings.warn("take care", stacklevel=1)
        return np.tanh(x)

    told = found(chatty, "tanh", dtypes=["float32"]).sentences()
    assert "It warns: take care (float32)." in told
    assert "It writes to the standard output." in told
    assert not capsys.readouterr().out


def test_threads_and_repetition_change_nothing() -> None:
    first, second = (found("numpy:tanh", threads=threads).as_dict() for threads in (1, 3))
    assert first == second
    json.dumps(first, allow_nan=False)


def test_samples_hold_every_exponent_and_the_landmarks() -> None:
    kind = FORMATS["float32"]
    x = kind.of(sample(kind, FEW, named("hard_silu"))).astype(float)
    assert {0.0, 3.0, -3.0, kind.smallest, float(np.nextafter(np.float32(3), np.float32(4)))} <= set(x.tolist())
    exponents = set(np.frexp(x[x != 0])[1].tolist())
    assert exponents >= set(range(-125, 129))
    assert kinks(named("hard_silu")) == [-3.0, 0.0, 3.0]


def test_intervals_are_where_results_are_wrong() -> None:
    kind = FORMATS["float16"]
    patterns = np.arange(1 << 16, dtype=np.uint64)
    x = kind.of(patterns).astype(float)
    with np.errstate(invalid="ignore"):
        bad = ((x >= -8) & (x <= -2)) | ((x >= 1) & (x < 2) & (patterns % 4 == 0))
    tally = Tally(kind)
    whole = Blocks(kind, patterns)
    for block in whole:
        tally.add(block, x[block], np.where(bad[block], 9.0, 0.0), 1.0, Counts(), {})
    left, right = intervals(tally.bins, kind)
    assert (left.low, left.high, left.share) == (-8, -2, 1)
    assert right.low == 1
    assert 1.9 < right.high < 2
    assert right.share == pytest.approx(0.25, abs=0.01)
