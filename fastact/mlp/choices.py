"""What users choose by a name, or by a mapping of a name and parameters: losses, optimisers, schedules."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, ClassVar

from fastact.errors import nearest
from fastact.mlp.data import as_choice

__all__ = ["Choice", "chosen"]


class Choice:
    """Something with a name, whose constructor takes and checks its parameters, and keeps them under their names."""

    name: ClassVar[str]

    @property
    def setting(self) -> Any:
        """The name, or a mapping with it, from which `chosen` makes an equal object; JSON can hold it."""
        defaults = inspect.signature(type(self)).parameters
        given = {name: getattr(self, name) for name in defaults}
        given = {name: value for name, value in given.items() if value != defaults[name].default}
        return {"name": self.name, **given} if given else self.name


def chosen(value: Any, argument: str, table: Mapping[str, type[Any]]) -> Any:
    """Make the object that a name, or a mapping with the entry "name", selects from `table`.

    TypeError or UnknownNameError names the argument, its value and what it may be.
    """
    if isinstance(value, str):
        value = {"name": value}
    if not isinstance(value, Mapping) or not isinstance(value.get("name"), str):
        example = next(iter(table))
        raise TypeError(f'{argument} must be a name or a mapping such as {{"name": "{example}"}}, got {value!r:.99}')
    made = table[as_choice(value["name"], argument, table)]
    given = {name: each for name, each in value.items() if name != "name"}
    known = inspect.signature(made).parameters
    for name in given:
        if name not in known:
            raise TypeError(f"{argument} {made.name!r} has no parameter {name!r:.99}{nearest(str(name), list(known))}")
    for name, parameter in known.items():
        if name not in given and parameter.default is parameter.empty:
            raise TypeError(f'{argument} {made.name!r} needs {name!r}: {{"name": "{made.name}", "{name}": ...}}')
    return made(**given)
