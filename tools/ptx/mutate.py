"""Does the emulator notice a barrier, an ordering or a shuffle's step that is changed in a kernel? python mutate.py"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import Any

import emulator
import fake_gpu as gpu
import numpy as np
from check import near
from fake_gpu import put

import fastact as fa

parse = emulator.parse
rng = np.random.default_rng(0)
change: Callable[[str], str] = lambda text: text  # noqa: E731


def mutated(template: str, call: Callable[[], Any], wanted: Any) -> None:
    """For each mutation of the kernels of this template, what happens."""
    sources: list[str] = []

    def remember(text: str, *more: Any) -> Any:
        if re.search(rf"\.entry \w*\d{template}12_3", text):
            sources.append(text)
            text = change(text)
        return parse(text, *more)

    def run() -> str:
        gpu._kernels.clear()
        try:
            got = call().copy_to_host()
            near("", got, wanted, 8, scale=np.abs(wanted).max())
        except gpu.EmulationError as error:
            return re.search(r"race|[^:]*(?=: block \d+, thread)|$", str(error))[0].strip() or str(error)[:80]
        except AssertionError:
            return "wrong result"
        return "unnoticed"

    global change
    emulator.parse, change = remember, lambda text: text
    assert run() == "unnoticed", run()
    text = sources[0]
    kinds = {
        "without barrier": r"\n\s*bar\.sync[^;]*;", "atom relaxed": r"(?<=atom\.add\.)acq_rel(?=\.gpu)",
        "load relaxed": r"(?<=ld\.)acquire(?=\.gpu)",
        "without fence": r"\n\s*membar\.gl;", "other shuffle": r"(?<=mov\.u32 \t)(%r\d+), (?:16|8|4|2|1)(?=;)",
    }  # fmt: skip
    for kind, pattern in kinds.items():
        for i, found in enumerate(re.finditer(pattern, text)):
            if kind == "other shuffle" and (
                i % 7
                or f", {found[1]}, " not in text[found.end() : found.end() + 400]
                or "shfl" not in text[found.end() : found.end() + 400]
            ):
                continue
            new = {
                "atom relaxed": "relaxed",
                "load relaxed": "relaxed",
                "other shuffle": f"{found[1] if found.groups() else ''}, 0",
            }.get(kind, "")
            change = lambda text, found=found, new=new: text[: found.start()] + new + text[found.end() :]  # noqa: E731
            print(f"{template:14} {kind} {i}: {run()}", flush=True)
    emulator.parse, change = parse, lambda text: text


def main() -> None:
    gpu.install()
    row, columns, many = (
        rng.normal(0, 3, (3, 4097)).astype("f4"),
        rng.normal(0, 3, (300, 70)).astype("f4"),
        rng.normal(0, 3, (3, 30001)).astype("f4"),
    )
    classes = rng.integers(0, 4097, 3)

    def in_place() -> Any:
        array = put(row)
        return fa.cross_entropy.value_and_grad(array, put(classes), out=array)[1]

    for name, call, wanted in [
        ("row_kernel", lambda: fa.softmax(put(row)), fa.softmax(row)),
        ("sparse_kernel", lambda: fa.sparsemax(put(row)), fa.sparsemax(row)),
        ("sparse_kernel", lambda: fa.sparsemax(put(columns), axis=0), fa.sparsemax(columns, axis=0)),
        ("loss_kernel", in_place, fa.cross_entropy.value_and_grad(row, classes)[1]),
        ("parts_kernel", lambda: fa.softmax(put(many)), fa.softmax(many)),
    ]:
        if name in (sys.argv[1:] or [name]):
            gpu.OPTIONS.update(resident=8, seed=5)
            mutated(name, call, wanted)


if __name__ == "__main__":
    main()
