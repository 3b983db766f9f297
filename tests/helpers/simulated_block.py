"""Numba's simulator, but quicker, and with the threads of a block taking turns.

Each thread runs until its next barrier, then the next one: nothing polls, and no two threads run at once, so that the
simulator's own races (shared arrays made twice, warnings) are none. The module numba.cuda is replaced once a launch,
not at every call of a device function. A barrier that only some threads of a block reach is an error.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
from numba.cuda.simulator import kernel


class Thread(kernel.BlockThread):
    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.turn, self.rest = threading.Lock(), threading.Lock()
        self.turn.acquire()
        self.rest.acquire()
        self.finished = False

    def run(self) -> None:
        self.turn.acquire()
        super().run()
        self.finished = True
        self.rest.release()

    def syncthreads(self) -> None:
        self.rest.release()
        self.turn.acquire()
        if self.abort:
            raise RuntimeError("another thread of the block has failed")

    def go(self) -> None:
        """Run until the next barrier or the end."""
        self.turn.release()
        self.rest.acquire()


class Block(kernel.BlockManager):
    def run(self, grid_point: Any, *arguments: Any) -> None:
        points = list(np.ndindex(*self._block_dim))
        threads = [Thread(lambda: self._f(*arguments), self, grid_point, point, False) for point in points]
        for thread in threads:
            thread.start()
        try:
            while not all(thread.finished for thread in threads):
                for thread in threads:
                    thread.go()
                    if thread.exception:
                        raise thread.exception[0].with_traceback(thread.exception[1])
                assert len({thread.finished for thread in threads}) == 1, "some threads do not reach a barrier"
        finally:
            for thread in threads:
                if not thread.finished:
                    thread.abort = True
                    thread.go()


def launch(function: Callable[..., None], grid: int, block: int, arguments: Sequence[Any]) -> None:
    """Run a kernel of fastact."""
    with pytest.MonkeyPatch.context() as patch:
        cuda = kernel.FakeCUDAModule((grid, 1, 1), (block, 1, 1), 0)
        for name, module in sys.modules.items():
            if name.startswith("fastact.backends.cuda.kernels.") and hasattr(module, "cuda"):
                patch.setattr(module, "cuda", cuda)
        patch.setattr(kernel, "swapped_cuda_module", lambda *_: nullcontext())
        with kernel._push_kernel_context(cuda):
            for i in range(grid):
                Block(function, (grid, 1, 1), (block, 1, 1), False).run((i, 0, 0), *arguments)
