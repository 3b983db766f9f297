"""Files that fastact writes: ONNX Runtime gives the same numbers, and wrong calls leave nothing behind."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastact as fa
from fastact.math import like, sigmoid, where
from helpers.onnx_files import DTYPES, network, run

onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")
save = pytest.importorskip("fastact.onnx").save

ACTIVATIONS = fa.names("activation")
SOFTMAXES = fa.names("softmax")
TRAINABLE = [name for name in ACTIVATIONS if fa.get(name).differentiable]

#: Moderate numbers, kinks and signed zeros among them.
GRID = np.concatenate([np.linspace(-12, 12, 481), [-0.0, 1e-8, -1e-8, 50, -50, 80, -80]])[np.newaxis]
LARGE = np.array([[1e10, -1e10, 1e20, -1e20, 3e38, -3e38]])


@pytest.mark.parametrize("name", [*ACTIVATIONS, *SOFTMAXES])
def test_functions(name: str, tmp_path: Path) -> None:
    """By the newest and the oldest operator set, and no NaN where fastact has none."""
    function = fa.get(name)
    for opset in (13, 20):
        save(function, tmp_path / "f.onnx", opset=opset)
        for x in (GRID.astype(np.float32), LARGE.astype(np.float32)):
            (y,) = run(tmp_path / "f.onnx", x)
            wanted = function(x)
            assert not (np.isnan(y) & ~np.isnan(wanted)).any()
            near = np.isfinite(wanted) & (abs(x) < 1e3)
            np.testing.assert_allclose(y[near], wanted[near], 1e-6, 1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("opset", [13, 16, 18, 20, 22, 24])
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
@pytest.mark.parametrize("name", [*ACTIVATIONS, *SOFTMAXES])
def test_functions_in_all_dtypes(name: str, dtype: str, opset: int, tmp_path: Path) -> None:
    function, tolerance = fa.get(name), 3e-3 if dtype == "float16" else 1e-6
    if dtype == "float16" and opset < 14 and name in ("sparsemax", "entmax15"):
        with pytest.raises(ValueError, match="take opset=20, or float32"):  # which sums along rows need
            save(function, tmp_path / "f.onnx", opset=opset, dtype=dtype)
        return
    save(function, tmp_path / "f.onnx", opset=opset, dtype=dtype)
    x = GRID.astype(dtype)
    (y,) = run(tmp_path / "f.onnx", x)
    wanted = function(x)
    near = np.isfinite(wanted)
    assert y.dtype == x.dtype
    np.testing.assert_allclose(y[near].astype(float), wanted[near].astype(float), tolerance, tolerance)


@DTYPES
@pytest.mark.parametrize("settings", [{}, {"residual": True}, {"batch_norm": True}], ids=["plain", "residual", "norm"])
@pytest.mark.parametrize("name", TRAINABLE)
def test_networks(name: str, settings: dict[str, Any], dtype: Any, tmp_path: Path) -> None:
    """Every activation, plain, with residual sums and with batch normalisation."""
    model, x = network(name, dtype, **settings)
    save(model, tmp_path / "net.onnx", labels=True)
    label, probabilities = run(tmp_path / "net.onnx", x)
    np.testing.assert_allclose(probabilities, model.predict_proba(x), 0, 1e-6)
    assert (label == model.predict(x)).all()


@DTYPES
@pytest.mark.parametrize("name", [name for name in TRAINABLE if fa.get(name).parameters and name != "rrelu"])
def test_trained_and_given_parameters(name: str, dtype: Any, tmp_path: Path) -> None:
    given = {key: value + 0.25 for key, value in fa.get(name).parameters.items()}
    for model, x in (network(name, dtype, trainable=True), network({"name": name, **given}, dtype)):
        save(model, tmp_path / "net.onnx")
        np.testing.assert_allclose(run(tmp_path / "net.onnx", x)[0], model.predict_proba(x), 0, 1e-6)


@pytest.mark.parametrize(
    ("units", "output", "loss"),
    [
        (1, "sigmoid", "bce"),
        (3, "sigmoid", "bce"),
        (3, "softmax", "auto"),
        (1, "identity", "poisson"),
        (2, "tanh", "mse"),
    ],
)
def test_outputs(units: int, output: str, loss: str, tmp_path: Path) -> None:
    model = fa.MLP((4, 5, units), "elu", output, loss, seed=0)
    x = np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32)
    save(model, tmp_path / "net.onnx", labels=model.loss.classifies, input_name="features")
    (*label, result) = run(tmp_path / "net.onnx", x)
    if model.loss.classifies:
        assert (label[0] == model.predict(x)).all()
        assert label[0].shape == model.predict(x).shape
        np.testing.assert_allclose(result, model.predict_proba(x), 0, 1e-6)
    else:
        np.testing.assert_allclose(result, np.reshape(model.predict(x), (9, units)), 1e-6, 1e-6)
    file = onnx.load(tmp_path / "net.onnx")
    (given,) = file.graph.input
    assert given.name == "features"
    assert [each.dim_param or each.dim_value for each in given.type.tensor_type.shape.dim] == ["samples", 4]


def test_labels_decide_as_the_model_does(tmp_path: Path) -> None:
    """By the preactivation: the probability of a tiny one is rounded to a half."""
    model = fa.MLP((1, 1), output="sigmoid")
    model.layers[0].weights = [[1.0]]
    save(model, tmp_path / "net.onnx", labels=True)
    x = np.array([[1e-12], [0.0], [-1e-12]], np.float32)
    assert (run(tmp_path / "net.onnx", x)[0] == model.predict(x)).all()
    assert run(tmp_path / "net.onnx", x)[0].tolist() == [1, 0, 0]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_estimators(tmp_path: Path) -> None:
    """Labels are the classes themselves."""
    sklearn = pytest.importorskip("fastact.sklearn")
    x = np.random.default_rng(0).normal(size=(60, 4))
    sign, path = (x[:, 0] > 0).astype(int), tmp_path / "net.onnx"
    for y in (
        np.array(["no", "yes"])[sign],
        np.array(["a", "b", "c"])[sign + (x[:, 1] > 0)],
        sign * 7,
        sign > 0,
        (x[:, :2] > 0).astype(int),
    ):
        model = sklearn.MLPClassifier((6,), "mish", max_iter=5, random_state=0)
        save(model.fit(x, y), path)
        label, probabilities = run(path, x)
        assert (label == model.predict(x)).all()
        np.testing.assert_allclose(probabilities, model.predict_proba(x), 0, 1e-6)
    for loss in ("squared_error", "poisson"):
        model = sklearn.MLPRegressor(loss, (6,), max_iter=5, random_state=0).fit(x, x[:, 0] ** 2)
        save(model, path)
        np.testing.assert_allclose(run(path, x)[0][:, 0], model.predict(x), 1e-6)
    save(sklearn.ActivationTransformer("elu", {"alpha": 2}), path)
    np.testing.assert_allclose(run(path, x.astype(np.float32))[0], fa.elu(x, 2.0), 1e-6, 1e-6)


def gate(x: Any, k: Any) -> Any:
    return where(x > like(0, x), x * sigmoid(k * x), like(0.1, x) * np.tanh(x))


def branch(x: Any) -> Any:
    if x > 0:
        return x
    return 0.3 * math.expm1(x)


@pytest.mark.usefixtures("own_registry")
def test_own_activations(tmp_path: Path) -> None:
    """One written for arrays is traced; one that branches, and calls math, is written by way of its expression."""
    pytest.importorskip("sympy")
    onnx_gate = fa.activation(gate, derivative=lambda x, k: like(1, x), k=2.0)
    onnx_branch = fa.activation(branch, derivative=lambda x: like(1, x))
    x = np.linspace(-5, 5, 60, dtype=np.float32).reshape(12, 5)
    for function in (onnx_gate, onnx_branch):
        save(function, tmp_path / "own.onnx")
        np.testing.assert_allclose(run(tmp_path / "own.onnx", x)[0], function(x), 1e-6, 1e-6)
        used = {name for node in onnx.load(tmp_path / "own.onnx").graph.node for name in node.input}
        assert all({*node.output} & {*used, "Y"} for node in onnx.load(tmp_path / "own.onnx").graph.node)
    save(onnx_gate, tmp_path / "own.onnx", parameters={"k": 3.0})
    np.testing.assert_allclose(run(tmp_path / "own.onnx", x)[0], onnx_gate(x, 3.0), 1e-6, 1e-6)


def test_bytes_and_versions(tmp_path: Path) -> None:
    first, second = tmp_path / "1.onnx", tmp_path / "2.onnx"
    for path in (first, second):
        save(fa.MLP((3, 4, 2), "gelu", "softmax", seed=5, batch_norm=True), path)
    assert first.read_bytes() == second.read_bytes()
    for opset in (13, 20, 21):
        save(fa.gelu, first, opset=opset)
        model = onnx.load(first)
        assert model.ir_version == onnx.helper.find_min_ir_version_for(model.opset_import)
        assert [each.version for each in model.opset_import] == [opset]
    operators = {}
    for opset in (13, 20):
        save(fa.gelu, first, opset=opset)
        operators[opset] = [node.op_type for node in onnx.load(first).graph.node]
    assert operators[20] == ["Gelu", "Identity"]
    assert "Erf" in operators[13]


def test_half_types(tmp_path: Path) -> None:
    for dtype, element in (("float16", onnx.TensorProto.FLOAT16), ("bfloat16", onnx.TensorProto.BFLOAT16)):
        if dtype == "bfloat16":
            pytest.importorskip("ml_dtypes")
        save(fa.MLP((3, 4, 2), "silu", "softmax", seed=5), tmp_path / "net.onnx", dtype=dtype)
        graph = onnx.load(tmp_path / "net.onnx").graph
        assert {each.data_type for each in graph.initializer} == {element}
        assert graph.input[0].type.tensor_type.elem_type == element


def nan_model() -> Any:
    model = fa.MLP((2, 2))
    model.layers[0].bias = [0, np.nan]
    return model


@pytest.mark.parametrize(
    ("model", "settings", "message"),
    [
        (fa.relu, {"opset": 12}, "opset=12; take one from 13"),
        (fa.relu, {"opset": 999}, "opset=999; take one from 13"),
        (fa.relu, {"dtype": "int32"}, "dtype='int32'; take float32"),
        (fa.relu, {"labels": True}, "relu is a function, which gives none"),
        (fa.relu, {"parameters": {"alpha": 1}}, "relu has no parameter 'alpha'"),
        (fa.leaky_relu, {"parameters": {"alpha": "x"}}, "leaky_relu's alpha must be a number"),
        (fa.softmax, {"parameters": {"axis": (0, 1)}}, "softmax's axis=.*give one axis"),
        (fa.softmax, {"parameters": {"axis": 2}}, "softmax's axis=2; shape= has 2 dimensions"),
        (fa.softmax, {"parameters": {"axis": -2}, "shape": ("n",)}, "softmax's axis=-2; shape= has 1 dimension"),
        (fa.relu, {"shape": 3}, "shape=3; give a sequence of numbers"),
        (fa.relu, {"shape": "n"}, "shape='n'; give a sequence of numbers"),
        (fa.relu, {"shape": ("n", -1)}, r"shape=\('n', -1\) has -1; a dimension is"),
        (fa.relu, {"shape": ("n", 1.5)}, r"shape=\('n', 1.5\) has 1.5; a dimension is"),
        (fa.mse, {}, "mse is a loss, which is not saved as ONNX"),
        ("relu", {}, "give a fastact.MLP, an estimator of fastact.sklearn or a fastact function"),
        (fa.MLP((2, 2)), {"labels": True}, "loss is mse, which knows no labels"),
        (fa.MLP((2, 2)), {"shape": (2, 2)}, "shape=.*is for single functions"),
        (fa.MLP((2, 2)), {"input_name": ""}, "input_name=''; give a name"),
        (nan_model(), {}, "layer 0 has bias with nan or inf"),
    ],
)
def test_wrong_calls(model: Any, settings: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(b"as it was")
    with pytest.raises((TypeError, ValueError), match=message) as error:
        save(model, path, **settings)
    assert "\n" not in str(error.value)
    assert path.read_bytes() == b"as it was"
    assert list(tmp_path.iterdir()) == [path]
