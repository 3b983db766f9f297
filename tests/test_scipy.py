"""SciPy's own tests of softmax, log_softmax and logsumexp, run for fastact's functions by SciPy's own pytest set-up."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

#: Put in place of SciPy's functions before its tests import them. Only the default axis differs, and complex numbers,
#: which fastact refuses: those cases are skipped and counted.
PLUGIN = """
import numpy as np
import pytest
import scipy.special

import fastact as fa


def instead(name):
    def function(x, axis=None, **keywords):
        if any(np.iscomplexobj(each) for each in (x, keywords.get("b"))):
            pytest.skip("complex")
        calls[name] += 1
        return getattr(fa, name)(x, axis=axis, **keywords)

    return function


calls = dict.fromkeys(["softmax", "log_softmax", "logsumexp"], 0)
for name in calls:
    setattr(scipy.special, name, instead(name))


def pytest_sessionfinish():
    print("calls", *calls.values())
"""


def test_scipys_own_tests(tmp_path: Path) -> None:
    pytest.importorskip("scipy.special.tests")
    (tmp_path / "instead.py").write_text(PLUGIN)
    report = tmp_path / "report.xml"
    done = subprocess.run(
        [
            sys.executable, "-m", "pytest", "--pyargs", "scipy.special.tests.test_logsumexp", "-q", "-s",
            "-p", "instead", "-p", "no:cacheprovider", f"--junitxml={report}", f"--rootdir={tmp_path}",
        ],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True, text=True, timeout=250, check=False,
    )  # fmt: skip
    suite = ElementTree.parse(report).getroot()[0]
    cases = {key: int(suite.attrib[key]) for key in ("tests", "failures", "errors", "skipped")}
    assert done.returncode == 0, done.stdout
    print(cases, done.stdout.splitlines()[-3:])
    assert cases["failures"] == cases["errors"] == 0
    assert cases["tests"] - cases["skipped"] >= 60
