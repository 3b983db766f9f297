"""What the softmax family has in common: a call is checked once and handed to a backend."""

from __future__ import annotations

from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from fastact._core import containers, dispatch
from fastact._core.arguments import softmax_arguments
from fastact._core.arrays import Axis
from fastact._core.backends import in_force
from fastact._core.devices import REPEATS
from fastact._core.documentation import with_sections
from fastact._core.function import Function

__all__ = ["ONE", "OverAxes"]

ONE = 1.0  # the default temperature is known by its identity


class OverAxes(Function):
    """A function of rows, that is of the elements along one or several axes.

    Attributes
    ----------
    computation : str
        What is computed, in the terms of backends; several functions may share one.
    sign : int
        What x is multiplied with before.
    reduces : bool
        Whether a row gives a number.
    """

    kind = "softmax"
    _family = "softmax"
    computation: ClassVar[str]
    sign: ClassVar[int] = 1
    reduces: ClassVar[bool] = False

    def __init_subclass__(cls) -> None:
        """Give the docstring of a kin of softmax the sections that it shares with its base."""
        base = cls.__mro__[1]
        if cls.__doc__ and base.__doc__ and issubclass(base, OverAxes) and base is not OverAxes:
            cls.__doc__ = with_sections(cls.__doc__, base.__doc__)

    @cached_property
    def _automatic(self) -> Any:
        return dispatch.automatic(self._family)

    def _common(self, grad: Any, x: Any, axis: Any, out: Any) -> Any:
        """The result of a call without options, if the kernels take its arrays as they are; None for any other call."""
        if type(x) is np.ndarray and in_force.get() is None:
            return self._automatic.common(self.computation, grad, x, axis, out)
        return None

    def _over_axes(
        self,
        operands: tuple[Any, ...],
        axis: Axis,
        out: Any,
        where: ArrayLike | str | None,
        lengths: ArrayLike | None,
        temperature: ArrayLike,
        dtype: DTypeLike | None,
        backend: str | None,
        keepdims: bool = True,
    ) -> Any:
        if type(operands[0]) in REPEATS:
            written = axis, where, lengths, temperature, dtype, keepdims
            result = dispatch.repeated(self, backend, operands, out, written)
            if result is not None:
                return result
        adapter = containers.adapter(*operands, out, where, lengths, temperature)
        if adapter is not None:
            options = {"axis": axis, "out": out, "where": where, "lengths": lengths, "temperature": temperature}
            options |= {"dtype": dtype, "backend": backend}
            if self.reduces and len(operands) == 1:
                options["keepdims"] = keepdims
            return adapter.call(self, "__call__" if len(operands) == 1 else "backward", operands, options)
        chosen = dispatch.choose(self._family, backend, *operands)
        *seen, out, where, lengths, temperature = chosen.seen(*operands, out, where, lengths, temperature)
        return chosen.over_axes(softmax_arguments(self, seen, axis, out, where, lengths, temperature, dtype, keepdims))
