"""Epochs of networks, beside PyTorch with its whole step in a CUDA graph."""

from __future__ import annotations

import importlib
import statistics
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import torch

import fastact as fa
from card.record import Figure, Units
from card.timing import DEVICE, random

__all__ = ["units"]

#: Sizes of the layers, samples, batch size
NETWORKS = [((784, 1024, 1024, 10), 61_440, 256), ((64, 128, 64, 10), 19_200, 32)]
ROUNDS = 5
#: Epochs of a call of `fit`, and of a time.
EPOCHS = 3


def _layers(sizes: tuple[int, ...]) -> Any:
    """PyTorch's network."""
    layers: list[Any] = []
    for before, after in pairwise(sizes):
        layers += [torch.nn.Linear(before, after), torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1]).to(DEVICE)


def _epoch_of_pytorch(sizes: tuple[int, ...], x: Any, y: Any, batch: int, rate: float) -> Callable[[], None]:
    """A function that trains for an epoch, by batches drawn anew, with the sums of loss and right answers."""
    net = _layers(sizes)
    optimiser = torch.optim.Adam(net.parameters(), rate, fused=True, capturable=True)
    some_x, some_y = x[:batch].clone(), y[:batch].clone()
    sums = torch.zeros(2, device=DEVICE)

    def step() -> None:
        optimiser.zero_grad(set_to_none=True)
        logits = net(some_x)
        loss = torch.nn.functional.cross_entropy(logits, some_y)
        loss.backward()
        optimiser.step()
        sums.add_(torch.stack([loss.detach(), (logits.detach().argmax(1) == some_y).float().mean()]))

    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):  # a few steps before the capture, as PyTorch's manual asks
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()

    def epoch() -> None:
        sums.zero_()
        for rows in torch.randperm(len(x), device=DEVICE).split(batch):
            some_x.copy_(x[rows])
            some_y.copy_(y[rows])
            graph.replay()
        if not sums.isfinite().all():
            raise ArithmeticError("PyTorch's loss is not finite")

    return epoch


def _seconds(call: Callable[[], Any]) -> float:
    torch.cuda.synchronize()
    start = time.perf_counter()
    call()
    torch.cuda.synchronize()
    return time.perf_counter() - start


def _network(sizes: tuple[int, ...], samples: int, batch: int) -> dict[str, Figure]:
    cupy = importlib.import_module("cupy")  # which the tests of this file may lack
    x, y = random(samples, sizes[0]), torch.randint(0, sizes[-1], (samples,), device=DEVICE)
    data = [cupy.from_dlpack(each) for each in (x, y)]
    net = fa.MLP(sizes, "relu", "softmax", batch_size=batch, seed=0, device="cuda")
    epoch = _epoch_of_pytorch(sizes, x, y, batch, net.optimizer.learning_rate)

    def own() -> None:
        net.fit(*data, epochs=EPOCHS)

    def peer() -> None:
        for _ in range(EPOCHS):
            epoch()

    own()  # what is compiled at first
    peer()
    times = [[_seconds(own), _seconds(peer)] for _ in range(ROUNDS)]
    mine, theirs = (statistics.median(each) for each in zip(*times, strict=True))
    return {"epoch": Figure(mine * 1000 / EPOCHS, None, theirs / mine, least_ratio=1)}


def units(power: int) -> Units:
    for sizes, samples, batch in NETWORKS:
        yield f"{'-'.join(map(str, sizes))} by {batch}", partial(_network, sizes, samples, batch)
