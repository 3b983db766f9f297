"""Losses from logits or outputs, with their gradients: `value_and_grad` gives both in one pass."""

from fastact.functions.losses.cross_entropy import cross_entropy, nll_loss
from fastact.functions.losses.elementwise import binary_cross_entropy, huber, mae, mse, poisson_loss, quantile_loss

__all__ = ["binary_cross_entropy", "cross_entropy", "huber", "mae", "mse", "nll_loss", "poisson_loss", "quantile_loss"]
