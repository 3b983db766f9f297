"""The console script `fastact`. It stands beside the package, whose import takes half a second.

Ctrl-C in that time ends the command as later: in one word. Inside the package, no line would run early enough.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and exit."""
    try:
        from fastact.cli import main as command
    except KeyboardInterrupt:
        sys.exit("Aborted!")
    command()
