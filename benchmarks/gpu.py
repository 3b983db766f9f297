"""Checks and times everything on one GPU, beside PyTorch: python benchmarks/gpu.py [--power 28] [--host-gb 20]

Bandwidth counts each array read or written once, and is shown as a share of a device-to-device copy timed in the same
run. Calls of both libraries alternate; the median counts. Accuracy compares with the CPU's results, bit by bit. The
cases that fall short of what is asked of them are listed at the end.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cupy
import numpy as np
import torch
from numba import cuda

import fastact as fa

aten = torch.ops.aten
functional = torch.nn.functional

ACTIVATIONS = [f for f in map(fa.get, fa.names()) if isinstance(f, fa.Activation)]
DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16)

#: What falls short, for the end.
SHORT: list[str] = []

#: name -> (PyTorch's forward, its backward of (grad_output, x, y)), for what PyTorch has
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


def show(name: str, size: float, copy: float, mine: float, peer: float, least: float) -> str:
    """A cell: the share of the copy and PyTorch's time over ours, for `size` MB that went; noted if it falls short."""
    share, ratio = size / mine / copy, peer / mine
    if share < least or ratio < 1:
        SHORT.append(f"{name}: {share:.3f} of the copy, torch / fastact {ratio:.2f}")
    return f"{share:6.3f} {ratio:6.2f}"


def bandwidth(n: int, copy: float, dtype: torch.dtype) -> None:
    kind = str(dtype).removeprefix("torch.")
    print(f"\n{n} {kind}: share of the copy, torch / fastact")
    print(f"{'':18} {'forward':>13}   {'backward':>13}")
    x, g = (torch.randn(n, device="cuda", dtype=dtype) for _ in range(2))
    size, least = n * x.element_size() / 1e6, 0.9 if dtype is torch.float64 else 0.97
    for f in ACTIVATIONS:
        forward, backward = PEERS.get(f.name, (None, None))
        y = f(x)
        mine, peer = milliseconds([lambda f=f: f(x), forward and (lambda forward=forward: forward(x))])
        mine_back, peer_back = milliseconds(
            [lambda f=f: f.backward(g, x), backward and (lambda backward=backward, y=y: backward(g, x, y))]
        )
        cells = [
            show(f"{f.name} {kind}", 2 * size, copy, mine, peer, least),
            show(f"{f.name}.backward {kind}", 3 * size, copy, mine_back, peer_back, least),
        ]
        print(f"{f.name:18} {'   '.join(cells)}", flush=True)
    units = {
        "swiglu": (2 * size + size, lambda: fa.swiglu(x, g), lambda: functional.silu(g) * x),
        "swiglu.backward": (5 * size, lambda: fa.swiglu.backward(x, x, g), None),
        "gelu.with_bias": (
            2 * size, lambda: fa.gelu.with_bias(x.view(-1, 1024), x[:1024]),
            lambda: functional.gelu(x.view(-1, 1024) + x[:1024]),
        ),
    }  # fmt: skip
    for name, (moved, own, peer_call) in units.items():
        mine, peer = milliseconds([own, peer_call])
        print(f"{name:18} {show(f'{name} {kind}', moved, copy, mine, peer, least)}", flush=True)


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


#: (shape, axis, dtype)
ROWS = [
    ((1 << 20, 128), -1, torch.float32), ((65536, 1024), -1, torch.float32), ((8192, 32768), -1, torch.float32),
    ((4096, 50257), -1, torch.float32), ((64, 1 << 20), -1, torch.float32), ((1 << 22, 10), -1, torch.float32),
    ((32768, 8192), 0, torch.float32), ((64, 1000, 4096), 1, torch.float32), ((65536, 1024), -1, torch.float64),
    ((65536, 1024), -1, torch.float16), ((8192, 32768), -1, torch.bfloat16),
]  # fmt: skip


def rows(copy: float) -> None:
    print("\nsoftmax: share of the copy, torch / fastact")
    print(f"{'':34} {'forward':>13}   {'backward':>13}   {'log':>13}   {'logsumexp':>13}")
    for shape, axis, dtype in ROWS:
        x, g = (torch.randn(shape, device="cuda", dtype=dtype) for _ in range(2))
        y = fa.softmax(x, axis)
        tolerance = 1e-5 if x.element_size() > 2 else 1e-2
        assert torch.allclose(y, torch.softmax(x, axis), rtol=tolerance, atol=tolerance * 1e-3)
        size, name = x.element_size() * x.numel() / 1e6, f"{shape} axis {axis} {str(dtype).removeprefix('torch.')}"
        times = milliseconds(
            [
                lambda x=x, axis=axis: fa.softmax(x, axis),
                lambda x=x, axis=axis: torch.softmax(x, axis),
                lambda g=g, y=y, axis=axis: fa.softmax.backward(g, y, axis),
                lambda g=g, y=y, axis=axis, dtype=dtype: aten._softmax_backward_data(g, y, axis, dtype),
                lambda x=x, axis=axis: fa.log_softmax(x, axis),
                lambda x=x, axis=axis: torch.log_softmax(x, axis),
                lambda x=x, axis=axis: fa.logsumexp(x, axis),
                lambda x=x, axis=axis: torch.logsumexp(x, axis),
            ]
        )
        cells = [
            show(f"{part} {name}", moved * size, copy, *times[2 * i : 2 * i + 2], 0.9)
            for i, (part, moved) in enumerate([("softmax", 2), ("backward", 3), ("log_softmax", 2), ("logsumexp", 1)])
        ]
        print(f"{name:34} {'   '.join(cells)}", flush=True)
    x = torch.randn(65536, 1024, device="cuda")
    for function in (fa.sparsemax, fa.entmax15, fa.hardmax):
        (mine,) = milliseconds([lambda function=function: function(x)])
        print(f"{function.name + ' (65536, 1024)':34} {8 * x.numel() / 1e6 / mine / copy:6.3f}", flush=True)
    scores = torch.randn(32, 12, 512, 512, device="cuda")
    causal = torch.ones(512, 512, dtype=torch.bool, device="cuda").tril()
    for name, where in (("causal", "causal"), ("boolean mask", causal)):
        mine, peer = milliseconds(
            [
                lambda where=where: fa.softmax(scores, where=where),
                lambda: torch.softmax(scores.masked_fill(~causal, -torch.inf), -1),
            ]
        )
        print(f"{name:34} {show(f'softmax {name}', 8 * scores.numel() / 1e6, copy, mine, peer, 0.9)}", flush=True)


def losses(copy: float) -> None:
    x = torch.randn(8192, 32000, device="cuda", requires_grad=True)
    targets = torch.randint(0, 32000, (8192,), device="cuda")
    own = x.detach()
    value, grad = fa.cross_entropy.value_and_grad(own, targets)
    loss = functional.cross_entropy(x, targets)
    (wanted,) = torch.autograd.grad(loss, x)
    assert torch.allclose(value, loss.detach(), rtol=1e-5)
    assert torch.allclose(grad, wanted, rtol=1e-4, atol=1e-9)
    mine, peer = milliseconds(
        [
            lambda: fa.cross_entropy.value_and_grad(own, targets, out=grad),
            lambda: torch.autograd.grad(functional.cross_entropy(x, targets), x),
        ]
    )
    cell = show("cross_entropy.value_and_grad", 8 * own.numel() / 1e6, copy, mine, peer / 3, 0.6)
    print(f"\ncross_entropy.value_and_grad of (8192, 32000): share of the copy, a third of torch / fastact: {cell}")
    guess, goal = x.detach(), torch.rand(8192, 32000, device="cuda")
    for name, own_loss, peer_loss in [
        ("mse", fa.mse, functional.mse_loss),
        ("huber", fa.huber, functional.huber_loss),
        ("binary_cross_entropy", fa.binary_cross_entropy, functional.binary_cross_entropy_with_logits),
    ]:
        mine, peer = milliseconds(
            [
                lambda own_loss=own_loss: own_loss.value_and_grad(guess, goal, out=grad),
                lambda peer_loss=peer_loss: torch.autograd.grad(peer_loss(x, goal), x),
            ]
        )
        cell = show(f"{name}.value_and_grad", 12 * guess.numel() / 1e6, copy, mine, peer, 0.9)
        print(f"{name + '.value_and_grad':34} {cell}", flush=True)


def training(rounds: int = 3, samples: int = 60_000, batch: int = 256) -> None:
    """Epochs of a network and its twin in PyTorch, with loss and accuracy of every batch, both read at the end."""
    sizes = (784, 1024, 1024, 10)
    x, y = torch.randn(samples, sizes[0], device="cuda"), torch.randint(0, sizes[-1], (samples,), device="cuda")
    data = cupy.from_dlpack(x), cupy.from_dlpack(y)
    net = fa.MLP(sizes, "relu", "softmax", batch_size=batch, seed=0, device="cuda")
    parts = [torch.nn.Linear(784, 1024), torch.nn.ReLU(), torch.nn.Linear(1024, 1024), torch.nn.ReLU()]
    twin = torch.nn.Sequential(*parts, torch.nn.Linear(1024, 10)).cuda()
    optimizer = torch.optim.Adam(twin.parameters(), net.optimizer.learning_rate)

    def epoch() -> float:
        torch.cuda.synchronize()
        start = time.perf_counter()
        losses, right = [], []
        for rows in torch.randperm(samples, device="cuda").split(batch):
            logits, labels = twin(x[rows]), y[rows]
            loss = functional.cross_entropy(logits, labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.detach() * len(rows))
            right.append((logits.detach().argmax(1) == labels).sum())
        assert torch.stack(losses).sum().item() > 0
        assert torch.stack(right).sum().item() > 0
        return time.perf_counter() - start

    net.fit(*data, epochs=1), epoch()  # what is compiled at first
    times = [(net.fit(*data, epochs=1).history["seconds"][-1], epoch()) for _ in range(rounds)]
    mine, peer = (statistics.median(each) for each in zip(*times, strict=True))
    print(f"\nepoch of MLP {sizes}, {samples} samples by {batch}: {mine:.3f} s, torch / fastact {peer / mine:.2f}")
    if peer < mine:
        SHORT.append(f"epoch of MLP: torch / fastact {peer / mine:.2f}")


def host_batches(gigabytes: float) -> None:
    """A memory map through the GPU, beside what page-locked memory alone gives one way."""
    n = int(gigabytes * 2**30) // 4
    pinned, device = torch.empty(1 << 28, pin_memory=True), torch.empty(1 << 28, device="cuda")
    (took,) = milliseconds([lambda: device.copy_(pinned, non_blocking=True)])
    one_way = 4 * 2**28 / took / 1e6
    with tempfile.TemporaryDirectory() as folder:
        source, target = (np.memmap(Path(folder, name), np.float32, "w+", shape=n) for name in ("x", "y"))
        for start in range(0, n, 1 << 26):
            source[start : start + (1 << 26)] = np.float32(0.5)
        fa.gelu(source[: 1 << 26], out=target[: 1 << 26], backend="cuda")
        start_time = time.perf_counter()
        fa.gelu(source, out=target, backend="cuda")
        rate = 4 * n / (time.perf_counter() - start_time) / 1e9
        assert (target[:: n // 1000] == fa.gelu(np.float32(0.5))).all()
    print(f"\nhost batches, {gigabytes:g} GB: {rate:.1f} GB/s each way; page-locked memory one way {one_way:.1f} GB/s")
    if rate < 0.85 * one_way:
        SHORT.append(f"host batches: {rate / one_way:.2f} of the way to the GPU")


def accuracy(n: int) -> None:
    print(f"\n{n} float32 of every magnitude: results that differ from the CPU's, and by how many ULP at most")
    step = np.uint64((1 << 32) // n)
    for f in ACTIVATIONS:
        found = {part: [0, 0] for part in ("forward", "derivative")}
        for start in range(0, n, 1 << 26):
            places = np.arange(start, min(n, start + (1 << 26)), dtype=np.uint64) * step
            x = places.astype(np.uint32).view(np.float32)
            device = torch.from_numpy(x).cuda()
            for part, function in (("forward", f), ("derivative", f.derivative)):
                on_gpu, on_cpu = function(device).cpu().numpy(), function(x)
                same = (on_gpu.view(np.int32) == on_cpu.view(np.int32)) | (np.isnan(on_gpu) & np.isnan(on_cpu))
                a, b = (each[~same].view(np.int32).astype(np.int64) for each in (on_gpu, on_cpu))
                found[part][0] += int(np.count_nonzero(~same))
                found[part][1] = max(found[part][1], int(np.max(np.abs(a - b), initial=0)))
        for part, (differ, most) in found.items():
            if differ:
                SHORT.append(f"{f.name} {part}: {differ} results differ from the CPU's, by up to {most} ULP")
        print(f"{f.name:18} forward {found['forward']}   derivative {found['derivative']}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--power", type=int, default=28, help="time 2**POWER elements")
    parser.add_argument("--accuracy-power", type=int, default=24, help="compare 2**POWER float32; 32 are all")
    parser.add_argument("--host-gb", type=float, default=4, help="size of the memory map")
    options = parser.parse_args()
    n = 1 << options.power
    print(torch.cuda.get_device_name(), "torch", torch.__version__, "numpy", np.__version__)
    launch_cost(1000)
    copy = copy_rate(n)
    print(f"\ndevice-to-device copy of {n} float32: {copy:.0f} GB/s")
    for dtype in DTYPES:
        bandwidth(n if dtype is not torch.float64 else n // 2, copy, dtype)
    rows(copy)
    losses(copy)
    training()
    host_batches(options.host_gb)
    accuracy(1 << options.accuracy_power)
    print("\nFalls short:" if SHORT else "\nNothing falls short.", *SHORT, sep="\n  ")


if __name__ == "__main__":
    main()
