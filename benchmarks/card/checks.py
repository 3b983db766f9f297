"""The tests that need a GPU, and compute-sanitizer over them, a test at a time."""

from __future__ import annotations

import ast
import os
import shutil
import signal
import subprocess
import sys
from functools import partial
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

from card.record import Figure, Units

__all__ = ["sanitizer", "units"]

TESTS = Path(__file__).parents[2] / "tests"
#: The package of PyPI that has compute-sanitizer, for the extra `cuda`.
PACKAGE = "nvidia-cuda-sanitizer-api"
#: The test that leaves no memory to others.
FILLING = "out_of_memory"
#: Tests that compute-sanitizer is not asked about: they fill the memory, or run other processes.
APART = (FILLING, "beyond_32_bits", "apply")
#: Processes that share the tests. Compiling takes most of the time.
PROCESSES = "8"
#: Seconds after which a command is given up.
MOST_SECONDS = 400
#: Tests otherwise begin with an empty cache; so they take the kernels that other sections have compiled.
ENVIRONMENT = {**os.environ, "PYTEST_CURRENT_TEST": "benchmarks/gpu.py"}


def sanitizer() -> str | None:
    """The path of compute-sanitizer; None where it is not installed."""
    try:
        packaged = [str(file.locate()) for file in files(PACKAGE) or [] if file.name == "compute-sanitizer"]
    except PackageNotFoundError:
        packaged = []
    return next(iter(packaged), None) or shutil.which("compute-sanitizer")


def _run(command: list[str]) -> dict[str, Figure]:
    with subprocess.Popen(
        command, cwd=TESTS, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    ) as process:  # fmt: skip
        try:
            output, _ = process.communicate(timeout=MOST_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # pytest too, which compute-sanitizer has started
            return {"outcome": Figure(fault=f"not done after {MOST_SECONDS} s")}
    lines = [line for line in output.splitlines() if line.strip()] or ["no output"]
    status = process.returncode
    if status:
        print(output[-6000:])
    fault = f"exit status {status}" if status else "" if " passed" in output else "no test ran"
    return {"outcome": Figure(note=lines[-1], fault=fault)}


def _tests() -> list[str]:
    """The names of the test functions of test_cuda.py."""
    tree = ast.parse((TESTS / "cuda" / "test_cuda.py").read_text(encoding="utf-8"))
    return [node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]


def units(power: int) -> Units:
    pytest = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    for folder in ("cuda", "interop"):
        command = [*pytest, "-n", PROCESSES, "-m", "gpu", "-k", f"not {FILLING}", folder]
        yield f"pytest -m gpu {folder}", partial(_run, command)
    yield f"pytest -m gpu {FILLING}", partial(_run, [*pytest, "-m", "gpu", "-k", FILLING, "cuda"])
    path = sanitizer()
    for tool in ("memcheck", "racecheck") if path else ():
        for test in _tests():
            if not any(word in test for word in APART):
                command = [str(path), "--tool", tool, "--error-exitcode", "9", "--report-api-errors", "no", *pytest]
                yield f"{tool} {test}", partial(_run, [*command, f"cuda/test_cuda.py::{test}"])
