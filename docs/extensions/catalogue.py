"""The pages of reference/functions/, one for each function of the registry, and the overview.

They are written before Sphinx reads the sources, in the language of the build, from what the package says of its
functions: formulas.py typesets, curves.py and drawing.py make the pictures, measured.py has accuracy and speed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

import fastact as fa
from extensions.drawing import picture, spark
from extensions.formulas import display, typeset
from extensions.markdown import directive, table, update
from extensions.measured import accuracy, speed
from extensions.papers import linked
from extensions.signatures import function_directive
from extensions.words import translated as _
from fastact import language
from fastact._core.backends import BACKENDS, FAMILIES
from fastact.language import translated as _of_package

#: What stands in a formula behind a function's name, by kind.
ARGUMENTS = {
    "activation": "(x)",
    "softmax": "(x)_i",
    "reduction": "(x)",
    "sampling": "(x)_i",
    "gated unit": r"(\text{value}, \text{gate})",
    "loss": "",
}
#: Headings of the overview: of an activation by its module, of another function by its kind.
FAMILIES_OF_READERS = {
    "piecewise": "Piecewise",
    "sigmoids": "S-shaped and related",
    "rectifiers": "Smooth rectifiers",
    "smooth": "x times a smooth gate",
    "periodic": "Periodic",
    "randomised": "Random",
    "softmax": "Softmax family",
    "reduction": "Reductions",
    "sampling": "Sampling",
    "gated unit": "Gated units",
    "loss": "Losses",
}
#: Parts that a function may have, and what each one computes, where it has no docstring of its own.
PARTS = {
    "derivative": "The slope f′(x), from the input.",
    "backward": "grad_output · f′(x) in one pass: the gradient for x, from the gradient for f(x).",
    "with_bias": "f(x + bias) in one pass. A bias of shape (n,) is added along the last axis.",
    "value_and_grad": "The loss and its gradient.",
}
GENERIC = "An operation that a public function is made of"


def write(app: Sphinx) -> None:
    """Write all pages, in the language of the build."""
    folder = Path(app.srcdir) / "reference" / "functions"
    with language.use(app.config.language):
        functions = [fa.get(name) for name in fa.names()]
        for function in functions:
            update(folder / f"{function.name}.md", page(function, functions))
        update(folder / "index.md", overview(functions))


def family(function: Any) -> str:
    """A key of `FAMILIES_OF_READERS`."""
    return function.__module__.rpartition(".")[2] if function.kind == "activation" else str(function.kind)


def names(function: Any) -> set[str]:
    """What its formulas call variables."""
    return {*function.parameters, *(("value", "gate") if function.kind == "gated unit" else ())}


def page(function: Any, functions: list[Any]) -> str:
    """The page of a function."""
    sections = [
        f"# {function.name}",
        function.summary,
        formulas(function),
        f"```{{raw}} html\n{picture(function)}\n```",
        facts(function),
        section(_("Values"), samples(function)),
        section(_("Accuracy"), accuracy(function.name) or bound(function)),
        section(_("Speed"), speed(function.name)),
        section(_("Calls"), calls(function)),
        section(_("Related functions"), related(function, functions)),
    ]
    return "\n\n".join(filter(None, sections)) + "\n"


def section(title: str, body: str) -> str:
    """A heading and what stands below it, if anything does."""
    return f"## {title}\n\n{body}" if body else ""


def formulas(function: Any) -> str:
    """The function's formula, and its slope's."""
    known = names(function)
    name = rf"\text{{{function.name}}}"
    arguments = "(x)" if function.name == "glu" else ARGUMENTS[function.kind]
    return "\n\n".join(
        [
            equation(name + arguments, _of_package(function.formula), known),
            *(
                [equation(rf"{name}'{arguments}", _of_package(function.derivative_formula), known)]
                if function.kind == "activation"
                else []
            ),
        ]
    )


def equation(left: str, text: str, known: set[str]) -> str:
    """A formula that stands alone, and what is said of it in a line below."""
    shown, rest = display(text, known)
    if not shown:
        return rest
    return f"$$\n{left} = {shown}\n$$" + (f"\n\n{rest}" if rest else "")


def facts(function: Any) -> str:
    """What the metadata says besides formulas, as a list of terms."""
    known = names(function)
    notes = {"for": _("for it"), "against": _("against it"), "use": _("use")}
    gradient = function.derivative_formula if function.kind != "activation" else ""
    pairs = [
        (_("gradient"), typeset(_of_package(gradient), known)),
        (_("range"), typeset(_of_package(function.range), known)),
        (_("parameters"), ", ".join(f"`{name} = {value:.7g}`" for name, value in function.parameters.items())),
        (_("kinks"), typeset(_of_package(function.kinks), known)),
        *((notes.get(key, key), _of_package(text)) for key, text in function.notes.items()),
        (_("also called"), ", ".join(f"`{alias}`" for alias in function.aliases)),
        (_("backends"), ", ".join(f"`{name}`" for name in BACKENDS if name in FAMILIES[function._family])),
        (_("paper"), linked(function.reference)),
        (_("in the terminal"), f"`fastact show {function.name}`"),
    ]
    return directive("div", "facts", "\n\n".join(f"{label}\n: {text}" for label, text in pairs if text))


def samples(function: Any) -> str:
    """A few values, for checks by hand."""
    rows = list(function._samples().items())
    if not rows:
        return ""
    (label, x), *others = rows
    written = [
        [f"**{name.replace(chr(39), '′')}**", *(f"{y:.3f}".replace("-", "−") for y in values)]
        for name, values in others
    ]
    return table([label, *(f"{value:g}".replace("-", "−") for value in x)], written)


def bound(function: Any) -> str:
    """The promised error of a function whose measured errors are not in accuracy.json."""
    return dict(function.facts()).get(_of_package("error"), "")


def calls(function: Any) -> str:
    """The entries of the function and of its parts in the reference."""
    return "\n".join(
        [
            function_directive(f"fastact.{function.name}", function),
            *(entry(function, name) for name in PARTS if callable(getattr(function, name, None))),
        ]
    )


def entry(function: Any, name: str) -> str:
    """The entry of a part."""
    part = getattr(function, name)
    generic = (part.__doc__ or "").startswith(GENERIC)
    return function_directive(f"fastact.{function.name}.{name}", part, _(PARTS[name]) if generic else None)


def related(function: Any, functions: list[Any]) -> str:
    """Links to the other functions of its family, and to the overview."""
    others = [each.name for each in functions if family(each) == family(function) and each is not function]
    links = [f"[{name}]({name}.md)" for name in others]
    return ", ".join([*links, f"[{_('all functions')}](index.md)"])


def overview(functions: list[Any]) -> str:
    """All functions in tables, one for each family."""
    lead = _("Every function of fastact, by family. Each name leads to formula, curve, accuracy, speed and calls.")
    parts = [f"# {_('Functions')}", lead]
    for key in dict.fromkeys(map(family, functions)):
        rows = list(map(row, (each for each in functions if family(each) == key)))
        columns = [column for column in rows[0] if any(each[column] for each in rows)]
        cells = [[each[column] for column in columns] for each in rows]
        parts += [f"## {_(FAMILIES_OF_READERS[key])}", directive("div", "functions", table(columns, cells))]
    toctree = "\n".join(each.name for each in functions)
    return "\n\n".join([*parts, f"```{{toctree}}\n:hidden:\n\n{toctree}\n```\n"])


def row(function: Any) -> dict[str, str]:
    """A line of the overview, by column."""
    known = names(function)
    shown, rest = display(_of_package(function.formula), known)
    return {
        _("function"): f"[{function.name}]({function.name}.md)",
        _("curve"): spark(function),
        _("formula"): f"${shown}$" if shown else rest,
        _("range"): typeset(_of_package(function.range), known),
        _("smooth"): smooth(function),
        _("use"): _of_package(function.notes.get("use", "")),
    }


def smooth(function: Any) -> str:
    """Whether the slope has no jump, of elementwise functions."""
    if function._family != "elementwise":
        return ""
    return "✓" if not function.kinks or "smooth" in function.kinks else "–"


def setup(app: Sphinx) -> dict[str, Any]:
    """Let Sphinx use it."""
    app.connect("builder-inited", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
