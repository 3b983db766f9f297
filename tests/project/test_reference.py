"""The generated pages of the reference: formulas as TeX, translations, and that no public name is left out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any
from xml.etree import ElementTree

import pytest

import fastact as fa
from fastact import language
from fastact.cli.app import cli

pytest.importorskip("numpydoc", reason="numpydoc is not installed (extra: docs)")
pytest.importorskip("latex2mathml", reason="latex2mathml is not installed (extra: docs)")

from extensions import catalogue, commands, interface, search, words
from extensions.formulas import NotAFormula, display, tex, typeset
from latex2mathml.converter import convert

#: What stays of a formula that was not read: operators of Python, indices, calls of functions.
MARKUP = re.compile(r"\*|\^|[<>=]|\b(?:sqrt|exp|log|alpha|beta|inf)\b|\w\(|\w_\w\b|\d\s*/")
FUNCTIONS = [fa.get(name) for name in fa.names()]


@pytest.fixture(params=language.LANGUAGES)
def spoken(request: pytest.FixtureRequest) -> Iterator[str]:
    with language.use(request.param):
        yield request.param


def texts(function: Any) -> list[str]:
    """All of its metadata that has formulas, in the language in use."""
    fields = (function.formula, function.derivative_formula, function.range, function.kinks)
    return [language.translated(text) for text in fields if text]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("x / (1 + e**-x)", r"\frac{x}{1 + e^{-x}}"),
        ("(e**x - e**-x) / (e**x + e**-x)", r"\frac{e^{x} - e^{-x}}{e^{x} + e^{-x}}"),
        ("-log(1 + e**-2u)", r"{-\log\left( 1 + e^{-2u} \right)}"),
        ("sqrt(2 / pi) (x + 0.044715 x**3)", r"\sqrt{\frac{2}{\pi}} \, \left( x + 0.044715 \, x^{3} \right)"),
        ("exp(x_i) / sum_j exp(x_j)", r"\frac{\exp\left( x_{i} \right)}{\sum_{j} \exp\left( x_{j} \right)}"),
        ("weight |x - target|", r"\text{weight} \, \left\vert x - \text{target} \right\vert"),
        ("x if x > lambd else 0", r"\begin{cases} x & \text{if } x > \lambda \\ 0 & \text{otherwise} \end{cases}"),
        ("a / b * (c + d) / e", r"\frac{\frac{a}{b} \cdot \left( c + d \right)}{e}"),
    ],
)  # fmt: skip
def test_tex(text: str, wanted: str) -> None:
    with language.use("en"):
        assert tex(text, ["weight"]) == wanted


@pytest.mark.parametrize("text", ["the mean of x", "x +", "max(0, x", "1 if x > 0", "|x"])
def test_what_is_no_formula_is_refused(text: str) -> None:
    with pytest.raises(NotAFormula):
        tex(text)


def test_words_around_formulas_stay() -> None:
    with language.use("en"):
        assert display("s + x s (1 - s) with s = 1 / (1 + e**-x)") == (
            r"s + x \, s \, \left( 1 - s \right)",
            r"with $s = \frac{1}{1 + e^{-x}}$",
        )
        assert typeset("[0, inf), its ends only") == r"$\left[ 0, \infty \right)$, its ends only"


@pytest.mark.usefixtures("spoken")
def test_every_formula_is_typeset() -> None:
    """It becomes MathML, no markup is left in it, and none among the words around it."""
    for function in FUNCTIONS:
        for text in texts(function):
            written = typeset(text, catalogue.names(function))
            assert not MARKUP.search(re.sub(r"\$.*?\$", " ", written)), text
            formulas = re.findall(r"\$(.*?)\$", written)
            assert formulas or language.translated("smooth") in text, text
            for element in (each for formula in formulas for each in ElementTree.fromstring(convert(formula)).iter()):
                assert not element.tag.endswith("merror"), text
                assert not re.search(r"[\\&^$]|\*\*", element.text or ""), text


def test_pages_of_functions_have_it_all(spoken: str) -> None:
    """In every language; a text without a translation raises."""
    for function in FUNCTIONS:
        page = catalogue.page(function, FUNCTIONS)
        assert f".. py:function:: fastact.{function.name}(" in page
        assert '<figure class="curves">' in page
        assert f"`fastact show {function.name}`" in page
        for section in ("Accuracy", "Calls"):
            assert f"## {words.translated(section)}" in page or not function.max_ulp >= 0
    overview = catalogue.overview(FUNCTIONS)
    assert all(f"({function.name}.md)" in overview for function in FUNCTIONS)


def test_every_public_name_is_on_a_page() -> None:
    pages = {name: "\n".join(interface.text(page)) for name, page in interface.PAGES.items()}
    shown = set(re.findall(r"^\.\. auto\w+:: (\S+)", "\n".join(pages.values()), re.M))
    functions = {name for function in FUNCTIONS for name in (function.name, *function.aliases)}
    assert {f"fastact.{name}" for name in set(fa.__all__) - functions} <= shown
    modules = {module for page in interface.PAGES.values() for module in page.modules}
    for module in modules:
        assert module == "fastact" or module in shown
        assert {f"{module}.{name}" for name in interface.public_names(module)} <= shown
        assert set(interface.INTERNAL.get(module, ())) <= set(import_module(module).__all__)
    assert "## Others" not in pages["fastact"]


def test_every_option_is_on_the_page_of_commands() -> None:
    for command in cli.commands.values():
        section = commands.section(command)
        assert all(option in section for each in command.params for option in each.opts if option.startswith("-"))


def test_japanese_is_cut_into_pairs() -> None:
    assert list(search.pieces("勾配消失 (vanishing) は gelu_tanh で")) == [
        "勾配", "配消", "消失", "vanishing", "は", "gelu_tanh", "で",
    ]  # fmt: skip
