"""Writing a file so that it is either wholly there or not touched at all.

Imported by the commands that write.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Give a temporary path beside `target` that takes its place when the block ends well.

    Entering fails at once where the folder cannot be written, before any long work. After an error or an
    interrupt the temporary file is gone and `target` is as it was. Links are followed, and the mode of an
    existing file is kept.
    """
    target = target.resolve()
    if target.exists() and not target.is_file():
        raise ValueError(f"{target}: not a regular file, so it cannot be replaced")
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        temporary.touch(exist_ok=False)
    except OSError as error:
        raise OSError(error.errno, f"cannot write here ({error.strerror})", str(target)) from error
    try:
        yield temporary
        if target.exists():
            shutil.copymode(target, temporary)
        os.replace(temporary, target)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
