"""`x` in a docstring, with single quotes: a link, if it names something public of fastact, and else code."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxRole


class Quoted(SphinxRole):
    """The default role."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """A reference that may be missing: then it stays code."""
        shown = nodes.literal(self.rawtext, self.text, classes=["py"])
        target = self.text.partition("(")[0]
        if not target.startswith("fastact."):
            return [shown], []
        place = {"refdomain": "py", "reftype": "obj", "reftarget": target, "refwarn": False, "refdoc": self.env.docname}
        return [pending_xref(self.rawtext, shown, **place)], []


def setup(app: Sphinx) -> dict[str, Any]:
    """Let Sphinx use it."""
    app.add_role("quoted", Quoted())
    return {"parallel_read_safe": True, "parallel_write_safe": True}
