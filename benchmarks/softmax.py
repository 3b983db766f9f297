# ruff: noqa: E402 - the environment is set before NumPy is imported
"""The softmax family against torch, jax.jit, ONNX Runtime and SciPy, on two threads: python benchmarks/softmax.py.

For each case every library takes the same array and returns a new one (with `out`, fastact and torch write into one).
Conversions are not counted, except of arrays that are not contiguous for a library that needs them to be. The calls of
a case are interleaved, and the least time of each counts. `copy` is np.copyto(out, x). The ratio is the best peer's
time over fastact's: above 1 fastact is faster.

    python benchmarks/softmax.py [softmax] [log_softmax] [logsumexp] [backward] [--case WORDS] [--seconds 1]
"""

from __future__ import annotations

import os

for variable in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):  # they would change what the peers run
    os.environ.pop(variable, None)

import argparse
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

import fastact as fa
from fastact.bench.timing import Contender, interleaved

THREADS = 2
Call = Callable[[], Any]


class Case(NamedTuple):
    shape: tuple[int, ...]
    axis: int = -1
    dtype: str = "float32"
    layout: str = "C"  # or Fortran, or strided: every second number of the last axis
    out: bool = False
    mask: str = ""  # or full, padding (batch, 1, 1, keys), causal

    def __str__(self) -> str:
        layout = "" if self.layout == "C" else self.layout
        words = ["x".join(map(str, self.shape)), f"axis {self.axis}" * (self.axis != -1), self.dtype, layout, self.mask]
        return " ".join(filter(None, [*words, "out" * self.out]))


ATTENTION = (32, 12, 128, 128)
CASES = [
    Case((1, 10)), Case((128, 10)), Case((60_000, 10)), Case((4096, 1000)), Case((64, 50_257)), Case((8, 1_000_000)),
    Case((1000, 4096), 0), Case((100_000, 8), 0), Case((16, 1000, 196), 1), Case(ATTENTION),
    Case(ATTENTION, mask="full"), Case(ATTENTION, mask="padding"), Case(ATTENTION, mask="causal"),
    Case(ATTENTION, dtype="float16"), Case(ATTENTION, dtype="float16", mask="full"), Case(ATTENTION, dtype="bfloat16"),
    Case(ATTENTION, out=True), Case((128, 10), out=True), Case((4096, 1000), out=True), Case((64, 50_257), out=True),
    Case((128, 10), dtype="float64"), Case((4096, 1000), dtype="float64"), Case((1000, 4096), 0, "float64"),
    Case((60_000, 10), dtype="float16"), Case((4096, 1000), dtype="float16"), Case((8, 1_000_000), dtype="float16"),
    Case((1000, 4096), 0, "float16"), Case((4096, 1000), layout="Fortran"), Case((1000, 4096), 0, layout="Fortran"),
    Case((4096, 1000), layout="strided"), Case((60_000, 10), layout="strided"),
]  # fmt: skip


def numbers(case: Case, seed: int) -> np.ndarray:
    x = np.random.default_rng(seed).normal(size=case.shape).astype(np.float32).astype(as_dtype(case.dtype))
    if case.layout == "strided":
        return np.repeat(x, 2, axis=-1)[..., ::2]
    return np.asfortranarray(x) if case.layout == "Fortran" else x


def as_dtype(name: str) -> np.dtype[Any]:
    if name == "bfloat16":
        import ml_dtypes

        return np.dtype(ml_dtypes.bfloat16)
    return np.dtype(name)


def keep(case: Case) -> np.ndarray:
    """What a mask lets count, as an array for the peers."""
    rng = np.random.default_rng(2)
    if case.mask == "causal":
        return np.tri(*case.shape[-2:], dtype=bool)
    if case.mask == "padding":
        return np.arange(case.shape[-1]) < rng.integers(1, case.shape[-1] + 1, case.shape[0]).reshape(-1, 1, 1, 1)
    mask = rng.random(case.shape) < 0.8
    mask[..., 0] = True
    return mask


def fastact_call(kind: str, case: Case, x: np.ndarray, g: np.ndarray) -> Call:
    settings: dict[str, Any] = {"axis": case.axis}
    if case.out:
        settings["out"] = np.empty_like(x)
    if case.mask == "causal":
        settings["where"] = "causal"
    elif case.mask == "padding":
        settings["lengths"] = keep(case).sum(-1)[:, 0, 0]
    elif case.mask:
        settings["where"] = keep(case)
    if kind == "backward":
        y = fa.softmax(x, **{**settings, "out": None})
        return lambda: fa.softmax.backward(g, y, **settings)
    function = getattr(fa, kind)
    return lambda: function(x, **settings)


def torch_call(kind: str, case: Case, x: np.ndarray, g: np.ndarray) -> Call:
    import torch

    torch.set_num_threads(THREADS)

    def tensor(array: np.ndarray) -> Any:
        if case.dtype == "bfloat16":
            return torch.from_numpy(array.view(np.uint16)).view(torch.bfloat16)
        return torch.from_numpy(array)

    a, mask = tensor(x), torch.from_numpy(~keep(case)) if case.mask else None
    extra = {"out": torch.empty_like(a)} if case.out else {}
    if kind == "backward":
        y, grad = torch.softmax(a, case.axis), tensor(g)
        if case.out:
            extra = {"grad_input": extra["out"]}
        return lambda: torch._softmax_backward_data(grad, y, case.axis, y.dtype, **extra)
    function = {"softmax": torch.softmax, "log_softmax": torch.log_softmax, "logsumexp": torch.logsumexp}[kind]
    if mask is not None:
        return lambda: function(a.masked_fill(mask, -math.inf), case.axis, **extra)
    if kind == "log_softmax":
        return lambda: function(a, case.axis)
    return lambda: function(a, case.axis, **extra)


def jax_call(kind: str, case: Case, x: np.ndarray, g: np.ndarray) -> Call:
    import jax

    jax.config.update("jax_enable_x64", True)
    a, axis = jax.numpy.asarray(x), case.axis
    if kind == "backward":
        y, grad = jax.nn.softmax(a, axis), jax.numpy.asarray(g)
        slope = jax.jit(lambda g, y: y * (g - (g * y).sum(axis, keepdims=True)))
        return lambda: slope(grad, y).block_until_ready()
    function = {"logsumexp": jax.nn.logsumexp}.get(kind) or getattr(jax.nn, kind)
    if case.mask:
        mask = jax.numpy.asarray(keep(case))
        masked = jax.jit(lambda a, mask: function(a, axis, where=mask))
        return lambda: masked(a, mask).block_until_ready()
    call = jax.jit(lambda a: function(a, axis))
    if case.layout != "C":
        return lambda: call(jax.numpy.asarray(x)).block_until_ready()
    return lambda: call(a).block_until_ready()


def onnxruntime_call(kind: str, case: Case, x: np.ndarray, g: np.ndarray) -> Call:
    import onnx
    import onnxruntime

    if kind == "backward" or case.dtype == "bfloat16":
        raise ImportError
    kinds = {"softmax": "Softmax", "log_softmax": "LogSoftmax", "logsumexp": "ReduceLogSumExp"}
    tensor_type = onnx.helper.np_dtype_to_tensor_dtype(x.dtype)
    inputs, nodes, name = [onnx.helper.make_tensor_value_info("x", tensor_type, x.shape)], [], "x"
    feed, constants = {"x": np.ascontiguousarray(x)}, []
    if case.mask:
        inputs.append(onnx.helper.make_tensor_value_info("mask", onnx.TensorProto.BOOL, keep(case).shape))
        constants.append(onnx.numpy_helper.from_array(np.array(-np.inf, x.dtype), "low"))
        nodes.append(onnx.helper.make_node("Where", ["mask", "x", "low"], ["masked"]))
        feed["mask"], name = keep(case), "masked"
    if kind == "logsumexp":
        constants.append(onnx.numpy_helper.from_array(np.array([case.axis]), "axes"))
        nodes.append(onnx.helper.make_node(kinds[kind], [name, "axes"], ["y"], keepdims=0))
    else:
        nodes.append(onnx.helper.make_node(kinds[kind], [name], ["y"], axis=case.axis))
    output = onnx.helper.make_tensor_value_info("y", tensor_type, None)
    graph = onnx.helper.make_graph(nodes, "softmax", inputs, [output], constants)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=9)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = THREADS, 4
    try:
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
    except Exception as error:  # the operator has no kernel for this dtype
        raise ImportError from error
    if case.layout != "C":
        return lambda: session.run(None, {"x": np.ascontiguousarray(x)})
    return lambda: session.run(None, feed)


def scipy_call(kind: str, case: Case, x: np.ndarray, g: np.ndarray) -> Call:
    import scipy.special

    if kind == "backward" or case.mask or case.dtype == "bfloat16":
        raise ImportError
    function = getattr(scipy.special, kind)
    return lambda: function(x, axis=case.axis)


PEERS = {"torch": torch_call, "jax": jax_call, "onnxrt": onnxruntime_call, "scipy": scipy_call}


def contenders(kind: str, case: Case) -> dict[str, Call]:
    """One call for each library that is installed and has the operation."""
    x, g, copy = numbers(case, 0), numbers(case, 1), np.empty_like(numbers(case, 0))
    calls = {"fastact": fastact_call(kind, case, x, g), "copy": lambda: np.copyto(copy, x)}
    for name, make in PEERS.items():
        try:
            calls[name] = make(kind, case, x, g)
        except ImportError:
            continue
    return calls


def measure(kind: str, case: Case, seconds: float) -> Iterator[str]:
    """A line of the table, and its ratio."""
    calls = {name: Contender(call) for name, call in contenders(kind, case).items()}
    least = interleaved(calls, seconds, always=("fastact", "copy"))
    peers = [least[name] for name in PEERS if name in least]
    size = math.prod(case.shape)
    yield f"{kind:<12}{case!s:<42}"
    for name in ("fastact", "copy", *PEERS):
        yield f"{least[name] / size:>10.3f}" if name in least else f"{'-':>10}"
    yield f"{min(peers) / least['fastact']:>8.2f}" if peers else f"{'-':>8}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    kinds = ["softmax", "log_softmax", "logsumexp", "backward"]
    parser.add_argument("kinds", nargs="*", default=["softmax"], choices=kinds)
    parser.add_argument("--case", default="", help="only cases whose description holds this")
    parser.add_argument("--part", default="0/1", help="I/N: every N-th case from I on, for short runs")
    parser.add_argument("--seconds", type=float, default=1.0, help="per case")
    arguments = parser.parse_args()
    fa.set_num_threads(THREADS)
    print(f"{'ns per element':<54}" + "".join(f"{name:>10}" for name in ("fastact", "copy", *PEERS)) + f"{'ratio':>8}")
    first, step = map(int, arguments.part.split("/"))
    ratios = []
    for kind in arguments.kinds:
        for case in CASES[first::step]:
            if arguments.case in str(case) and not (case.out and kind == "logsumexp"):
                *line, ratio = measure(kind, case, arguments.seconds)
                print("".join(line) + ratio, flush=True)
                if ratio.strip() != "-":
                    ratios.append(float(ratio))
    if ratios:
        print(f"geometric mean {math.exp(np.log(ratios).mean()):.2f}, least {min(ratios):.2f}, of {len(ratios)} cases")


if __name__ == "__main__":
    main()
