"""What was derived for an activation, for readers: formulas, sources, and how exact they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastact.functions.derivation.accuracy import DTYPES, Exact, errors, sample
from fastact.functions.derivation.derivatives import Derived
from fastact.functions.derivation.precision import Precise
from fastact.language import translated as _
from fastact.learn.result import Result, Table, plain
from fastact.measure.gradients.wording import worded

__all__ = ["Accuracy", "Derivation"]


@dataclass(frozen=True, eq=False)
class Accuracy:
    """The errors of a derived derivative in one dtype, for default parameters.

    Attributes
    ----------
    x, ulp : ndarray
        Where it was looked at, and the error there in ULP.
    """

    x: NDArray[Any]
    ulp: NDArray[np.float64]

    @property
    def worst(self) -> float:
        """The largest error; infinite where there is a NaN or an infinity that should be none."""
        return float(self.ulp.max())

    @property
    def at(self) -> float:
        """Where the largest error is."""
        return float(self.x[self.ulp.argmax()])

    @property
    def median(self) -> float:
        return float(np.median(self.ulp))


@dataclass(frozen=True, eq=False, repr=False)
class Derivation(Result):
    """The derivatives that were derived for an activation; all were checked against differences of its formula.

    Attributes
    ----------
    activation : Activation
    derived : mapping
        "x", and each parameter whose derivative was asked for so far -> what was derived.
    """

    activation: Any
    derived: Mapping[str, Derived]

    @property
    def source(self) -> str:
        """Python code that computes the derivatives, to be kept, or made better, by hand."""
        return "\n\n".join(each.source.strip() + "\n" for each in self.derived.values())

    @property
    def formulas(self) -> dict[str, str]:
        """The derivative by x and by each parameter, in one line each."""
        return {by: worded(each.expression) for by, each in self.derived.items()}

    @cached_property
    def accuracy(self) -> dict[tuple[str, str], Accuracy]:
        """The errors of each derivative in each dtype, (by, name of the dtype) -> errors; measured once, by mpmath."""
        return {(by, dtype.__name__): self._measured(by, dtype) for by in self.derived for dtype in DTYPES}

    def _measured(self, by: str, dtype: Any) -> Accuracy:
        f, parameters = self.activation, self.activation.parameters
        function = f.derivative if by == "x" else f.parameter_derivative(by)
        x = sample(dtype)
        exact = Exact.of(Precise(self.derived[by].exact, ["x", *parameters]), x, list(parameters.values()))
        return Accuracy(x, errors(np.asarray(function(x)), exact))

    @property
    def max_ulp(self) -> dict[str, float]:
        """The largest error of the derivative by x in each dtype, on a sample of all sizes, in ULP."""
        return {dtype.__name__: self.accuracy["x", dtype.__name__].worst for dtype in DTYPES if "x" in self.derived}

    @property
    def title(self) -> str:
        return _("What was derived of the formula of {name}").format(name=self.activation.name)

    def tables(self) -> list[Table]:
        columns = [_("derivative by"), _("dtype"), _("max ULP"), _("at x"), _("median ULP")]
        rows = [
            [by, dtype, f"{found.worst:.3g}", f"{found.at:.6g}", f"{found.median:.2f}"]
            for (by, dtype), found in self.accuracy.items()
        ]
        caption = _(
            "Errors for default parameters, beside mpmath, on {count} numbers of all sizes. 1 ULP is the step from one "
            "number of the dtype to the next; beside a zero of the derivative, errors of many ULP are small numbers."
        ).format(count=len(sample(np.float32)))
        return [Table(columns, rows, words=2, title=self.title, caption=caption)]

    def sentences(self) -> list[str]:
        name = self.activation.name
        texts = [
            _("{name}'(x) = {formula}").format(name=name, formula=text)
            if by == "x"
            else _("d{name}/d{parameter} = {formula}").format(name=name, parameter=by, formula=text)
            for by, text in self.formulas.items()
        ]
        for (by, dtype), found in self.accuracy.items():
            if lost := int(np.isinf(found.ulp).sum()):
                texts.append(
                    _(
                        "By {name} in {dtype} it is NaN or infinite at {count} of {all} numbers where it should be "
                        "finite, such as x = {x}; give a derivative of your own if inputs come there."
                    ).format(name=by, dtype=dtype, count=lost, all=len(found.x), x=f"{found.at:.6g}")
                )
        texts.append(
            _(
                "Each of them equals differences of the formula, in many digits. At a kink it is the slope of the "
                "branch that the formula takes there."
            )
        )
        return texts

    def as_dict(self) -> dict[str, Any]:
        found: dict[str, Any] = plain(
            {
                "activation": self.activation.name,
                "formulas": self.formulas,
                "source": self.source,
                "accuracy": [
                    {"by": by, "dtype": dtype, "max_ulp": each.worst, "at": each.at, "median_ulp": each.median}
                    for (by, dtype), each in self.accuracy.items()
                ],
            }
        )
        return found

    def __repr__(self) -> str:
        formulas = "; ".join(f"by {by}: {text}" for by, text in self.formulas.items())
        errors = ", ".join(f"{by} {dtype}: {each.worst:.3g} ULP" for (by, dtype), each in self.accuracy.items())
        return f"<derived for {self.activation.name}: {formulas}; largest errors: {errors}>"
