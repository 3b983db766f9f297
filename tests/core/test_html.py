"""How functions show themselves in notebooks."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest

import fastact as fa
from fastact import language

SVG = "{http://www.w3.org/2000/svg}"


def card(function: fa.Function) -> ElementTree.Element:
    """The card, which must be well-formed."""
    return ElementTree.fromstring(function._repr_html_().replace("&ensp;", " "))


def paths(function: fa.Function) -> list[str]:
    return [path.get("d") or "" for path in card(function).iter(f"{SVG}path")]


@pytest.mark.parametrize("code", language.LANGUAGES)
@pytest.mark.parametrize("name", fa.names())
def test_card_tells_everything(name: str, code: str) -> None:
    function = fa.get(name)
    with language.use(code):
        shown = card(function)
        words = "".join(shown.itertext())
        assert function.name in words
        assert function.summary in words
        assert all(label in words and text in words for label, text in function.facts())
    titles = [title.text or "" for title in shown.iter(f"{SVG}title")]
    assert [function.name in title for title in titles] == [True] * (function.kind == "activation")


def test_curves_pass_through_the_values() -> None:
    """relu: y = x to the right, on the scales that the marks of the axes have."""
    curve, slope = paths(fa.relu)
    x, y = np.array([point.split() for point in curve[1:].split("L")], float).T
    assert len(x) == 241
    assert np.ptp(y[:121]) == 0
    assert np.allclose(np.diff(y[121:]), np.diff(y[121:])[0], atol=0.11)
    assert slope.count("M") == 2  # broken at its jump


@pytest.mark.parametrize(
    ("name", "gaps"), [("step", [1, 0]), ("hardshrink", [2, 2]), ("exponential", [0, 0]), ("hard_silu", [0, 2])]
)
def test_curves_are_broken_at_jumps_only(name: str, gaps: list[int]) -> None:
    assert [path.count("M") - 1 for path in paths(fa.get(name))] == gaps


@pytest.mark.usefixtures("own_registry")
def test_ones_own_function_is_escaped_and_may_have_branches_or_no_derivative() -> None:
    @fa.activation(text={"notes": {"for": "<script>"}})
    def unsafe(x):  # type: ignore[no-untyped-def]
        """A <b> of mine & yours."""
        if x > 1:
            return 1 / (x - 1)
        return 0 * np.nextafter(x, x)  # of which nothing can be derived

    shown = unsafe._repr_html_()
    assert "<script>" not in shown
    assert "A &lt;b&gt; of mine &amp; yours." in shown
    assert len(paths(unsafe)) == 1


def test_softmax_shows_an_example() -> None:
    assert "0.659, 0.242, 0.099" in fa.softmax._repr_html_()
