"""The report: results of experiments as one page for the browser.

A kind of result with pictures of its own registers their maker in `panels`; any other shows its figure as it is.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from functools import partial, singledispatch
from io import BytesIO
from pathlib import Path
from typing import Any

from fastact.language import translated as _
from fastact.learn.diagnostics import Diagnosis
from fastact.learn.experiments.comparison import Comparison
from fastact.learn.experiments.xor import Xor
from fastact.learn.pages import comparison_panels, diagnosis_panels, document, plots, training_panels
from fastact.learn.pages.document import all_languages
from fastact.learn.pages.panels import Panel
from fastact.learn.pictures import style
from fastact.learn.result import Result
from fastact.learn.tabular import Training

__all__ = ["panels", "write"]


def write(results: Sequence[Result], path: Path) -> None:
    """Write a page with all that the results show, in every language of fastact.

    Parameters
    ----------
    results : sequence of Result
    path : Path
        Of an HTML file, which then needs nothing else: it works offline.

    Raises
    ------
    MissingDependencyError
        Without Bokeh.

    Examples
    --------
    >>> from pathlib import Path
    >>> from fastact.learn.experiments import compare
    >>> from fastact.learn.pages import report
    >>> report.write([compare("moons", ["relu"], seeds=1, epochs=1)], Path("report.html"))
    """
    sections = [_section(result, f"result-{number}") for number, result in enumerate(results, 1)]
    found = [panel for section in sections for panel in section["panels"]]
    titles = all_languages(lambda: results[0].title if len(results) == 1 else _("fastact: report"))
    path.write_text(
        document.render("report.html", titles=titles, results=sections, data=_data(found)), encoding="utf-8"
    )


@singledispatch
def panels(result: Result, name: str) -> Iterable[Panel]:
    """The interactive pictures of a result; `name` begins the ids of their elements."""
    return []


panels.register(Comparison, comparison_panels.panels)
panels.register(Xor, comparison_panels.of_xor)
panels.register(Diagnosis, diagnosis_panels.panels)
panels.register(Training, training_panels.panels)


def _section(result: Result, name: str) -> dict[str, Any]:
    """A result as the template takes it."""
    sentences, tables = all_languages(result.sentences), all_languages(result.tables)
    shown = list(panels(result, name))
    drawn: list[Result] = [] if shown else [result]
    drawn += result.checks if isinstance(result, Diagnosis) else ()
    return {
        "id": name,
        "title": document.spoken(all_languages(lambda: result.title)),
        "sentences": [document.spoken(texts) for texts in document.paired(sentences)],
        "tables": [document.sortable(each) for each in document.paired(tables)],
        "pictures": [all_languages(partial(_picture, each)) for each in drawn],
        "panels": shown,
    }


def _picture(result: Result) -> dict[str, str]:
    """The result's figure as the address of an image, in the language in use."""
    file = BytesIO()
    style.save(result.figure(), file)
    return {
        "source": f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}",
        "title": result.title,
    }


def _data(shown: Sequence[Panel]) -> dict[str, Any]:
    """What the script needs to know."""
    views = [view for panel in shown for view in panel.views]
    legends = [entry for panel in shown for entry in panel.legend]
    return {
        "plots": document.one_document([plot.figure for view in views for plot in view.plots]),
        "panels": [panel.as_dict() for panel in shown],
        "axes": [[axis.id, texts] for view in views for axis, texts in view.axes()],
        "names": [[renderer.id, texts] for texts, renderers in legends for renderer in renderers],
        "smooth": [source.id for panel in shown for source in panel.smooth],
        "styles": plots.styles(max((len(panel.legend) for panel in shown), default=0)),
    }
