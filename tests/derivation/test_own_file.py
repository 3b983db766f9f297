"""A file with an activation of one's own, without a derivative: everything takes it as it takes those built in."""

from __future__ import annotations

import multiprocessing
import pickle
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastact as fa
from fastact.functions import own
from helpers.arrivals import used
from helpers.commands import pixels

pytest.importorskip("sympy")
pytest.importorskip("mpmath")

SOURCE = """
import fastact as fa
import numba
import numpy as np


@numba.njit
def gate(x):
    return 1 / (1 + np.exp(-x))


@fa.activation(beta=1.0, text={"formula": "x log(1 + gate(beta x))", "notes": {"use": "tests"}})
def logish_of_a_file(x, beta):
    \"\"\"Logish.\"\"\"
    return x * np.log(1 + gate(beta * x))
"""


@pytest.fixture
def file(tmp_path: Path, own_registry: None) -> Iterator[Path]:
    path = tmp_path / "logish_of_a_file.py"
    path.write_text(SOURCE)
    yield path
    sys.modules.pop("logish_of_a_file", None)


@pytest.fixture
def f(file: Path) -> Any:
    assert own.load(file) == ["logish_of_a_file"]
    return fa.get("logish_of_a_file")


def test_commands(file: Path, fastact: Callable[..., str]) -> None:
    pytest.importorskip("matplotlib")
    for module in "rich", "sklearn":
        pytest.importorskip(module)
    shown = fastact("show", "logish_of_a_file", "--from", file)
    assert "log1p(sigmoid(beta*x))" in shown
    assert "f'(x)" in shown
    assert "wrote a.png" in fastact("plot", "logish_of_a_file", "relu", "--from", file, "-o", "a.png")
    pixels("a.png")
    output = fastact(
        "compare", "moons", "--from", file, "--activations", "relu,logish_of_a_file", "--seeds", 1, "--epochs", 2,
        "--jobs", 1, "-o", "b.png",
    )  # fmt: skip
    assert "logish_of_a_file" in output
    pixels("b.png")


def test_training_and_gradient(f: Any) -> None:
    assert fa.check_gradient(f, beta=0.7)
    random = np.random.default_rng(0)
    x = random.normal(size=(64, 2))
    y = (x[:, 0] * x[:, 1] > 0).astype(int)
    model = fa.MLP([2, 8, 1], activation=f, seed=0).fit(x, y, epochs=60)
    assert model.history["loss"][-1] < 0.7 * model.history["loss"][0]


def test_export_and_verification(f: Any, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    from fastact import onnx

    x = np.linspace(-6, 6, 49, dtype=np.float32).reshape(7, 7)
    onnx.save(f, tmp_path / "f.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "f.onnx")
    [y] = session.run(None, {session.get_inputs()[0].name: x})
    np.testing.assert_allclose(y, f(x), rtol=1e-5, atol=1e-6)

    verified = fa.verify(f, f.name, dtypes=["float32"], samples=2000, max_ulp=4, max_ulp_derivative=1e8)
    assert verified.passed, verified.sentences()
    wrong = fa.verify(f, f.name, dtypes=["float32"], samples=2000, derivative=lambda x: f(x), max_ulp=64)
    assert not wrong.passed


def test_another_process_knows_it(f: Any) -> None:
    x = np.linspace(-3, 3, 5)
    model = fa.MLP([1, 3, 1], activation=f, seed=0)
    assert pickle.loads(pickle.dumps(f)) is f
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        known, *results = pool.submit(used, f, model, x).result()
    assert known
    for result, expected in zip(results, used(f, model, x)[1:], strict=True):
        np.testing.assert_array_equal(result, expected)


def test_a_changed_file_is_told(f: Any, file: Path) -> None:
    sent = pickle.dumps(f)
    changed = sent.replace(b"return 1 / (1", b"return 2 / (1")
    assert changed != sent
    with pytest.raises(ValueError, match="module logish_of_a_file is another one; start the processes anew"):
        pickle.loads(changed)


def test_dask_s_workers_know_it(f: Any) -> None:
    distributed = pytest.importorskip("distributed")
    x = np.linspace(-3, 3, 5)

    @fa.activation(by=2.0)
    def of_a_notebook(x, by):  # type: ignore[no-untyped-def]
        return by * np.tanh(x) * x

    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=1, processes=True, dashboard_address=":0") as cluster,
        distributed.Client(cluster) as client,
    ):
        for each in f, of_a_notebook:
            values, gradient = client.submit(lambda g, x: (g(x), g.backward(x, x)), each, x).result()
            np.testing.assert_array_equal(values, each(x))
            np.testing.assert_array_equal(gradient, each.backward(x, x))


def test_a_notebook_that_defines_it_anew(own_registry: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that lives on takes the newer one; a process that defines another one itself says so."""
    from fastact._core import registry

    def defined(factor: float) -> bytes:
        def scaled(x):  # type: ignore[no-untyped-def]
            return factor * x

        sent = pickle.dumps(fa.activation(scaled))
        registry.forget(fa.get("scaled"))
        return sent

    first, second = defined(2.0), defined(3.0)
    assert pickle.loads(first)(1.0) == 2.0
    assert pickle.loads(first) is fa.get("scaled")
    assert pickle.loads(second)(1.0) == 3.0
    assert pickle.loads(second) is fa.get("scaled")
    registry.forget(fa.get("scaled"))

    @fa.activation
    def scaled(x):  # type: ignore[no-untyped-def]
        return 4.0 * x

    with pytest.raises(ValueError, match="another one of this name is defined here; rename one of them"):
        pickle.loads(first)
