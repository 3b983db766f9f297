"""Bokeh figures in the house's style, empty ones too, which a script fills."""

from __future__ import annotations

from typing import Any

from fastact.learn.pages.document import library
from fastact.learn.pictures import style
from fastact.learn.pictures.style import INK, PALE

__all__ = ["FONT", "TIP", "curves", "figure", "hover", "shortened", "styles"]

#: matplotlib's names of line styles -> Bokeh's.
NAMES_OF_DASHES = {"-": "solid", "--": "dashed", "-.": "dashdot", ":": "dotted"}
#: As in page.css.
FONT = (
    "system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'Hiragino Sans', 'Yu Gothic', Meiryo, "
    "'Noto Sans CJK JP', 'Noto Sans JP', IPAexGothic, sans-serif"
)
#: Of a table beside the mouse, which page.css does not reach.
TIP = f"font:13px/1.5 {FONT};color:{INK};text-align:right;border-spacing:10px 0;font-variant-numeric:tabular-nums"


def styles(count: int) -> list[dict[str, str]]:
    """Colour and dashes of the first lines, as `fastact.learn.pictures.style.line` has them."""
    lines = map(style.line, range(count))
    return [{"colour": line["color"], "dash": NAMES_OF_DASHES[line["linestyle"]]} for line in lines]


def shortened(name: str, longest: int = 16) -> str:
    """A name that fits beside an axis on a phone."""
    return name if len(name) <= longest else f"{name[: longest - 1]}…"


def figure(name: str, height: int = 320, *, left: int = 44, **options: Any) -> Any:
    """An empty figure as wide as its element, whose id is the figure's name."""
    plotting = library("bokeh.plotting")
    drawn = plotting.figure(
        name=name, height=height, sizing_mode="stretch_width", toolbar_location=None, tools="",
        outline_line_color=None, min_border_left=left, min_border_right=12, **options,
    )  # fmt: skip
    for axis in drawn.axis:
        axis.axis_line_color = axis.major_tick_line_color = PALE
        axis.minor_tick_line_color = None
        axis.major_label_text_color = axis.axis_label_text_color = INK
        axis.major_label_text_font = axis.axis_label_text_font = FONT
        axis.major_label_text_font_size, axis.axis_label_text_font_size = "12px", "13px"
        axis.axis_label_text_font_style = "normal"
    drawn.grid.grid_line_color = "#e8e8e8"
    return drawn


def hover(renderers: list[Any], text: str, *numbers: str, mode: str = "mouse") -> Any:
    """The tool that shows a text beside the mouse; `numbers` are its columns with a format as printf has it."""
    return library("bokeh.models").HoverTool(
        renderers=renderers,
        mode=mode,
        line_policy="nearest",
        tooltips=f'<div class="tip" style="{TIP}">{text}</div>',
        formatters=dict.fromkeys(numbers, "printf"),
    )


def curves(count: int) -> list[Any]:
    """Two figures, plot-f and plot-slope, with `count` empty lines each, zones to shade and a mark at x.

    Their models' names: curve-0 ..., tips, zones, mark-f, mark-slope, x-range, f-range, slope-range.
    """
    models = library("bokeh.models")
    columns = ("x", "f", "slope")
    tips = models.ColumnDataSource({"x": [], "y": [], "text": []}, name="tips")
    sources = [
        models.ColumnDataSource({column: [] for column in columns}, name=f"curve-{position}")
        for position in range(count)
    ]
    zones = models.ColumnDataSource({"x0": [], "x1": []}, name="zones")
    x_range = models.Range1d(-5, 5, name="x-range")
    figures = []
    for part in ("f", "slope"):
        drawn = figure(f"plot-{part}", x_range=x_range, y_range=models.Range1d(-1.2, 1.2, name=f"{part}-range"))
        drawn.vstrip(
            "x0", "x1", source=zones, fill_color=INK, fill_alpha=0.05, line_color=None,
            hatch_pattern="right_diagonal_line", hatch_color=INK, hatch_alpha=0.13, hatch_scale=9, hatch_weight=0.8,
        )  # fmt: skip
        for dimension in ("width", "height"):
            drawn.add_layout(models.Span(location=0, dimension=dimension, line_color=PALE, level="underlay"))
        drawn.add_layout(
            models.Span(location=1, dimension="height", line_color=INK, line_dash=[2, 3], name=f"mark-{part}")
        )
        for source, look in zip(sources, styles(count), strict=True):
            drawn.line("x", part, source=source, line_color=look["colour"], line_dash=look["dash"], line_width=2.5)
        everywhere = drawn.line("x", "y", source=tips, line_alpha=0)
        drawn.add_tools(
            models.HoverTool(
                renderers=[everywhere], mode="vline", line_policy="nearest", point_policy="follow_mouse",
                tooltips="@text{safe}",
            )
        )  # fmt: skip
        figures.append(drawn)
    return figures
