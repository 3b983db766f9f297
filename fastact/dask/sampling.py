"""gumbel_softmax and rrelu of dask arrays: each block draws from a generator of its own.

What a block draws depends on the user's generator, on how often it was used so, and on the block's place: neither on
other blocks nor on the process that computes it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import fastact as fa
from fastact._core.arguments import positive
from fastact._core.arrays import as_dtype, float_dtype, wide_dtype
from fastact._kernels.native.arithmetic import standard_arithmetic
from fastact.dask.blocks import as_lazy, by_block, converted, several
from fastact.errors import wrong_type

__all__ = ["gumbel_softmax", "rrelu"]


def gumbel_softmax(
    x: Any, rng: Any, tau: float = 1.0, hard: bool = False, dtype: Any = None, return_soft: bool = False, **options: Any
) -> Any:
    """The samples, lazily; `options` are those of softmax."""
    seeds = _seeds("rng", rng)
    x = as_lazy(x, options.get("where"))
    natural = float_dtype("gumbel_softmax", x.dtype)
    wanted = natural if dtype is None else as_dtype(dtype)
    wide = wide_dtype(natural, wanted)
    noisy = by_block(_noisy, "gumbel_softmax", x, _numbers(x), dtype=wide, wide=wide, **seeds)
    options["dtype"] = wanted
    soft = fa.softmax(noisy, temperature=float(positive("tau", tau)), **options)
    y = fa.hardmax(noisy, **options) if hard else soft
    return (y, soft) if return_soft else y


def rrelu(
    x: Any, lower: float, upper: float, generator: Any = None, return_slopes: bool = False, backend: str | None = None
) -> Any:
    """The result and, if wanted, the slopes, lazily."""
    seeds = {} if generator is None else _seeds("generator", generator)
    dtype = fa.leaky_relu._result_dtype((np.ones((), x.dtype), 0.0))
    options = {"lower": lower, "upper": upper, "backend": backend, **seeds}
    y, slopes = several(_leaking, "rrelu", x, _numbers(x), dtypes=(dtype, dtype), sizes=(None, None), **options)
    return (y, slopes) if return_slopes else y


def _seeds(argument: str, generator: Any) -> dict[str, Any]:
    """What `_generator` makes the generator of a block from; the user's one will give others the next time."""
    if not isinstance(generator, np.random.Generator):
        raise wrong_type(argument, generator, "pass a numpy.random.Generator, such as np.random.default_rng(seed)")
    try:
        child = generator.spawn(1)[0].bit_generator
    except TypeError:
        raise TypeError(
            f"{argument} was made without a seed sequence, so blocks can draw no numbers of their own; pass "
            "np.random.default_rng(seed)"
        ) from None
    sequence: Any = child.seed_seq
    return {"kind": type(child), "entropy": sequence.entropy, "key": sequence.spawn_key}


def _numbers(x: Any) -> Any:
    """The number of each block."""
    numbers = np.arange(math.prod(x.numblocks)).reshape(x.numblocks)
    return as_lazy(numbers).rechunk(1) if x.ndim else as_lazy(numbers)


def _generator(number: Any, kind: Any, entropy: Any, key: tuple[int, ...]) -> np.random.Generator:
    return np.random.Generator(kind(np.random.SeedSequence(entropy, spawn_key=(*key, int(number.item())))))


@standard_arithmetic()
def _noisy(x: Any, number: Any, *, wide: Any, **seeds: Any) -> Any:
    if not isinstance(x, np.ndarray):
        raise TypeError("x is on the GPU, and noise is drawn on the host; add it to x there and call softmax")
    noise = _generator(number, **seeds).standard_exponential(x.shape, wide)
    noise = np.log(np.maximum(noise, np.finfo(wide).tiny))  # 0 may be drawn, and would be infinite noise
    return converted(x, wide) - noise


def _leaking(x: Any, number: Any, *, lower: float, upper: float, backend: str | None, **seeds: Any) -> Any:
    generator = _generator(number, **seeds) if seeds else None
    return fa.rrelu(x, lower, upper, generator=generator, return_slopes=True, backend=backend)
