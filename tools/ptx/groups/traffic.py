"""How much kernels do: instructions, sectors of memory, shuffles, barriers, bank conflicts. Sectors have a limit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import fake_gpu as gpu
import numpy as np
from cases import Case, group
from comparing import BF16
from fake_gpu import put

import fastact as fa

#: So many times the bytes that are needed may be moved, unless a case has its own limit.
LIMIT = 1.02
STRIDED = 4.5  # a warp reads or writes one number of each of 32 sectors
SHORT_ROWS = 1.1  # that pass through shared memory
TWICE = 1.75  # rows in parts are read twice, and pass on what they found
SEARCHED = 3.5  # sparse functions read the row again for each step of their search
TARGETS = 1.04  # losses also read the targets, and write a number for each row


def check(name: str, call: Callable[[], Any], elements: int, needed: int, limit: float) -> None:
    """Print what the launches of a call do, and compare the bytes of its sectors with those that are needed."""
    del gpu.LAUNCHES[:]
    with gpu.options(races=False):
        call()
    s = {key: sum(each.stats[key] for each in gpu.LAUNCHES) for key in gpu.LAUNCHES[0].stats}
    moved = 32 * (s["load_sectors"] + s["store_sectors"]) / elements
    print(
        f"{name:44} {s['warp_instructions'] * 32 / elements:7.1f} instructions/element, {moved:6.2f} bytes moved, "
        f"{needed} needed; {s['shuffles'] * 32 / elements:.2f} shuffles, {s['barriers']} barriers in "
        f"{sum(each.grid for each in gpu.LAUNCHES)} blocks, {s['bank_conflicts']} conflicts of "
        f"{s['shared_accesses']} shared accesses, {len(gpu.LAUNCHES)} launches",
        flush=True,
    )
    assert moved <= needed * limit, f"{moved / needed:.2f} times the bytes that are needed"


@group
def traffic() -> Iterator[Case]:
    rng = np.random.default_rng(0)

    def case(
        labels: tuple[Any, ...], call: Callable[..., Any], x: gpu.Array, needed: int, limit: float = LIMIT
    ) -> Case:
        return Case(labels, partial(check, " ".join(map(str, labels)), call, x.size, needed * x.itemsize, limit))

    for dtype in map(np.dtype, ("f4", "f8", "f2", BF16)):
        x = put(rng.normal(0, 2, 1 << 15).astype(dtype))
        for function in (fa.relu, fa.gelu, fa.silu, fa.mish):
            yield case((function.name, dtype.name), partial(function, x), x, 2)
    x = put(rng.normal(0, 2, (128, 256)).astype("f4").T)
    yield case(("gelu", "float32", "transposed"), partial(fa.gelu, x), x, 2)
    yield case(("gelu", "float32", "to C order"), lambda: fa.gelu(x, out=gpu.empty(x.shape, "f4")), x, 2, STRIDED)
    for name, shape, axis, limit in [
        ("float32", (64, 1024), -1, LIMIT), ("float16", (64, 1024), -1, LIMIT), ("float32", (64, 1000), -1, LIMIT),
        ("float32", (4096, 10), -1, SHORT_ROWS), ("float32", (2, 100000), -1, TWICE), ("float32", (1000, 64), 0, TWICE),
    ]:  # fmt: skip
        rows, labels = put(rng.normal(0, 2, shape).astype(name)), (name, shape, f"axis {axis}")
        for function in (fa.softmax, fa.log_softmax):
            yield case((function.name, *labels), partial(function, rows, axis=axis), rows, 2, limit)
        yield case(("softmax.backward", *labels), partial(fa.softmax.backward, rows, rows, axis=axis), rows, 3, limit)
        if shape == (64, 1024):
            yield case(("sparsemax", *labels), partial(fa.sparsemax, rows), rows, 2, SEARCHED)
    scores, classes = put(rng.normal(0, 2, (64, 1000)).astype("f4")), put(rng.integers(0, 1000, 64))
    value_and_grad = partial(fa.cross_entropy.value_and_grad, scores, classes)
    yield case(("cross_entropy", "float32", (64, 1000)), value_and_grad, scores, 2, TARGETS)
