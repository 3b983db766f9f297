"""Losses with their gradient, beside PyTorch's forward and backward pass."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch

import fastact as fa
from card.record import Figure, Units
from card.timing import DEVICE, compared, differs, random

__all__ = ["units"]

functional = torch.nn.functional


def _timed(own: Any, peer: Callable[..., Any], x: Any, target: Any, moved: int, least: float) -> dict[str, Figure]:
    value, grad = own.value_and_grad(x, target)
    leaf = x.detach().requires_grad_()
    loss = peer(leaf, target)
    (wanted,) = torch.autograd.grad(loss, leaf)
    fault = differs(value, loss.detach(), 1e-4) or differs(grad, wanted, 1e-3, 1e-6)
    found = compared(
        moved, lambda: own.value_and_grad(x, target, out=grad),
        lambda: torch.autograd.grad(peer(leaf, target), leaf), ratio=least,
    )  # fmt: skip
    return {"value_and_grad": found._replace(fault=fault)}


def _of_classes(rows: int, classes: int) -> dict[str, Figure]:
    x, targets = random(rows, classes), torch.randint(0, classes, (rows,), device=DEVICE)
    return _timed(fa.cross_entropy, functional.cross_entropy, x, targets, 2 * x.element_size() * x.numel(), 3.0)


def _elementwise(own: Any, peer: Callable[..., Any]) -> dict[str, Figure]:
    x, target = random(8192, 32_000), torch.rand(8192, 32_000, device=DEVICE)
    return _timed(own, peer, x, target, 3 * x.element_size() * x.numel(), 1.0)


def units(power: int) -> Units:
    for rows, classes in ((8192, 32_000), (4096, 262_144)):
        yield f"cross_entropy {rows} x {classes}", partial(_of_classes, rows, classes)
    for own, peer in (
        (fa.mse, functional.mse_loss), (fa.huber, functional.huber_loss),
        (fa.binary_cross_entropy, functional.binary_cross_entropy_with_logits),
    ):  # fmt: skip
        yield f"{own.name} 8192 x 32000", partial(_elementwise, own, peer)
