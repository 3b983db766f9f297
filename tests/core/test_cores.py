"""The number of threads under a limit on CPU time, for both versions of Linux' cgroups."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fastact._core.cores import usable_cores

FOUND = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text + "\n")
    return root


@pytest.mark.parametrize(
    ("files", "limit"),
    [
        ({}, 1000),
        ({"proc/self/cgroup": "0::/a/b", "sys/fs/cgroup/a/b/cpu.max": "max 100000"}, 1000),
        ({"proc/self/cgroup": "0::/a/b", "sys/fs/cgroup/a/b/cpu.max": "100000 100000"}, 1),
        ({"proc/self/cgroup": "0::/a/b", "sys/fs/cgroup/a/b/cpu.max": "150000 100000"}, 2),
        ({"proc/self/cgroup": "0::/a/b", "sys/fs/cgroup/a/cpu.max": "1000 100000"}, 1),
        ({"proc/self/cgroup": "0::/../elsewhere", "sys/fs/cgroup/cpu.max": "50000 100000"}, 1),
        ({"proc/self/cgroup": "4:memory:/m\n3:cpu,cpuacct:/d", "sys/fs/cgroup/cpu/d/cpu.cfs_quota_us": "-1"}, 1000),
        (
            {
                "proc/self/cgroup": "4:memory:/m\n3:cpu,cpuacct:/d",
                "sys/fs/cgroup/cpu/d/cpu.cfs_quota_us": "100000",
                "sys/fs/cgroup/cpu/d/cpu.cfs_period_us": "100000",
            },
            1,
        ),
    ],
)
def test_quota(tmp_path: Path, files: dict[str, str], limit: int) -> None:
    assert usable_cores(write(tmp_path, files)) == min(FOUND, limit)


def test_affinity(python: object) -> None:
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("this platform has no affinity")
    code = "\n".join([
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})",
        "import fastact; print(fastact.get_num_threads())",
    ])  # fmt: skip
    assert python(code) == "1\n"  # type: ignore[operator]
