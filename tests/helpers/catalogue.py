"""The elementwise functions of the registry, and how to call each of their operations."""

from __future__ import annotations

from typing import Any

import fastact as fa

ACTIVATIONS = [name for name in fa.names() if isinstance(fa.get(name), fa.Activation)]
PARTS = ("forward", "derivative", "backward")


def operands(operation: Any, x: Any) -> tuple[Any, ...]:
    """What the operation takes: x, and for a backward pass x as the gradient too."""
    return (x,) * operation._inputs
