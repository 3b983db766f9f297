"""The `fastact` command. `main` is the console script; app.py collects the commands.

Only this file works without click, so that its absence ends in one clear line. To add a command, write it in the file
of its subject (or a new one) and name it in app.py.
"""

from __future__ import annotations

import signal
import sys

from fastact.errors import MissingDependencyError, require


def main() -> None:
    """Run the command line and exit."""
    try:
        require("click", "demo", "the fastact command")
    except MissingDependencyError as error:
        sys.exit(f"Error: {error}")
    from fastact.cli.app import cli

    # As Ctrl-C does, a request to end unwinds the stack, so that no temporary file stays behind.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    cli(prog_name="fastact")
