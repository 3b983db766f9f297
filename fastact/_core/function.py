"""The contract of a public function: what `fastact.get` gives, whatever its kind.

Each kind is a class below `Function`: activations, the softmax family, gated units, losses. It brings its calls and,
where there is something to compile, its `operations`; names, pickling, `repr` and explanations are here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any

from fastact._core import documentation, registry
from fastact._core.explain import explain
from fastact._core.named import Named
from fastact.errors import UnknownNameError, nearest

__all__ = ["Function", "Metadata"]


@dataclass(frozen=True, kw_only=True)
class Metadata:
    """What readers are told of a function.

    Attributes
    ----------
    formula, derivative_formula : str
        In plain text, as in "x / (1 + e**-x)".
    range : str
        An interval, or a set in braces.
    kinks : str
        The derivative where there is none, by convention; "smooth" where there always is one.
    reference : str
        The paper, or another source.
    notes : mapping
        What speaks "for" the function, what "against" it, and where it is of "use".
    aliases : tuple of str
        Other names under which `fastact.get` finds it.
    max_ulp : float
        The error bound of the forward pass in float32, in units in the last place of the exact result.

    Examples
    --------
    >>> import fastact as fa
    >>> fa.sigmoid.metadata.range
    '(0, 1)'
    """

    formula: str
    derivative_formula: str = ""
    range: str = "(-inf, inf)"
    kinks: str = ""
    reference: str = ""
    notes: Mapping[str, str] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    max_ulp: float = float("nan")

    @classmethod
    def of(cls, text: Metadata | Mapping[str, Any], **defaults: Any) -> Metadata:
        """The metadata that a mapping holds; an unknown field is a TypeError."""
        if isinstance(text, Metadata):
            return text
        known = [each.name for each in fields(cls)]
        if isinstance(text.get("aliases"), str):
            raise TypeError(f"aliases={text['aliases']!r}; it must be a tuple of names")
        for name in text:
            if name not in known:
                raise TypeError(f"text has no field {name!r}{nearest(name, known)}")
        return cls(**{**defaults, **text})


class Function(Named):
    """A public function of fastact.

    Attributes
    ----------
    name, __name__ : str
        What `fastact.get` finds it by.
    kind : str
        "activation" (elements give elements), "softmax" (a row gives a row), "reduction" (a row gives a number),
        "sampling" (draws random numbers), "gated unit" or "loss".
    parameters : mapping
        Its numeric parameters and their defaults.
    metadata : Metadata
        What readers are told of it. Its fields are attributes of the function too: formula, derivative_formula, range,
        kinks, reference, notes, aliases, max_ulp.

    Examples
    --------
    >>> import fastact as fa
    >>> isinstance(fa.softmax, fa.Function), fa.softmax.kind
    (True, 'softmax')
    """

    kind: str
    #: What a backend must offer to compute it.
    _family: str
    parameters: Mapping[str, float] = MappingProxyType({})
    metadata: Metadata

    formula = property(lambda self: self.metadata.formula)
    derivative_formula = property(lambda self: self.metadata.derivative_formula)
    range = property(lambda self: self.metadata.range)
    kinks = property(lambda self: self.metadata.kinks)
    reference = property(lambda self: self.metadata.reference)
    notes = property(lambda self: self.metadata.notes)
    aliases = property(lambda self: self.metadata.aliases)
    max_ulp = property(lambda self: self.metadata.max_ulp)

    @property
    def differentiable(self) -> bool:
        """Whether it was defined with a derivative."""
        return True

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        """Each kind has its own arguments."""
        raise NotImplementedError

    def _operations(self) -> list[Any]:
        """What `fastact.warmup` compiles: nothing, where all was compiled at installation."""
        return []

    def _part(self, name: str) -> Any:
        """An operation that it is made of, by name: "forward", "backward", "derivative" and others.

        Parameters
        ----------
        name : str

        Returns
        -------
        callable

        Raises
        ------
        UnknownNameError
            If it has no such part.
        """
        found = self._find(name)
        if found is None:
            raise UnknownNameError(f"{self.name} has no part {name!r}; parts are what fastact.ufuncs has of it")
        return found

    def _find(self, name: str) -> Any:
        """The part, or None."""
        return None

    def _add_variants(self, keyword: str, choices: Mapping[str, Function]) -> None:
        """Let `keyword` of this function and of its parts select another function."""
        self.__doc__ = documentation.with_variants(self.__doc__ or "", keyword, choices)
        for name in ("forward", "derivative", "backward", "with_bias"):
            part = self._find(name)
            if part is not None:
                part._variants[keyword] = {choice: function._part(name) for choice, function in choices.items()}

    def explain(self, *arguments: Any, **keywords: Any) -> str:
        """Which backend and loop a call would take, and why; see `fastact.explain`."""
        return explain(self, *arguments, **keywords)

    @property
    def summary(self) -> str:
        """What it is, in a line, in the language in use."""
        from fastact._core import facts

        return facts.summary(self)

    def facts(self) -> list[tuple[str, str]]:
        """All that its metadata says, as pairs of a label and a text, in the language in use.

        Returns
        -------
        list of tuple of two str

        Examples
        --------
        >>> import fastact as fa
        >>> dict(fa.relu.facts())["formula"]
        'max(0, x)'
        """
        from fastact._core import facts

        return facts.facts(self)

    def _samples(self) -> dict[str, Any]:
        """A few values for checks by hand.

        Returns
        -------
        dict of str to ndarray
            The rows "x", "f(x)" and, of an activation, "f'(x)"; empty for a function that takes more than one array.
        """
        from fastact._core import facts

        return facts.samples(self)

    def _repr_html_(self) -> str:
        """A card for notebooks: the curves of an activation, and what its metadata says."""
        from fastact._core import html

        return html.card(self)

    def __repr__(self) -> str:
        return f"<fastact.{self.name}: {self.formula}>"

    def __reduce__(self) -> Any:
        return registry.get, (self.name,)


# The names under which pickles find them.
for _public in (Function, Function._part, Function.facts, Metadata):
    _public.__module__ = "fastact"
