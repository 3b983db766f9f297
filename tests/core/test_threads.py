"""Threads and forks: where a threading layer alone would abort, hang or die, fastact gives the serial result.

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

import fastact as fa
from helpers.arrays import bits
from helpers.catalogue import ACTIVATIONS, operands

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
    """Thousands of calls on eight threads that start, sleep and wake at any moment all give whole results."""
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
    """Eight threads make the first call of a function: each compiles or waits, and none gets a half-made kernel."""
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
    """Run `work` in a forked child, which an alarm ends after a minute; return the child's exit status."""
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


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform cannot fork")
def test_child_forked_while_another_thread_compiles(python: Any) -> None:
    """The compiler's locks are free in the child, whatever the other thread was doing."""
    code = "\n".join([
        "import os, signal, threading, warnings, numpy as np, fastact as fa",
        "from fastact._core.operation import Operation",
        "warnings.simplefilter('ignore', DeprecationWarning)",
        "def compile_one(k):",
        "    def formula(x): return x * x + k",
        "    return Operation('formula', formula, ('x',), {})(np.ones(3))[0] == 1 + k",
        "compile_one(0)",
        "done = threading.Event()",
        "def work():",
        "    k = 1",
        "    while not done.is_set(): k += 1; compile_one(k)",
        "thread = threading.Thread(target=work); thread.start()",
        "for k in range(5):",
        "    done.wait(0.05)",
        "    child = os.fork()",
        "    if child == 0:",
        "        signal.alarm(30)",
        "        os._exit(0 if compile_one(-k) else 1)",
        "    assert os.waitpid(child, 0)[1] == 0",
        "done.set(); thread.join(); print('ok')",
    ])  # fmt: skip
    assert python(code) == "ok\n"


def test_calls_of_a_finalizer_at_exit(python: Any) -> None:
    """Slabs of strided arrays are Python's work, and while Python ends its other threads end with it."""
    code = "\n".join([
        "import sys, numpy as np, fastact as fa",
        "x = np.ones((3000, 2000), np.float32)[:, ::2]",
        "def call():",
        "    return fa.gelu(x).sum(), fa.gelu(x, backend='threads').sum(), fa.softmax(x).sum()",
        "expected = call()",
        "class Last:",
        "    def __del__(self, call=call, expected=expected, print=print, sys=sys):",
        "        print(sys.is_finalizing(), all(call() == expected for _ in range(20)), flush=True)",
        "last = Last()",
    ])  # fmt: skip
    assert python(code) == "True True\n"


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this platform binds no thread to cores")
def test_helpers_keep_to_the_cores_of_the_caller(python: Any) -> None:
    """Both the threads that sleep when the caller moves to other cores, and those that are awake."""
    code = "\n".join([
        "import os, time, numpy as np, fastact as fa",
        "threads = lambda: set(map(int, os.listdir('/proc/self/task')))",
        "x, allowed = np.ones(3_000_000, np.float32), os.sched_getaffinity(0)",
        "fa.gelu(x[:3])  # LLVM may start a thread of its own",
        "before = threads()",
        "fa.gelu(x)",
        "helpers = threads() - before",
        "def follow(cores):",
        "    return all(os.sched_getaffinity(helper) <= cores for helper in helpers)",
        "for pause in (0, 0.1):",
        "    for cores in [*({core} for core in allowed), allowed]:",
        "        os.sched_setaffinity(0, cores)",
        "        time.sleep(pause)",
        "        end = time.perf_counter() + 20",
        "        while not follow(cores) and time.perf_counter() < end: fa.gelu(x[:100_000])",
        "        assert follow(cores), cores",
        "print(len(helpers))",
    ])  # fmt: skip
    assert python(code, NUMBA_NUM_THREADS="4") == "3\n"


def test_one_core_is_not_shared_by_several_threads(python: Any) -> None:
    code = "\n".join([
        "import os, numpy as np, fastact as fa",
        "fa.set_num_threads(2)",
        "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})",
        "fa.gelu(np.ones(3, np.float32))",
        "before = len(os.listdir('/proc/self/task'))",
        "fa.gelu(np.ones(3_000_000, np.float32))",
        "print(len(os.listdir('/proc/self/task')) - before)",
    ])  # fmt: skip
    if len(getattr(os, "sched_getaffinity", lambda _: ())(0)) < 2:
        pytest.skip("needs two cores and Linux")
    assert python(code) == "0\n"


def test_a_threading_layer_that_is_not_there(python: Any) -> None:
    """The reason names it, and no fork."""
    code = "\n".join([
        "import numpy as np, fastact as fa",
        "from fastact._kernels.native import pool as _threads",
        "def missing(): raise ValueError('No threading layer could be loaded.\\nHINT: install tbb')",
        "_threads.compile_launcher = missing",
        "x = np.ones(100_000)",
        "for f in fa.gelu, fa.softmax, fa.sparsemax:",
        "    try: f(x, backend='parallel')",
        "    except fa.BackendError as error: print(error)",
        "print(fa.backends()['parallel'], fa.gelu(x, backend='threads')[0] == fa.gelu(1.0))",
    ])  # fmt: skip
    reason = (
        "Numba's threads cannot be started (No threading layer could be loaded. HINT: install tbb); "
        "let the backend be 'threads'"
    )
    expected = [f"backend 'parallel' is not available: {reason}"] * 3 + [f"{reason} True"]
    assert python(code).splitlines() == expected
