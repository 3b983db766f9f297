"""Fixtures; a test that asks for `activation`, `operation` or `dtype` runs once for each of their values.

`activation` is every function of the catalogue, `operation` each with its derivative and backward pass, `dtype` the two
float types. The catalogue is read from the registry, so a new activation is tested without a change here. The processes
of a run share the kernels that they compile, in a cache of the run's own.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fastact as fa
from fastact._core import registry as _registry
from fastact._kernels.compile import cache as _cache
from fastact.backends.cuda import availability
from helpers import ROOT
from helpers.catalogue import ACTIVATIONS, PARTS

pytest_plugins = ["helpers.commands", "helpers.pages", "helpers.skips"]

#: test_cuda_code.py runs it in a process of its own.
collect_ignore = [] if availability.SIMULATED else ["cuda/test_cuda_simulated.py"]


def pytest_configure(config: pytest.Config) -> None:
    # A shell starts what runs in the background with Ctrl-C ignored, and children would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if not hasattr(config, "workerinput") and "PYTEST_CURRENT_TEST" not in os.environ:  # workers and tests pass it on
        os.environ["FASTACT_CACHE"] = tempfile.mkdtemp(prefix="fastact-")
        config.add_cleanup(lambda: shutil.rmtree(os.environ["FASTACT_CACHE"]))


@pytest.fixture
def no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compile every kernel that is new to this process, for tests that look at compiling itself."""
    monkeypatch.setattr(_cache, "_opened", lambda: (None, "FASTACT_CACHE=off"))


@pytest.fixture(params=ACTIVATIONS)
def activation(request: pytest.FixtureRequest) -> Any:
    return fa.get(request.param)


@pytest.fixture(params=PARTS)
def operation(activation: Any, request: pytest.FixtureRequest) -> Any:
    return activation if request.param == "forward" else getattr(activation, request.param)


@pytest.fixture(params=[np.float32, np.float64])
def dtype(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget the activations that a test defines."""
    monkeypatch.setattr(_registry, "_functions", dict(_registry._functions))
    monkeypatch.setattr(_registry, "_aliases", dict(_registry._aliases))


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> str:
    """Pretend that this machine has no GPU; return the reason that the cuda backend gives."""
    reason = availability.why_not() or "the NVIDIA driver shows no GPU; see nvidia-smi"
    monkeypatch.setattr(availability, "why_not", lambda: reason)
    return reason


@pytest.fixture(scope="session")
def python() -> Callable[..., str]:
    """Run code in a fresh interpreter and return what it printed; keywords are environment variables."""

    def run(code: str, **environment: str) -> str:
        done = subprocess.run(
            [sys.executable, "-P", "-W", "error", "-c", code],
            cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
