"""The pages that `nox -s docs` built, in headless Chromium without a network; that task runs this file.

A page of each kind is opened in both languages, on a desk and on a phone: nothing may be wrong on the console, wider
than the screen, or hard to perceive by axe's rules.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

from fastact.language import LANGUAGES
from helpers import ROOT

DOCS = ROOT / "build" / "docs"
PAGES = (
    "index", "start", "faq", "explore", "learn/index", "learn/vanishing", "guides/index", "guides/training",
    "about/index", "about/contract", "reference/index", "reference/functions/index", "reference/functions/elu",
    "reference/functions/softmax", "reference/functions/cross_entropy", "reference/python/fastact",
    "reference/python/networks", "reference/commands", "reference/environment",
)  # fmt: skip
DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
#: Those that are looked at on a dark ground too.
DARK = ("index", "reference/functions/elu", "reference/python/fastact")


class Browser:
    """Opens pages, and notes what goes wrong in them."""

    def __init__(self, chromium: Any) -> None:
        self.chromium = chromium
        self.troubles: list[str] = []

    def open(self, path: str, size: dict[str, int], theme: str = "light") -> Any:
        context = self.chromium.new_context(viewport=size, color_scheme=theme, offline=True)
        page = context.new_page()
        page.on("pageerror", lambda error: self.troubles.append(str(error)))
        page.on("console", lambda told: self.troubles.append(told.text) if told.type in ("error", "warning") else None)
        page.on("request", lambda request: self.note(request.url))
        page.goto(f"{DOCS.as_uri()}/{path}")
        return page

    def note(self, url: str) -> None:
        """A request to anything but a file is a trouble."""
        if not url.startswith(("file:", "data:", "blob:")):
            self.troubles.append(url)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture
def browser(chromium: Any) -> Iterator[Browser]:
    made = Browser(chromium)
    yield made
    assert not made.troubles
    for context in chromium.contexts:
        context.close()


def folder(language: str) -> str:
    return "" if language == "en" else f"{language}/"


def check_perceivable(page: Any) -> None:
    """axe finds nothing serious. The explorer's page, in a frame, has tests of its own."""
    found = Axe().run(page, options={"iframes": False, "preload": False}).response["violations"]
    assert not [(each["id"], each["nodes"][0]["html"]) for each in found if each["impact"] in ("serious", "critical")]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", PAGES)
def test_page(name: str, language: str, browser: Browser) -> None:
    for size in (PHONE, DESK):
        page = browser.open(f"{folder(language)}{name}.html", size)
        assert page.evaluate("document.documentElement.lang") == language
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "wider than the screen"
        assert page.evaluate("[...document.querySelectorAll('math')].every(each => each.getClientRects().length)")
        assert page.evaluate("[...document.images].every(each => !each.complete || each.naturalWidth > 0)")
    check_perceivable(page)


@pytest.mark.parametrize("name", DARK)
def test_dark_page(name: str, browser: Browser) -> None:
    check_perceivable(browser.open(f"{name}.html", DESK, "dark"))


@pytest.mark.parametrize("name", ["index", "reference/functions/elu"])
def test_the_languages_lead_to_the_same_page(name: str, browser: Browser) -> None:
    page = browser.open(f"{name}.html", DESK)
    for language in ("ja", "en"):
        page.locator(f"nav.languages a[hreflang={language}]").first.click()
        page.wait_for_url(f"**/{folder(language)}{name}.html")
        assert page.evaluate("document.documentElement.lang") == language
    assert Path(page.url.removeprefix("file://")) == DOCS / f"{name}.html"


@pytest.mark.parametrize(
    ("language", "query", "wanted"),
    [("en", "gelu", "gelu"), ("en", "vanishing", "Vanishing"), ("ja", "gelu", "gelu"), ("ja", "勾配消失", "sigmoid")],
)
def test_search(language: str, query: str, wanted: str, browser: Browser) -> None:
    page = browser.open(f"{folder(language)}search.html?q={query}", DESK)
    page.locator("ul.search a", has_text=wanted).first.wait_for(timeout=10_000)
    page.wait_for_timeout(500)
    # Excerpts are read from the pages, which browsers forbid to files.
    browser.troubles[:] = [each for each in browser.troubles if "fetch" not in each and "ERR_FAILED" not in each]


def test_the_explorer_is_in_its_page(browser: Browser) -> None:
    for language in LANGUAGES:
        page = browser.open(f"{folder(language)}explore.html", DESK)
        frame = page.frame_locator("iframe.explorer")
        frame.locator("html[data-ready]").wait_for(state="attached", timeout=20_000)
        assert frame.locator("html").get_attribute("lang") == language
