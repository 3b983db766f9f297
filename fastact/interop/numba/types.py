"""The types of public functions in compiled code: one for each function, so that a call knows what it calls."""

from __future__ import annotations

import inspect
import itertools
from typing import Any

from numba.core import errors, types
from numba.core.datamodel import models
from numba.core.extending import NativeValue, lower_builtin, lower_getattr_generic, register_model, unbox
from numba.core.typing.templates import AttributeTemplate, infer_getattr, signature

from fastact._core.operation import Operation
from fastact.interop.numba.calls import plan
from fastact.interop.numba.named import METHODS, find, method, place_of, signature_of, stamp_of
from fastact.interop.numba.planning import typing_errors

__all__ = ["FunctionType", "type_of"]

#: Distinguish functions that cached code cannot know again.
_tokens = itertools.count()
_types: dict[tuple[str, str], tuple[Any, FunctionType]] = {}


class FunctionType(types.Callable, types.Opaque):
    """The type of one function. Functions of other formulas have other types, in other processes too."""

    def __init__(self, owner: str, part: str, stamp: str) -> None:
        super().__init__(f"fastact.{owner}{'.' * bool(part)}{part.lstrip('.')}")
        self.place, self.stamp = (owner, part), stamp
        self._function: Any = None

    @property
    def key(self) -> Any:
        return self.place, self.stamp

    def __reduce__(self) -> Any:
        return FunctionType, (*self.place, self.stamp)

    @property
    def function(self) -> Any:
        if self._function is None:
            self._function = find(*self.place)
        return self._function

    def get_call_type(self, context: Any, args: Any, kws: Any) -> Any:
        arguments = self._bound(args, kws)
        found = plan(context, self.function, arguments)
        every = signature_of(self.function).parameters.values()
        parameters = [each.replace(kind=each.POSITIONAL_OR_KEYWORD) for each in every]
        return signature(found.result, *arguments.values()).replace(pysig=inspect.Signature(parameters))

    def get_call_signatures(self) -> Any:
        return (), True

    def get_impl_key(self, sig: Any) -> Any:
        return self

    def _bound(self, args: Any, kws: Any) -> dict[str, Any]:
        """The type of each argument by its name, `Omitted` for those that were left out."""
        own = signature_of(self.function)
        for name in kws:
            if name not in own.parameters:
                raise errors.TypingError(f"{self.name}() takes no argument {name!r} in compiled code; it takes {own}")
        try:
            bound = own.bind(*args, **kws).arguments
        except TypeError as error:
            raise errors.TypingError(f"{self.name}{own}: {error}") from None
        return {name: bound.get(name, types.Omitted(p.default)) for name, p in own.parameters.items()}

    def build(self, context: Any, builder: Any, sig: Any, values: Any) -> Any:
        """Emit the code of a call."""
        names = list(signature_of(self.function).parameters)
        arguments = dict(zip(names, sig.args, strict=True))
        found = plan(context.typing_context, self.function, arguments)
        return found.build(context, builder, dict(zip(names, values, strict=True)))


def type_of(function: Any) -> FunctionType:
    """The type of a public function, a part of it, or a `Method`."""
    place = place_of(function)
    stamp = stamp_of(function) or ""
    known = _types.get(place)
    if known is None or known[0] is not function:
        kind = FunctionType(*place, stamp or f"unknown {next(_tokens)}")
        kind._function = function
        lower_builtin(kind, types.VarArg(types.Any))(kind.build)
        _types[place] = known = function, kind
    return known[1]


register_model(FunctionType)(models.OpaqueModel)


@unbox(FunctionType)
def _unbox(kind: Any, value: Any, c: Any) -> Any:
    return NativeValue(c.context.get_dummy_value())


@infer_getattr
class _Attributes(AttributeTemplate):
    key = FunctionType

    def generic_resolve(self, kind: Any, name: str) -> Any:  # type: ignore[override]
        with typing_errors():  # it may be defined without
            found = getattr(kind.function, name, None)
        if isinstance(found, Operation):
            return type_of(found)
        if name in METHODS and callable(found):
            return type_of(method(kind.function, name))
        return None


@lower_getattr_generic(FunctionType)
def _attribute(context: Any, builder: Any, kind: Any, value: Any, name: str) -> Any:
    return context.get_dummy_value()
