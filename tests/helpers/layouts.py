"""Lengths of arrays and memory layouts that elementwise functions must not depend on."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

#: Around the widths of SIMD registers, of the block buffers and of the threads' blocks.
SIZES = [0, 1, 2, 3, 7, 9, 15, 16, 17, 31, 63, 65, 1023, 1025, 2047, 2048, 2049]


def unaligned(x: np.ndarray) -> np.ndarray:
    return np.frombuffer(bytearray(b"0" + x.tobytes()), np.uint8)[1:].view(x.dtype).reshape(x.shape)


def field(x: np.ndarray) -> np.ndarray:
    """A field of a packed record, as memory-mapped tables have it: strided by 9 bytes or 17, and unaligned."""
    table = np.zeros(x.shape, [("a", "u1"), ("x", x.dtype), ("b", x.dtype)])
    table["x"] = x
    return table["x"]


LAYOUTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "strided": lambda x: np.repeat(x, 2, axis=-1)[..., ::2],
    "rows strided": lambda x: np.repeat(x, 2, axis=0)[::2],
    "reversed": lambda x: x[::-1, ::-1].copy()[::-1, ::-1],
    "Fortran": np.asfortranarray,
    "transposed": lambda x: x.T.copy().T[:, ::1],
    "byte-swapped": lambda x: x.astype(x.dtype.newbyteorder()),
    "unaligned": unaligned,
    "field": field,
}
