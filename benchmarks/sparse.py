"""sparsemax, entmax15, hardmax and gumbel_softmax against their usual formulations in NumPy, PyTorch and JAX.

python benchmarks/sparse.py [--seconds 1] [sparsemax|entmax15|hardmax|gumbel_softmax|all]

The peers sort each row, as papers and packages do, or take its argmax. Every library gets the same float32 array and
returns a new one; calls are interleaved and the least time of each counts. The last column is the best peer's time
over fastact's. Rows of two kinds: "few", standard normal numbers, of which few are in the support, and "all", whose
differences are so small that most are.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np

import fastact as fa
from fastact.bench.timing import Contender, interleaved

THREADS = 2
SHAPES = [((1, 10), -1), ((128, 10), -1), ((60_000, 10), -1), ((512, 100), -1), ((4096, 1000), -1), ((64, 50_257), -1),
          ((1000, 4096), 0), ((16, 1000, 196), 1), ((32, 12, 128, 128), -1)]  # fmt: skip
KINDS = ["sparsemax", "entmax15", "hardmax", "gumbel_softmax"]


def sorted_projection(kind: str, lib: Any, x: Any, axis: int, falling: Any, counts: Any) -> Any:
    """The formulation of the papers in the functions that torch and jax.numpy share; `falling` is x sorted."""
    total = lib.cumsum(falling, axis)
    if kind == "sparsemax":
        thresholds = (total - 1) / counts
    else:
        mean = total / counts
        spread = lib.cumsum(falling * falling, axis) / counts - mean * mean
        thresholds = mean - lib.sqrt(lib.clip(1 / counts - spread, 0))
    last = (falling > thresholds).sum(axis, keepdims=True) - 1
    over = lib.clip(x - lib.take_along_axis(thresholds, last, axis), 0)
    return over if kind == "sparsemax" else over * over


def torch_call(kind: str, x: np.ndarray, axis: int) -> Callable[[], Any]:
    import torch

    torch.set_num_threads(THREADS)
    tensor = torch.from_numpy(x)
    counts = torch.arange(1, x.shape[axis] + 1).reshape([-1 if i == axis % x.ndim else 1 for i in range(x.ndim)])
    names = {"cumsum": torch.cumsum, "sqrt": torch.sqrt, "clip": torch.clip, "take_along_axis": torch.take_along_dim}
    lib = type("lib", (), {name: staticmethod(function) for name, function in names.items()})

    def call() -> Any:
        if kind == "hardmax":
            return torch.zeros_like(tensor).scatter_(axis, tensor.argmax(axis, keepdim=True), 1)
        if kind == "gumbel_softmax":
            return torch.nn.functional.gumbel_softmax(tensor, 1.0, dim=axis)
        scaled = tensor if kind == "sparsemax" else (tensor - tensor.amax(axis, keepdim=True)) / 2
        falling = torch.sort(scaled, axis, descending=True).values
        return sorted_projection(kind, lib, scaled, axis, falling, counts)

    return call


def jax_call(kind: str, x: np.ndarray, axis: int) -> Callable[[], Any]:
    import jax

    counts = np.arange(1, x.shape[axis] + 1).reshape([-1 if i == axis % x.ndim else 1 for i in range(x.ndim)])
    key = jax.random.key(0)

    def formula(a: Any) -> Any:
        if kind == "hardmax":
            return jax.nn.one_hot(a.argmax(axis), a.shape[axis], axis=axis)
        if kind == "gumbel_softmax":
            return jax.nn.softmax(a + jax.random.gumbel(key, a.shape), axis)
        scaled = a if kind == "sparsemax" else (a - a.max(axis, keepdims=True)) / 2
        return sorted_projection(kind, jax.numpy, scaled, axis, -jax.numpy.sort(-scaled, axis), counts)

    array, compiled = jax.numpy.asarray(x), jax.jit(formula)
    return lambda: compiled(array).block_until_ready()


def contenders(kind: str, x: np.ndarray, axis: int) -> dict[str, Callable[[], Any]]:
    """One call per library that is installed, checked against fastact's result; and fastact's backward pass."""
    f, rng = getattr(fa, kind), np.random.default_rng(0)
    extra = (rng,) if kind == "gumbel_softmax" else ()
    y, backward = f(x, *extra, axis=axis), f.backward
    calls: dict[str, Callable[[], Any]] = {"fastact": lambda: f(x, *extra, axis=axis)}
    if kind == "gumbel_softmax":
        calls["numpy"] = lambda: fa.softmax(x + rng.gumbel(size=x.shape).astype(x.dtype), axis, backend="numpy")
    else:
        calls["numpy"] = lambda: f(x, axis, backend="numpy")
    for name, make in (("torch", torch_call), ("jax", jax_call)):
        try:
            calls[name] = make(kind, x, axis)
        except ImportError:
            continue
        if kind != "gumbel_softmax":
            np.testing.assert_allclose(np.asarray(calls[name]()), y, atol=1e-3)
    calls["backward"] = lambda: backward(x, y, axis=axis)
    return calls


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", nargs="?", default="all", choices=[*KINDS, "all"])
    parser.add_argument("--seconds", type=float, default=1.0, help="for each line")
    parser.add_argument("--shapes", default="", help="only shapes whose name contains this, such as 4096x1000")
    arguments = parser.parse_args()
    fa.set_num_threads(THREADS)
    for kind in KINDS if arguments.kind == "all" else [arguments.kind]:
        print(f"{kind + ', ns per element':<36}fastact     numpy     torch       jax  backward   peer/fastact")
        for shape, axis in SHAPES:
            for rows, scale in (("few", 1.0), ("all", 1e-4)):
                name = f"{'x'.join(map(str, shape))} axis {axis} {rows}"
                if arguments.shapes not in name or (rows == "all" and kind in ("hardmax", "gumbel_softmax")):
                    continue
                x = (np.random.default_rng(0).normal(size=shape) * scale).astype(np.float32)
                calls = {name: Contender(call) for name, call in contenders(kind, x, axis).items()}
                least = interleaved(calls, arguments.seconds, always=("fastact", "backward"))
                per = {name: nanoseconds / x.size for name, nanoseconds in least.items()}
                columns = "".join(f"{per.get(n, float('nan')):>10.2f}" for n in ("fastact", "numpy", "torch", "jax"))
                best = min(value for n, value in per.items() if n in ("numpy", "torch", "jax"))
                print(f"{name:<33}{columns}{per['backward']:>10.2f}{best / per['fastact']:>15.1f}", flush=True)


if __name__ == "__main__":
    main()
