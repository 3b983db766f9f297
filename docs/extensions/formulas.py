r"""From a formula as metadata has it, in plain text, to TeX: "x / (1 + e**-x)" becomes \frac{x}{1 + e^{-x}}.

Around formulas stand words, of English or Japanese: `typeset` tells which is which, and gives Markdown. A new function
of the notation is a line of `FUNCTIONS`, a new symbol one of `SYMBOLS`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from fastact import language

__all__ = ["display", "tex", "typeset"]

SYMBOLS = {
    **{name: rf"\{name}" for name in ("alpha", "beta", "delta", "tau", "theta", "pi", "Phi")},
    "phi": r"\varphi",
    "lambd": r"\lambda",
    "inf": r"\infty",
}
#: Written upright before their argument by a command of TeX's.
FUNCTIONS = ("exp", "log", "max", "min", "sin", "tanh")
RELATIONS = {"<=": r"\le", ">=": r"\ge", "<": "<", ">": ">", "=": "="}
CLOSING = {"(": ")", "[": "]", "{": "}"}

TOKEN = re.compile(
    r"""(?P<space>\s+)
    |(?P<number>\d+(?:,\d{3})*(?:\.\d+)?)
    |(?P<name>[A-Za-z]\w*(?<![^\x00-\x7f]))
    |(?P<index>_[a-z]\b)
    |(?P<symbol>\*\*|<=|>=|[-+*/^<>=()\[\]{}|',])
    |(?P<word>.)""",
    re.X | re.A,
)
#: A name is a variable, of which no signature need know, beside an operator, alone in parentheses, or with an index.
VARIABLE = re.compile(
    r"""[-*/<>=]\s?([A-Za-z_]+)\b(?!\()
    |\b([A-Za-z_]+)(?=\s?(?:\*|[<>]|=\s))
    |\(([A-Za-z_]+)\)
    |else\s([A-Za-z_]+)$
    |\b([A-Za-z_]+_[a-z])\b""",
    re.X,
)

#: An integral in words, in each language; it becomes a call of a function that the parser knows.
INTEGRALS = (
    re.compile(r"(?P<how> times |, )the integral of (?P<f>.+) over (?P<t>\w) from (?P<a>\S+) to (?P<b>\S+)"),
    re.compile(r"(?P<how> \xd7 |、つまり )(?P<f>[^\xd7、]+) の積分（(?P<t>\w) は (?P<a>\S+) から (?P<b>\S+) まで）"),
)
FACTORS = (" times ", " \xd7 ")

#: What parts a formula from what is said of it.
BREAKS = (",", ";", "、", "。", " with ")

#: What stands before and behind the condition of a case, and what in the place of the last one.
CASES = {"en": ("if ", "", "otherwise"), "ja": ("", " のとき", "それ以外")}


@dataclass(frozen=True)
class Token:
    """A piece of the text: its kind, a group of `TOKEN`, and whether it touches the one before."""

    kind: str
    text: str
    touches: bool


class NotAFormula(ValueError):
    """Words where a formula should be."""


def tex(text: str, names: Iterable[str] = ()) -> str:
    """The TeX of a text that is a formula throughout, a few words in its conditions apart."""
    parser = Parser(_prepared(text), names)
    found = parser.choice()
    if parser.rest():
        raise NotAFormula(f"{parser.rest()!r} in {text!r}")
    return found


def typeset(text: str, names: Iterable[str] = ()) -> str:
    """Markdown of a text with formulas: each between dollars, and words as they are."""
    return "".join(f"${part}$" if kind == "formula" else part for kind, part in _parts(text, names)).strip()


def display(text: str, names: Iterable[str] = ()) -> tuple[str, str]:
    """The TeX of the formula that a text begins with, and Markdown of what it says besides.

    The TeX is empty for a text that is a sentence: a word comes first, or a verb behind the formula.
    """
    parts = list(_parts(text, names))
    if not parts or parts[0][0] != "formula" or (len(parts) > 1 and not parts[1][1].startswith(BREAKS)):
        return "", typeset(text, names)
    rest = "".join(f"${part}$" if kind == "formula" else part for kind, part in parts[1:])
    return parts[0][1], rest.strip(" 、,;。")


def _parts(text: str, names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Formulas and words in turn."""
    parser = Parser(_prepared(text), names)
    words = ""
    while parser.rest():
        start = parser.at
        try:
            found = parser.choice()
        except NotAFormula:
            parser.at = start
            words += parser.word()
            continue
        space = " " if start and not parser.tokens[start].touches else ""
        if words or space:
            yield "words", words + space
        words = ""
        yield "formula", found
    if words:
        yield "words", words


def _prepared(text: str) -> str:
    for integral in INTEGRALS:
        text = integral.sub(_called, text)
    return text


def _called(found: re.Match[str]) -> str:
    """An integral as a call, multiplied with what is before it or equal to that."""
    sign = "*" if found["how"] in FACTORS else "="
    return " {} integral({a}, {b}, {t}, {f})".format(sign, **found.groupdict())


class Parser:
    """Reads a formula by its grammar, from the choice down to the single name; each method gives TeX.

    Parameters
    ----------
    text : str
        Formulas and words.
    names : iterable of str
        What are variables: parameters and inputs of the function. Others are known by what they are beside.
    """

    def __init__(self, text: str, names: Iterable[str]) -> None:
        self.tokens: list[Token] = []
        touches = False
        for found in TOKEN.finditer(text):
            if found.lastgroup == "space":
                touches = False
                continue
            self.tokens.append(Token(str(found.lastgroup), found[0], touches))
            touches = True
        self.names = {*names, *(name for found in VARIABLE.findall(text) for name in found if name)}
        self.at = 0
        self.bars = 0
        self.raised = 0

    def rest(self) -> str:
        return " ".join(token.text for token in self.tokens[self.at :])

    def peek(self, *texts: str, ahead: int = 0) -> bool:
        """Whether the next token is one of these."""
        at = self.at + ahead
        return at < len(self.tokens) and self.tokens[at].text in texts

    def take(self, *texts: str) -> str:
        """The next token, which must be one of these if any are given."""
        if self.at == len(self.tokens) or (texts and not self.peek(*texts)):
            raise NotAFormula(self.rest())
        self.at += 1
        return self.tokens[self.at - 1].text

    def word(self) -> str:
        """The next token as it stands in a text, with the space before it."""
        start = self.at
        word = self.take()
        return word if self.tokens[start].touches or not start else f" {word}"

    def choice(self) -> str:
        """`a if b else c`, or a relation."""
        found = self.relation()
        if not self.peek("if"):
            return found
        before, behind, otherwise = (rf"\text{{{words}}}" if words else "" for words in CASES[language.current()])
        cases = []
        while self.peek("if"):
            self.take()
            cases.append(" ".join(filter(None, (found, "&", before, self.condition(), behind))))
            self.take("else")
            found = self.relation()
        cases.append(f"{found} & {otherwise}")
        return r"\begin{cases} " + r" \\ ".join(cases) + r" \end{cases}"

    def condition(self) -> str:
        """Formulas and words up to `else`."""
        found, words = "", ""
        while not self.peek("else"):
            start = self.at
            try:
                part = self.relation()
            except NotAFormula:
                self.at = start
                words += self.word()
                continue
            found += (rf"\text{{{words} }} " if words else "") + part
            words = ""
        return found + (rf" \text{{{words}}}" if words else "")

    def relation(self) -> str:
        """Sums, compared."""
        found = self.sum()
        while self.peek(*RELATIONS):
            found = f"{found} {RELATIONS[self.take()]} {self.sum()}"
        return found

    def sum(self) -> str:
        """Terms, added and subtracted; the first may have a sign."""
        negative = self.peek("-") and self.take()
        found = self.term()
        if negative:
            found = f"{{-{found}}}"  # in braces it is no difference
        while self.peek("+", "-"):
            found += f" {self.take()} {self.term()}"
        return found

    def term(self) -> str:
        """Products, multiplied by a sign and divided."""
        start = self.at
        found = self.product()
        while self.peek("*", "/"):
            dividend = self.bare(start, found)
            divided = self.take() == "/"
            start_of_divisor = self.at
            second = self.product()
            if not divided:
                found = rf"{found} \cdot {second}"
            elif self.raised:
                found = f"{found} / {second}"
            else:
                found = rf"\frac{{{dividend}}}{{{self.bare(start_of_divisor, second)}}}"
        return found

    def bare(self, start: int, found: str) -> str:
        """Without parentheses, if one pair holds all that was read from there on."""
        depth = 0
        if not (self.tokens[start].text == "(" and self.tokens[self.at - 1].text == ")"):
            return found
        for at in range(start, self.at):
            depth += self.tokens[at].text == "("
            depth -= self.tokens[at].text == ")"
            if not depth and at < self.at - 1:
                return found
        return found.removeprefix(r"\left( ").removesuffix(r" \right)")

    def product(self) -> str:
        """Factors side by side."""
        found = self.power()
        while self.begins_factor():
            found += rf" \, {self.power()}"
        return found

    def begins_factor(self) -> bool:
        if self.at == len(self.tokens):
            return False
        token = self.tokens[self.at]
        if token.kind == "name":
            return self.is_name()
        return token.text == "(" or (token.text == "|" and not self.bars)

    def is_name(self) -> bool:
        """Whether the next token, a name, belongs to a formula."""
        name = self.tokens[self.at].text
        if name in ("if", "else"):
            return False
        if self.at and self.tokens[self.at - 1].text == "the" and len(name) > 1:
            return False
        called = self.peek("(", ahead=1) and self.tokens[self.at + 1].touches
        primed = self.peek("'", ahead=1) and self.tokens[self.at + 1].touches
        return called or primed or len(name) == 1 or name in SYMBOLS or name in self.names or name.startswith("sum_")

    def power(self) -> str:
        """A factor, raised."""
        found = self.factor()
        if self.peek("**", "^"):
            self.take()
            self.raised += 1
            found = f"{found}^{{{self.exponent()}}}"
            self.raised -= 1
        return found

    def exponent(self) -> str:
        """Signed; a number and the name that touches it belong together, as in e**-2u."""
        sign = self.take() if self.peek("-") else ""
        start = self.at
        number = self.tokens[start].kind == "number" if start < len(self.tokens) else False
        found = self.factor()
        if (
            number
            and self.at < len(self.tokens)
            and self.tokens[self.at].kind == "name"
            and self.tokens[self.at].touches
        ):
            found += self.factor()
        return sign + self.bare(start, found)

    def factor(self) -> str:
        """A number, a name, a call, a sum, or something in parentheses or bars."""
        if self.at == len(self.tokens):
            raise NotAFormula("")
        token = self.tokens[self.at]
        if token.kind == "number":
            return self.take()
        if token.text in CLOSING:
            return self.bracketed()
        if token.text == "|" and not self.bars:
            self.take()
            self.bars += 1
            inside = self.sum()
            self.bars -= 1
            self.take("|")
            return rf"\left\vert {inside} \right\vert"
        if token.kind != "name" or not self.is_name():
            raise NotAFormula(token.text)
        return self.named()

    def named(self) -> str:
        name = self.take()
        if name.startswith("sum_"):
            return rf"\sum_{{{name[4:]}}} {self.product()}"
        called = self.peek("(") and self.tokens[self.at].touches
        if called and name == "sqrt":
            start = self.at
            return rf"\sqrt{{{self.bare(start, self.bracketed())}}}"
        if called and name == "integral":
            return self.integral()
        if called and name == "sum":
            return rf"\sum {self.bracketed()}"
        found = rf"\{name}" if called and name in FUNCTIONS else letter(name)
        while self.peek("'") and self.tokens[self.at].touches:
            self.take()
            found += "'"
        if self.peek("(") and self.tokens[self.at].touches:
            found += self.bracketed()
            if self.at < len(self.tokens) and self.tokens[self.at].kind == "index":
                found += f"_{{{self.take()[1:]}}}"
        return found

    def bracketed(self) -> str:
        """Arguments, an interval, a set, or a group."""
        opening = self.take(*CLOSING)
        bars, self.bars = self.bars, 0
        inside = [self.choice()]
        while self.peek(","):
            self.take()
            inside.append(self.choice())
        self.bars = bars
        closing = self.take(*CLOSING.values()) if len(inside) == 2 else self.take(CLOSING[opening])
        braces = {"{": r"\{", "}": r"\}"}
        return rf"\left{braces.get(opening, opening)} {', '.join(inside)} \right{braces.get(closing, closing)}"

    def integral(self) -> str:
        self.take("(")
        low, high, variable, integrand = self.sum(), self.comma(), self.comma(), self.comma()
        self.take(")")
        return rf"\int_{{{low}}}^{{{high}}} {integrand} \, d{variable}"

    def comma(self) -> str:
        self.take(",")
        return self.sum()


def letter(name: str) -> str:
    """A name with its index: a letter leans, a word stands upright."""
    base, _, index = name.rpartition("_") if re.fullmatch(r"\w+_[a-z]", name) else (name, "", "")
    shown = SYMBOLS.get(base) or (base if len(base) == 1 else rf"\text{{{base}}}")
    return f"{shown}_{{{index}}}" if index else shown
