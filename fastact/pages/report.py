"""The report: results of experiments as one page for the browser."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fastact.result import Result

__all__ = ["write"]


def write(results: Sequence[Result], path: Path) -> None:
    """Write a page with all that the results show, in every language of fastact."""
    raise NotImplementedError
