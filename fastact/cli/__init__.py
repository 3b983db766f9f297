"""The `fastact` command. `main` is the console script; app.py collects the commands.

Only this file works without click, so that its absence ends in one clear line. To add a command, write it in the file
of its subject (or a new one) and name it in app.py.
"""

from __future__ import annotations

import _thread
import signal
import sys
import threading

from fastact.errors import MissingDependencyError, require


def main() -> None:
    """Run the command line and exit."""
    try:
        require("click", "demo", "the fastact command")
        from fastact.cli.app import cli
    except MissingDependencyError as error:
        sys.exit(f"Error: {error}")
    except KeyboardInterrupt:
        sys.exit("Aborted!")

    # As Ctrl-C does, a request to end unwinds the stack, so that no temporary file stays behind.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    sys.unraisablehook = hear_again
    cli(prog_name="fastact")


def hear_again(unraisable: sys.UnraisableHookArgs) -> None:
    """Raise Ctrl-C once more that came in the middle of a destructor, where Python drops it; a hook of sys."""
    if unraisable.exc_type is KeyboardInterrupt:
        threading.Timer(0.01, _thread.interrupt_main).start()
    else:
        sys.__unraisablehook__(unraisable)
