"""How all pictures look: colours and lines that colour-blind readers can tell apart, and fonts with Japanese glyphs.

A function that draws is decorated with `@lettering()`. It gets an empty Figure from `figure`, and draws its i-th line
as `line(i)` says; `save` writes a PNG. Nobody else sets colours.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from fastact import language
from fastact.errors import MissingDependencyError, require
from fastact.language import translated as _

__all__ = [
    "COLOURS", "DASHES", "INK", "PALE", "figure", "lettering", "line", "literal", "losses", "marks", "save", "shades",
    "tidy",
]  # fmt: skip

#: Okabe and Ito's colours, without their yellow, which is faint on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
#: Line styles, so that lines differ without colour too.
DASHES = ("-", "--", "-.", ":")
#: Of text and axes, and of what stays in the background.
INK, PALE = "#222222", "#b0b0b0"

#: Families with Japanese glyphs, the most legible first.
_JAPANESE = (
    "Noto Sans CJK JP", "Noto Sans JP", "Hiragino Sans", "Yu Gothic", "Meiryo", "IPAexGothic", "IPAGothic",
    "TakaoGothic",
)  # fmt: skip


def line(position: int) -> dict[str, Any]:
    """Colour and dashes of the i-th line: 28 lines look different, as 7 colours and 4 dashes have no common divisor."""
    return {
        "color": COLOURS[position % len(COLOURS)],
        "linestyle": DASHES[position % len(DASHES)],
    }


def marks(values: Any, size: float | None = None) -> dict[str, Any]:
    """How to draw a line of these values: one of a single point is seen only with a marker."""
    return {"marker": "o", "markersize": size} if len(values) == 1 else {}


def losses(axes: Any, history: Mapping[str, Sequence[float]]) -> None:
    """Draw the losses of training and, where there are some, of validation by epoch."""
    names = {"loss": _("training"), "val_loss": _("validation")}
    for place, name in enumerate(name for name in names if name in history):
        values = history[name]
        epochs = range(1, len(values) + 1)
        axes.plot(epochs, values, linewidth=2, label=names[name], **line(place), **marks(values))


def shades(classes: int) -> NDArray[np.float64]:
    """Pale colours (n, 3) for a plane that is parted: 256, from one class's over white to the other's; or each class's.

    Their parts are from 0 to 1, as matplotlib takes them.
    """
    colours = np.array([[int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)] for colour in COLOURS])
    pale = (0.45 * colours + 0.55)[np.arange(classes) % len(COLOURS)]
    if classes != 2:
        return pale
    share = np.linspace(-1, 1, 256)[:, np.newaxis]
    return 1 - np.abs(share) * (1 - np.where(share > 0, pale[1], pale[0]))


def figure(width: float, height: float) -> Any:
    """An empty Figure of this size in inches."""
    return require("matplotlib.figure", "demo", "a picture").Figure(figsize=(width, height), layout="constrained")


@contextmanager
def lettering() -> Iterator[None]:
    """Let matplotlib write texts in a font of the language in use; also a decorator of functions that draw."""
    with require("matplotlib", "demo", "a picture").rc_context({"font.family": _families()}):
        yield


def literal(text: str) -> str:
    """A text of the user's that comes out as it is: matplotlib takes what is between two dollars for a formula."""
    return text.replace("$", r"\$")


def tidy(axes: Any) -> None:
    """Take away what no reader needs: the upper and right border; draw a faint grid."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)


def save(drawn: Any, file: Path | IO[bytes]) -> None:
    """Write a Figure as PNG."""
    with lettering(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph ")  # a user's text may hold what no font here has, such as a bell
        drawn.savefig(file, format="png", dpi=120)


def _families() -> list[str]:
    """Those to write in, and then those that lend their glyphs: columns and classes are in the user's language."""
    if language.current() == "ja":
        return [_japanese(), "DejaVu Sans"]
    try:
        return ["DejaVu Sans", _japanese()]
    except MissingDependencyError:
        return ["DejaVu Sans"]


@cache
def _japanese() -> str:
    """A font of this machine with Japanese glyphs, or else the one that matplotlib-fontja brings."""
    manager = require("matplotlib.font_manager", "demo", "a picture").fontManager
    known = {font.name for font in manager.ttflist}
    for family in _JAPANESE:
        if family in known:
            return family
    fonts = find_spec("matplotlib_fontja")  # whose import would change matplotlib's settings
    if fonts is None or not fonts.submodule_search_locations:
        raise MissingDependencyError(
            "a picture with Japanese text needs a Japanese font, of which this machine has none; "
            'install one with: pip install "fastact[demo]"'
        )
    manager.addfont(Path(fonts.submodule_search_locations[0]) / "fonts" / "ipaexg.ttf")
    return "IPAexGothic"
