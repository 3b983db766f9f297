"""Losses from logits or outputs, with their gradients: `value_and_grad` gives both in one pass."""

from fastact.losses.cross_entropy import cross_entropy, nll_loss
from fastact.losses.elementwise import binary_cross_entropy, huber, mse

__all__ = ["binary_cross_entropy", "cross_entropy", "huber", "mse", "nll_loss"]
