"""Device functions for blocks that find the sums of parts of rows, and others that wait for these.

The rows form groups that stay in the cache. First come the blocks that find the sums of the parts of the first group;
then those for the sums of the second group, those for the results of the first, those for the sums of the third, and
so on. A block for results waits until all blocks for the sums of its group have counted in counters[1 + group]. This
always ends: a block takes its turn from counters[0] when it starts, so that the blocks it waits for run already, and
these wait for nobody. The counters are 0 at first.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import cuda

from fastact.backends.cuda.kernels import DeviceFunction, device_function
from fastact.backends.cuda.kernels.intrinsics import fetch_add, load_acquire

__all__ = ["Turns", "turns"]


class Turns(NamedTuple):
    """Device functions."""

    take: DeviceFunction  # (counters, blocks): does this block find results? its group; its number of `blocks`
    wait: DeviceFunction  # (counters, group, blocks) ends when the sums of the group are there
    count: DeviceFunction  # (counters, group): this block has stored its sums


def turns() -> Turns:
    """The functions for one kernel."""

    @device_function
    def take(counters, blocks):  # type: ignore[no-untyped-def]
        shared = cuda.shared.array(1, np.int64)
        if cuda.threadIdx.x == 0:
            shared[0] = fetch_add(counters, 0)
        cuda.syncthreads()
        stage, block = shared[0] // blocks, shared[0] % blocks
        groups = cuda.gridDim.x // (2 * blocks)
        group, finishing = (stage + 1) // 2, stage > 0 and (stage % 2 == 0 or stage + 1 == 2 * groups)
        return finishing, group - finishing, block

    @device_function
    def wait(counters, group, blocks):  # type: ignore[no-untyped-def]
        if cuda.threadIdx.x == 0:
            while load_acquire(counters, 1 + group) < blocks:
                pass
        cuda.syncthreads()

    @device_function
    def count(counters, group):  # type: ignore[no-untyped-def]
        cuda.threadfence()
        cuda.syncthreads()
        if cuda.threadIdx.x == 0:
            fetch_add(counters, 1 + group)

    return Turns(take, wait, count)
