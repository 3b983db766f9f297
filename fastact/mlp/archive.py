"""Reads what np.savez writes, with zipfile: members stored one after the other, each a .npy file of plain numbers.

Memory is bounded: one read takes at most `PIECE` bytes, members are neither compressed nor overlapping, and the caller
sees all shapes and dtypes before an array is made. Anything wrong with the file is a ValueError.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader, FileIO
from typing import Any, BinaryIO, NamedTuple
from zipfile import BadZipFile, ZipFile, ZipInfo

import numpy as np
from numpy.typing import NDArray

from fastact._core.files import NpyHeader, npy_header

__all__ = ["Member", "members", "read"]

#: Bytes per read. The list of members fits: a member takes about 70 bytes there, which zipfile turns into 600.
PIECE = 2**23


class Member(NamedTuple):
    """One array of the file, not read yet."""

    archive: ZipFile
    info: ZipInfo
    header: NpyHeader


class _InPieces(BufferedReader):
    """Bounds each read: zipfile reads the list of members at once, and calls it damaged where a part is missing."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(size if size is None else min(size, PIECE))


@contextmanager
def _named() -> Iterator[None]:
    """Turn the errors that zipfile raises for a damaged file into a ValueError."""
    try:
        yield
    except (BadZipFile, EOFError, NotImplementedError) as error:  # the last: a version too new
        raise ValueError(f"not a fastact model (no .npz archive), or cut short, or damaged: {error!r}") from error


@_named()
def members(file: BinaryIO, size: int) -> dict[str, Member]:
    """List the arrays of an open .npz file of `size` bytes; keep it open until they are read."""
    archive = ZipFile(_InPieces(FileIO(file.fileno(), closefd=False)))
    infos: dict[str, ZipInfo] = {}
    end = -1
    for info in archive.infolist():
        name = info.filename.removesuffix(".npy")
        if info.compress_type or info.flag_bits or info.compress_size != info.file_size:
            raise ValueError(f"damaged, or {name!r} is compressed or encrypted; np.savez stores members as they are")
        if name in infos or not end < info.header_offset <= size - info.file_size:
            raise ValueError(f"damaged: {name!r} is there twice, or not after the one before it")
        infos[name] = info
        end = info.header_offset + info.file_size
    found: dict[str, Member] = {}
    for name, info in infos.items():  # now that none overlap, of which zipfile warns
        with archive.open(info) as member:
            header = npy_header(member)
        if header.file_size != info.file_size:
            raise ValueError(f"damaged: {name!r} has {info.file_size:,} bytes, promises {header.file_size:,}")
        found[name] = Member(archive, info, header)
    return found


@_named()
def read(member: Member) -> NDArray[Any]:
    """Read the array of a member that `members` found."""
    shape, dtype, fortran_order, header_size = member.header
    array = np.empty(shape, dtype, "F" if fortran_order else "C")
    memory = array.ravel("K").view(np.uint8).data
    with member.archive.open(member.info) as file:
        file.read(header_size)
        for start in range(0, len(memory), PIECE):
            memory[start : start + PIECE] = file.read(PIECE)  # the last one compares the checksum
    return array
