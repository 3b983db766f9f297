"""The role `measured`, so that no figure in a text is out of date.

{measured}`SUBJECT.KEY` shows a figure of docs/pictures/SUBJECT.json; KEY may be an entry beside them too: provenance,
command, seconds.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxRole

PICTURES = Path(__file__).parents[1] / "pictures"


class Measured(SphinxRole):
    """Shows a figure as text; an unknown one is an error."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        subject, _dot, key = self.text.partition(".")
        path = PICTURES / f"{subject}.json"
        self.env.note_dependency(str(path))
        try:
            noted = json.loads(path.read_text(encoding="utf-8"))
            text = str({**noted, **noted["figures"]}[key])
        except (OSError, KeyError) as error:
            message = self.inliner.reporter.error(f"no figure {self.text!r}: {error!r}", line=self.lineno)
            return [nodes.problematic(self.rawtext, self.rawtext)], [message]
        return [nodes.Text(text)], []


def setup(app: Sphinx) -> dict[str, Any]:
    """Let pages use it."""
    app.add_role("measured", Measured())
    return {"parallel_read_safe": True, "parallel_write_safe": True}
