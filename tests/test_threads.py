"""Threads and forks: where a threading layer alone would abort, hang or kill, fastact gives the serial result.

Each threading layer needs a process of its own, as Numba chooses one for good.
"""

from __future__ import annotations

import importlib
import os
import signal
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from conftest import ACTIVATIONS, bits, operands

import fastact as fa

LAYERS = {"omp": "omppool", "tbb": "tbbpool", "workqueue": "workqueue"}

EIGHT_THREADS = """
import threading
from functools import partial
import numba, numpy as np
import fastact as fa

x = np.linspace(-9, 9, 200_000, dtype=np.float32)
elementwise = [fa.tanh, fa.silu, fa.tanh.derivative]
calls = [partial(f, backend="parallel") for f in elementwise] + elementwise + [fa.softmax, fa.log_softmax]
expected = [f(x) for f in calls]
start, wrong = threading.Barrier(8), []

def work(i):
    start.wait()
    for k in range(40):
        j = (i + k) % len(calls)
        if (calls[j](x) != expected[j]).any():
            wrong.append((i, k))

threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(numba.threading_layer(), len(wrong))
"""


@pytest.mark.parametrize("layer", LAYERS)
def test_eight_threads_at_once(python: Any, layer: str) -> None:
    try:
        importlib.import_module(f"numba.np.ufunc.{LAYERS[layer]}")
    except ImportError as error:
        pytest.skip(f"threading layer {layer} is not here: {error}")
    assert python(EIGHT_THREADS, NUMBA_THREADING_LAYER=layer, NUMBA_NUM_THREADS="2").split() == [layer, "0"]


def test_more_threads_than_cores(python: Any) -> None:
    """Thousands of calls on eight threads that come, sleep and wake at any moment: each result is whole."""
    code = "\n".join([
        "import time, numpy as np, fastact as fa",
        "fa.set_num_threads(8)",
        "x = np.linspace(-9, 9, 30_011, dtype=np.float32)",
        "expected, out = fa.tanh(x, backend='serial'), np.empty_like(x)",
        "for i in range(4000):",
        "    n = 1 + i * 7919 % x.size",
        "    out[:] = 7",
        "    fa.tanh(x[:n], out=out[:n], backend='threads')",
        "    assert (out[:n] == expected[:n]).all() and (out[n:] == 7).all(), n",
        "    if i % 400 == 0: time.sleep(0.001)",
        "print(fa.get_num_threads())",
    ])  # fmt: skip
    assert python(code, NUMBA_NUM_THREADS="8") == "8\n"


def test_eight_threads_compile_at_once(python: Any) -> None:
    """The first call of a function, by eight threads: each compiles or waits, none gets a half-made kernel."""
    code = "\n".join([
        "import threading, numpy as np, fastact as fa",
        "x, results, start = np.linspace(-3, 3, 100_000), [], threading.Barrier(8)",
        "def work():",
        "    start.wait()",
        "    results.append(fa.tanh(x))",
        "threads = [threading.Thread(target=work) for _ in range(8)]",
        "[thread.start() for thread in threads]",
        "[thread.join() for thread in threads]",
        "print(len(results), max(np.abs(result - np.tanh(x)).max() for result in results) < 1e-15)",
    ])  # fmt: skip
    assert python(code).split() == ["8", "True"]


def fork(work: Callable[[], None]) -> int:
    """Run `work` in a forked child that an alarm ends after a minute; the child's exit status."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python 3.12 and later warn of threads in the parent, JAX of its own
        child = os.fork()
    if child == 0:
        status = 1
        try:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(60)
            work()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def call_everything(x: np.ndarray) -> list[Any]:
    activations = [fa.get(name) for name in ACTIVATIONS]
    functions = [each for f in activations for each in (f, f.derivative, f.backward)]
    results = [f(*operands(f, x)) for f in functions] + [fa.softmax(x), fa.log_softmax(x)]
    return [bits(result).tobytes() for result in results]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform cannot fork")
def test_forked_child_and_grandchild() -> None:
    x = np.linspace(-9, 9, 100_000, dtype=np.float32)
    fa.tanh(x, backend="parallel")
    expected = call_everything(x)

    def grandchild() -> None:
        assert call_everything(x) == expected

    def child() -> None:
        assert call_everything(x) == expected
        with pytest.raises(fa.BackendError, match="do not survive a fork; let the backend be 'threads'"):
            fa.tanh(x, backend="parallel")
        assert bits(fa.tanh(x, backend="threads")).tobytes() == expected[3 * ACTIVATIONS.index("tanh")]
        assert fork(grandchild) == 0

    assert fork(child) == 0
    assert call_everything(x) == expected


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform cannot fork")
def test_child_forked_while_another_thread_computes(python: Any) -> None:
    code = "\n".join([
        "import os, signal, threading, warnings, numpy as np, fastact as fa",
        "warnings.simplefilter('ignore', DeprecationWarning)",
        "x, done = np.linspace(-9, 9, 300_000), threading.Event()",
        "expected = fa.tanh(x)",
        "def work():",
        "    while not done.is_set(): fa.tanh(x)",
        "thread = threading.Thread(target=work); thread.start()",
        "for _ in range(20):",
        "    child = os.fork()",
        "    if child == 0:",
        "        signal.alarm(30)",
        "        os._exit(0 if (fa.tanh(x) == expected).all() else 1)",
        "    assert os.waitpid(child, 0)[1] == 0",
        "done.set(); thread.join(); print('ok')",
    ])  # fmt: skip
    assert python(code) == "ok\n"
