"""fastact's functions for PyTorch: differentiable, on tensors of the CPU and of CUDA.

    import fastact.torch as ft
    y = ft.gelu(x)                              # any name of `fastact.names()`; gradients by fastact's backward kernels
    ft.softmax(x, dim=-1), ft.swiglu(value, gate), ft.cross_entropy(logits, classes)
    layer = ft.Activation("leaky_relu", alpha=torch.nn.Parameter(torch.tensor(0.1)))    # a module; a trainable slope

Each function is an autograd Function that calls fastact's on the tensors' own memory, and goes through `torch.func`.
A new function of a known kind is there by its name; a new kind is an entry in functions.py.
"""

from __future__ import annotations

from typing import Any

from fastact.errors import require as _require

_require("torch", "torch", "fastact.torch")

from fastact.torch.functions import apply, named  # noqa: E402
from fastact.torch.modules import Activation, Softmax  # noqa: E402

__all__ = ["Activation", "Softmax", "apply"]


def __getattr__(name: str) -> Any:
    """The differentiable form of fastact's function of this name."""
    globals()[name] = made = named(name)
    return made
