"""What a call would do: it is made, and the backend that it reaches tells about itself instead of computing."""

from __future__ import annotations

import copy
import inspect
import math
from typing import Any

import numpy as np

from fastact._core import dispatch
from fastact._core.arrays import halves, wide_dtype
from fastact._core.backends import BACKENDS, Backend
from fastact._core.devices import on_gpu
from fastact._core.named import Named
from fastact._core.threads import get_num_threads
from fastact._kernels.native import pool

__all__ = ["explain"]


def explain(function: Any, *arguments: Any, backend: str | None = None, **keywords: Any) -> str:
    """Which backend and loop a call would take, and why; nothing is computed.

    Parameters
    ----------
    function : a fastact function, or a method of one
        Such as ``fa.gelu``, ``fa.gelu.derivative``, ``fa.softmax.backward`` or ``fa.mse.value_and_grad``.
    *arguments, backend, **keywords : as for the call

    Returns
    -------
    str

    Raises
    ------
    TypeError
        If it is no function of fastact's.
    Exception
        What the call raises before it reaches a backend.

    Examples
    --------
    >>> import numpy as np
    >>> import fastact as fa
    >>> fa.explain(fa.relu, np.ones(3), backend="numpy")
    "relu: backend 'numpy', plain NumPy, the readable reference (asked for)"
    """
    # A copy of a generator draws what a call draws before it reaches a backend.
    arguments = tuple(map(_own, arguments))
    keywords = {name: _own(value) for name, value in keywords.items()}
    owner: Any = function.__self__ if inspect.ismethod(function) else function
    if not isinstance(owner, Named):
        raise TypeError(
            f"{function!r} is no function of fastact's, and no method of one; pass one, such as fastact.gelu"
        )
    name = owner.name if owner is function else f"{owner.name}.{function.__name__}"
    with dispatch.force(_Explanation(name, backend)):
        try:
            function(*arguments, **keywords)
        except _Told as told:
            return str(told)
    raise TypeError(f"{name} is not a call that a backend computes, so there is nothing to explain")


def _own(argument: Any) -> Any:
    """The argument; of a random generator a copy."""
    return copy.deepcopy(argument) if isinstance(argument, np.random.Generator) else argument


class _Told(BaseException):
    """Ends a call that was to be explained."""


class _Explanation:
    """What `requested` gives where calls are to be explained."""

    def __init__(self, function: str, backend: str | None) -> None:
        self.function, self.backend = function, dispatch.requested(backend)

    def asking(self, backend: str) -> _Explanation:
        """The same where the call itself asks for a backend."""
        other = copy.copy(self)
        other.backend = backend
        return other

    def of(self, chosen: Backend) -> Backend:
        """A stand-in for the backend, which tells instead of computing."""
        why = "asked for" if self.backend != "auto" else "automatic"
        if self.backend == "auto" and chosen.name == "numpy":
            why += f": {dispatch.find(None).why_not()}"
        return _Telling(self.function, chosen, why)


class _Telling(Backend):
    """In the place of a backend: what it offers tells instead."""

    def __init__(self, function: str, chosen: Backend, why: str) -> None:
        self.function, self.chosen, self.why = function, chosen, why
        self.seen = chosen.seen  # type: ignore[method-assign]

    def _tell(self, name: str, what: str, why: str) -> Any:
        raise _Told(f"{self.function}: backend {name!r}, {what} ({why})")

    def elementwise(self, operation: Any, operands: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        name, why = self.chosen.name, self.why
        if not self.chosen.loops:
            self._tell(name, BACKENDS[name].what, why)
        loop = operation._result_dtype(operands, keywords.get("dtype"), keywords.get("casting", "same_kind"))
        if name == "automatic":
            size = math.prod(np.broadcast_shapes(*map(np.shape, operands)))
            name, why = _serial_or_threads(size * operation._cost(loop))
        threads = 1 if name == "serial" else get_num_threads()
        formula = "" if operation.name == self.function else f" of {operation.name}"
        self._tell(name, f"{loop} loop{formula}, {threads} thread{'s' * (threads > 1)}", why)

    def of_halves(self, operation: Any, x: Any, axis: int | str, out: Any) -> Any:
        return self.elementwise(operation, () if on_gpu(x) else halves(x, axis), {})

    def backward_of_halves(self, operation: Any, grad_output: Any, x: Any, axis: int | str, out: Any) -> Any:
        return self.elementwise(operation, () if on_gpu(x) else (grad_output, *halves(x, axis)), {})

    def elementwise_loss(self, operation: Any, record: Any) -> Any:
        wide = np.broadcast_to(wide_dtype(record.dtype).type(0), record.shape)
        return self.elementwise(operation, (wide, wide, *operation.parameters.values()), {})

    def over_axes(self, record: Any) -> Any:
        self._tell(self.chosen.name, ", ".join([str(record.dtype), *self.chosen.detail(record)]), self.why)

    def signed_logsumexp(self, record: Any, weights: Any) -> Any:
        self._tell(self.chosen.name, f"{record.dtype}, weighted", "the only one that takes weights")

    def cross_entropy(self, record: Any) -> Any:
        self._tell(self.chosen.name, str(record.dtype), self.why)

    nll_loss = cross_entropy


def _serial_or_threads(work: float) -> tuple[str, str]:
    """The name of the backend that so many nanoseconds of work go to, and why."""
    microseconds = f"automatic: {work / 1000:.1f} us of work"
    if work < pool.FROM_AWAKE:
        return "serial", f"{microseconds}, less than {pool.FROM_AWAKE / 1000:g}"
    if get_num_threads() == 1:
        return "serial", "automatic: one thread is set"
    if work < pool.FROM_ASLEEP:
        return (
            "threads",
            f"{microseconds}, less than {pool.FROM_ASLEEP / 1000:g}: right after another call, else serial",
        )
    return "threads", microseconds
