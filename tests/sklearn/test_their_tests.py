"""scikit-learn's own tests of its multi-layer perceptrons, with the import swapped."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

sklearn: Any = pytest.importorskip("sklearn", reason="scikit-learn is not installed")

#: It calls `_loss_grad_lbfgs`, a method of scikit-learn's that is not public.
PRIVATE = {"test_gradient"}

CONFTEST = """
import pytest

@pytest.fixture
def global_random_seed():
    return 42
"""


def test_their_tests_pass(tmp_path: Path) -> None:
    theirs = Path(sklearn.__file__).parent / "neural_network" / "tests" / "test_mlp.py"
    text = theirs.read_text(encoding="utf-8")
    swapped = text.replace("from sklearn.neural_network import MLP", "from fastact.sklearn import MLP")
    assert swapped != text
    (tmp_path / "test_mlp.py").write_text(swapped, encoding="utf-8")
    (tmp_path / "conftest.py").write_text(CONFTEST, encoding="utf-8")
    command = [sys.executable, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={tmp_path}/report"]
    done = subprocess.run([*command, tmp_path], cwd=tmp_path, capture_output=True, text=True, check=False)
    cases = list(ElementTree.parse(tmp_path / "report").iter("testcase"))
    failed = {case.get("name") for case in cases if case.find("failure") is not None or case.find("error") is not None}
    assert failed <= PRIVATE, done.stdout
    assert len(cases) >= 50
