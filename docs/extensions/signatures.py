"""Signatures and docstrings as Sphinx takes them: without types, which docstrings in numpydoc's form have."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

from numpydoc.docscrape_sphinx import get_doc_object

__all__ = ["described", "escaped", "function_directive", "signature"]

#: A formula of the metadata in a docstring; its page shows it typeset.
FORMULA = re.compile(r"^\w+'?\((?:x|value, gate)\) = .*\n", re.M)
#: What reStructuredText would take for markup: |x| for a substitution, *parameters for emphasis, t_ for a link;
#: and pages of the docs, which become links.
MARKUP = (
    (re.compile(r"\bdocs/([\w/]+)\.md"), r":doc:`/\1`"),
    (re.compile(r"(?<![`\w])\|([^|`\n]+)\|"), r"\|\1\|"),
    (re.compile(r"(?<=[(\s])\*(?=\w+\))"), r"\*"),
    (re.compile(r"(?<=\()(\w+)_(?=[ ,)])"), r"\1\_"),
)

NUMPYDOC = {"show_class_members": False}


def signature(function: Callable[..., Any]) -> str:
    """The signature in parentheses, without types."""
    found = inspect.signature(function)
    bare = [each.replace(annotation=inspect.Parameter.empty) for each in found.parameters.values()]
    return str(found.replace(parameters=bare, return_annotation=inspect.Signature.empty))


def described(thing: Any, text: str | None = None) -> str:
    """The docstring as reStructuredText."""
    text = (inspect.getdoc(thing) or "") if text is None else text
    text = escaped(FORMULA.sub("", text))
    return str(get_doc_object(thing, what="function", doc=text, config=NUMPYDOC))


def escaped(text: str) -> str:
    """A docstring's text without accidental markup."""
    for markup, plain in MARKUP:
        text = markup.sub(plain, text)
    return text


def function_directive(name: str, function: Callable[..., Any], text: str | None = None) -> str:
    """A function's entry in the reference, in Markdown."""
    body = "\n".join(f"   {line}".rstrip() for line in described(function, text).splitlines())
    return f"```{{eval-rst}}\n.. py:function:: {name}{signature(function)}\n\n{body}\n```\n"
