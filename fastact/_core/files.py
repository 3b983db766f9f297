"""How fastact opens and writes files: only regular ones are read, and a file is written wholly or not at all.

Model files, readers of data and the command line use it.
"""

from __future__ import annotations

import ctypes
import os
import re
import secrets
import shutil
import stat
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from math import prod
from os import PathLike
from pathlib import Path
from typing import IO, Any, BinaryIO, NamedTuple

import numpy as np

__all__ = ["NpyHeader", "npy_header", "open_regular", "replacing", "replacing_folder"]

#: Without O_NONBLOCK, opening a FIFO waits for somebody to write to it. Windows has none of these but O_BINARY.
_READ = os.O_RDONLY | sum(getattr(os, name, 0) for name in ("O_NONBLOCK", "O_CLOEXEC", "O_BINARY"))
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL


def open_regular(path: str | PathLike[str]) -> BinaryIO:
    """Open a file to read; what is no regular file is an OSError or a ValueError."""
    descriptor = os.open(path, _READ)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ValueError(f"{os.fspath(path)}: not a regular file; name a file, not a folder, FIFO or device")
    return open(descriptor, "rb")


@contextmanager
def replacing(path: str | PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside `path` that takes its place when the block ends well.

    Entering fails at once where the folder cannot be written, before any long work. After an error or an interrupt the
    temporary file is gone and `path` is as it was. The file is on the disk before it takes the place of the old one.

    Parameters
    ----------
    path : path-like
        Links are followed, and the mode of an existing file is kept. What is there and is no regular file is refused.
    """
    mode = None
    with suppress(FileNotFoundError):
        mode = os.stat(path).st_mode  # OSError for links that lead in a circle
    if mode is not None and not stat.S_ISREG(mode):
        raise ValueError(f"{path}: not a regular file, so it cannot be replaced; name another path")
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".fastact-{secrets.token_hex(8)}.part")  # fits where the longest name does
    try:
        try:
            os.close(os.open(temporary, _CREATE, 0o600 if mode is not None else 0o666))
        except OSError as error:
            raise OSError(error.errno, f"cannot write here ({error.strerror})", str(target)) from error
        yield temporary
        _flush(temporary)
        if mode is not None:
            os.chmod(temporary, stat.S_IMODE(mode))
        os.replace(temporary, target)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: str | PathLike[str], replaceable: Callable[[Path], bool]) -> Iterator[Path]:
    """The same for a folder: give a temporary, empty one beside `path`.

    Parameters
    ----------
    path : path-like
        Links are followed.
    replaceable : callable
        Says of a path that is there whether it may be replaced; what else is there is refused.
    """
    target = Path(os.path.realpath(path))
    if os.path.lexists(target) and not replaceable(target):
        raise ValueError(f"{path}: is there already, and is no such data, so it is not replaced; name another path")
    temporary = target.with_name(f".fastact-{secrets.token_hex(8)}.part")
    try:
        os.mkdir(temporary)
    except OSError as error:
        raise OSError(error.errno, f"cannot write here ({error.strerror})", str(path)) from error
    try:
        yield temporary
        if os.path.lexists(target):
            _exchange(temporary, target)
        else:
            os.rename(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _exchange(new: Path, old: Path) -> None:
    """Let two folders change places: at once where the system can do that, else one after the other."""
    here, exchange = -100, 2  # AT_FDCWD and RENAME_EXCHANGE of Linux
    call = getattr(ctypes.CDLL(None), "renameat2", None) if sys.platform.startswith("linux") else None
    if call is not None and call(here, os.fsencode(new), here, os.fsencode(old), exchange) == 0:
        return
    aside = new.with_suffix(".old")
    os.rename(old, aside)
    try:
        os.rename(new, old)
    except OSError:
        os.rename(aside, old)
        raise
    os.rename(aside, new)


def _flush(path: Path) -> None:
    """Wait until the file is on the disk."""
    with open(path, "r+b") as file:
        os.fsync(file.fileno())


class NpyHeader(NamedTuple):
    """What a .npy file says of its array."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran_order: bool
    size: int  # of the header, in bytes

    @property
    def file_size(self) -> int:
        """Bytes of header and array."""
        return self.size + prod(self.shape) * self.dtype.itemsize


_LONGEST_HEADER = 10_000  # as NumPy has it
_LENGTHS = {1: "<H", 2: "<I", 3: "<I"}  # of the header's text, by the version of the format
#: In the words that np.save writes. Other words, such as those for records, are no array of numbers. `re` compiles it
#: when a file is first read.
_HEADER = (
    rb"""\{\s*(['"])descr\1\s*:\s*(['"])([<>|=]?[?biufcSUVOmM]\d{0,4}(?:\[\w{1,9}\])?)\2\s*,"""
    rb"""\s*(['"])fortran_order\4\s*:\s*(True|False)\s*,"""
    rb"""\s*(['"])shape\6\s*:\s*\(([\dL, ]*)\)\s*,?\s*\}\s*"""
)


def npy_header(file: IO[bytes]) -> NpyHeader:
    """Read the header of a .npy file: bounded, without evaluating it; ValueError if it is none, or no plain array's.

    NumPy's own reader evaluates it as Python, which raises errors of many kinds and takes dimensions of any size.
    """
    magic = file.read(8)
    length = _LENGTHS.get(magic[6]) if len(magic) == 8 and magic.startswith(b"\x93NUMPY") else None
    if length is None:
        raise ValueError("not a .npy file")
    count = struct.calcsize(length)
    prefix = file.read(count)
    size = struct.unpack(length, prefix)[0] if len(prefix) == count else 0
    found = re.fullmatch(_HEADER, file.read(size)) if size <= _LONGEST_HEADER else None
    if found is None:
        raise ValueError("its .npy header is damaged, or not that of a plain array")
    word, order, numbers = found[3].decode(), found[5] == b"True", found[7].decode()
    try:
        dtype = np.dtype(word)
        shape = tuple(int(number.strip().removesuffix("L")) for number in numbers.split(",") if number.strip())
    except (TypeError, ValueError):
        raise ValueError(f"its .npy header has no dtype {word!r} or shape ({numbers:.99})") from None
    if prod(n or 1 for n in shape) * max(dtype.itemsize, 1) > sys.maxsize:
        raise ValueError(f"its .npy header promises the shape ({numbers:.99}), which no array can have")
    if dtype.hasobject:
        raise ValueError("it holds Python objects, which are not read; save an array of numbers")
    return NpyHeader(shape, dtype, order, len(magic) + count + size)
