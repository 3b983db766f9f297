"""Numba's simulator, but quicker, and with the threads of a block taking turns.

Each thread runs until its next barrier, then the next one: nothing polls, and no two threads run at once, so that the
simulator's own races (shared arrays made twice, warnings) are none. On one core, because a turn that goes to a thread
on another takes twice as long. The module numba.cuda is replaced once a launch, not at every call of a device function.
A barrier that only some threads of a block reach is an error.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from numba.cuda.simulator import kernel

from fastact.backends.cuda import kernels

NAMES = [f"{kernels.__name__}.{each.name}" for each in pkgutil.iter_modules(kernels.__path__)]
MODULES = [importlib.import_module(name) for name in NAMES]
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, [max(os.sched_getaffinity(0))])


class Thread(kernel.BlockThread):
    """One that hands the turn on to the next thread, the last to the block."""

    following: threading.Lock

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.turn = taken_lock()
        self.finished = False

    def run(self) -> None:
        self.turn.acquire()
        super().run()
        self.finished = True
        self.following.release()

    def syncthreads(self) -> None:
        self.following.release()
        self.turn.acquire()
        if self.abort:
            raise RuntimeError("another thread of the block has failed")


class Block(kernel.BlockManager):
    def run(self, grid_point: Any, *arguments: Any) -> None:
        points = list(np.ndindex(*self._block_dim))
        threads = [Thread(lambda: self._f(*arguments), self, grid_point, point, False) for point in points]
        turn = taken_lock()
        for thread, following in zip(threads, [*(thread.turn for thread in threads[1:]), turn], strict=True):
            thread.following = following
            thread.start()
        try:
            while not threads[0].finished:
                threads[0].turn.release()  # all run until the next barrier or the end
                turn.acquire()
                for thread in threads:
                    if thread.exception:
                        raise thread.exception[0].with_traceback(thread.exception[1])
                assert len({thread.finished for thread in threads}) == 1, "some threads do not reach a barrier"
        finally:
            for thread in threads:
                if not thread.finished:
                    thread.abort, thread.following = True, turn
                    thread.turn.release()
                    turn.acquire()


def taken_lock() -> threading.Lock:
    lock = threading.Lock()
    lock.acquire()
    return lock


def launch(function: Callable[..., None], grid: int, block: int, arguments: Sequence[Any]) -> None:
    """Run a kernel of fastact."""
    with pytest.MonkeyPatch.context() as patch:
        cuda = kernel.FakeCUDAModule((grid, 1, 1), (block, 1, 1), 0)
        for module in MODULES:
            if hasattr(module, "cuda"):
                patch.setattr(module, "cuda", cuda)
        patch.setattr(kernel.FakeCUDAKernel, "__call__", lambda self, *given: self.fn(*given))
        with kernel._push_kernel_context(cuda):
            for i in range(grid):
                Block(function, (grid, 1, 1), (block, 1, 1), False).run((i, 0, 0), *arguments)
