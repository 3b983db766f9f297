"""Does the emulator notice what is taken out of a kernel: a barrier, an ordering, a shuffle? python mutate.py --help"""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import emulator
import fake_gpu as gpu
import numpy as np
import results
from comparing import near
from emulator import EmulationError
from fake_gpu import put

import fastact as fa

COLUMNS = ("call", "mutations", "noticed", "redundant")
#: How many blocks take turns, and in which order, until one notices.
SCHEDULES: tuple[dict[str, int], ...] = ({"resident": 16, "seed": 2}, {"resident": 2, "seed": 1}, {"resident": 1})

#: What is taken out of the text of a kernel, and what comes in its place.
KINDS = {
    "without barrier": (r"\n\s*bar\.sync[^;]*;", ""),
    "atom relaxed": (r"(?<=atom\.add\.)acq_rel(?=\.gpu)", "relaxed"),
    "load relaxed": (r"(?<=ld\.)acquire(?=\.gpu)", "relaxed"),
    "without fence": (r"\n\s*membar\.gl;", ""),
    "other shuffle": (r"(?<=mov\.u32 \t)(%r\d+), (?:16|8|4|2|1)(?=;)", r"\1, 0"),
}
SHUFFLES = 7  # one of so many is enough

#: Mutations that do no harm: the call and the kind, how many there are, and why.
REDUNDANT: dict[tuple[str, str], tuple[int, str]] = {
    ("sparsemax", "other shuffle"): (1, "in the row's largest number, and sparsemax(x) is sparsemax(x + c)"),
    ("cross_entropy", "without barrier"): (1, "the sum of a long row has another"),
    ("cross_entropy of short rows", "without barrier"): (1, "the sum of a block's losses has another"),
    ("softmax in parts", "atom relaxed"): (1, "a block's turn is a number, with which nothing else is handed over"),
    ("softmax in parts", "without fence"): (1, "the atomic after the barrier releases what the whole block wrote"),
}


class Call(NamedTuple):
    """A call, the template of the kernel that is changed, and the right result."""

    name: str
    template: str
    call: Callable[[], gpu.Array]
    wanted: np.ndarray


def calls() -> list[Call]:
    rng = np.random.default_rng(0)
    row, columns, many = (rng.normal(0, 3, shape).astype("f4") for shape in ((3, 4097), (300, 70), (3, 30001)))
    classes = rng.integers(0, 300, 3)

    def slope_in_place(x: np.ndarray) -> gpu.Array:
        array = put(x)
        fa.cross_entropy.value_and_grad(array, put(classes), out=array)
        return array

    def slope(x: np.ndarray) -> np.ndarray:
        return fa.cross_entropy.value_and_grad(x, classes)[1]

    short = row[:, :300].copy()
    return [
        Call("softmax", "row_kernel", lambda: fa.softmax(put(row)), fa.softmax(row)),
        Call("sparsemax", "sparse_kernel", lambda: fa.sparsemax(put(row)), fa.sparsemax(row)),
        Call("sparsemax over columns", "sparse_kernel", lambda: fa.sparsemax(put(columns), axis=0),
             fa.sparsemax(columns, axis=0)),
        Call("cross_entropy", "loss_kernel", lambda: slope_in_place(row), slope(row)),
        Call("cross_entropy of short rows", "loss_kernel", lambda: slope_in_place(short), slope(short)),
        Call("softmax in parts", "parts_kernel", lambda: fa.softmax(put(many)), fa.softmax(many)),
    ]  # fmt: skip


def run(each: Call, change: Callable[[str], str], **schedule: int) -> str:
    """Make the call with kernels whose text is changed: what is noticed, or nothing."""

    def parse(text: str, *more: Any) -> emulator.Program:
        return original(change(text) if text.startswith(f"// {each.template} ") else text, *more)

    original, emulator.parse = emulator.parse, parse
    gpu.forget()
    try:
        with gpu.options(**schedule):
            near("", each.call().copy_to_host(), each.wanted, 8, scale=np.abs(each.wanted).max())
    except EmulationError as error:
        return re.search(r"race|[^:]*(?=: block \d+, thread)|$", str(error))[0].strip() or str(error)[:80]
    except AssertionError:
        return "wrong result"
    finally:
        emulator.parse = original
        gpu.forget()
    return ""


def mutations(text: str) -> Iterator[tuple[str, int, str]]:
    """The kind and number of each mutation of a kernel's text, and the text with it."""
    for kind, (pattern, new) in KINDS.items():
        for i, found in enumerate(re.finditer(pattern, text)):
            if kind == "other shuffle":
                after = text[found.end() : found.end() + 400]
                if i % SHUFFLES or f", {found[1]}, " not in after or "shfl" not in after:
                    continue
            yield kind, i, text[: found.start()] + found.expand(new) + text[found.end() :]


def mutated(each: Call) -> tuple[Counter[str], Counter[str]]:
    """How many mutations there are of each kind, and how many of them nobody notices."""
    texts: list[str] = []
    assert not run(each, lambda text: texts.append(text) or text)  # type: ignore[func-returns-value]
    tried, unnoticed = Counter[str](), Counter[str]()
    for kind, i, text in mutations(texts[0]):
        noticed = next(filter(None, (run(each, lambda _, text=text: text, **how) for how in SCHEDULES)), "")
        print(f"{each.name}: {kind} {i}: {noticed or 'unnoticed'}", flush=True)
        tried[kind] += 1
        unnoticed[kind] += not noticed
    return tried, unnoticed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("python ")[0])
    parser.add_argument("names", nargs="*", help="of calls; all without any")
    parser.add_argument("--record", action="store_true", help="write what was found into results.md")
    given = parser.parse_args()
    gpu.install()
    total, missed, wrong = 0, 0, list[str]()
    for each in calls():
        if given.names and each.name not in given.names:
            continue
        tried, unnoticed = mutated(each)
        for kind, n in unnoticed.items():
            most, reason = REDUNDANT.get((each.name, kind), (0, "none may be"))
            if n:
                print(f"   {each.name}, {kind}: {n} of {tried[kind]} unnoticed, {most} redundant ({reason})")
            if n != most:
                wrong.append(f"{each.name}, {kind}: {n} unnoticed, not {most}")
        total, missed = total + tried.total(), missed + unnoticed.total()
        if given.record:
            counts = tried.total(), tried.total() - unnoticed.total(), unnoticed.total()
            results.record("Mutations", COLUMNS, each.name, *counts)
    print(f"{total} mutations: {total - missed} noticed, {missed} not")
    if wrong:
        sys.exit("NOT AS EXPECTED (see REDUNDANT):\n" + "\n".join(wrong))


if __name__ == "__main__":
    main()
