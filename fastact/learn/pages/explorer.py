"""The explorer: a page with the curves of the whole catalogue, and of a user's own activations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import fastact as fa
from fastact.language import marked
from fastact.language import translated as _
from fastact.learn.pages import document, plots, typesetting
from fastact.learn.pages.document import Texts, all_languages, said
from fastact.learn.pages.sweeps import Sweep, sweep
from fastact.learn.result import Table

__all__ = ["write"]

#: Curves that are shown together; more nobody can tell apart.
MOST = 8
#: Those that are shown first.
FIRST = ("relu", "sigmoid", "tanh")
#: Settings that answer a beginner's questions, by what their button says.
SETS = {
    marked("the classics"): "f=relu,sigmoid,tanh",
    marked("vanishing slopes: sigmoid and tanh"): "f=sigmoid,tanh&shade=sigmoid&reach=10&x=6",
    marked("relu and its relatives"): "f=relu,leaky_relu,elu,softplus&x=-1",
    marked("smooth ones"): "f=gelu,silu,mish,softplus&shade=gelu&x=-1",
}
#: What readers call the families of the catalogue, which are the files of fastact/functions/activations/.
FAMILIES = {
    "own": marked("Your own"),
    "piecewise": marked("Piecewise"),
    "sigmoids": marked("S-shaped and related"),
    "rectifiers": marked("Smooth rectifiers"),
    "smooth": marked("x times a smooth gate"),
    "periodic": marked("Periodic"),
    "randomised": marked("Random"),
}
#: From -reach to reach.
REACHES = (2, 5, 10)
#: The moving one of three logits, and the others.
LOGITS = tuple(round(-4 + 0.1 * step, 1) for step in range(101))
FIXED = (1.0, 0.1)


def write(path: Path) -> None:
    """Write the page.

    Parameters
    ----------
    path : Path
        Of an HTML file, which then needs nothing else: it works offline.

    Raises
    ------
    MissingDependencyError
        Without Bokeh.
    ValueError
        If an activation of a user's own is not finite.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from fastact.learn.pages import explorer
    >>> with TemporaryDirectory() as folder:
    ...     explorer.write(Path(folder) / "explore.html")
    """
    document.library("bokeh")  # before the work
    path.write_text(_page(), encoding="utf-8")


def _page() -> str:
    activations = [fa.get(name) for name in fa.names("activation")]
    row_functions = [fa.get(name) for name in fa.names("softmax")]
    sweeps = [sweep(each) for each in activations]
    functions = [{**_described(each), "ranges": found.values} for each, found in zip(activations, sweeps, strict=True)]
    families: dict[str, list[dict[str, Any]]] = {"own": []} if _own(activations) else {}
    for each, described in zip(activations, functions, strict=True):
        families.setdefault(_family(each), []).append(described)
    first = list(_own(activations) or FIRST)[:MOST]
    arrays, catalogue = _collected(activations, sweeps)
    return document.render(
        "explorer.html",
        titles=said("fastact: activation functions to explore"),
        functions=functions,
        families=families,
        row_functions=[_described(each) for each in row_functions],
        reaches=REACHES,
        names_of_families=FAMILIES,
        sets=SETS,
        logits=LOGITS,
        figures=document.sortable(all_languages(lambda: Table([_("function"), "−2", "−1", "0", "1", "2"]))),
        outputs=document.sortable(all_languages(lambda: _rows(row_functions))),
        data={
            "plots": document.one_document(plots.curves(MOST)),
            "catalogue": catalogue,
            "curves": document.packed(arrays),
            "rows": document.packed(_row_values(row_functions)),
            "logits": LOGITS,
            "most": MOST,
            "first": {"f": first, "x": 1.0, "reach": 5},
            "styles": plots.styles(MOST),
            "tip": plots.TIP,
            "texts": all_languages(_spoken_by_script),
        },
    )


def _spoken_by_script() -> dict[str, str]:
    """Texts that the script puts together, in the language in use."""
    return {
        "remove": _("remove {name}"),
        "shade": _("shade where the slope of {name} is nearly zero"),
        "zones": _(
            "Shaded: where the slope of {name} is nearly zero (below 1% of its largest value, and below 0.01), "
            "so that hardly any gradient passes back: {zones}."
        ),
        "zone": _("x from {low} to {high}"),
        "and": _(" and "),
        "no_zones": _("{name} has no stretch of nearly zero slope for x from −10 to 10."),
        "no_slope": _("none"),
    }


def _family(activation: Any) -> str:
    package, _dot, family = activation.__module__.rpartition(".")
    return family if package == "fastact.functions.activations" else "own"


def _own(activations: Sequence[Any]) -> list[str]:
    return [each.name for each in activations if _family(each) == "own"]


def _described(function: Any) -> dict[str, Any]:
    """What a card says, in all languages."""
    facts = all_languages(function.facts)
    summary = all_languages(lambda: function.summary)
    plain = [function.name, *function.aliases, *summary.values()]
    plain += [text for each in facts.values() for _label, text in each]
    return {
        "name": function.name,
        "summary": document.spoken(summary),
        "facts": [
            _fact(label, text, function.reference) for label, text in map(document.paired, document.paired(facts))
        ],
        "search": " ".join(dict.fromkeys(plain)).lower(),
    }


def _fact(label: Texts, text: Texts, reference: str) -> list[Any]:
    """A row of a card; all but papers may have formulas."""
    written = typesetting.numbers if reference in text.values() else typesetting.formula
    return [document.spoken(label), document.spoken(text, written)]


def _collected(activations: Sequence[Any], sweeps: Sequence[Sweep]) -> tuple[list[Any], list[dict[str, Any]]]:
    """All arrays, and where among them each curve begins."""
    arrays: list[Any] = []
    catalogue = []
    start = 0
    for activation, found in zip(activations, sweeps, strict=True):
        places = []
        for curve in found.curves:
            arrays += [curve.x, curve.f, curve.slope]
            places.append([start, len(curve.x), [end for zone in curve.zones for end in zone]])
            start += 3 * len(curve.x)
        defaults = [values.index(activation.parameters[name]) for name, values in found.values.items()]
        catalogue.append(
            {
                "name": activation.name,
                "parameters": found.values,
                "defaults": defaults,
                "curves": places,
                "differentiable": bool(np.isfinite(found.curves[0].slope).any()),
            }
        )
    return arrays, catalogue


def _rows(functions: Sequence[Any]) -> Table:
    """The outputs for the inputs that are shown first."""
    inputs = (2.0, *FIXED)
    outputs = [function(np.array(inputs), backend="numpy") for function in functions]
    return Table(
        [_("input"), *(function.name for function in functions)],
        [[f"{x:.1f}", *(f"{y[at]:.3f}" for y in outputs)] for at, x in enumerate(inputs)],
    )


def _row_values(functions: Sequence[Any]) -> Iterator[Any]:
    """For each value of the first logit, the outputs of each function."""
    inputs = np.array([(logit, *FIXED) for logit in LOGITS])
    yield np.stack([function(inputs, backend="numpy") for function in functions], axis=2)
