"""Reads what np.savez writes, and nothing else: members stored one after the other, each a .npy file of plain numbers.

Memory is bounded by design: every size is compared with the file's own before anything is read, compressed members are
refused, and the caller sees all shapes and dtypes before an array is made. Whatever is wrong is a ValueError.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastact._files import NpyHeader, npy_header

__all__ = ["Member", "members", "read"]

#: Bytes of the list of members, each of which takes about 70.
LARGEST_DIRECTORY = 2**23

_END = struct.Struct("<4s4H2LH")  # the last bytes of the file
_LOCATOR = struct.Struct("<4sLQL")  # before them in a file of gigabytes, and before it the end in wider numbers
_WIDE_END = struct.Struct("<4sQ2H2L4Q")
_ENTRY = struct.Struct("<4s6H3L5H2L")  # in the directory, for each member
_LOCAL = struct.Struct("<4s5H3L2H")  # before each member
_WIDE = 0xFFFFFFFF  # a number that stands among the extra fields, in eight bytes


class Member(NamedTuple):
    """One array of the file, not read yet."""

    start: int  # of the .npy file
    checksum: int
    header: NpyHeader


def members(file: BinaryIO, size: int) -> dict[str, Member]:
    """The arrays in an open .npz file of `size` bytes."""
    found: dict[str, Member] = {}
    for name, checksum, length, at in _directory(file, size):
        magic, *_, name_length, extra_length = _unpacked(_LOCAL, file, at, size)
        start = at + _LOCAL.size + name_length + extra_length
        if magic != b"PK\3\4" or file.read(name_length) != name or start + length > size:
            raise _damage(f"member {name!r} is not where it should be")
        file.seek(start)
        header = npy_header(file)
        if header.file_size != length:
            raise _damage(f"member {name!r} has {length:,} bytes, its header promises {header.file_size:,}")
        key = name.decode("ascii", "replace").removesuffix(".npy")
        if key in found:
            raise _damage(f"there are two members {name!r}")
        found[key] = Member(start, checksum, header)
    if sum(member.header.file_size for member in found.values()) > size:
        raise _damage("members overlap")
    return found


def read(file: BinaryIO, member: Member) -> NDArray[Any]:
    """The array of a member that `members` found."""
    shape, dtype, fortran_order, header_size = member.header
    array = np.empty(shape, dtype, "F" if fortran_order else "C")
    memory = (array.T if fortran_order else array).data.cast("B")
    file.seek(member.start)
    checksum = zlib.crc32(file.read(header_size))
    if file.readinto(memory) != len(memory) or zlib.crc32(memory, checksum) != member.checksum:  # type: ignore[attr-defined]
        raise _damage("its bytes are not those that were saved")
    return array


def _directory(file: BinaryIO, size: int) -> Iterator[tuple[bytes, int, int, int]]:
    """Name, checksum, length and place of each member."""
    end = size - _END.size
    magic, *_, length, start, comment = _unpacked(_END, file, end, size)
    if magic != b"PK\5\6" or comment:
        raise ValueError("not a fastact model (no .npz archive), or cut short")
    wide = end - _LOCATOR.size - _WIDE_END.size
    if wide >= 0 and _unpacked(_LOCATOR, file, end - _LOCATOR.size, size)[0] == b"PK\6\7":
        magic, *_, length, start = _unpacked(_WIDE_END, file, wide, size)
        end = wide if magic == b"PK\6\6" else -1
    if length > LARGEST_DIRECTORY or start + length != end:
        raise _damage("its list of members is not at its end, or too long")
    file.seek(start)
    directory, at = file.read(length), 0
    while at < length:
        if length - at < _ENTRY.size:
            raise _damage("its list of members is cut short")
        magic, _, _, flags, method, _, _, checksum, packed, unpacked, *lengths, _, _, _, place = _ENTRY.unpack_from(
            directory, at
        )
        name_length, extra_length, comment_length = lengths
        at += _ENTRY.size
        name, extra = directory[at : at + name_length], directory[at + name_length :][:extra_length]
        at += name_length + extra_length + comment_length
        unpacked, packed, place = _widened((unpacked, packed, place), extra)
        if magic != b"PK\1\2":
            raise _damage("its list of members is no list")
        if method or flags or packed != unpacked:
            raise _damage(f"member {name!r} is compressed or encrypted; np.savez stores members as they are")
        yield name, checksum, unpacked, place


def _widened(numbers: tuple[int, ...], extra: bytes) -> Iterator[int]:
    """The numbers, each that is _WIDE replaced with the next one of the field 1 among the extra fields."""
    at = 0
    field = b""
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        if kind == 1:
            field = extra[at + 4 : at + 4 + length]
        at += 4 + length
    for number in numbers:
        if number == _WIDE:
            if len(field) < 8:
                raise _damage("its list of members lacks a length")
            number, field = int.from_bytes(field[:8], "little"), field[8:]
        yield number


def _unpacked(form: struct.Struct, file: BinaryIO, at: int, size: int) -> tuple[Any, ...]:
    """What stands at a place of the file, which need not be within it."""
    if not 0 <= at <= size - form.size:
        raise ValueError("not a fastact model (no .npz archive), or cut short")
    file.seek(at)
    return form.unpack(file.read(form.size))


def _damage(what: str) -> ValueError:
    return ValueError(f"not a fastact model, or damaged ({what})")
