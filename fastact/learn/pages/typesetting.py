"""How pages write numbers and formulas: a raised −12 for e-12, and a raised x for **x."""

from __future__ import annotations

import re
from typing import Any

from fastact.errors import require

__all__ = ["formula", "numbers"]

EXPONENT = re.compile(r"(?<=\d)e([+-])0*(\d+)\b")
POWER_OF = re.compile(r"(?<=\d)(?:\^| ?\*\* ?)(-?\d+)\b")
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
#: A sign that is no hyphen: before a number, and behind nothing that it could subtract from.
SIGN = re.compile(r"(?<![\w.)\]-])-(?=[\d.])")
#: Of the layers of a network, as in 64-64-10.
HYPHEN = re.compile(r"(?<=[\d.])-(?=[\d.])")
#: What may not stand at the beginning of a line: what a number counts, in Japanese, and in (3 layers).
UNIT = re.compile(r"(?<=\d) (?=[%\u3041-\u30ff\u4e00-\u9fff])|(?<=\(\d) (?=[a-z])")

#: In formulas; applied one after another.
SYMBOLS = (
    (re.compile(r"\binf\b"), "∞"),
    (re.compile(r" \* "), " · "),
    (re.compile(r"(?<![\w)])-(?=[\w(∞])| - "), lambda sign: sign[0].replace("-", "−")),
    (re.compile(">="), "≥"),
    (re.compile("<="), "≤"),
    (re.compile(r"(?<=\w)'(?=[( ])"), "′"),
)
#: x_i and the like: a letter, or sum, with an index of one letter.
INDEX = re.compile(r"\b([a-z]|sum)_([a-z])\b")
#: What is raised, if it is not in parentheses.
POWER = re.compile(r"-?\w+(?:\.\d+)?")


def numbers(text: str) -> str:
    """The text with powers and minus signs, and no break inside of 64-64-10 or between a number and its unit."""
    text = EXPONENT.sub(lambda found: "\u00d710" + f"{found[1].strip('+')}{found[2]}".translate(RAISED), text)
    text = POWER_OF.sub(lambda found: found[1].translate(RAISED), text)
    return UNIT.sub("\u00a0", HYPHEN.sub("\u2011", SIGN.sub("−", text)))


def formula(text: str) -> Any:
    """Markup of a formula written as in Python; words in it stay as they are."""
    markup = require("markupsafe", "demo", "a page for the browser").Markup
    base, power, rest = text.replace("^", "**").partition("**")
    for symbol, written in SYMBOLS:
        base = symbol.sub(written, base)
    shown = INDEX.sub(r"\1<sub>\2</sub>", str(markup.escape(base)))
    if not power:
        return markup(shown)
    raised, rest = _operand(rest)
    return markup(f"{shown}<sup>{formula(raised)}</sup>{formula(rest)}")


def _operand(text: str) -> tuple[str, str]:
    """What a formula raises to, without its parentheses, and what follows."""
    if text.startswith("("):
        depth = 0
        for place, letter in enumerate(text):
            depth += (letter == "(") - (letter == ")")
            if not depth:
                return text[1:place], text[place + 1 :]
    found = POWER.match(text)
    return (found[0], text[found.end() :]) if found else ("", text)
