"""How many cores this process may keep busy, which is how many threads fastact uses unless it is told.

A container's limit on CPU time (a cgroup quota) does not show in the number of processors: threads beyond it are
stopped for most of each period. Another system's way of limiting goes here.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

__all__ = ["allowed_cores", "quota", "usable_cores"]


def usable_cores(root: Path = Path("/")) -> int:
    """The cores that this process may run on, or fewer where cgroups allow it less time than that; at least 1.

    Parameters
    ----------
    root : Path
        Where /proc and /sys are found.
    """
    limit = quota(root)
    return max(1, allowed_cores() if limit is None else min(allowed_cores(), math.ceil(limit)))


def allowed_cores() -> int:
    """The cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def quota(root: Path = Path("/")) -> float | None:
    """The cores' worth of time that cgroups allow this process; None where there is no limit."""
    return min(_quotas(root), default=None)


def _quotas(root: Path) -> Iterator[float]:
    """The cores' worth of time that each cgroup above this process allows, of version 2 and of version 1."""
    for line in _words(root / "proc/self/cgroup", "\n"):
        _, controllers, group = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        top = root / "sys/fs/cgroup" / ("cpu" if controllers else "")
        folder = top / group.lstrip("/")
        for each in (folder, *folder.parents):
            if controllers:
                limits = [*_words(each / "cpu.cfs_quota_us"), *_words(each / "cpu.cfs_period_us")]
            else:
                limits = _words(each / "cpu.max")
            if len(limits) == 2 and limits[0] not in ("max", "-1"):
                yield int(limits[0]) / int(limits[1])
            if each == top:
                break


def _words(path: Path, separator: str | None = None) -> list[str]:
    """What stands in a file, or nothing where it cannot be read."""
    try:
        return path.read_text().strip().split(separator)
    except OSError:
        return []
