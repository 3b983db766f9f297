"""The functions of other libraries that compute what fastact's do, on float32 arrays; of those that are installed.

`TORCH`, `JAX` and `SCIPY` say, by fastact's name, how a library writes the function; derivatives are the library's own.
To compare one more function, add its line.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import numpy as np

__all__ = ["TORCH", "function", "libraries", "versions"]

Array = np.ndarray[Any, np.dtype[Any]]
Function = Callable[..., Any]

#: t is torch, F its torch.nn.functional.
TORCH: dict[str, Callable[[Any, Any], Function]] = {
    "relu": lambda t, F: t.relu,
    "relu6": lambda t, F: F.relu6,
    "leaky_relu": lambda t, F: F.leaky_relu,
    "hard_tanh": lambda t, F: F.hardtanh,
    "hard_sigmoid": lambda t, F: F.hardsigmoid,
    "hard_silu": lambda t, F: F.hardswish,
    "softshrink": lambda t, F: F.softshrink,
    "hardshrink": lambda t, F: F.hardshrink,
    "elu": lambda t, F: F.elu,
    "celu": lambda t, F: F.celu,
    "selu": lambda t, F: F.selu,
    "softplus": lambda t, F: F.softplus,
    "sigmoid": lambda t, F: t.sigmoid,
    "log_sigmoid": lambda t, F: F.logsigmoid,
    "tanh": lambda t, F: t.tanh,
    "tanhshrink": lambda t, F: F.tanhshrink,
    "softsign": lambda t, F: F.softsign,
    "erf": lambda t, F: t.erf,
    "ndtr": lambda t, F: t.special.ndtr,
    "exponential": lambda t, F: t.exp,
    "silu": lambda t, F: F.silu,
    "gelu": lambda t, F: F.gelu,
    "gelu_tanh": lambda t, F: functools.partial(F.gelu, approximate="tanh"),
    "mish": lambda t, F: F.mish,
    "quick_gelu": lambda t, F: lambda x: x * t.sigmoid(1.702 * x),
    "telu": lambda t, F: lambda x: x * t.tanh(t.exp(x)),
    "serf": lambda t, F: lambda x: x * t.erf(F.softplus(x)),
    "snake": lambda t, F: lambda x: x + t.sin(x) ** 2,
}

#: n is jax.nn, j is jax.
JAX: dict[str, Callable[[Any, Any], Function]] = {
    "relu": lambda j, n: n.relu,
    "relu6": lambda j, n: n.relu6,
    "leaky_relu": lambda j, n: n.leaky_relu,
    "hard_tanh": lambda j, n: n.hard_tanh,
    "hard_sigmoid": lambda j, n: n.hard_sigmoid,
    "hard_silu": lambda j, n: n.hard_silu,
    "elu": lambda j, n: n.elu,
    "celu": lambda j, n: n.celu,
    "selu": lambda j, n: n.selu,
    "softplus": lambda j, n: n.softplus,
    "squareplus": lambda j, n: n.squareplus,
    "sigmoid": lambda j, n: n.sigmoid,
    "log_sigmoid": lambda j, n: n.log_sigmoid,
    "tanh": lambda j, n: j.numpy.tanh,
    "softsign": lambda j, n: n.soft_sign,
    "erf": lambda j, n: j.scipy.special.erf,
    "ndtr": lambda j, n: j.scipy.special.ndtr,
    "exponential": lambda j, n: j.numpy.exp,
    "silu": lambda j, n: n.silu,
    "gelu": lambda j, n: functools.partial(n.gelu, approximate=False),
    "gelu_tanh": lambda j, n: functools.partial(n.gelu, approximate=True),
    "mish": lambda j, n: n.mish,
    "sparse_plus": lambda j, n: n.sparse_plus,
    "sparse_sigmoid": lambda j, n: n.sparse_sigmoid,
}

#: s is scipy.special.
SCIPY: dict[str, Callable[[Any], Function]] = {
    "sigmoid": lambda s: s.expit,
    "log_sigmoid": lambda s: s.log_expit,
    "softplus": lambda s: s.softplus,
    "tanh": lambda s: np.tanh,
    "erf": lambda s: s.erf,
    "ndtr": lambda s: s.ndtr,
    "exponential": lambda s: np.exp,
    "silu": lambda s: lambda x: x * s.expit(x),
    "gelu": lambda s: lambda x: x * s.ndtr(x),
}

#: Operators of ONNX, and their attributes where their defaults differ from fastact's.
ONNX: dict[str, tuple[str, dict[str, Any]]] = {
    "relu": ("Relu", {}),
    "leaky_relu": ("LeakyRelu", {}),
    "hard_sigmoid": ("HardSigmoid", {"alpha": 1 / 6}),
    "hard_silu": ("HardSwish", {}),
    "thresholded_relu": ("ThresholdedRelu", {}),
    "elu": ("Elu", {}),
    "celu": ("Celu", {}),
    "selu": ("Selu", {}),
    "softplus": ("Softplus", {}),
    "sigmoid": ("Sigmoid", {}),
    "tanh": ("Tanh", {}),
    "softsign": ("Softsign", {}),
    "erf": ("Erf", {}),
    "exponential": ("Exp", {}),
    "gelu": ("Gelu", {}),
    "gelu_tanh": ("Gelu", {"approximate": "tanh"}),
    "mish": ("Mish", {}),
}


def _torch(name: str, part: str) -> Function:
    torch = importlib.import_module("torch")
    torch.set_num_threads(1)
    f = TORCH[name](torch, torch.nn.functional)
    if part == "forward":
        return lambda x: f(torch.from_numpy(x)).numpy()

    def derivative(x: Array) -> Array:
        tensor = torch.from_numpy(x).requires_grad_()
        f(tensor).sum().backward()
        return tensor.grad.numpy()

    return derivative


def _jax(name: str, part: str) -> Function:
    jax = importlib.import_module("jax")
    f = JAX[name](jax, jax.nn)
    if part == "derivative":
        forward = f
        f = lambda x: jax.grad(lambda v: forward(v).sum())(x)  # noqa: E731
    compiled = jax.jit(f)
    return lambda x: np.asarray(compiled(x))


def _scipy(name: str, part: str) -> Function:
    return SCIPY[name](importlib.import_module("scipy.special"))


def _onnxruntime(name: str, part: str) -> Function:
    helper, runtime = importlib.import_module("onnx.helper"), importlib.import_module("onnxruntime")
    operator, attributes = ONNX[name]
    values = [helper.make_tensor_value_info(v, 1, [None]) for v in "xy"]
    graph = helper.make_graph([helper.make_node(operator, ["x"], ["y"], **attributes)], name, values[:1], values[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    session = runtime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return lambda x: session.run(None, {"x": x})[0]


#: library -> (what must be installed, its functions, how one is made, the parts it has)
LIBRARIES: dict[str, tuple[tuple[str, ...], Any, Callable[[str, str], Function], tuple[str, ...]]] = {
    "torch": (("torch",), TORCH, _torch, ("forward", "derivative")),
    "jax": (("jax",), JAX, _jax, ("forward", "derivative")),
    "scipy": (("scipy",), SCIPY, _scipy, ("forward",)),
    "onnxruntime": (("onnxruntime", "onnx"), ONNX, _onnxruntime, ("forward",)),
}


def libraries(name: str, part: str) -> list[str]:
    """The installed libraries that have an activation, or its derivative."""
    return [
        library
        for library, (needed, table, _, parts) in LIBRARIES.items()
        if name in table and part in parts and all(map(find_spec, needed))
    ]


def function(library: str, name: str, part: str) -> Function:
    """What a library computes for an activation, or for its derivative, on one thread."""
    return LIBRARIES[library][2](name, part)


def versions() -> str:
    installed = [name for name, (needed, *_) in LIBRARIES.items() if all(map(find_spec, needed))]
    return ", ".join(f"{name} {version(name)}" for name in installed)
