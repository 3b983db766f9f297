"""The backends: what each must offer, and the table from which `_core/dispatch.py` chooses.

A backend is an object of a class below `Backend`, called `backend` in its module, which is loaded when it is first
wanted. It compiles or runs any formula that it is given, and none knows the catalogue. To add one, write its module and
add it to both tables.
"""

from __future__ import annotations

import os
from contextvars import ContextVar
from typing import Any, NamedTuple

__all__ = ["AUTOMATIC", "BACKENDS", "FAMILIES", "FROM_ENVIRONMENT", "Backend", "Entry", "in_force"]


class Entry(NamedTuple):
    """A line of the table."""

    module: str
    what: str


BACKENDS = {
    "serial": Entry("fastact.backends.cpu.serial", "Numba loops on one core"),
    "threads": Entry("fastact.backends.cpu.threads", "the same loops on fastact's own threads"),
    "parallel": Entry("fastact.backends.cpu.parallel", "the same loops on Numba's threads"),
    "cython": Entry("fastact.backends.cpu.cython", "softmax family on the CPU"),
    "cuda": Entry("fastact.backends.cuda", "Numba kernels on an NVIDIA GPU"),
    "numpy": Entry("fastact.backends.numpy", "plain NumPy, the readable reference"),
}

#: The module of what chooses between serial and threads for each call; it has no name of its own.
AUTOMATIC = "fastact.backends.cpu.automatic"

#: family -> the backends that offer it; host arrays go to the first one that works, None standing for `AUTOMATIC`.
FAMILIES: dict[str, tuple[str | None, ...]] = {
    "elementwise": (None, "serial", "threads", "parallel", "cuda", "numpy"),
    "softmax": ("cython", "serial", "threads", "parallel", "cuda", "numpy"),
    "sparse": ("threads", "serial", "parallel", "cuda", "numpy"),
    "weighted sum": ("numpy",),
    "class loss": ("cython", "cuda", "numpy"),
}


#: The environment is read once, at import.
FROM_ENVIRONMENT = os.environ.get("FASTACT_BACKEND") or "auto"

#: The backend asked for in a block or by the environment, or the explanation that calls are to give of themselves.
in_force: ContextVar[Any] = ContextVar(
    "fastact_backend", default=None if FROM_ENVIRONMENT == "auto" else FROM_ENVIRONMENT
)


class Backend:
    """What a backend offers: functions with these arguments, those of the families that the table says it has.

    Arguments are records of `_core/arguments.py`, made once from what the user wrote.
    """

    name: str
    loops = False  # whether elementwise calls take the loops that Numba compiles for the CPU

    def why_not(self) -> str | None:
        """None if it works here, else the reason and the remedy in a line."""
        return None

    def seen(self, *arguments: Any) -> tuple[Any, ...]:
        """The arguments, with a `DeviceArray` in the place of each array on its device: what can be checked."""
        return arguments

    def detail(self, record: Any) -> list[str]:
        """What `fastact.explain` is to say of the kernels that a call over axes would take."""
        return []

    # Family "elementwise".

    def elementwise(self, operation: Any, operands: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        """operation(*operands, **keywords); keywords are those of `numpy.ufunc`, and operands complete."""
        raise NotImplementedError

    def of_halves(self, operation: Any, x: Any, axis: int | str, out: Any) -> Any:
        """operation(value, gate), the halves of x along an axis."""
        raise NotImplementedError

    def backward_of_halves(self, operation: Any, grad_output: Any, x: Any, axis: int | str, out: Any) -> Any:
        """The two results of operation(grad_output, value, gate) as the halves of one array."""
        raise NotImplementedError

    def elementwise_loss(self, operation: Any, record: Any) -> tuple[Any, Any]:
        """The loss and, if it is wanted, the gradient: operation gives values, or values and gradients."""
        raise NotImplementedError

    def vectorize(self, operation: Any) -> Any:
        """Numba's own `@vectorize` ufunc of the formula for its device."""
        raise NotImplementedError

    def register(self) -> None:
        """Let the user's own kernels for its device call formulas."""

    # Families "softmax" and "sparse".

    def common(self, computation: str, grad: Any, x: Any, axis: Any, out: Any) -> Any:
        """The result of a call without options that the kernels take as it is; None for any other call."""
        return None

    def over_axes(self, record: Any) -> Any:
        """The result of a call of the softmax family."""
        raise NotImplementedError

    # Family "weighted sum".

    def signed_logsumexp(self, record: Any, weights: Any) -> tuple[Any, Any]:
        """log|s| and the sign of s = sum(weights * exp(x))."""
        raise NotImplementedError

    # Family "class loss".

    def cross_entropy(self, record: Any) -> tuple[Any, Any]:
        """The loss and, if it is wanted, its gradient."""
        raise NotImplementedError

    def nll_loss(self, record: Any) -> Any:
        """The loss."""
        raise NotImplementedError
