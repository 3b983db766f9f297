"""The options --skipped and --no-skips, on a folder of small tests of which some are skipped."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from helpers import ROOT

FILES = {
    "test_one.py": """
import os, pytest
there = "LIBRARY" in os.environ
def test_plain(): pass
@pytest.mark.skipif(not there, reason="library is not installed")
@pytest.mark.parametrize("n", [1, "a b"])
def test_marked(n): pass
@pytest.fixture
def library(): there or pytest.skip("no library")
def test_fixture(library): pass
@pytest.mark.skip(reason="the NVIDIA driver shows no GPU; see nvidia-smi")
def test_gpu(): pass
@pytest.mark.xfail(raises=ZeroDivisionError)
def test_wrong(): 1 / 0
""",
    "test_two.py": """
import os, pytest
if "LIBRARY" not in os.environ: pytest.skip("no library", allow_module_level=True)
def test_a(): pass
@pytest.mark.skip(reason="PyTorch sees no GPU")
def test_b(): pass
""",
}
SKIPPED = ["test_one.py::test_fixture", "test_one.py::test_marked[1]", "test_one.py::test_marked[a b]", "test_two.py"]


def run(folder: Path, *options: str, **environment: str) -> tuple[int, dict[str, int]]:
    """Exit status of pytest, and the numbers of its closing line."""
    for name, text in FILES.items():
        (folder / name).write_text(text)
    path = os.pathsep.join([str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "xdist", "-p", "helpers.skips", f"--rootdir={folder}", *options],
        cwd=folder, env={**os.environ, "PYTHONPATH": path, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **environment},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    closing = re.findall(r"(\d+) (passed|failed|skipped|error|xfailed|deselected)", done.stdout.splitlines()[-1])
    return done.returncode, {word: int(number) for number, word in closing}


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["alone", "workers"])
def test_what_was_skipped_runs_next(tmp_path: Path, workers: list[str]) -> None:
    """Tests that want a GPU do not."""
    file, option = tmp_path / "skipped", [*workers, "--skipped=skipped"]
    assert run(tmp_path, *option) == (0, {"passed": 1, "skipped": 5, "xfailed": 1})
    assert file.read_text().splitlines() == SKIPPED
    status, counts = run(tmp_path, *option, LIBRARY="1")
    assert (status, counts["passed"], counts["skipped"]) == (0, 4, 1)
    assert file.read_text() == ""


def test_a_file_that_ran_before_is_not_collected(tmp_path: Path) -> None:
    """It may lack something in the next environment."""
    assert run(tmp_path, "--skipped=skipped", LIBRARY="1")[0] == 0
    (tmp_path / "skipped").write_text("test_one.py::test_marked[1]\n")
    assert run(tmp_path, "--skipped=skipped", "--no-skips")[1] == {"error": 1, "deselected": 5}
    (tmp_path / "skipped").write_text("test_one.py::test_plain\n")
    assert run(tmp_path, "--skipped=skipped", "--no-skips")[0] == 0


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["alone", "workers"])
def test_only_want_of_a_gpu_excuses(tmp_path: Path, workers: list[str]) -> None:
    assert run(tmp_path, *workers, "--no-skips", LIBRARY="1") == (0, {"passed": 5, "skipped": 2, "xfailed": 1})
    status, counts = run(tmp_path, *workers, "--no-skips", "test_one.py")
    assert (status, counts) == (1, {"error": 3, "passed": 1, "skipped": 1, "xfailed": 1})
    status, _ = run(tmp_path, *workers, "--no-skips", "test_two.py")
    assert status != 0
