"""The pages as files, without a browser: what is in them, and that fastact computed it."""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastact as fa
from helpers.commands import one_line

pytest.importorskip("bokeh", reason="Bokeh is not installed (extra: demo)")

from fastact import language
from fastact._core import registry
from fastact.learn.pages import document, explorer, report
from fastact.learn.pages.sweeps import REACH, sweep
from fastact.learn.result import Table

SMALL = 5_000_000


@pytest.fixture
def few_functions(own_registry: None) -> None:
    """A catalogue of those activations that are shown first, so that a page is made quickly."""
    for name in set(fa.names("activation")) - set(explorer.FIRST):
        del registry._functions[name]


def data_of(path: Path) -> dict[str, Any]:
    """What the page's script reads."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', path.read_text("utf-8"), re.S)
    assert found
    return json.loads(found[1])


def curves_of(path: Path) -> dict[str, list[np.ndarray]]:
    """x, f and f' of each function for each combination of parameters, as the page has them."""
    data = data_of(path)
    numbers = np.frombuffer(gzip.decompress(base64.b64decode(data["curves"])), "<f4")
    return {
        each["name"]: [numbers[start : start + 3 * n].reshape(3, n) for start, n, _zones in each["curves"]]
        for each in data["catalogue"]
    }


def test_pages_are_small_and_name_nothing_outside(explorer_page: Path, report_page: Path) -> None:
    for path in (explorer_page, report_page):
        text = path.read_text("utf-8")
        assert len(text.encode()) < SMALL
        assert not re.search(r"<(?:script|img|link|iframe)[^>]+(?:src|href)=[\"'](?!data:)", text)
        assert "default-src 'none'" in text


def test_explorer_holds_what_fastact_computes(explorer_page: Path) -> None:
    """Of every activation with its default parameters, to the accuracy of float32."""
    data = {each["name"]: each for each in data_of(explorer_page)["catalogue"]}
    assert list(data) == fa.names("activation")
    for name, curves in curves_of(explorer_page).items():
        function = fa.get(name)
        lengths = [len(values) for values in data[name]["parameters"].values()]
        assert len(curves) == np.prod(lengths, dtype=int)
        x, f, slope = curves[np.ravel_multi_index(data[name]["defaults"], lengths) if lengths else 0]
        known = np.isfinite(x)
        assert {-REACH, -2.0, -1.0, 0.0, 1.0, 2.0, REACH} <= set(x[known].tolist())
        exact = x[known].astype(float)
        np.testing.assert_allclose(f[known], function(exact, backend="numpy"), rtol=1e-6, atol=1e-7)
        np.testing.assert_allclose(slope[known], function.derivative(exact, backend="numpy"), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", fa.names("activation"))
def test_every_slider_is_finite(name: str) -> None:
    found = sweep(fa.get(name))
    assert all(len(values) > 3 and values == sorted(values) for values in found.values.values())
    assert all(fa.get(name).parameters[parameter] in values for parameter, values in found.values.items())
    for curve in found.curves:
        assert (np.isfinite(curve.x) == np.isfinite(curve.f)).all()
        assert (np.isfinite(curve.x) == np.isfinite(curve.slope)).all()


def test_curves_break_where_they_jump_and_zones_end_there() -> None:
    relu = sweep(fa.relu).curves[0]
    (gap,) = np.flatnonzero(np.isnan(relu.x))
    assert (relu.slope[gap - 1], relu.slope[gap + 1]) == (0, 1)
    assert relu.zones == [(-REACH, 0.0)]
    assert not np.isnan(sweep(fa.tanh).curves[0].x).any()
    hard_tanh = sweep(fa.hard_tanh)
    assert sum(np.isnan(curve.x).sum() for curve in hard_tanh.curves) == 2 * len(hard_tanh.curves)
    assert sweep(fa.leaky_relu).curves[0].zones == []
    assert len(sweep(fa.gelu).curves[0].zones) == 1  # its slope crosses 0 in the dip, but is small only for a moment
    assert sweep(fa.step).curves[0].zones == [(-REACH, REACH)]


@pytest.mark.usefixtures("few_functions")
def test_explorer_takes_activations_of_ones_own(tmp_path: Path) -> None:
    """Scalar code, a slope that is missing, a name for markup, and one that is infinite somewhere."""

    def slope(x, a):  # type: ignore[no-untyped-def]
        return a if x > 0 else 1.0

    markup = {"formula": "<script>alert(1)</script>", "notes": {"for": "</script>"}}

    @fa.activation(derivative=slope, a=0.5, text=markup)
    def scalar_code(x, a):  # type: ignore[no-untyped-def]
        if x > 0:
            return a * x
        return x

    @fa.activation
    def bump(x):  # type: ignore[no-untyped-def]
        return np.nextafter(1 / (1 + x * x), 1)  # of which nothing can be derived

    path = tmp_path / "own.html"
    explorer.write(path)
    data, curves = data_of(path), curves_of(path)
    assert data["first"]["f"] == ["scalar_code", "bump"]
    assert len(data["catalogue"][-2]["parameters"]["a"]) == len(curves["scalar_code"])
    x, f, missing = curves["bump"][0]
    np.testing.assert_allclose(f, bump(x), rtol=1e-6)
    assert np.isnan(missing).all()
    text = path.read_text("utf-8")
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text

    @fa.activation
    def pole(x):  # type: ignore[no-untyped-def]
        return 1 / x

    with pytest.raises(ValueError, match="pole is not finite"):
        explorer.write(path)


@pytest.mark.usefixtures("few_functions")
def test_command_writes_the_page_or_says_why_not(fastact: Callable[..., str], tmp_path: Path) -> None:
    assert "cannot write here" in one_line(fastact("explore", "-o", "missing/explore.html", exit_code=1))
    (tmp_path / "broken_functions.py").write_text("def f(:")
    assert "broken_functions.py, line 1" in one_line(fastact("explore", "--from", "broken_functions.py", exit_code=2))
    assert not (tmp_path / "explore.html").exists()
    assert fastact("explore", "--language", "ja") == "保存先：explore.html\n"
    assert '<html lang="ja">' in (tmp_path / "explore.html").read_text("utf-8")


def test_texts_are_in_all_languages() -> None:
    def table() -> Table:
        return Table([{"en": "word", "ja": "語"}[language.current()], "<"], [["same", "1"], ["", "2"]])

    markup = document.sortable(document.all_languages(table))
    assert markup["columns"] == ['<span lang="en">word</span><span lang="ja">語</span>', "&lt;"]
    assert markup["rows"] == [["same", "1"], ["same", "2"]]


@pytest.mark.parametrize("code", language.LANGUAGES)
def test_a_page_opens_in_the_language_in_use(tmp_path: Path, comparison: Any, code: str) -> None:
    path = tmp_path / "report.html"
    with language.use(code):
        report.write([comparison], path)
        text = path.read_text("utf-8")
        assert f'<html lang="{code}">' in text
        assert f"<title>{comparison.title}</title>" in text


def test_report_writes_what_the_results_say(report_page: Path, comparison: Any, diagnosis: Any, training: Any) -> None:
    text = report_page.read_text("utf-8")
    shown = re.sub(r"<[^>]+>", "", text.split("<body>")[1].split("<noscript>")[0])
    with language.use("en"):
        for result in (comparison, diagnosis, training):
            words = [*result.sentences(), *(cell for table in result.tables() for row in table.rows for cell in row)]
            missing = {each for each in words if document.spoken({"en": each}) not in shown}
            assert not missing
    assert "<script>document.title" not in text
    assert text.count('" src="data:image/png;base64,') == len(language.LANGUAGES)
