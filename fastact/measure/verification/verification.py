"""What a verification found, for readers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastact.language import listed, marked
from fastact.language import translated as _
from fastact.learn.result import Result, Table, plain
from fastact.measure.verification.behaviour import Behaviour
from fastact.measure.verification.formats import FORMATS, Format
from fastact.measure.verification.intervals import Interval
from fastact.measure.verification.measuring import Measurement
from fastact.measure.verification.reference import Reference
from fastact.measure.verification.wording import PARTS, error, grouped, percent, ulp

__all__ = ["SpecialValue", "Verification"]

#: Count of `Counts` -> what a sentence says of it.
FLAGS = {
    "nan": marked("Results are NaN where a number is right, or the other way round: {counts}; such as at x = {x}."),
    "infinite": marked(
        "Results are infinite where a number is right, or the other way round: {counts}; such as at x = {x}."
    ),
    "flushed": marked("Subnormal results are flushed to 0: {counts}; such as at x = {x}."),
    "signs": marked("Zeros have the wrong sign: {counts}; such as at x = {x}."),
    "reversed": marked(
        "It is not monotone, as the exact function is. Results move the other way from one number to the next: "
        "{counts}; such as at x = {x}."
    ),
}
#: What readers read of special values.
VERDICTS = {"ok": marked("ok"), "differs": marked("differs"), "wrong": marked("WRONG")}
#: Intervals that a sentence names, and columns of a curve in a record.
NAMED, RECORDED = 3, 1024


@dataclass(frozen=True)
class SpecialValue:
    """What a function makes of an infinity, NaN, a zero, a least or largest number, or a kink.

    `verdict` is "ok", "wrong", or "differs": the derivative at NaN that is a number, which harms nobody, as the
    function itself is NaN there.
    """

    kind: Format
    part: str
    pattern: int
    x: float
    exact: float
    found: float
    verdict: str


@dataclass(frozen=True, eq=False)
class Verification(Result):
    """What was found of a function.

    Attributes
    ----------
    target : str
        The function.
    reference : Reference
        What it should be.
    limits : mapping
        Part -> the largest error that passes, in ULP.
    measurements : list of Measurement
        Of each dtype and part.
    specials : list of SpecialValue
    behaviours : mapping
        dtype -> what the function does besides.
    missing : mapping
        dtype, or dtype and part -> why it was not verified.
    without_derivative : str
        Why the derivative was not verified at all; empty if it was.
    """

    target: str
    reference: Reference
    limits: Mapping[str, float]
    measurements: list[Measurement]
    specials: list[SpecialValue]
    behaviours: Mapping[str, Behaviour]
    missing: Mapping[str, str]
    without_derivative: str

    @property
    def passed(self) -> bool:
        """Whether all errors are within the limits, special values are right, and the input stays as it is.

        A zero of the wrong sign fails at x = 0 only, where the exact function passes 0 with a slope.
        """
        return not self.failed and not any(each.verdict == "wrong" for each in self.specials) and not self._misbehaves()

    def __bool__(self) -> bool:
        return self.passed

    @property
    def failed(self) -> list[Measurement]:
        """The parts with errors above the limit."""
        return [each for each in self.measurements if not each.passed]

    def _misbehaves(self) -> list[str]:
        """What makes a function fail besides wrong results at single places."""
        found = []
        if any(each.changes_input for each in self.behaviours.values()):
            found.append(_("it changes its input"))
        if any(place.ulp > self.limits["forward"] for each in self.behaviours.values() for place in each.places):
            found.append(_("errors are above the limit at some places of an array only"))
        return found

    @property
    def title(self) -> str:
        return _("{target} against {reference}").format(target=self.target, reference=self.reference)

    def tables(self) -> list[Table]:
        dtype, part = _("dtype"), _("part")
        columns = [dtype, part, _("largest ULP"), _("mean ULP"), _("over 0.5"), _("over the limit"), _("verdict")]
        errors = [
            [
                *_head(each), ulp(each.ulp), ulp(each.mean), percent(each.counts.rounded, each.counts.inputs),
                percent(each.counts.wrong, each.counts.inputs), _("passed") if each.passed else _("FAILED"),
            ]
            for each in self.measurements
        ]  # fmt: skip
        caption = _(
            "ULP: units in the last place of the exact result; half of one is rounding's own. Limits: {forward} ULP, "
            "derivative {derivative}. Only finite inputs count here: {inputs}."
        ).format(
            **{name: f"{limit:g}" for name, limit in self.limits.items()},
            inputs=listed(dict.fromkeys(map(_inputs, self.measurements))),
        )
        found = [Table(columns, errors, words=2, title=self.title, caption=caption)]
        worst = [
            [*_head(each), each.kind.text(each.at), each.kind.hexadecimal(each.worst)] for each in self.measurements
        ]
        found.append(Table([dtype, part, _("x"), _("bits of x")], worst, words=2, title=_("The worst inputs")))
        places = [
            [*_head(each), f"{where.low:.9g}", f"{where.high:.9g}", percent(where.wrong, where.inputs)]
            for each in self.failed
            for where in each.where
        ]
        if places:
            columns = [dtype, part, _("from x"), _("to x"), _("share wrong there")]
            found.append(Table(columns, places, words=2, title=_("Where results are wrong")))
        shown = "float32" if "float32" in self.behaviours else next(iter(self.behaviours))  # with all special values
        specials = [
            [*_head(each), f"{each.x:.6g}", f"{each.exact:.6g}", f"{each.found:.6g}", _(VERDICTS[each.verdict])]
            for each in self.specials
            if each.kind.name == shown or each.verdict == "wrong"
        ]
        columns = [dtype, part, _("input"), _("exact value"), _("found"), _("verdict")]
        caption = _("All of {dtype}; of the other dtypes, those that are wrong.").format(dtype=shown)
        return [*found, Table(columns, specials, words=2, title=_("Special values"), caption=caption)]

    def sentences(self) -> list[str]:
        found = [self._verdict(), *map(self._failure, self.failed), *self._wrong_specials(), *self._flags()]
        return [*found, *self._behaviour(), *self._unverified(), *self._checked()]

    def _verdict(self) -> str:
        values = {"target": self.target, "reference": self.reference}
        if not self.passed:
            text = _("{target} fails as {reference}: {what}.")
            kinds = list(dict.fromkeys(each.kind.name for each in self.failed))
            what = [_("errors above the limit in {dtypes}").format(dtypes=listed(kinds))] if kinds else []
            wrong = sum(each.verdict == "wrong" for each in self.specials)
            what += [_("special values that are wrong: {count}").format(count=wrong)] if wrong else []
            what += self._misbehaves()
            return text.format(**values, what=listed(what))
        errors = {part: [each.ulp for each in self.measurements if each.part == part] for part in PARTS}
        largest = {part: ulp(max(each, default=0)) for part, each in errors.items()}
        if errors["derivative"]:
            text = _(
                "{target} passes as {reference}: no result is more than {forward} ULP off, none of the derivative "
                "more than {derivative}."
            )
        else:
            text = _("{target} passes as {reference}: no result is more than {forward} ULP off.")
        return text.format(**values, **largest)

    def _failure(self, found: Measurement) -> str:
        text = _(
            "{where}: {share} of the results are more than {limit} ULP off. The worst: {worst} at x = {x} ({bits})."
        ).format(
            where=", ".join(_head(found)),
            share=percent(found.counts.wrong, found.counts.inputs),
            limit=f"{found.limit:g}",
            worst=error(found.ulp),
            x=found.kind.text(found.at),
            bits=found.kind.hexadecimal(found.worst),
        )
        worst = sorted(found.where, key=lambda each: -each.wrong)[:NAMED]
        places = [_interval(found.kind, each) for each in sorted(worst, key=lambda each: each.low)]
        return text + " " + _("Wrong are {places}.").format(places=listed(places))

    def _wrong_specials(self) -> list[str]:
        """A sentence for each input that is wrong in some format and part."""
        wrong: dict[tuple[str, str], list[SpecialValue]] = {}
        for each in self.specials:
            if each.verdict != "ok" and (each.x == 0 or not np.isfinite(each.x)):
                wrong.setdefault((each.part, each.kind.text(each.x)), []).append(each)
        found = []
        for (part, x), (first, *others) in wrong.items():
            values = {"found": first.kind.text(first.found), "exact": first.kind.text(first.exact)}
            dtypes = listed(dict.fromkeys(each.kind.name for each in (first, *others)))
            text = _("{part} at x = {x}: {found}, where {exact} is right ({dtypes}).")
            found.append(text.format(part=_(PARTS[part]), x=x, **values, dtypes=dtypes))
        return found

    def _flags(self) -> list[str]:
        found = []
        for name, text in FLAGS.items():
            having = [each for each in self.measurements if getattr(each.counts, name)]
            if having:
                counts = [_counted(each, name) for each in having]
                kind, pattern = having[0].kind, having[0].first[name]
                x = kind.text(float(kind.of([pattern]).astype(np.float64)[0]))
                found.append(_(text).format(counts=listed(counts), x=x))
        return found

    def _behaviour(self) -> list[str]:
        found = []
        for dtype, each in self.behaviours.items():
            if each.changes_input:
                found.append(_("{dtype}: it changes its input.").format(dtype=dtype))
            if each.dtype != dtype:
                text = _("{dtype}: the dtype changes; results are {other}, and measured in ULP of {dtype}.")
                found.append(text.format(dtype=dtype, other=each.dtype))
        found += self._place()
        warned = grouped((dtype, text) for dtype, each in self.behaviours.items() for text in each.warnings)
        for text, dtypes in warned.items():
            found.append(_("It warns: {text} ({dtypes}).").format(text=text, dtypes=listed(dtypes)))
        if any(each.printed for each in self.behaviours.values()):
            found.append(_("It writes to the standard output."))
        return found

    def _place(self) -> list[str]:
        """That results depend on the place in the array, with the worst of them."""
        found = {dtype: each.worst_place for dtype, each in self.behaviours.items() if each.places}
        if not found:
            return []
        dtype, worst = max(found.items(), key=lambda item: item[1].ulp if item[1] else 0.0)
        assert worst is not None
        text = _(
            "The same number gives other bits in short arrays than in long ones: the vectorised body and its tail "
            "differ ({dtypes}). The worst there: {worst} at {dtype} x = {x} in an array of length {length}."
        )
        if not worst.length:
            text = _(
                "The same number gives other bits at another place in memory, or in an array that is not contiguous "
                "({dtypes}). The worst there: {worst} at {dtype} x = {x}."
            )
        x = FORMATS[dtype].text(worst.x)
        return [text.format(dtypes=listed(found), worst=error(worst.ulp), dtype=dtype, x=x, length=worst.length)]

    def _unverified(self) -> list[str]:
        text, missing = _("Not verified: {what}, because {reason}."), grouped(self.missing.items())
        found = [text.format(what=listed(what), reason=reason) for reason, what in missing.items()]
        if self.without_derivative:
            text = _("Not verified: the derivative, because {reason}.")
            found.append(text.format(reason=self.without_derivative))
        return found

    def _checked(self) -> list[str]:
        name, count = self.reference.name, sum(each.checked for each in self.measurements)
        if not count:
            text = _("The reference is {name} in float64; nothing more exact checked it.")
            return [] if self.reference.checked else [text.format(name=name)]
        text = _(
            "The reference is {name} in float64. mpmath checked it at {count} inputs, the worst among them: it is "
            "{off} ULP of float64 off at most."
        )
        off = ulp(max(each.off for each in self.measurements))
        return [text.format(name=name, count=count, off=off)]

    def as_dict(self) -> dict[str, Any]:
        found: dict[str, Any] = plain(
            {
                "title": self.title, "target": self.target, "against": self.reference.name,
                "parameters": dict(self.reference.given), "passed": self.passed, "limits": dict(self.limits),
                "errors": [_recorded(each) for each in self.measurements],
                "special_values": [
                    {
                        "dtype": each.kind.name, "part": each.part, "x": repr(each.x),
                        "bits": each.kind.hexadecimal(each.pattern), "exact": repr(each.exact),
                        "found": repr(each.found), "verdict": each.verdict,
                    }
                    for each in self.specials
                ],
                "behaviour": {
                    dtype: {**asdict(each), "places": [{**asdict(p), "ulp": number(p.ulp)} for p in each.places]}
                    for dtype, each in self.behaviours.items()
                },
                "missing": dict(self.missing), "without_derivative": self.without_derivative,
                "sentences": self.sentences(),
            }
        )  # fmt: skip
        return found


def _recorded(found: Measurement) -> dict[str, Any]:
    x, errors = thinned(*found.curve)
    return {
        "dtype": found.kind.name, "part": found.part, "exhaustive": found.exhaustive, "passed": found.passed,
        "limit": found.limit, "ulp": number(found.ulp), "at": found.at,
        "at_bits": found.kind.hexadecimal(found.worst), "result_at": repr(found.result),
        "exact_at": repr(found.exact), "mean_ulp": found.mean, "result_dtype": found.dtype,
        **{name: count for name, count in asdict(found.counts).items() if name != "total"},
        "first": {name: found.kind.hexadecimal(pattern) for name, pattern in found.first.items()},
        "where": [{**asdict(each), "share": each.share} for each in found.where],
        "checked_by_mpmath": found.checked,
        "reference_off": number(found.off),
        "curve": {"x": x, "ulp": [number(each) for each in errors]},
    }  # fmt: skip


def thinned(x: NDArray[np.float64], errors: NDArray[np.float64]) -> tuple[Any, Any]:
    """The curve by fewer columns, each with its first x and its largest error."""
    starts = np.unique(np.linspace(0, x.size - 1, min(x.size, RECORDED)).astype(int))
    return x[starts], np.maximum.reduceat(errors, starts)


def number(error: float) -> float | str:
    """An error as JSON takes it."""
    return float(error) if np.isfinite(error) else "inf"


def _head(found: Measurement | SpecialValue) -> list[str]:
    """The words with which a row begins."""
    return [found.kind.name, _(PARTS[found.part])]


def _inputs(found: Measurement) -> str:
    """At how many numbers it was measured."""
    if found.exhaustive:
        return _("every {dtype} number").format(dtype=found.kind.name)
    return _("{count} of {dtype}").format(count=f"{found.counts.inputs:,}", dtype=found.kind.name)


def _counted(found: Measurement, name: str) -> str:
    """How many results a flag is about."""
    text = _("{count} of {due} in {where}") if name == "flushed" else _("{count} in {where}")
    where = _("{dtype} {part}").format(dtype=found.kind.name, part=_(PARTS[found.part]))
    return text.format(count=f"{getattr(found.counts, name):,}", due=f"{found.counts.subnormal:,}", where=where)


def _interval(kind: Format, where: Interval) -> str:
    share = percent(where.wrong, where.inputs)
    values = {"low": kind.text(where.low), "high": kind.text(where.high), "share": share}
    if where.low == where.high:
        return _("that at x = {low}").format(**values)
    if where.wrong == where.inputs:
        return _("all from x = {low} to {high}").format(**values)
    return _("{share} of those from x = {low} to {high}").format(**values)
