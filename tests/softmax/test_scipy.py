"""SciPy's own tests of softmax, log_softmax and logsumexp, run for fastact's functions by SciPy's own pytest set-up."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

#: Put in place of SciPy's functions in its tests. Only the default axis differs, and complex numbers, which fastact
#: refuses: those cases are skipped.
PLUGIN = """
import os

import numpy as np
import pytest

import fastact as fa

called = {"softmax": set(), "log_softmax": set(), "logsumexp": set()}
passed = set()


def instead(name):
    def function(x, axis=None, **keywords):
        if any(np.iscomplexobj(each) for each in (x, keywords.get("b"))):
            pytest.skip("complex")
        called[name].add(os.environ["PYTEST_CURRENT_TEST"].rpartition(" ")[0])
        return getattr(fa, name)(x, axis=axis, **keywords)

    return function


def pytest_collection_finish(session):
    import scipy.special.tests.test_logsumexp as module

    for name in called:
        setattr(module, name, instead(name))


def pytest_runtest_logreport(report):
    if report.when == "call" and report.passed:
        passed.add(report.nodeid)


def pytest_sessionfinish():
    print("\\nran and passed:", *(len(passed & each) for each in called.values()))
"""


def test_scipys_own_tests(tmp_path: Path) -> None:
    pytest.importorskip("scipy.special.tests")
    (tmp_path / "instead.py").write_text(PLUGIN)
    done = subprocess.run(
        [
            sys.executable, "-m", "pytest", "--pyargs", "scipy.special.tests.test_logsumexp", "-q", "-s",
            "-p", "instead", "-p", "no:cacheprovider", f"--rootdir={tmp_path}",
        ],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True, text=True, timeout=250, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    counts = next(line for line in done.stdout.splitlines() if line.startswith("ran and passed:"))
    least = {"softmax": 5, "log_softmax": 12, "logsumexp": 42}
    ran = dict(zip(least, map(int, counts.partition(":")[2].split()), strict=True))
    assert all(ran[name] >= least[name] for name in least), ran
