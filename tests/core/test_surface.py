"""The public attributes of the objects that users meet: few, documented, and each of use to them."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

import fastact as fa

#: The most public names that a function may show.
MOST = 25

#: The most that a model may show: it has settings, what it learns, and methods.
MOST_OF_MODEL = 30


def names_of(thing: Any) -> list[str]:
    return [name for name in dir(thing) if not name.startswith("_")]


@pytest.mark.parametrize("name", fa.names())
def test_functions_show_few_names(name: str) -> None:
    shown = names_of(fa.get(name))
    assert len(shown) <= MOST, shown


def test_parts_show_what_a_ufunc_needs() -> None:
    wanted = {"name", "parameters", "scalar", "ufunc", "vectorize"}
    for part in (fa.gelu.derivative, fa.gelu.backward, fa.gelu.with_bias, fa.swiglu.backward):
        assert set(names_of(part)) == wanted, part.name


@pytest.mark.parametrize("function", [fa.gelu, fa.rrelu, fa.softmax, fa.mse, fa.cross_entropy], ids=lambda f: f.name)
def test_every_name_is_documented(function: Any) -> None:
    kinds = [kind for kind in type(function).__mro__ if kind.__module__.startswith("fastact")]
    told = "\n".join(inspect.getdoc(kind) or "" for kind in [*kinds, fa.Metadata])
    documented = {name for kind in kinds for name, each in vars(kind).items() if inspect.getdoc(each)}
    assert not [name for name in names_of(function) if name not in documented and name not in told]


def test_model_shows_few_names_and_documents_them() -> None:
    shown, told = names_of(fa.MLP([2, 1])), inspect.getdoc(fa.MLP) or ""
    assert len(shown) <= MOST_OF_MODEL, shown
    assert not [name for name in shown if name not in told and not inspect.getdoc(getattr(fa.MLP, name, None))]
