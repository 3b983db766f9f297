"""Check and time everything on one GPU, beside PyTorch: python benchmarks/gpu.py [--power 28]

Bandwidth counts each array read or written once, and is shown as a share of a device-to-device copy timed in the same
run. Calls of both libraries alternate; the median counts. The accuracy table compares with the CPU's results.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import cupy
import numpy as np
import torch
from numba import cuda

import fastact as fa

aten = torch.ops.aten
functional = torch.nn.functional

ACTIVATIONS = [f for f in map(fa.get, fa.names()) if isinstance(f, fa.Activation)]

#: name -> (PyTorch's forward, its backward of (grad_output, x, y)); what PyTorch has not is missing
PEERS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "relu": (functional.relu, lambda g, x, y: aten.threshold_backward(g, x, 0)),
    "leaky_relu": (functional.leaky_relu, lambda g, x, y: aten.leaky_relu_backward(g, x, 0.01, False)),
    "elu": (functional.elu, lambda g, x, y: aten.elu_backward(g, 1.0, 1.0, 1.0, False, x)),
    "sigmoid": (torch.sigmoid, lambda g, x, y: aten.sigmoid_backward(g, y)),
    "tanh": (torch.tanh, lambda g, x, y: aten.tanh_backward(g, y)),
    "silu": (functional.silu, lambda g, x, y: aten.silu_backward(g, x)),
    "gelu": (functional.gelu, lambda g, x, y: aten.gelu_backward(g, x)),
    "gelu_tanh": (
        lambda x: functional.gelu(x, approximate="tanh"),
        lambda g, x, y: aten.gelu_backward(g, x, approximate="tanh"),
    ),
    "mish": (functional.mish, lambda g, x, y: aten.mish_backward(g, x)),
    "softplus": (functional.softplus, lambda g, x, y: aten.softplus_backward(g, x, 1.0, 20.0)),
}


def milliseconds(calls: list[Callable[[], Any] | None], rounds: int = 9) -> list[float]:
    """Median device time of each call, taking turns, without what the host spends before the launch; NaN for None."""
    times: list[list[float]] = [[] for _ in calls]
    for turn in range(rounds + 2):
        for call, seen in zip(calls, times, strict=True):
            if call is None:
                continue
            start, stop = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
            torch.cuda._sleep(1_000_000)  # the launch is queued before the GPU is free
            start.record()
            call()
            stop.record()
            stop.synchronize()
            if turn >= 2:
                seen.append(start.elapsed_time(stop))
    return [statistics.median(seen) if seen else float("nan") for seen in times]


def microseconds(call: Callable[[], Any], calls: int = 2000) -> float:
    """What a call costs its caller, the least of five batches."""
    best = float("inf")
    for _ in range(5):
        torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(calls // 5):
            call()
        best = min(best, (time.perf_counter() - start) / (calls // 5))
        torch.cuda.synchronize()
    return best * 1e6


def copy_rate(n: int) -> float:
    """GB/s of copying n float32, bytes read and written."""
    a, b = torch.randn(n, device="cuda"), torch.empty(n, device="cuda")
    (took,) = milliseconds([lambda: b.copy_(a)], 20)
    return 8 * n / took / 1e6


def bandwidth(n: int, copy: float, dtype: torch.dtype) -> None:
    print(f"\n{n} {dtype}: share of the copy, fastact and PyTorch" + " (GB/s)")
    print(f"{'':12} {'forward':>8} {'torch':>8} {'GB/s':>8}   {'backward':>8} {'torch':>8} {'GB/s':>8}")
    x, g = torch.randn(n, device="cuda", dtype=dtype), torch.randn(n, device="cuda", dtype=dtype)
    size = n * x.element_size() / 1e6
    for f in ACTIVATIONS:
        forward, backward = PEERS.get(f.name, (None, None))
        y = f(x)
        mine, peer = milliseconds([lambda f=f: f(x), forward and (lambda forward=forward: forward(x))])
        mine_back, peer_back = milliseconds(
            [lambda f=f: f.backward(g, x), backward and (lambda backward=backward, y=y: backward(g, x, y))]
        )
        rates = [2 * size / mine, 2 * size / peer, 3 * size / mine_back, 3 * size / peer_back]
        print(
            f"{f.name:12} {rates[0] / copy:8.3f} {rates[1] / copy:8.3f} {rates[0]:8.0f}   "
            f"{rates[2] / copy:8.3f} {rates[3] / copy:8.3f} {rates[2]:8.0f}",
            flush=True,
        )


def launch_cost(n: int) -> None:
    print(f"\n{n} float32: microseconds a call")
    host = np.random.default_rng(0).normal(size=n).astype(np.float32)
    tensor, array, device_array = torch.from_numpy(host).cuda(), cupy.asarray(host), cuda.to_device(host)
    outs = torch.empty_like(tensor), cupy.empty_like(array), cuda.device_array_like(device_array)
    for name, call in {
        "fastact, torch": lambda: fa.silu(tensor),
        "fastact, torch, out=": lambda: fa.silu(tensor, out=outs[0]),
        "fastact, cupy": lambda: fa.silu(array),
        "fastact, cupy, out=": lambda: fa.silu(array, out=outs[1]),
        "fastact, numba": lambda: fa.silu(device_array),
        "fastact, numba, out=": lambda: fa.silu(device_array, out=outs[2]),
        "torch": lambda: functional.silu(tensor),
        "torch softmax": lambda: torch.softmax(tensor, -1),
        "fastact softmax, torch": lambda: fa.softmax(tensor),
    }.items():
        call()
        print(f"{name:24} {microseconds(call):7.1f}", flush=True)


def rows(copy: float) -> None:
    print("\nsoftmax over rows of float32: share of the copy, fastact and PyTorch")
    print(f"{'':16} {'forward':>8} {'torch':>8}   {'backward':>8} {'torch':>8}   {'log':>8} {'torch':>8}")
    for shape in [(1 << 20, 128), (65536, 1024), (8192, 32768), (64, 1 << 20), (1 << 22, 10)]:
        x, g = torch.randn(shape, device="cuda"), torch.randn(shape, device="cuda")
        y = fa.softmax(x)
        assert torch.allclose(y, torch.softmax(x, -1), rtol=1e-5, atol=1e-12)
        size = 4 * x.numel() / 1e6
        mine, peer, log, peer_log, mine_back, peer_back = milliseconds(
            [
                lambda x=x: fa.softmax(x),
                lambda x=x: torch.softmax(x, -1),
                lambda x=x: fa.log_softmax(x),
                lambda x=x: torch.log_softmax(x, -1),
                lambda g=g, y=y: fa.softmax.backward(g, y),
                lambda g=g, y=y: aten._softmax_backward_data(g, y, -1, torch.float32),
            ]
        )
        shares = [2 * size / t / copy for t in (mine, peer)]
        shares += [3 * size / t / copy for t in (mine_back, peer_back)]
        shares += [2 * size / t / copy for t in (log, peer_log)]
        print("{:16} {:8.3f} {:8.3f}   {:8.3f} {:8.3f}   {:8.3f} {:8.3f}".format(str(shape), *shares), flush=True)


def accuracy(n: int) -> None:
    print(f"\n{n} float32 of every magnitude: results that differ from the CPU's, and by how many ULP at most")
    x = (np.arange(n, dtype=np.uint32) * np.uint32((1 << 32) // n | 1)).view(np.float32)
    device = torch.from_numpy(x).cuda()
    for f in ACTIVATIONS:
        found = []
        for part in (f, f.derivative):
            on_gpu, on_cpu = part(device).cpu().numpy(), part(x)
            same = (on_gpu.view(np.int32) == on_cpu.view(np.int32)) | (np.isnan(on_gpu) & np.isnan(on_cpu))
            a, b = (each[~same].view(np.int32).astype(np.int64) for each in (on_gpu, on_cpu))
            found += [np.count_nonzero(~same), int(np.max(np.abs(a - b), initial=0))]
        print("{:12} forward {:9} {:6}   derivative {:9} {:6}".format(f.name, *found), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--power", type=int, default=28, help="time 2**POWER elements")
    n = 1 << parser.parse_args().power
    print(torch.cuda.get_device_name(), "torch", torch.__version__, "numpy", np.__version__)
    accuracy(1 << 24)
    launch_cost(1000)
    copy = copy_rate(n)
    print(f"\ndevice-to-device copy of {n} float32: {copy:.0f} GB/s")
    bandwidth(n, copy, torch.float32)
    rows(copy)
    bandwidth(n // 2, copy, torch.float64)


if __name__ == "__main__":
    main()
