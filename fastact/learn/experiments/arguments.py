"""Checks of the numbers that experiments are asked for, before the long work."""

from __future__ import annotations

from numbers import Integral, Real

from fastact.errors import wrong_type

__all__ = ["counts", "positive"]


def counts(**numbers: int) -> None:
    """Raise an error for what is no whole number from 1 on, by its name."""
    for name, number in numbers.items():
        if isinstance(number, bool) or not isinstance(number, Integral):
            raise wrong_type(name, number, "pass an int")
        if number < 1:
            raise ValueError(f"{name}={number}; at least 1 is needed")


def positive(**numbers: float) -> None:
    """Raise an error for what is no number above 0, by its name."""
    for name, number in numbers.items():
        if isinstance(number, bool) or not isinstance(number, Real):
            raise wrong_type(name, number, "pass a number")
        if not number > 0:
            raise ValueError(f"{name}={number}; take a number above 0")
