"""What functions and the operations that they are made of have in common: a name, and variants."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from fastact._core.services import service
from fastact.errors import UnknownNameError, nearest

__all__ = ["Named"]


class Named:
    """Something with a name. A keyword may select a variant of it, by the name of that."""

    name: str
    #: Keywords that select another function by a name: keyword -> name -> function.
    _variants: Mapping[str, Mapping[str, Any]] = MappingProxyType({})

    @property
    def __name__(self) -> str:
        return self.name

    @property
    def _numba_type_(self) -> Any:
        """Its type in users' compiled code: Numba asks for it, and only then what knows it is loaded."""
        return service("type in compiled code")(self)

    def _selected(self, keywords: dict[str, Any]) -> Any:
        """What `keywords` select among the variants; those that do so are taken out of them.

        Raises
        ------
        UnknownNameError
            If there is no such variant.
        """
        chosen: Any = self
        for keyword, choices in self._variants.items():
            if keyword in keywords:
                value = keywords.pop(keyword)
                try:
                    chosen = choices[value]
                except (KeyError, TypeError):  # TypeError: no name, but a list or the like
                    raise UnknownNameError(f"{self.name}() got {keyword}={value!r}{nearest(value, choices)}") from None
        return chosen
