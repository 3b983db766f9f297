"""Large arrays whose elements do not follow each other in memory, cut into slabs that go to several threads.

NumPy walks such arrays row by row and hands each row to the loop, which is then too short for threads. Call `apply`
only where `applies` says so.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastact._kernels.native import pool
from fastact._kernels.native.ufunc import SLABS_FROM, call

__all__ = ["applies", "apply"]

#: Slabs for each thread, so that a thread that is held up leaves some to the others.
PER_THREAD = 2


def _outputs(keywords: dict[str, Any]) -> tuple[Any, ...]:
    out = keywords.get("out")
    return out if isinstance(out, tuple) else () if out is None else (out,)


def applies(operands: tuple[Any, ...], keywords: dict[str, Any]) -> bool:
    """Whether the operands of a ufunc are such arrays, and nothing else makes the call a special one."""
    outputs = _outputs(keywords)
    arrays = [each for each in (*operands, *outputs) if isinstance(each, np.ndarray) and each.ndim]
    if max((each.size for each in arrays), default=0) < SLABS_FROM or max(each.ndim for each in arrays) < 2:
        return False
    if all(each.flags.c_contiguous for each in arrays) or all(each.flags.f_contiguous for each in arrays):
        return False
    plain = keywords.keys() <= {"out", "signature"} and all(type(each) is np.ndarray for each in (*arrays, *outputs))
    return plain and not any(each is not out and np.may_share_memory(each, out) for out in outputs for each in arrays)


def apply(ufunc: np.ufunc, operands: tuple[Any, ...], keywords: dict[str, Any], dtype: np.dtype[Any]) -> Any:
    """ufunc(*operands, **keywords), whose results have this dtype, slab by slab of the outermost axis in memory."""
    shape = np.broadcast_shapes(*(np.shape(operand) for operand in operands))
    inputs = [np.broadcast_to(each, shape) if isinstance(each, np.ndarray) else each for each in operands]
    outputs = _outputs(keywords)
    if not outputs:
        layout = [each for each in inputs if isinstance(each, np.ndarray)]
        flags: Any = ["zerosize_ok", "refs_ok"]
        dtypes = [*(each.dtype for each in layout), *[dtype] * ufunc.nout]
        outputs = np.nditer([*layout, *[None] * ufunc.nout], flags, op_dtypes=dtypes).operands[len(layout) :]
    elif any(out.shape != shape for out in outputs):
        return call(ufunc, operands, keywords)
    keywords.pop("out", None)
    strides = outputs[0].strides
    axis = int(np.argmax([abs(stride) * (length > 1) for stride, length in zip(strides, shape, strict=True)]))

    def slab(start: int, stop: int) -> None:
        part = (slice(None),) * axis + (slice(start, stop),)
        sliced = (each[part] if isinstance(each, np.ndarray) else each for each in inputs)
        call(ufunc, tuple(sliced), {"out": tuple(out[part] for out in outputs), **keywords})

    slabs = PER_THREAD * pool.get_num_threads()
    pool.for_slabs(slab, shape[axis], -(-shape[axis] // slabs))
    return outputs if ufunc.nout > 1 else outputs[0]
