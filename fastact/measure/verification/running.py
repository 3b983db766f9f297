"""Run a verification: all formats and both parts of a function, and put together what was found."""

from __future__ import annotations

import contextlib
import io
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastact.errors import UnknownNameError
from fastact.measure.verification import inputs
from fastact.measure.verification.behaviour import Behaviour, behaviour
from fastact.measure.verification.formats import Format, has, numbers
from fastact.measure.verification.libraries import Call
from fastact.measure.verification.measuring import Measurement, Meter, evaluated, measure
from fastact.measure.verification.reference import PARTS, Reference, named
from fastact.measure.verification.targets import Target, of_callable, of_text
from fastact.measure.verification.verification import SpecialValue, Verification
from fastact.measure.verification.wording import grouped

__all__ = ["verified"]

#: Inputs of float64, whose exact results cost 0.1 ms each.
WIDE = 8192


def verified(
    function: Any, against: str | None, *, parameters: Mapping[str, Any], derivative: Any, dtypes: Iterable[str],
    exhaustive: bool, samples: int, max_ulp: float, max_ulp_derivative: float | None, library: str | None,
    device: str | None, threads: int | None, progress: Callable[[int, int], object] | None,
) -> Verification:  # fmt: skip
    """See `fastact.verify`."""
    kinds = numbers(dtypes)
    limits = {"forward": max_ulp, "derivative": 2 * max_ulp if max_ulp_derivative is None else max_ulp_derivative}
    if not kinds:
        raise ValueError("dtypes=(): name one of float16, bfloat16, float32, float64")
    for name, limit in zip(("max_ulp", "max_ulp_derivative"), limits.values(), strict=True):
        if not 0 <= limit < np.inf:
            raise ValueError(f"{name}={limit!r}: give a number from 0 on")
    for name, number in {"samples": samples, "threads": 1 if threads is None else threads}.items():
        if number < 1:
            raise ValueError(f"{name}={number!r}: give a number from 1 on")
    with _quiet():
        target = _target(function, parameters, library, device)
        if derivative is not None:
            slope = _target(derivative, parameters, library, device)
            target = replace(target, derivative=slope.forward, why="")
        reference = _reference(target, against)
        if not reference.differentiable:
            target = replace(target, derivative=None, why=f"{reference.name} was defined without a derivative")
        offered = {kind.name: target.offers(kind) for kind in kinds}
        known = [kind for kind in kinds if not offered[kind.name]]
        if not known:
            why = "; ".join(f"{', '.join(names)}: {reason}" for reason, names in grouped(offered.items()).items())
            raise ValueError(f"{target.name}: takes none of these dtypes ({why})")
        missing = {kind.name: offered[kind.name] for kind in kinds if offered[kind.name]}
        points = inputs.kinks(reference)
        work = Work(target, reference, limits, points, threads or os.cpu_count() or 1, progress)
        for kind in known:
            work.plan(kind, exhaustive, samples, missing)
        work.run()
    return Verification(
        target=target.name, reference=reference, limits=limits, measurements=work.measurements,
        specials=work.specials, behaviours=work.behaviours, missing=missing, without_derivative=target.why,
    )  # fmt: skip


def _target(function: Any, parameters: Mapping[str, Any], library: str | None, device: str | None) -> Target:
    return (of_text if isinstance(function, str) else of_callable)(function, parameters, library, device)


def _reference(target: Target, against: str | None) -> Reference:
    if against is not None:
        return named(against, target.settings)
    try:
        return named(target.function, target.settings)
    except UnknownNameError as error:
        text = str(error).partition(":")[2].strip()
        raise UnknownNameError(
            f"{target.name}: name what it should compute by against=; {target.function!r}: {text}"
        ) from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Swallow what functions print and warn of, which `behaviour` looks for, for all threads."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


class Work:
    """The blocks to measure, and what was found."""

    def __init__(
        self, target: Target, reference: Reference, limits: Mapping[str, float], kinks: list[float], threads: int,
        progress: Callable[[int, int], object] | None,
    ) -> None:  # fmt: skip
        self.target, self.reference, self.limits, self.kinks = target, reference, limits, kinks
        self.threads, self.progress = threads, progress
        self.jobs: list[tuple[Meter, inputs.Blocks]] = []
        self.measurements: list[Measurement] = []
        self.specials: list[SpecialValue] = []
        self.behaviours: dict[str, Behaviour] = {}

    def plan(self, kind: Format, exhaustive: bool, samples: int, missing: dict[str, str]) -> None:
        """Look at what costs little, and put down what to measure."""
        target, reference = self.target, self.reference
        if kind.bits == 64 and (why := _no_exact_results(reference)):
            missing[kind.name] = why
            return
        whole = kind.bits == 16 or (kind.bits == 32 and exhaustive)
        patterns = None if whole else inputs.sample(kind, samples if kind.bits == 32 else WIDE, reference)
        if patterns is not None and kind.bits == 64 and not reference.defined:
            patterns = inputs.thinned(patterns, kind)
        self._behave(kind)
        for part in PARTS:
            call = target.of(part)
            if call is None:
                continue
            meter = self._meter(part, call, kind)
            if part == "derivative" and (why := _fails(meter, kind)):
                missing[f"{kind.name} derivative"] = why
                continue
            self.specials += self._specials(meter, kind)
            self.jobs.append((meter, inputs.Blocks(kind, patterns)))

    def run(self) -> None:
        """Measure everything."""
        total, done = sum(len(blocks) for _, blocks in self.jobs), 0

        def advance() -> None:
            nonlocal done
            done += 1
            if self.progress is not None:
                self.progress(done, total)

        for meter, blocks in self.jobs:
            threads = self.threads if meter.kind.bits < 64 else 1  # mpmath is Python
            self.measurements.append(measure(meter, blocks, blocks.patterns is None, threads, advance))

    def _meter(self, part: str, call: Call, kind: Format) -> Meter:
        target = self.target
        return Meter(call, target.name, self.reference, part, kind, self.limits[part], self.kinks, target.few_shapes)

    def _behave(self, kind: Format) -> None:
        target = self.target
        x = kind.of(inputs.sample(kind, 512, self.reference)[::3][:2000])
        x = np.random.default_rng(0).permutation(x)
        meter = self._meter("forward", target.forward, kind)

        def judge(given: NDArray[Any], result: NDArray[Any]) -> NDArray[np.float64]:
            return kind.errors(result, *meter.exactly(given))

        found = behaviour(target.forward, x, judge, few_shapes=target.few_shapes, strides=target.strides)
        if not found.elementwise:
            raise ValueError(
                f"{target.name}: a result depends on the other elements of the array; verify takes functions that act "
                "on each element by itself"
            )
        self.behaviours[kind.name] = found

    def _specials(self, meter: Meter, kind: Format) -> list[SpecialValue]:
        """What the function makes of infinities, NaN, zeros, the least and largest numbers, and kinks."""
        patterns = inputs.specials(kind, self.kinks)
        x = kind.of(patterns)
        result = evaluated(meter.call, x, meter.name, meter.few_shapes)
        order = np.argsort(patterns, kind="stable")
        with np.errstate(all="ignore"):
            wide = x.astype(np.float64)
            exact = self.reference.compute(meter.part, wide, kind)
            error = np.empty(x.size)
            error[order] = meter.errors(patterns[order], result[order], exact[order], None)
        odd = self._odd(kind)
        rows = []
        for pattern, each, right, found, wrong in zip(patterns, wide, exact, result.astype(float), error, strict=True):
            sign = meter.part == "forward" and each == 0 and odd and right == found == 0
            ok = bool(wrong <= meter.limit) and not (sign and np.signbit(right) != np.signbit(found))
            graded = "ok" if ok else "differs" if meter.part == "derivative" and np.isnan(each) else "wrong"
            rows.append(SpecialValue(kind, meter.part, int(pattern), float(each), float(right), float(found), graded))
        return rows

    def _odd(self, kind: Format) -> bool:
        """Whether the function passes 0 with a slope, so that the sign of a zero has a meaning."""
        if not self.reference.differentiable:
            return False
        slopes = self.reference.compute("derivative", np.array([-1e-30, 1e-30]), kind)
        values = self.reference.compute("forward", np.zeros(1), kind)
        return bool((slopes > 1e-3).all() and values[0] == 0)


def _no_exact_results(reference: Reference) -> str:
    if not has("mpmath"):
        return 'mpmath is not installed, which makes the exact results; pip install "fastact[verify]"'
    if not reference.checked:
        return f"the formula of {reference.name} has no expression that is more exact than float64, or SymPy is missing"
    return ""


def _fails(meter: Meter, kind: Format) -> str:
    """Why there is no derivative in this format."""
    try:
        evaluated(meter.call, np.linspace(-2, 2, 16).astype(kind.dtype), meter.name, meter.few_shapes)
    except ValueError as error:
        return str(error.__cause__ or error)
    return ""
