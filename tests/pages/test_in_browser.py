"""The pages in headless Chromium: what a reader does, and that nothing comes from outside.

What the pages show is compared with what fastact computes.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import numpy as np
import pytest

import fastact as fa
from fastact import language
from fastact.learn.pages import explorer

api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed (extra: ci)")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
if CHROMIUM is None:
    pytest.skip("no Chromium on the PATH; install the package chromium", allow_module_level=True)

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
#: The text of a tooltip of Bokeh, which is in the shadow of its figure.
TOOLTIP = """() => {
    const found = [];
    const walk = (node) => {
        if (node.shadowRoot) walk(node.shadowRoot);
        if (node.classList?.contains("tip")) found.push(node.innerText);
        for (const child of node.children || []) walk(child);
    };
    walk(document.body);
    return found.join("|");
}"""
#: The numbers of a data source, by its name.
COLUMN = "([name, column]) => Array.from(Bokeh.documents[0].get_model_by_name(name).data[column])"
#: Change the settings in the address, and wait until the page has followed.
RENEW = """(settings) => new Promise((done) => {
    history.replaceState(null, "", "#renewed");
    scrollTo(0, 0);
    addEventListener("hashchange", done, { once: true });
    location.hash = settings;
})"""

#: Where the figures to check by hand are.
TEXTBOOK = [-2.0, -1.0, 0.0, 1.0, 2.0]

Open = Callable[..., Any]


class Tabs:
    """Pages in a browser, each opened once unless a test wants it fresh, and what went wrong in them."""

    def __init__(self, browser: Any) -> None:
        self.browser = browser
        self.pages: dict[Path, Any] = {}
        self.troubles: list[str] = []

    def open(self, path: Path, settings: str = "", *, fresh: bool = False) -> Any:
        """The page with these settings, in English unless they say otherwise."""
        if "language=" not in settings:
            settings = f"{settings}&language=en" if settings else "#language=en"
        if fresh or path not in self.pages:
            page = self.new(path)
            page.goto(path.as_uri() + settings)
            page.wait_for_selector("html[data-ready]")
            return page if fresh else self.pages.setdefault(path, page)
        page = self.pages[path]
        page.evaluate(RENEW, settings)
        return page

    def new(self, path: Path) -> Any:
        page = self.browser.new_page(viewport={"width": 1280, "height": 800})
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: self.troubles.append(str(error)))
        page.on("console", lambda told: self.troubles.append(told.text) if told.type in ("error", "warning") else None)
        page.route(
            "**/*", lambda each: each.continue_() if each.request.url.startswith(path.as_uri()) else refuse(each)
        )

        def refuse(route: Any) -> None:
            self.troubles.append(route.request.url)
            route.abort()

        return page


@pytest.fixture(scope="session")
def tabs() -> Iterator[Tabs]:
    with api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield Tabs(chromium)
        chromium.close()


@pytest.fixture
def open_page(tabs: Tabs) -> Iterator[Open]:
    """Open a file; in the end there must have been no message on the console and no request but for that file."""
    yield tabs.open
    troubles, tabs.troubles = tabs.troubles, []
    assert troubles == []


def number(text: str) -> float:
    return float(text.replace("−", "-").replace(",", ""))


def cells(page: Any, table: str) -> dict[str, list[str]]:
    """The rows of a table by their heads, as a reader sees them."""
    rows = page.locator(f"#{table} tbody tr").all()
    texts = [[cell.inner_text().strip() for cell in row.locator("th, td").all()] for row in rows]
    return {first: rest for first, *rest in texts}


def settings_of(page: Any) -> dict[str, str]:
    """The settings in the address."""
    page.wait_for_timeout(300)  # they are written a moment later
    return dict(pair.split("=") for pair in page.url.partition("#")[2].split("&"))


# ---- the explorer


def test_slider_moves_the_curve(explorer_page: Path, open_page: Open) -> None:
    page = open_page(explorer_page, "#f=relu,swish&reach=5")
    before = page.evaluate(COLUMN, ["curve-1", "f"])
    slider = page.locator("[id='swish.beta']")
    slider.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    beta = float(settings_of(page)["swish.beta"])
    assert beta > 1
    x, f, slope = (np.array(page.evaluate(COLUMN, ["curve-1", each]), float) for each in ("x", "f", "slope"))
    np.testing.assert_allclose(f, fa.swish(x, beta=beta, backend="numpy"), rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(slope, fa.swish.derivative(x, beta=beta, backend="numpy"), rtol=1e-6, atol=1e-7)
    assert not np.allclose(f, before)
    assert number(page.locator("output[for='swish.beta']").inner_text()) == pytest.approx(beta)


def test_mouse_reads_values(explorer_page: Path, open_page: Open) -> None:
    page = open_page(explorer_page, "#f=gelu,hard_tanh,elu&reach=2")
    for plot, share in (("#plot-f", 0.3), ("#plot-slope", 0.8)):
        box = page.locator(plot).bounding_box()
        page.mouse.move(box["x"] + box["width"] * share, box["y"] + 150)
        page.wait_for_timeout(200)
        head, *rows = page.evaluate(TOOLTIP).splitlines()
        x = number(re.findall(r"x = (\S+)", head)[0])
        left, right = (44, box["width"] - 12)
        assert x == pytest.approx(-2 + 4 * (box["width"] * share - left) / (right - left), abs=0.1)
        assert [row.split()[0] for row in rows] == ["gelu", "hard_tanh", "elu"]
        for name, f, slope in map(str.split, rows):
            function = fa.get(name)
            near = np.array([x - 0.005, x, x + 0.005])  # x is shown with two digits
            margin = 0.006 * np.abs(function.derivative(near, backend="numpy")).max() + 1e-4
            assert number(f) == pytest.approx(function(x, backend="numpy"), abs=margin)
            assert number(slope) == pytest.approx(function.derivative(x, backend="numpy"), abs=0.01)


def test_keyboard_reads_values(explorer_page: Path, open_page: Open) -> None:
    """At every x the table has what fastact computes; at a kink too."""
    page = open_page(explorer_page, "#f=relu,softplus,hard_silu&x=2.9")
    for _ in range(2):
        page.locator("#x").press("ArrowRight")
        x = number(page.locator("#x-value").inner_text())
        for name, (f, slope, *_rest) in cells(page, "readout").items():
            assert number(f) == pytest.approx(float(fa.get(name)(x, backend="numpy")), abs=5e-5)
            assert number(slope) == pytest.approx(float(fa.get(name).derivative(x, backend="numpy")), abs=5e-5)
    assert settings_of(page)["x"] == "3.1"
    assert cells(page, "figures-f")["softplus"] == [f"{y:.3f}" for y in fa.softplus(TEXTBOOK, backend="numpy")]


def test_keyboard_alone_picks_and_removes(explorer_page: Path, open_page: Open) -> None:
    page = open_page(explorer_page, "#f=relu", fresh=True)
    focused = "document.activeElement.id || document.activeElement.value"
    reached = []
    for _ in range(6):
        page.keyboard.press("Tab")
        reached.append(page.evaluate(focused))
    assert {"search", "identity"} <= set(reached)
    page.locator("#search").focus()
    page.keyboard.type("periodic")
    page.keyboard.press("Tab")
    assert page.evaluate(focused) == "snake"
    page.keyboard.press("Space")
    assert list(cells(page, "readout")) == ["relu", "snake"]
    page.locator("[data-remove=relu]").focus()
    page.keyboard.press("Enter")
    assert list(cells(page, "readout")) == ["snake"]
    assert settings_of(page)["f"] == "snake"
    assert page.locator("article:visible h3").all_inner_texts() == ["snake"]
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_settings_come_back(explorer_page: Path, open_page: Open) -> None:
    """From the address, on loading, and when a reader edits it; moving about adds no step to the history."""
    page = open_page(explorer_page, "#f=elu,tanh&elu.alpha=2&x=-1.5&reach=10&shade=tanh&language=ja", fresh=True)
    assert page.evaluate("document.documentElement.lang") == "ja"
    assert list(cells(page, "readout")) == ["elu", "tanh"]
    assert number(cells(page, "readout")["elu"][0]) == pytest.approx(fa.elu(-1.5, alpha=2.0, backend="numpy"), abs=0.2)
    assert page.locator("input[name=shaded]:checked").get_attribute("value") == "tanh"
    assert page.evaluate("Bokeh.documents[0].get_model_by_name('x-range').end") == 10
    steps = page.evaluate("history.length")
    page.locator("#x").press("ArrowLeft")
    kept = settings_of(page)
    assert kept["x"] == "-1.6"
    page.reload()
    page.wait_for_selector("html[data-ready]")
    page.locator("#x").press("ArrowRight")
    assert settings_of(page) == {**kept, "x": "-1.5"}
    assert page.evaluate("history.length") == steps
    page.evaluate("location.hash = '#f=sigmoid,nonsense&x=many'")
    page.wait_for_function("() => document.querySelectorAll('#readout tbody tr').length === 1")
    assert list(cells(page, "readout")) == ["sigmoid"]


def test_ready_made_sets_replace_what_is_shown(explorer_page: Path, open_page: Open) -> None:
    """But for the language."""
    page = open_page(explorer_page, "#f=elu&elu.alpha=2&language=ja")
    page.get_by_role("button", name="sigmoid と tanh").click()
    assert list(cells(page, "readout")) == ["sigmoid", "tanh"]
    assert page.locator("#shaded").inner_text().lstrip().startswith("網掛けは、sigmoid")
    kept = {"language": "ja", "f": "sigmoid,tanh", "x": "6", "reach": "10", "shade": "sigmoid"}
    assert settings_of(page) == kept
    assert {name for sets in explorer.SETS.values() for name in parse_qs(sets)["f"][0].split(",")} <= set(fa.names())


def test_zones_are_shaded_where_the_slope_vanishes(explorer_page: Path, open_page: Open) -> None:
    page = open_page(explorer_page, "#f=relu6,identity&shade=relu6")
    ends = [page.evaluate(COLUMN, ["zones", each]) for each in ("x0", "x1")]
    assert ends == [[-10, 6], [0, 10]]
    assert "x from −10 to 0" in page.locator("#shaded").inner_text()
    page.locator("input[name=shaded][value=identity]").check()
    assert page.evaluate(COLUMN, ["zones", "x0"]) == []


def test_softmax_follows_its_slider(explorer_page: Path, open_page: Open) -> None:
    page = open_page(explorer_page)
    assert [row[0] for row in cells(page, "outputs").values()] == ["0.659", "0.242", "0.099"]
    page.locator("#logit").press("Home")
    shown = cells(page, "outputs")
    assert list(shown) == ["−4.0", "1.0", "0.1"]
    for at, name in enumerate(fa.names("softmax")):
        expected = fa.get(name)(np.array([-4.0, 1.0, 0.1]), backend="numpy")
        assert [number(row[at]) for row in shown.values()] == pytest.approx(expected, abs=5e-4)


# ---- the report


def test_tables_sort_by_numbers_and_by_words(report_page: Path, open_page: Open) -> None:
    page = open_page(report_page)
    table = page.locator("table", has=page.get_by_text("Three rows", exact=True))
    heads = table.locator("thead button")
    order = lambda: table.locator("tbody th").all_inner_texts()  # noqa: E731
    heads.nth(1).focus()
    page.keyboard.press("Enter")
    assert order() == ["b", "c", "a"]  # -2.5, 30, 1,000
    assert table.locator("thead th").nth(1).get_attribute("aria-sort") == "ascending"
    page.keyboard.press("Enter")
    assert order() == ["a", "c", "b"]
    heads.nth(0).click()
    assert order() == ["a", "b", "c"]
    assert table.locator("[aria-sort]").count() == 1
    heads.nth(2).click()
    assert order() == ["b", "c", "a"]  # 2e-12, 3e-02, 1e+10


def test_languages_switch(report_page: Path, open_page: Open) -> None:
    page = open_page(report_page)
    assert page.locator("h2", has_text="A title").is_visible()
    page.locator("[data-language=ja]").click()
    assert page.evaluate("document.documentElement.lang") == "ja"
    assert page.locator("h2", has_text="題名").is_visible()
    assert not page.get_by_text("A title").is_visible()
    assert settings_of(page)["language"] == "ja"
    assert page.get_by_role("img", name="題名").evaluate("image => image.naturalWidth") > 0


def test_boundaries_step_by_epoch_and_activation(report_page: Path, open_page: Open, comparison: Any) -> None:
    page = open_page(report_page)
    panel = page.locator("#result-1-planes")
    epochs = comparison.boundaries.epochs
    shown = """() => {
        for (const model of Bokeh.documents[0]._all_models.values()) {
            if (model.type === "IndexFilter") return Array.from(model.indices);
        }
    }"""
    assert page.evaluate(shown) == [len(epochs) - 1]
    image = """() => {
        for (const model of Bokeh.documents[0]._all_models.values()) {
            const found = model.type === "ColumnDataSource" && model.data.image?.at(-1);
            if (found) return [found.shape[0], found[0], found.at(-1)];
        }
    }"""
    plane = list(comparison.boundaries.values.values())[-1][-1]
    page.wait_for_function(f"() => ({image})()[0] > {len(plane)}")
    corners = page.evaluate(image)[1:]
    assert corners == pytest.approx([plane[0, 0], plane[-1, -1]], abs=3)
    panel.locator("[data-move='-1']").click()
    assert page.evaluate(shown) == [len(epochs) - 2]
    panel.locator("input[type=radio]").nth(1).check()
    assert page.evaluate(shown) == [2 * len(epochs) - 2]
    assert settings_of(page) == {
        "language": "en",
        "result-1-planes.epoch": str(epochs[-2]),
        "result-1-planes.view": "1",
    }
    panel.locator("[data-play]").click()
    page.wait_for_function(f"() => ({shown})()[0] === {2 * len(epochs) - 1}")
    assert panel.locator("[data-play]").get_attribute("aria-pressed") == "false"
    assert settings_of(page) == {"language": "en", "result-1-planes.view": "1"}
    page.reload()
    page.wait_for_selector("html[data-ready]")
    assert page.evaluate(shown) == [2 * len(epochs) - 1]


def test_lines_can_be_hidden_and_views_chosen(report_page: Path, open_page: Open) -> None:
    page = open_page(report_page)
    panel = page.locator("#result-1-curves")
    assert panel.locator("[data-view]:visible").count() == 1
    panel.get_by_role("radio", name="test loss").check()
    assert panel.locator("[data-view]:visible figcaption").inner_text().startswith("test loss")
    panel.get_by_role("checkbox", name="tanh").uncheck()
    hidden = """() => page.json("data").panels[0].legend.map((ids) =>
        ids.map((id) => Bokeh.documents[0].get_model_by_id(id).visible))"""
    relu, tanh = page.evaluate(hidden)
    assert all(relu)
    assert not any(tanh)
    assert settings_of(page) == {"language": "en", "result-1-curves.hidden": "1", "result-1-curves.view": "1"}


def test_diagnosis_shows_each_epoch(report_page: Path, open_page: Open, diagnosis: Any) -> None:
    page = open_page(report_page)
    panel = page.locator("#result-2-layers")
    for epoch in (3, 0):
        panel.locator("input[type=range]").press("Home" if epoch == 0 else "End")
        rows = cells(page, "result-2-layers-flow-figures")
        assert list(rows) == diagnosis.layers
        norms = [float(row[0]) for row in rows.values()]
        expected = diagnosis.gradient_norm[diagnosis.epochs.index(epoch)]
        np.testing.assert_allclose(norms, expected, rtol=5e-3)
        box = page.locator("#result-2-layers-flow").bounding_box()
        page.mouse.move(box["x"] + box["width"] * (0.5 + epoch / 100), box["y"] + 120)
        page.wait_for_timeout(200)
        layer, norm = page.evaluate(TOOLTIP).split(": ")
        assert float(norm) == pytest.approx(expected[int(layer) - 1], rel=5e-3)


# ---- both


@pytest.mark.parametrize("name", ["explorer_page", "report_page"])
def test_accessible_and_fit_for_a_phone(name: str, request: pytest.FixtureRequest, open_page: Open) -> None:
    """axe-core finds nothing serious, and a page 360 pixels wide does not scroll sideways, in any language."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    page = open_page(request.getfixturevalue(name), fresh=True)
    page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
    checked = axe.Axe()
    for code in language.LANGUAGES:
        page.locator(f"[data-language={code}]").click()
        found = checked.run(page).response["violations"]
        assert {each["id"] for each in found if each["impact"] in ("serious", "critical")} == set(), code
    page.set_viewport_size({"width": 360, "height": 740})
    page.wait_for_function("() => Bokeh.documents[0].roots().every((each) => each.inner_width < 360)")
    for code in language.LANGUAGES:
        page.locator(f"[data-language={code}]").click()
        assert page.evaluate("document.documentElement.scrollWidth") == 360, code
