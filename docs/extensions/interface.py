"""The pages of reference/python/: every public name that is no function of the catalogue, from its docstring.

A page shows what the `__all__` of its modules lists, so that a new name appears by itself; a new module is a line of
`PAGES`. What a function returns is described behind it, if it is a class of fastact's.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from sphinx.application import Sphinx
from sphinx.ext.autodoc.mock import mock

import fastact as fa
from extensions.markdown import update
from extensions.signatures import escaped

__all__ = ["PAGES", "public_names"]


class Page(NamedTuple):
    """A page: its title, what it says first, and its modules."""

    title: str
    lead: str
    modules: tuple[str, ...]


PAGES = {
    "fastact": Page(
        "fastact",
        "What `import fastact as fa` offers besides the [functions](../functions/index.md).",
        ("fastact",),
    ),
    "numbers": Page(
        "Formulas and ufuncs",
        "For formulas of your own, see [the guide](../../guides/own.md).",
        ("fastact.math", "fastact.ufuncs", "fastact.functions.own"),
    ),
    "experiments": Page(
        "Experiments and diagnoses",
        "Each returns a result, which says in words, tables and a picture what was found.",
        (
            "fastact.learn.experiments",
            "fastact.learn.diagnostics",
            "fastact.learn.result",
            "fastact.learn.pages.explorer",
            "fastact.learn.pages.report",
        ),
    ),
    "networks": Page(
        "Networks for scikit-learn, tables and ONNX",
        "All are made of {py:obj}`fastact.MLP`, whose options [the guide](../../guides/training.md) explains.",
        ("fastact.sklearn", "fastact.learn.tabular", "fastact.onnx"),
    ),
    "torch": Page(
        "PyTorch",
        "`fastact.torch` has a differentiable function for each name of `fastact.names()`, and modules of them: see "
        "[the guide](../../guides/pytorch.md).",
        ("fastact.torch",),
    ),
    "errors": Page("Errors and languages", "", ("fastact.errors", "fastact.language")),
}

#: Libraries without which modules above cannot be imported, and that docs can be built without.
OPTIONAL = ("torch",)

#: The sections of the page of fastact itself; a name that is in none comes last.
SECTIONS = {
    "Look up": ("get", "names", "recommend", "Function", "Activation", "Metadata"),
    "Activations of your own": ("activation", "check_gradient"),
    "Backends, threads and compiled kernels": (
        "backends", "use_backend", "explain", "get_num_threads", "set_num_threads", "warmup", "cache_info",
    ),
    "Networks": ("MLP",),
    "Verification": ("verify",),
}  # fmt: skip
#: What modules list for fastact's own files.
INTERNAL = {
    "fastact.errors": ("nearest", "require", "told", "wrong_type"),
    "fastact.language": ("Message", "listed", "marked", "paragraph", "translated"),
    "fastact.learn.pages.report": ("panels",),
    "fastact.learn.result": ("plain",),
    "fastact.learn.tabular": ("score_tables", "scores_for"),
}
#: What functions return whose module loads it only when they are called.
RESULTS = {
    "check_gradient": "fastact.measure.gradients.gradient_check.GradientCheck",
    "recommend": "fastact.learn.recommending.answer.Recommendation",
    "verify": "fastact.measure.verification.verification.Verification",
}
#: The members of classes that have others too, for fastact's own files.
MEMBERS = {
    "fastact.Function": ("summary", "facts", "explain"),
    "fastact.Activation": (
        "derivative", "backward", "with_bias", "parameter_derivative", "parameter_backward", "derivation", "vectorize",
    ),
}  # fmt: skip


def imported(module: str) -> Any:
    """The module; libraries that are not installed, and need not be to describe it, are feigned."""
    with mock([library for library in OPTIONAL if find_spec(library) is None]):
        return import_module(module)


@cache
def public_names(module: str) -> list[str]:
    """What users may import from a module and no page of the catalogue describes."""
    listed = getattr(imported(module), "__all__", [])
    elsewhere = {name for each in map(fa.get, fa.names()) for name in (each.name, *each.aliases)}
    left_out = elsewhere if module == "fastact" else INTERNAL.get(module, ())
    return [name for name in listed if name not in left_out]


def write(app: Sphinx) -> None:
    """Write all pages."""
    folder = Path(app.srcdir) / "reference" / "python"
    for name, page in PAGES.items():
        update(folder / f"{name}.md", "\n\n".join(text(page)) + "\n")
    update(folder / "index.md", "# Python\n\n```{toctree}\n:maxdepth: 1\n\n" + "\n".join(PAGES) + "\n```\n")


def text(page: Page) -> Iterator[str]:
    """The paragraphs of a page."""
    yield f"# {page.title}"
    if page.lead:
        yield page.lead
    if page.modules == ("fastact",):
        yield from top()
        return
    for module in page.modules:
        yield f"## {module}"
        yield f"```{{eval-rst}}\n.. automodule:: {module}\n```"
        for name in public_names(module):
            yield from entry(module, name)


def top() -> Iterator[str]:
    """The sections of fastact itself."""
    left = [name for name in public_names("fastact") if name not in sum(SECTIONS.values(), ())]
    errors = [name for name in left if name.endswith("Error")]
    others = [name for name in left if name not in errors and not inspect.ismodule(getattr(fa, name))]
    for title, names in {**SECTIONS, "Errors": errors, "Others": others}.items():
        if names:
            yield f"## {title}"
        for name in names:
            yield from entry("fastact", name)


def entry(module: str, name: str) -> Iterator[str]:
    """A public object, and the class of what it returns."""
    thing = getattr(imported(module), name)
    yield autodoc(f"{module}.{name}", thing)
    if (result := returned(thing)) is not None:
        yield autodoc(f"{result.__module__}.{result.__name__}", result)


def returned(thing: Any) -> type | None:
    """The class of fastact's that a function returns, if no `__all__` lists it for users."""
    if not inspect.isfunction(thing):
        return None
    if thing.__name__ in RESULTS:
        module, _, name = RESULTS[thing.__name__].rpartition(".")
        result = getattr(imported(module), name)
    else:
        result = typing.get_type_hints(thing).get("return")
    if not inspect.isclass(result) or not result.__module__.startswith("fastact."):
        return None
    listed = any(result.__name__ in public_names(module) for page in PAGES.values() for module in page.modules)
    return None if listed else result


def autodoc(path: str, thing: Any) -> str:
    """The directive that describes an object."""
    if inspect.isclass(thing):
        options = [f":members: {', '.join(MEMBERS[path])}" if path in MEMBERS else ":members:"]
        if path not in MEMBERS:
            options.append(":inherited-members:")
        kind = "exception" if issubclass(thing, BaseException) else "class"
        options = options if kind == "class" else []
    else:
        kind, options = ("function" if callable(thing) else "data"), []
    lines = "".join(f"\n   {option}" for option in options)
    return f"```{{eval-rst}}\n.. auto{kind}:: {path}{lines}\n```"


def skip_foreign(_app: Sphinx, _what: str, _name: str, thing: Any, _skipped: bool, _options: Any) -> bool | None:
    """Leave out methods that a class inherits from another library, which describes them."""
    module = getattr(thing, "__module__", None) or "fastact"
    return None if module.startswith("fastact") else True


def prepare(_app: Sphinx, what: str, _name: str, _thing: Any, _options: Any, lines: list[str]) -> None:
    """Take accidental markup out of a docstring, before numpydoc reads it; what a module's indents is code."""
    lines[:] = map(escaped, lines)
    if what == "module":
        lines[:] = literal(lines)


def literal(lines: list[str]) -> Iterator[str]:
    """Lines with each indented block marked as code."""
    inside = False
    for line in lines:
        if line.startswith("    ") and not inside:
            yield from ("", ".. code-block:: python", "")
        inside = line.startswith("    ") or (inside and not line.strip())
        yield line


def setup(app: Sphinx) -> dict[str, Any]:
    """Let Sphinx use it."""
    app.connect("autodoc-skip-member", skip_foreign)
    app.connect("autodoc-process-docstring", prepare, priority=100)
    app.connect("builder-inited", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
