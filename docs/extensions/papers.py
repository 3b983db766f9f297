"""References with links: to arXiv and to DOIs, where they name one."""

from __future__ import annotations

import re

__all__ = ["linked"]

LINKS = (
    (re.compile(r"arXiv:(\d{4}\.\d{4,5})"), r"[\g<0>](https://arxiv.org/abs/\1)"),
    (re.compile(r"doi:(10\.[^\s;,]+\w)"), r"[\g<0>](https://doi.org/\1)"),
)


def linked(reference: str) -> str:
    """Markdown of a reference."""
    for number, link in LINKS:
        reference = number.sub(link, reference)
    return reference
