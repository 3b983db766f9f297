"""Model files with every kind of damage, and how loading them ends; `damaged_models.py COUNT` sums it up."""

from __future__ import annotations

import copy
import functools
import io
import json
import random
import struct
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

import fastact as fa

Members = list[tuple[str, bytes]]

#: Stands for any value of a header.
NONSENSE: tuple[Any, ...] = (
    None, True, 0, -1, 1.5, 10**12, 10**30, 10**400, -(10**400), float("nan"), float("inf"), -0.0, 1e308, "", "x",
    "PCG64", "float16", "O", "f4,f4", "a", "\ud800", "é" * 99, [], [[]], [10**12, 10**12], [4, 10**12, 3], [1] * 999,
    ["relu"] * 999, [None], ["softmax"], {"state": {}}, {"loss": [10**400]}, {"loss": "x"}, {"loss": [[1]]}, {},
)  # fmt: skip

#: Stands for any part of a .npy header.
NPY_WORDS = (
    "-1", "0", "9" * 30, "9" * 5000, str(10**12), "'<f8'", "'>f4'", "'|O'", "'<f3'", "'a'", "[('a', '<f4')]", "None",
    "True", "False", "{[]: 1}", "(" * 999, "'", "\\", "4L", "1e3", "'<M8[ns]'", "'<U9999'", "", "\0", "'shape'",
)  # fmt: skip


def save(path: Path) -> None:
    """Write a checkpoint, which has all that a model file can have."""
    rng = np.random.default_rng(0)
    model = fa.MLP(
        (4, 8, 3),
        output="softmax",
        optimizer={"name": "adam", "beta2": 0.99},
        schedule={"name": "cosine", "steps": 9},
        seed=1,
        batch_norm=True,
        dropout=0.1,
    )
    model.fit(rng.normal(size=(20, 4)), np.arange(20) % 3, epochs=2, patience=1, checkpoint=path)


@functools.cache
def good() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model")
        save(path)
        return path.read_bytes()


@functools.cache
def zeros(size: int) -> bytes:
    """A .npy file of very many zeros."""
    file = io.BytesIO()
    np.save(file, np.zeros(size, np.float32))
    return file.getvalue()


@functools.cache
def bomb(name: str) -> bytes:
    """The good file, one of whose members is 64 MB of zeros in 64 kB."""
    members = [(each, zeros(2**24) if each == name else content) for each, content in unpacked()]
    return packed(members, zipfile.ZIP_DEFLATED)


def unpacked() -> Members:
    with zipfile.ZipFile(io.BytesIO(good())) as archive:
        return [(name, archive.read(name)) for name in archive.namelist()]


def packed(members: Members, compression: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return file.getvalue()


def npy(array: np.ndarray, fortran: bool = False) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, np.asarray(array, order="F" if fortran else None), allow_pickle=True)
    return file.getvalue()


def header_of(members: Members) -> Any:
    return json.loads(dict(members)["header.npy"].partition(b"\n")[2])


def with_text(members: Members, text: bytes) -> bytes:
    header = npy(np.frombuffer(text, np.uint8))
    return packed([(name, header if name == "header.npy" else content) for name, content in members])


# --- each kind of damage, drawn from `r` -----------------------------------------------------------------------------


def bytes_flipped(r: random.Random) -> bytes:
    content = bytearray(good())
    for _ in range(r.choice((1, 1, 2, 8, 40))):
        content[r.randrange(len(content))] ^= 1 << r.randrange(8)
    return bytes(content)


def cut(r: random.Random) -> bytes:
    content, start, end = good(), r.randrange(len(good())), r.randrange(len(good()))
    return r.choice((content[:end], content[start:], content[:start] + content[end:]))


def numbers_replaced(r: random.Random) -> bytes:
    """Fields of the archive itself, near its signatures and at its end."""
    content = bytearray(good())
    signatures = [i for i in range(len(content) - 4) if content[i : i + 4] in (b"PK\1\2", b"PK\3\4", b"PK\5\6")]
    for _ in range(r.choice((1, 1, 2))):
        at, width = r.choice(signatures) + r.randrange(46), r.choice((1, 2, 4, 8))
        value = r.choice((0, 1, 2 ** (8 * width) - 1, 2 ** (8 * width - 1), r.randrange(2 ** (8 * width))))
        content[at : at + width] = value.to_bytes(width, "little")
    return bytes(content)


def values_replaced(r: random.Random) -> bytes:
    """Values anywhere in the header."""
    members = unpacked()
    header = header_of(members)
    for _ in range(r.choice((1, 1, 2, 4))):
        table = header
        while True:
            key = r.choice(list(table) if isinstance(table, dict) else range(len(table)))
            if isinstance(table[key], dict | list) and table[key] and r.random() < 0.8:
                table = table[key]
                continue
            break
        if isinstance(table, dict) and r.random() < 0.25:
            del table[key]
        elif r.random() < 0.1 and isinstance(table, dict):
            table["new"] = copy.deepcopy(r.choice(NONSENSE))
        else:
            table[key] = copy.deepcopy(r.choice(NONSENSE))
    return with_text(members, json.dumps(header).encode())


def text_replaced(r: random.Random) -> bytes:
    members = unpacked()
    text = json.dumps(header_of(members)).encode()
    at = r.randrange(len(text))
    piece = r.choice(
        (b"", b"[" * 99_999, b"{" * 5, b"[],", b"9" * 5000, b"1e999", b'"', b"\xff", b"\0", b"NaN", b"[" * 900)
    )
    whole = (b'{"a":[' + b"[]," * 300_000 + b"0]}", b"[" * 10**6, b"\xff\xfe" + text, b"", b"null", b"9" * 10**6)
    return with_text(
        members, r.choice((text[:at] + piece + text[at:], text[:at] + piece, *whole[:: r.choice((1, 2, 5))]))
    )


def npy_headers_replaced(r: random.Random) -> bytes:
    members = unpacked()
    i = r.randrange(len(members))
    name, content = members[i]
    size = 10 + int.from_bytes(content[8:10], "little")
    text = content[10:size].decode()
    start, end = sorted((r.randrange(len(text)), r.randrange(len(text))))
    words = [f"'{key}': " for key in ("descr", "fortran_order", "shape")]
    if r.random() < 0.7:
        start = text.index(word := r.choice(words)) + len(word)
        end = text.find(")" if "shape" in word else ",", start) + ("shape" in word)
    text = text[:start] + r.choice(NPY_WORDS) + text[end:]
    length = r.choice((len(text),) * 4 + (0, 65535, r.randrange(65536)))
    prefix = r.choice((content[:8],) * 4 + (content[:6] + bytes([r.randrange(9), 0]), b"\x93NUMPX\1\0"))
    members[i] = name, prefix + length.to_bytes(2, "little") + text.encode() + content[size:]
    return packed(members)


def members_changed(r: random.Random) -> bytes:
    members = unpacked()
    i = r.randrange(len(members))
    name, content = members[i]
    array = np.lib.format.read_array(io.BytesIO(content))
    other = r.choice(members)
    changes: list[Members] = [
        [],
        [(name, content), ("more.npy", content)],
        [(name, content), ("weights_2.npy", content)],
        [(name, content), (name.removesuffix(".npy"), content)],
        [(name.upper(), content)],
        [("../" + name, content)],
        [(name, other[1])],
        [(name, content + b"0")],
        [(name, content[:-1])],
        [(name, b"")],
        [(name, npy(array, fortran=True))],
        [(name, npy(array.astype(r.choice((">f4", "f8", "i1", "c8", "U3", bool)))))],
        [(name, npy(array.astype(object)))],
        [(name, npy(array.reshape(-1)))],
        [(name, npy(array[:0]))],
        [(name, npy(array * np.float32("nan") if array.dtype.kind == "f" else array * 0))],
        [(f"{n}.npy", content) for n in range(3000)],
    ]
    return packed([*members[:i], *r.choice(changes), *members[i + 1 :]])


def member_twice(r: random.Random) -> bytes:
    """Two entries of the list name one member; or they overlap."""
    content = good()
    start = content.index(b"PK\1\2")
    directory, end = content[start:-22], bytearray(content[-22:])
    entry = directory[: 46 + int.from_bytes(directory[28:30], "little")]
    if r.random() < 0.5:
        entry = entry[:46].replace(entry[28:30], b"\1\0", 1)[:46] + b"x"
    directory += entry * r.choice((1, 1, 999))
    end[12:16] = struct.pack("<L", len(directory))
    return content[:start] + directory + bytes(end)


def compressed(r: random.Random) -> bytes:
    if r.random() < 0.3:
        return packed(unpacked(), r.choice((zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)))
    content = bytearray(bomb(r.choice(("header.npy", "weights_0.npy", "optimizer_state.npy"))))
    if r.random() < 0.3:  # lies about its size
        content = content.replace(struct.pack("<L", len(zeros(2**24))), struct.pack("<L", r.randrange(2**32)))
    return bytes(content)


def wide(r: random.Random) -> bytes:
    """In the form that files of gigabytes have, with and without damage."""
    with mock.patch.object(zipfile, "ZIP64_LIMIT", 1):
        content = bytearray(packed(unpacked()))
    if r.random() < 0.9:
        tail = r.choice((len(content), 98))
        at = len(content) - 1 - r.randrange(tail)
        content[at : at + 4] = r.choice((bytes(4), b"\xff" * 4, r.randbytes(4)))
    return bytes(content)


def something_else(r: random.Random) -> bytes:
    return r.choice(
        (b"", b"PK", b"PK\5\6" + bytes(18), b"\x93NUMPY", zeros(9), r.randbytes(r.randrange(99)), bytes(2**16))
    )


DAMAGES: tuple[Callable[[random.Random], bytes], ...] = (
    bytes_flipped, cut, numbers_replaced, values_replaced, values_replaced, text_replaced, npy_headers_replaced,
    members_changed, member_twice, compressed, wide, something_else,
)  # fmt: skip


def outcomes(count: int, seed: int = 0) -> Iterator[tuple[str, str, float]]:
    """The damage, what became of it ("loaded" or the message), and the seconds that loading took."""
    r = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model")
        for number in range(count):
            damage = DAMAGES[number % len(DAMAGES)]
            path.write_bytes(damage(r))
            started = time.perf_counter()
            try:
                loaded = fa.MLP.load(path)
                outcome = "loaded"
            except ValueError as error:
                outcome = str(error)
                if not outcome.startswith(f"{path}: ") or "\n" in outcome or len(outcome) > 800:
                    raise AssertionError(f"{damage.__name__}: {outcome}") from error
            yield damage.__name__, outcome, time.perf_counter() - started
            if outcome == "loaded":
                loaded.forward(np.zeros((1, loaded.layer_sizes[0])))


if __name__ == "__main__":
    began = time.perf_counter()
    ends = list(outcomes(int(sys.argv[1])))
    tally = Counter((damage, "loaded" if outcome == "loaded" else "refused") for damage, outcome, _ in ends)
    # Not ru_maxrss, which holds the peak of the process that started this one.
    peak = int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) / 2**10
    print(json.dumps({" ".join(each): n for each, n in sorted(tally.items())}))
    longest = max(seconds for _, _, seconds in ends)
    print(json.dumps({"longest": longest, "peak": peak, "seconds": time.perf_counter() - began}))
