"""Networks out of files: fastact's own, scikit-learn's and PyTorch's, and others made by hand."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastact as fa
from fastact.math import like, tanh
from helpers.onnx_files import DTYPES, network, run

onnx = pytest.importorskip("onnx")
save = pytest.importorskip("fastact.onnx").save

FLOAT, INT64 = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64
RNG = np.random.default_rng(0)
W1, B1, W2, B2, SQUARE = (RNG.normal(size=shape).astype(np.float32) for shape in ((4, 6), (6,), (6, 3), (3,), (6, 6)))
X = RNG.normal(size=(16, 4)).astype(np.float32)


def node(operator: str, inputs: str, output: str, **attributes: Any) -> Any:
    return onnx.helper.make_node(operator, inputs.split(), output.split(), f"{operator} {output}", **attributes)


def model_of(*nodes: Any, opset: Any = 17, output: Any = "Y", shape: Any = ("n", 4), **constants: Any) -> Any:
    """A file of nodes from X to an output, with weights W1, B1, ... and other constants."""
    constants = {"W1": W1, "B1": B1, "W2": W2, "B2": B2, "SQUARE": SQUARE, **constants}
    used = {name for each in nodes for name in each.input}
    graph = onnx.helper.make_graph(
        list(nodes),
        "test",
        [onnx.helper.make_tensor_value_info("X", FLOAT, shape)],
        [onnx.helper.make_tensor_value_info(name, FLOAT, ("n", "m")) for name in output.split()],
        [onnx.numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items() if k in used],
    )
    opsets = [onnx.helper.make_opsetid("", opset), onnx.helper.make_opsetid("ai.onnx.ml", 2)]
    return onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8)


def dense(activation: Any, *more: Any, **settings: Any) -> Any:
    """Gemm, something, Gemm."""
    nodes = activation if isinstance(activation, list) else [activation]
    return model_of(node("Gemm", "X W1 B1", "z"), *nodes, *more, node("Gemm", "a W2 B2", "Y"), **settings)


TRAINABLE = [name for name in fa.names("activation") if fa.get(name).differentiable]


@DTYPES
@pytest.mark.parametrize("name", TRAINABLE)
def test_round_trip(name: str, dtype: Any, tmp_path: Path) -> None:
    model, x = network(name, dtype, residual=True, batch_norm=True)
    save(model, tmp_path / "net.onnx", labels=True)
    found = fa.MLP.from_onnx(tmp_path / "net.onnx")
    assert found.dtype == model.dtype
    assert found.layer_sizes == model.layer_sizes
    np.testing.assert_allclose(found.predict_proba(x), model.predict_proba(x), 0, 1e-6)
    if name != "identity":  # whose sum goes into the weights
        assert found.layers[0].plan.residual
        assert found.layers[1].plan.batch_norm


@DTYPES
@pytest.mark.parametrize("name", [name for name in TRAINABLE if fa.get(name).parameters and name != "rrelu"])
def test_trained_parameters_round_trip(name: str, dtype: Any, tmp_path: Path) -> None:
    model, x = network(name, dtype, trainable=True)
    save(model, tmp_path / "net.onnx")
    found = fa.MLP.from_onnx(tmp_path / "net.onnx")
    assert found.layers[0].plan.trained == model.layers[0].plan.trained
    np.testing.assert_allclose(found.predict_proba(x), model.predict_proba(x), 0, 1e-6)


@pytest.mark.parametrize("output", ["softmax", "log_softmax", "softmin", "sparsemax", "entmax15"])
def test_outputs_round_trip(output: str, tmp_path: Path) -> None:
    model = fa.MLP((4, 6, 3), "tanh", output, seed=0)
    save(model, tmp_path / "net.onnx")
    found = fa.MLP.from_onnx(tmp_path / "net.onnx")
    assert found.layers[-1].activation is fa.get(output)
    np.testing.assert_allclose(found.forward(X), model.forward(X), 0, 1e-6)


def test_trained_on_and_stored(tmp_path: Path) -> None:
    """Settings of training are the caller's; what is saved and loaded predicts the same bits."""
    model, x = network({"name": "leaky_relu", "alpha": 0.2}, residual=[False, True])
    save(model, tmp_path / "net.onnx")
    found = fa.MLP.from_onnx((tmp_path / "net.onnx").read_bytes(), optimizer="sgd", learning_rate=0.05, seed=3)
    assert found.layers[0].setting == {"name": "leaky_relu", "alpha": 0.2}
    assert [layer.plan.residual for layer in found.layers] == [False, True, False]
    before = found.predict_proba(x)
    found.fit(x, np.arange(40) % 3, epochs=5)
    assert (found.predict_proba(x) != before).any()
    assert found.history["loss"][-1] < found.history["loss"][0]
    found.save(tmp_path / "net")
    assert (fa.MLP.load(tmp_path / "net").predict_proba(x) == found.predict_proba(x)).all()


#: What a chain may be written as: nodes from z to a, and the activation that they are.
WRITTEN: dict[str, tuple[list[Any], Any]] = {
    "silu": ([node("Sigmoid", "z", "s"), node("Mul", "z s", "a")], "silu"),
    "swish": (
        [node("Mul", "z beta", "b"), node("Sigmoid", "b", "s"), node("Mul", "s z", "a")],
        {"name": "swish", "beta": 1.5},
    ),
    "gelu": (
        [
            node("Mul", "z inverse_root", "b"),
            node("Erf", "b", "e"),
            node("Add", "e one", "f"),
            node("Mul", "z half", "h"),
            node("Mul", "h f", "a"),
        ],
        "gelu",
    ),
    "mish": ([node("Softplus", "z", "s"), node("Tanh", "s", "t"), node("Mul", "z t", "a")], "mish"),
    "mish of exponentials": (
        [
            node("Exp", "z", "e"),
            node("Add", "e one", "f"),
            node("Log", "f", "g"),
            node("Tanh", "g", "t"),
            node("Mul", "z t", "a"),
        ],
        "mish",
    ),
    "relu6": ([node("Clip", "z zero six", "a")], "relu6"),
    "far bounds": ([node("Clip", "z far_below far_above", "a")], {"name": "hard_tanh", "min": -200.0, "max": 300.0}),
    "hard_tanh": (
        [node("Max", "z below", "m"), node("Min", "m two", "a")],
        {"name": "hard_tanh", "min": -0.5, "max": 2.0},
    ),
    "hard_silu": (
        [
            node("Add", "z three", "b"),
            node("Clip", "b zero six", "c"),
            node("Div", "c six", "d"),
            node("Mul", "z d", "a"),
        ],
        "hard_silu",
    ),
    "relu by Max": ([node("Max", "z zero", "a")], "relu"),
    "sigmoid by Tanh": (
        [node("Mul", "z half", "h"), node("Tanh", "h", "t"), node("Mul", "t half", "u"), node("Add", "u half", "a")],
        "sigmoid",
    ),
    "elu": ([node("Elu", "z", "a", alpha=0.7)], {"name": "elu", "alpha": 0.7}),
    "softplus": (
        [node("Mul", "z beta", "b"), node("Softplus", "b", "s"), node("Div", "s beta", "a")],
        {"name": "softplus", "beta": 1.5},
    ),
    "squared relu": ([node("Relu", "z", "r"), node("Pow", "r two", "a")], "relu_squared"),
    "softmax": (
        [
            node("ReduceMax", "z", "m", axes=[1]),
            node("Sub", "z m", "d"),
            node("Exp", "d", "e"),
            node("ReduceSum", "e axis", "s"),
            node("Div", "e s", "a"),
        ],
        "softmax",
    ),
}  # fmt: skip

NUMBERS = {
    "beta": 1.5, "half": 0.5, "one": 1.0, "two": 2.0, "three": 3.0, "six": 6.0, "zero": 0.0, "below": -0.5,
    "inverse_root": 0.70710677, "far_below": -200.0, "far_above": 300.0,
}  # fmt: skip
CONSTANTS = {**{name: np.float32(value) for name, value in NUMBERS.items()}, "axis": np.array([1])}


@pytest.mark.parametrize("name", WRITTEN)
def test_activations_are_recognised_by_their_values(name: str) -> None:
    nodes, wanted = WRITTEN[name]
    file = dense(nodes, **CONSTANTS)
    found = fa.MLP.from_onnx(file)
    assert found.layers[0].setting == wanted
    np.testing.assert_allclose(found.predict(X), run(file.SerializeToString(), X)[0], 1e-5, 1e-6)


@pytest.mark.parametrize("opset", [7, 9, 11, 13, 18, 21])
def test_operator_sets(opset: int) -> None:
    """Whose Clip, Dropout, BatchNormalization and Softmax differ."""
    ones = np.ones(6, np.float32)
    clip = node("Clip", "n", "c", min=0.0, max=6.0) if opset < 11 else node("Clip", "n zero six", "c")
    file = model_of(
        node("Identity", "X", "x"),
        node("MatMul", "x W1", "m"),
        node("Add", "m B1", "z"),
        node("BatchNormalization", "z gamma beta mean variance", "n", epsilon=1e-3),
        clip,
        node("Dropout", "c", "d"),
        node("Gemm", "d W2 B2", "g", alpha=0.5, beta=2.0),
        node("Softmax", "g", "Y", axis=1),
        opset=opset,
        gamma=ones * 2, beta=B1, mean=ones / 2, variance=ones / 3,
        **{name: CONSTANTS[name] for name in ("zero", "six")},
    )  # fmt: skip
    found = fa.MLP.from_onnx(file)
    assert found.layers[0].plan.batch_norm
    assert found.layers[0].activation is fa.relu6
    np.testing.assert_allclose(found.predict_proba(X), run(file.SerializeToString(), X)[0], 0, 1e-6)


def chains() -> dict[str, tuple[Any, Callable[[Any], bool]]]:
    """Files, and what is true of the networks that they give."""
    gemm, relu, last = node("Gemm", "X W1 B1", "z"), node("Relu", "z", "r"), node("Gemm", "a W2 B2", "Y")
    scale, shift = (np.linspace(0.5, 2, 4, dtype=np.float32) * sign for sign in (1, -1))
    ones = np.ones(6, np.float32)
    normal = {"gamma": ones * 2, "beta": B1, "mean": ones, "variance": ones * 3}
    batch_norm = node("BatchNormalization", "r gamma beta mean variance", "a")
    return {
        "scaled inputs": (
            model_of(node("Sub", "X shift", "s"), node("Div", "s scale", "t"), node("Gemm", "t W1 B1", "z"), relu,
                     node("Identity", "r", "a"), last, scale=scale, shift=shift),
            lambda net: len(net.layers) == 2,
        ),
        "Scaler": (
            model_of(onnx.helper.make_node("Scaler", ["X"], ["s"], domain="ai.onnx.ml", offset=[0.5], scale=[2.0]),
                     node("Gemm", "s W1 B1", "z"), node("Relu", "z", "a"), last),
            lambda net: len(net.layers) == 2,
        ),
        "normalised after the activation": (
            model_of(gemm, relu, batch_norm, last, **normal), lambda net: not net.layers[0].plan.batch_norm
        ),
        "two activations": (
            model_of(gemm, relu, node("Tanh", "r", "a"), last),
            lambda net: [layer.activation.name for layer in net.layers] == ["relu", "tanh", "identity"],
        ),
        "no activation": (
            model_of(node("Gemm", "X W1 B1", "a"), last), lambda net: net.layers[0].activation is fa.identity
        ),
        "an activation of the inputs": (
            model_of(node("Tanh", "X", "t"), node("Gemm", "t W1 B1", "Y")),
            lambda net: net.layers[0].activation is fa.tanh,
        ),
        "transposed weights": (
            model_of(node("Gemm", "X T B1", "z", transB=1, alpha=2.0), node("Relu", "z", "a"), last, T=W1.T.copy()),
            lambda net: np.allclose(net.layers[0].weights, 2 * W1),
        ),
        "transposed by a node": (
            model_of(node("Transpose", "T", "W", perm=[1, 0]), node("MatMul", "X W", "z"), node("Relu", "z", "a"), last,
                     T=W1.T.copy()),
            lambda net: len(net.layers) == 2,
        ),
        "residual": (
            model_of(gemm, relu, node("Gemm", "r SQUARE", "y"), node("Tanh", "y", "t"), node("Add", "r t", "a"), last),
            lambda net: net.layers[1].plan.residual,
        ),
        "linear residual": (
            model_of(gemm, relu, node("Gemm", "r SQUARE", "y"), node("Add", "y r", "s"), node("Tanh", "s", "a"), last),
            lambda net: not net.layers[1].plan.residual and len(net.layers) == 3,
        ),
        "residual at the end": (
            model_of(gemm, relu, node("Gemm", "r SQUARE", "y"), node("Tanh", "y", "t"), node("Add", "r t", "Y")),
            lambda net: len(net.layers) == 3 and (net.layers[2].weights == np.eye(6)).all(),
        ),
        "scaled at the end": (
            model_of(gemm, relu, node("Mul", "r two", "Y"), two=np.float32(2)),
            lambda net: (net.layers[1].weights == 2 * np.eye(6)).all(),
        ),
        "slopes for each unit": (
            model_of(gemm, node("PRelu", "z slopes", "a"), last, slopes=np.linspace(0, 0.5, 6, dtype=np.float32)),
            lambda net: net.layers[0].plan.trained == ("alpha",),
        ),
        "flattened images": (
            model_of(node("Flatten", "X", "f"), node("Gemm", "f W1 B1", "z"), node("Relu", "z", "a"), last,
                     shape=("n", 2, 2)),
            lambda net: net.layer_sizes == (4, 6, 3),
        ),
        "reshaped": (
            model_of(node("Shape", "X", "s"), node("Gather", "s first", "n"), node("Concat", "n rest", "t", axis=0),
                     node("Reshape", "X t", "f"), node("Gemm", "f W1 B1", "z"), node("Relu", "z", "a"), last,
                     first=np.array([0]), rest=np.array([-1])),
            lambda net: len(net.layers) == 2,
        ),
    }  # fmt: skip


@pytest.mark.parametrize("name", chains())
def test_chains(name: str) -> None:
    file, holds = chains()[name]
    net = fa.MLP.from_onnx(file)
    assert holds(net)
    x = X.reshape(16, *[each.dim_value for each in file.graph.input[0].type.tensor_type.shape.dim][1:])
    wanted = run(file.SerializeToString(), x)[0]
    np.testing.assert_allclose(net.predict(X), wanted, 1e-5, 1e-6 * abs(wanted).max())


def test_output_on_top_of_preactivations() -> None:
    file = dense(node("Relu", "z", "a"))
    net = fa.MLP.from_onnx(file, output="softmax")
    assert net.loss.name == "cross_entropy"
    np.testing.assert_allclose(net.predict_proba(X), fa.softmax(run(file.SerializeToString(), X)[0]), 0, 1e-6)
    with pytest.raises(ValueError, match="output='sigmoid', but the file ends with 'tanh'; leave it out"):
        fa.MLP.from_onnx(model_of(node("Gemm", "X W1 B1", "z"), node("Tanh", "z", "Y")), output="sigmoid")


def test_half_precision_and_weights_beside_the_file(tmp_path: Path) -> None:
    model = fa.MLP((4, 6, 3), "gelu", "softmax", seed=0)
    save(model, tmp_path / "half.onnx", dtype="float16")
    found = fa.MLP.from_onnx(tmp_path / "half.onnx")
    assert found.layers[0].activation is fa.gelu
    np.testing.assert_allclose(found.predict_proba(X), model.predict_proba(X), 0, 2e-3)
    save(model, tmp_path / "net.onnx")
    file = onnx.load(tmp_path / "net.onnx")
    onnx.save(file, tmp_path / "net.onnx", save_as_external_data=True, location="weights", size_threshold=0)
    assert (fa.MLP.from_onnx(tmp_path / "net.onnx").predict(X) == model.predict(X)).all()
    (tmp_path / "weights").unlink()
    with pytest.raises((ValueError, OSError), match="weights"):
        fa.MLP.from_onnx(tmp_path / "net.onnx")


@pytest.mark.usefixtures("own_registry")
def test_own_activation_is_recognised_once_it_is_defined() -> None:
    file = dense([node("Tanh", "z", "t"), node("Mul", "t t", "u"), node("Mul", "u t", "a")])
    with pytest.raises(ValueError, match=r"'Mul u'.*no activation.* Tanh, Mul.*|node 'Mul a' is Mul: no activation"):
        fa.MLP.from_onnx(file)

    @fa.activation(derivative=lambda x: like(3, x) * tanh(x) * tanh(x) * (like(1, x) - tanh(x) * tanh(x)))
    def onnx_cubed_tanh(x: Any) -> Any:
        return tanh(x) * tanh(x) * tanh(x)

    assert fa.MLP.from_onnx(file).layers[0].activation is onnx_cubed_tanh


def refused() -> dict[str, tuple[Any, str]]:
    gemm, relu = node("Gemm", "X W1 B1", "z"), node("Relu", "z", "a")
    image = np.zeros((2, 1, 1, 1), np.float32)
    return {
        "convolution": (
            model_of(node("Conv", "X image", "Y"), image=image, shape=("n", 1, 2, 2)),
            "node 'Conv Y' is Conv: a network here is a chain of Gemm",
        ),
        "quantised": (
            dense([node("DynamicQuantizeLinear", "z", "q s p"), node("DequantizeLinear", "q s p", "a")]),
            "is DynamicQuantizeLinear: quantised networks are not read",
        ),
        "two layers inside": (
            model_of(gemm, relu, node("Gemm", "a SQUARE", "b"), node("Tanh", "b", "c"), node("Gemm", "c SQUARE", "d"),
                     node("Tanh", "d", "e"), node("Add", "a e", "Y")),
            "node 'Add Y' is Add: it adds the input of several layers to their output",
        ),
        "branches": (
            model_of(gemm, relu, node("Gemm", "a SQUARE", "b"), node("Mul", "a b", "Y")),
            "node 'Mul Y' is Mul: a network here is a chain",
        ),
        "two results": (
            model_of(gemm, node("Relu", "z", "Y"), node("Tanh", "z", "V"), output="Y V"),
            "has 2 results, in the outputs Y, V; say which with output_name",
        ),
        "samples in columns": (
            model_of(node("Gemm", "X W B", "Y", transA=1), W=np.ones((7, 2), np.float32), B=np.ones(2, np.float32)),
            "node 'Gemm Y' is Gemm: its samples are columns",
        ),
        "no weights": (model_of(node("Relu", "X", "Y"), shape=("n", "m")), "does not say how many inputs it has"),
        "training mode": (
            dense([node("Dropout", "z rate on", "a")], rate=np.float32(0.5), on=np.array(True)),
            "is Dropout: it is in training mode; .*eval",
        ),
        "weights that are nan": (
            model_of(node("Gemm", "X N", "Y"), N=np.full((4, 2), np.nan, np.float32)), "weights hold nan or inf"
        ),
        "sizes that do not fit": (
            model_of(gemm, relu, node("MatMul", "a W1", "Y")), "weights want 4 inputs and get 6|no ONNX model"
        ),
        "a transposed result": (
            model_of(gemm, node("Transpose", "z", "Y", perm=[1, 0])), "node 'Transpose Y' is Transpose: a network here"
        ),
        "rows that are mixed": (
            model_of(gemm, node("Reshape", "z t", "Y"), t=np.array([6, -1])), "predicts otherwise"
        ),
    }  # fmt: skip


@pytest.mark.parametrize("name", refused())
def test_what_is_no_chain_is_named(name: str) -> None:
    file, message = refused()[name]
    with pytest.raises(ValueError, match=message) as error:
        fa.MLP.from_onnx(file)
    assert "\n" not in str(error.value)


def test_wrong_calls(tmp_path: Path) -> None:
    file = dense(node("Relu", "z", "a"))
    (tmp_path / "text.onnx").write_text("this is no model")
    (tmp_path / "empty.onnx").write_bytes(b"")
    for source, settings, kind, message in (
        (tmp_path / "missing.onnx", {}, FileNotFoundError, "missing.onnx"),
        (tmp_path, {}, OSError, "directory|ermission"),
        (tmp_path / "text.onnx", {}, ValueError, "text.onnx: no ONNX model, or damaged"),
        (tmp_path / "empty.onnx", {}, ValueError, "empty.onnx: no ONNX model, or damaged"),
        (3, {}, TypeError, "source is a int; give a path, bytes or an onnx.ModelProto"),
        (file, {"activation": "relu"}, TypeError, "activation='relu': the file decides that; leave it out"),
        (file, {"output_name": "Z"}, ValueError, "has no output 'Z'; it has Y"),
        (file, {"learning_rate": -1}, ValueError, "learning_rate must be above 0"),
    ):
        with pytest.raises(kind, match=message) as error:
            fa.MLP.from_onnx(source, **settings)
        assert "\n" not in str(error.value)


def test_damaged_files_are_refused() -> None:
    """A byte that is changed gives an error of one line, or another network, and no error of another kind."""
    whole = dense(node("Relu", "z", "a")).SerializeToString()
    rng = np.random.default_rng(0)
    refusals: list[str] = []
    for _ in range(60):
        damaged = bytearray(whole)
        for place in rng.integers(0, len(whole), 3):
            damaged[place] = rng.integers(0, 256)
        try:
            fa.MLP.from_onnx(bytes(damaged[: rng.integers(len(whole) // 2, len(whole) + 1)]))
        except ValueError as error:
            refusals.append(str(error))
    assert len(refusals) > 30
    assert not [each for each in refusals if "\n" in each]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic", "identity"])
def test_scikit_learn(activation: str) -> None:
    convert = pytest.importorskip("skl2onnx").to_onnx
    neural = pytest.importorskip("sklearn.neural_network")
    sign, some = (X[:, 0] > 0).astype(int), {"activation": activation, "max_iter": 20, "random_state": 0}
    for y in (sign, np.array(["a", "b", "c"])[sign + (X[:, 1] > 0)], (X[:, :2] > 0).astype(int)):
        for options in ({}, {"zipmap": False}):
            model = neural.MLPClassifier((5, 4), **some).fit(X, y)
            net = fa.MLP.from_onnx(convert(model, X[:1], options=options))
            np.testing.assert_allclose(net.predict_proba(X), model.predict_proba(X), 0, 1e-6)
    for y in (X[:, 0], X[:, :2]):
        scaled = pytest.importorskip("sklearn.pipeline").make_pipeline(
            pytest.importorskip("sklearn.preprocessing").StandardScaler(),
            neural.MLPRegressor(hidden_layer_sizes=5, **some),
        )
        net = fa.MLP.from_onnx(convert(scaled.fit(X, y), X[:1]))
        np.testing.assert_allclose(net.predict(X), scaled.predict(X), 1e-5, 2e-6)


def torch_modules(nn: Any) -> dict[str, Any]:
    """Modules of PyTorch -> the activation that they are."""
    return {
        "GELU": (nn.GELU(), "gelu"), "GELU tanh": (nn.GELU("tanh"), "gelu_tanh"), "SiLU": (nn.SiLU(), "silu"),
        "LeakyReLU": (nn.LeakyReLU(0.2), {"name": "leaky_relu", "alpha": 0.2}), "Mish": (nn.Mish(), "mish"),
        "Softplus": (nn.Softplus(), "softplus"), "PReLU": (nn.PReLU(6), "leaky_relu"), "ReLU6": (nn.ReLU6(), "relu6"),
        "Hardtanh": (nn.Hardtanh(-2, 3), {"name": "hard_tanh", "min": -2.0, "max": 3.0}),
        "Hardswish": (nn.Hardswish(), "hard_silu"), "Tanhshrink": (nn.Tanhshrink(), "tanhshrink"),
        "Softsign": (nn.Softsign(), "softsign"), "LogSigmoid": (nn.LogSigmoid(), "log_sigmoid"),
        "CELU": (nn.CELU(0.7), {"name": "celu", "alpha": 0.7}), "ELU": (nn.ELU(0.5), {"name": "elu", "alpha": 0.5}),
        "SELU": (nn.SELU(), "selu"), "Hardsigmoid": (nn.Hardsigmoid(), "hard_sigmoid"),
        "Softshrink": (nn.Softshrink(0.3), {"name": "softshrink", "lambd": 0.3}),
        "Hardshrink": (nn.Hardshrink(0.4), {"name": "hardshrink", "lambd": 0.4}), "Sigmoid": (nn.Sigmoid(), "sigmoid"),
        "Tanh": (nn.Tanh(), "tanh"), "ReLU": (nn.ReLU(), "relu"),
    }  # fmt: skip


def exported(torch: Any, net: Any, x: Any, dynamo: bool, opset: int) -> bytes:
    if dynamo:
        pytest.importorskip("onnxscript")
        shapes = ({0: torch.export.Dim("n")},)
        program = torch.onnx.export(net, (x,), dynamo=True, verbose=False, opset_version=opset, dynamic_shapes=shapes)
        return bytes(program.model_proto.SerializeToString())
    file = io.BytesIO()
    axes = {"x": {0: "n"}}
    torch.onnx.export(net, (x,), file, dynamo=False, opset_version=opset, input_names=["x"], dynamic_axes=axes)
    return file.getvalue()


#: For the normal suite.
QUICK = ["GELU", "Softshrink"]


@pytest.mark.filterwarnings("ignore")  # of what torch's exporters will do one day
@pytest.mark.parametrize(
    ("dynamo", "opset"),
    [
        (False, 17),
        (True, 20),
        pytest.param(False, 12, marks=pytest.mark.slow),
        pytest.param(True, 18, marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in (
        "GELU", "GELU tanh", "SiLU", "LeakyReLU", "Mish", "Softplus", "PReLU", "ReLU6", "Hardtanh", "Hardswish",
        "Tanhshrink", "Softsign", "LogSigmoid", "CELU", "ELU", "SELU", "Hardsigmoid", "Softshrink", "Hardshrink",
        "Sigmoid", "Tanh", "ReLU",
    )],
)  # fmt: skip
def test_pytorch(name: str, dynamo: bool, opset: int, caplog: pytest.LogCaptureFixture) -> None:
    """By both of its exporters, whatever operators they write an activation in."""
    torch = pytest.importorskip("torch")
    caplog.set_level(logging.CRITICAL)
    nn = torch.nn
    module, wanted = torch_modules(nn)[name]

    class Block(nn.Module):  # type: ignore[name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.linear, self.norm = nn.Linear(6, 6), nn.BatchNorm1d(6)
            self.norm.running_mean.normal_()
            self.norm.running_var.uniform_(0.5, 2)

        def forward(self, x: Any) -> Any:
            return x + module(self.norm(self.linear(x)))

    torch.manual_seed(0)
    layers = nn.Flatten(), nn.Linear(4, 6), module, Block(), nn.Dropout(), nn.Linear(6, 3, bias=False), nn.Softmax(-1)
    file = exported(torch, nn.Sequential(*layers).eval(), torch.randn(16, 4), dynamo, opset)
    net = fa.MLP.from_onnx(file)
    found = [layer.activation.name if layer.plan.trained else layer.setting for layer in net.layers]
    assert found == [wanted, wanted, "softmax"]
    assert net.layers[1].plan.residual
    np.testing.assert_allclose(net.predict_proba(X), run(file, X)[0], 0, 1e-6)
