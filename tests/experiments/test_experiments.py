"""Pictures of functions, and the figures that textbooks print."""

from __future__ import annotations

import numpy as np
import pytest

import fastact as fa
from fastact._core.services import SERVICES, service
from fastact.learn.pictures import curves as function_plot
from fastact.learn.pictures import style
from helpers.reference import FIGURES

# ---- pictures


def test_curves_has_a_pair_of_axes_for_each_name() -> None:
    pytest.importorskip("matplotlib")
    figure = function_plot.curves(["relu", "tanh", "gelu"])
    shown = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_title(loc="left") for axes in shown] == [
        "relu",
        "relu'",
        "tanh",
        "tanh'",
        "gelu",
        "gelu'",
    ]
    x, y = shown[2].lines[0].get_data()
    np.testing.assert_allclose(y, np.tanh(x), atol=1e-15)


def test_a_jump_is_left_open() -> None:
    x_drawn, y_drawn = fa.step._curves([-1.0, -0.5, 0.5, 1.0])["f(x)"]
    np.testing.assert_array_equal(y_drawn, [0, 0, np.nan, 1, 1])
    np.testing.assert_array_equal(x_drawn, [-1, -0.5, np.nan, 0.5, 1])


def test_no_two_of_28_lines_look_alike() -> None:
    assert len({tuple(style.line(position).values()) for position in range(28)}) == 28


# ---- the figures that the textbooks print

X = [-2, -1, 0, 1, 2]


@pytest.mark.parametrize("name", FIGURES)
def test_figures_come_out_as_printed(name: str) -> None:
    np.testing.assert_array_equal(np.round(fa.get(name)(X), 3), FIGURES[name])


def test_relu_of_integers_prints_integers() -> None:
    assert str(fa.relu(np.array(X))) == "[0 0 0 1 2]"


def test_softmax_figures_come_out_as_printed() -> None:
    np.testing.assert_array_equal(np.round(fa.softmax([2.0, 1.0, 0.1]), 3), [0.659, 0.242, 0.099])


# ---- results


def test_who_draws_a_result_writes_in_a_font_of_the_language() -> None:
    """Each drawer that a room has named is there, and is decorated with `style.lettering()`."""
    pytest.importorskip("matplotlib")
    drawers = {name: service(name) for name in SERVICES if name.startswith("figure of ")}
    assert len(drawers) >= 12
    assert not [name for name, drawer in drawers.items() if not hasattr(drawer, "__wrapped__")]
