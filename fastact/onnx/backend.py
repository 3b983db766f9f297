"""An `onnx.backend` whose activations, softmaxes and losses are fastact's; onnx's own evaluator runs all other nodes.

To let fastact run another operator, add a line to `OPERATORS`: what it computes of inputs and attributes, as the newest
operator set names them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

import fastact as fa
from fastact.errors import require

require("onnx", "onnx", "fastact.onnx.backend")

import onnx  # noqa: E402
from onnx.backend.base import Backend, BackendRep  # noqa: E402
from onnx.reference import ReferenceEvaluator  # noqa: E402
from onnx.reference.op_run import OpRun  # noqa: E402

__all__ = ["OPERATORS", "FastactBackend", "evaluator", "prepare", "run_model", "run_node", "supports_device"]


def _selu(x: Any, alpha: float, gamma: float) -> Any:
    if (np.float32(alpha), np.float32(gamma)) == (np.float32(1.6732632423543772), np.float32(1.0507009873554805)):
        return fa.selu(x)
    return x.dtype.type(gamma) * fa.elu(x, alpha)


def _shrink(x: Any, lambd: float, bias: float) -> Any:
    if bias == lambd:
        return fa.softshrink(x, lambd)
    kept = fa.hardshrink(x, lambd)
    return kept - np.sign(kept) * x.dtype.type(bias) if bias else kept


def _clip(x: Any, low: Any = None, high: Any = None, *, min: Any = None, max: Any = None) -> Any:
    low, high = (min if low is None else low), (max if high is None else high)  # attributes before opset 11
    if x.dtype.kind in "iu":  # which hard_tanh turns into floats
        limits = np.iinfo(x.dtype)  # NumPy 2.0 wants one bound at least
        return np.clip(x, limits.min if low is None else low, limits.max if high is None else high)
    number = x.dtype.type
    high = number(np.inf if high is None else high)
    return fa.hard_tanh(x, np.minimum(number(-np.inf if low is None else low), high), high)


def _over_axis(function: Any) -> Callable[..., Any]:
    def over_axis(x: Any, *, axis: int, opset: int) -> Any:
        if opset >= 13:
            return function(x, axis=axis)
        rows = x.reshape(int(np.prod(x.shape[:axis])), -1)  # all axes from that one on are one row
        return function(rows, axis=1).reshape(x.shape)

    return over_axis


def _logsumexp(x: Any, axes: Any = None, *, keepdims: int, noop_with_empty_axes: int = 0, **older: Any) -> Any:
    chosen = older.get("axes") if axes is None else axes
    axis: Any = tuple(int(each) for each in chosen) if chosen is not None else ()
    if not axis and not noop_with_empty_axes:
        axis = None
    return np.asarray(fa.logsumexp(x, axis, keepdims=bool(keepdims)))


def _swiglu(gate: Any, value: Any, alpha: float) -> Any:
    """There the gate comes first, and alpha is swish's beta."""
    alpha = gate.dtype.type(alpha)
    return fa.swiglu(value / alpha, alpha * gate)


def _nll_loss(x: Any, targets: Any, weight: Any = None, *, function: Any = fa.nll_loss, **attributes: Any) -> Any:
    """ONNX ignores nothing unless it says so, and its classes lie along axis 1."""
    given = {"weight": weight, **attributes}
    return function(x, targets, axis=1, **{name: each for name, each in given.items() if each is not None})


def _cross_entropy(x: Any, *others: Any, outputs: int, **attributes: Any) -> Any:
    loss = _nll_loss(x, *others, function=fa.cross_entropy, **attributes)
    return (loss, fa.log_softmax(x, axis=1)) if outputs > 1 else loss


#: Operator -> its inputs by position and its attributes by name to its output, or a tuple of several. Those in
#: `_TOLD` get what the node says besides.
OPERATORS: dict[str, Callable[..., Any]] = {
    "Celu": fa.celu,
    "Clip": _clip,
    "Elu": fa.elu,
    "Erf": fa.erf,
    "Exp": fa.exponential,
    "Gelu": fa.gelu,
    "HardSigmoid": lambda x, alpha, beta: fa.hard_sigmoid(x, alpha, beta),
    "HardSwish": fa.hard_silu,
    "Hardmax": _over_axis(fa.hardmax),
    "LeakyRelu": fa.leaky_relu,
    "LogSoftmax": _over_axis(fa.log_softmax),
    "Mish": fa.mish,
    "NegativeLogLikelihoodLoss": _nll_loss,
    "PRelu": fa.leaky_relu,
    "ReduceLogSumExp": _logsumexp,
    "Relu": fa.relu,
    "Selu": _selu,
    "Shrink": _shrink,
    "Sigmoid": fa.sigmoid,
    "Softmax": _over_axis(fa.softmax),
    "SoftmaxCrossEntropyLoss": _cross_entropy,
    "Softplus": fa.softplus,
    "Softsign": fa.softsign,
    "SwiGLU": _swiglu,
    "Swish": lambda x, alpha: fa.swish(x, alpha),
    "Tanh": fa.tanh,
    "ThresholdedRelu": lambda x, alpha: fa.thresholded_relu(x, alpha),
}

#: What some operators get besides: the version of the operator set, the number of outputs.
_TOLD = {"Softmax": "opset", "LogSoftmax": "opset", "Hardmax": "opset", "SoftmaxCrossEntropyLoss": "outputs"}


def _class_of(operator: str) -> type[OpRun]:
    """The evaluator's class of an operator."""
    function, told = OPERATORS[operator], _TOLD.get(operator)

    def run(self: Any, *inputs: Any, **attributes: Any) -> tuple[Any, ...]:
        given = {name: _number(value) for name, value in attributes.items()}
        if told == "opset":
            given["opset"] = self.run_params["opsets"].get("", onnx.defs.onnx_opset_version())
        elif told == "outputs":
            given["outputs"] = len(self.onnx_node.output)
        result = function(*inputs, **given)
        return tuple(map(np.asarray, result if isinstance(result, tuple) else (result,)))

    return type(operator, (OpRun,), {"_run": run})


def _number(value: Any) -> Any:
    """A number as Python's, with the digits that were meant: attributes are in single precision."""
    return float(str(value)) if isinstance(value, np.float32) else value


_CLASSES = [_class_of(operator) for operator in OPERATORS]


def evaluator(model: Any, *more: type[OpRun]) -> ReferenceEvaluator:
    """The reference evaluator of onnx, with fastact's functions and more operators.

    Parameters
    ----------
    model : onnx.ModelProto, path or bytes
    *more : subclasses of onnx.reference.op_run.OpRun
        What runs operators that the evaluator lacks.

    Returns
    -------
    onnx.reference.ReferenceEvaluator

    Examples
    --------
    >>> from fastact.onnx.backend import evaluator
    >>> outputs = evaluator("net.onnx").run(None, {"x": x})  # doctest: +SKIP
    """
    return ReferenceEvaluator(model, new_ops=[*_CLASSES, *more])


class Prepared(BackendRep):
    """A model that is ready to run."""

    def __init__(self, model: Any) -> None:
        self._evaluator = evaluator(model)

    def run(self, inputs: Any, **keywords: Any) -> tuple[Any, ...]:
        """The outputs, of inputs in the order of the model, by name, or of one array."""
        names = self._evaluator.input_names
        if not isinstance(inputs, dict):
            inputs = dict(zip(names, inputs if isinstance(inputs, list | tuple) else [inputs], strict=False))
        missing = [name for name in names if name not in inputs]
        if missing:
            raise ValueError(f"inputs lacks {', '.join(missing)}; the model takes {', '.join(names)}")
        with np.errstate(all="ignore"):  # what ONNX's operators give is defined without a warning
            return tuple(self._evaluator.run(None, inputs))


class FastactBackend(Backend):
    """fastact as a backend of ONNX: see `onnx.backend.base.Backend`."""

    @classmethod
    def is_compatible(cls, model: Any, device: str = "CPU", **keywords: Any) -> bool:
        """Whether the model's nodes can be run."""
        try:
            cls.prepare(model, device, **keywords)
        except Exception:  # whatever stands against it
            return False
        return True

    @classmethod
    def prepare(cls, model: Any, device: str = "CPU", **keywords: Any) -> Prepared:
        """Check a model, and make it ready."""
        _check_device(device)
        onnx.checker.check_model(model)
        return Prepared(model)

    @classmethod
    def run_node(
        cls,
        node: Any,
        inputs: Any,
        device: str = "CPU",
        outputs_info: Sequence[tuple[np.dtype[Any], tuple[int, ...]]] | None = None,
        **keywords: Any,
    ) -> tuple[NDArray[Any], ...]:
        """Run one node; `opset_version` is the newest unless given."""
        _check_device(device)
        opset = keywords.get("opset_version", onnx.defs.onnx_opset_version())
        given = dict(zip(node.input, inputs, strict=True)) if not isinstance(inputs, dict) else inputs
        untyped = [onnx.helper.make_empty_tensor_value_info(name) for name in dict.fromkeys(node.input) if name]
        results = [onnx.helper.make_empty_tensor_value_info(name) for name in node.output if name]
        graph = onnx.helper.make_graph([node], "node", untyped, results)
        opsets = [onnx.helper.make_opsetid(node.domain, 1)] if node.domain else []
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset), *opsets])
        return tuple(evaluator(model).run(None, {name: value for name, value in given.items() if name}))

    @classmethod
    def supports_device(cls, device: str) -> bool:
        """Whether models run there: on the CPU."""
        return device.split(":")[0] == "CPU"


def _check_device(device: str) -> None:
    if not FastactBackend.supports_device(device):
        raise ValueError(f"device={device!r:.99}; this backend runs on the CPU: take 'CPU'")


prepare = FastactBackend.prepare
run_model = FastactBackend.run_model
run_node = FastactBackend.run_node
supports_device = FastactBackend.supports_device
