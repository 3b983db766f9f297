"""Numbers and formulas as pages write them."""

from __future__ import annotations

import pytest

pytest.importorskip("bokeh", reason="Bokeh is not installed (extra: demo)")

from fastact.learn.pages.typesetting import formula, numbers


@pytest.mark.parametrize(
    ("plain", "written"),
    [
        ("2.6e-12 (1.8e-12–5.2e-05)", "2.6×10⁻¹² (1.8×10⁻¹²–5.2×10⁻⁵)"),  # noqa: RUF001
        ("1e+10, 10^7, 1.5 ** 10 = 58", "1×10¹⁰, 10⁷, 1.5¹⁰ = 58"),  # noqa: RUF001
        ("-0.5 to -3, (-1, 1)", "−0.5 to −3, (−1, 1)"),
        ("64-64-...-64-10", "64‑64‑...‑64‑10"),  # noqa: RUF001
        ("10 % of 20 seeds", "10\u00a0% of 20 seeds"),
        ("elu (3 layers)", "elu (3\u00a0layers)"),
        ("10 個の乱数シード", "10\u00a0個の乱数シード"),
        ("leaky-relu a-1 7e10 x - 1", "leaky-relu a-1 7e10 x - 1"),
    ],
)
def test_numbers(plain: str, written: str) -> None:
    assert numbers(plain) == written


@pytest.mark.parametrize(
    ("plain", "markup"),
    [
        ("e**-x / (1 + e**-x)**2", "e<sup>−x</sup> / (1 + e<sup>−x</sup>)<sup>2</sup>"),
        ("e**(-t**2 / 2) / sqrt(2 pi)", "e<sup>−t<sup>2</sup> / 2</sup> / sqrt(2 pi)"),
        ("(-inf, inf)", "(−∞, ∞)"),
        ("exp(x_i) / sum_j exp(x_j)", "exp(x<sub>i</sub>) / sum<sub>j</sub> exp(x<sub>j</sub>)"),
        ("0 if x <= -1 else <b>**", "0 if x ≤ −1 else &lt;b&gt;<sup></sup>"),
        ("x**(unfinished", "x<sup></sup>(unfinished"),
        ("hard_tanh'(-1) = 0, zero-centred", "hard_tanh′(−1) = 0, zero-centred"),
    ],
)
def test_formulas(plain: str, markup: str) -> None:
    assert formula(plain) == markup
