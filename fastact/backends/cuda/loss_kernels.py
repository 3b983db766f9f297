"""The kernels of losses: cross-entropy of rows, and reducing what they leave. Plain Python, for the simulator too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from fastact._primitives import where

from .device import access, log1p
from .rows import Layout, Options, reductions
from .softmax_kernels import difference_exp, steps

__all__ = ["Targets", "count_kernel", "loss_kernel", "total_kernel"]

#: The module numba.cuda, once compiling.py has imported it.
cuda: Any = None


class Targets(NamedTuple):
    """What a loss kernel is compiled for, beyond the layout and `Options`."""

    gradient: bool
    weighted: bool  # whether classes have weights
    smoothed: bool  # whether a part of the target is spread over all classes


def loss_kernel(layout: Layout, options: Options, targets: Targets, dtype: Any) -> Callable[..., None]:
    """kernel(x, out, values, rows, n, inner, target, ignore, hit, even, weights, scale): a loss for each row and, in
    out, the gradient of scale[0] times their sum, which may be x.

    A row's target is the class target[q], of the weight hit times weights[0][class], and `even` times its weight for
    every class. NaN where it is no class.
    """
    load, store = access(options.stored, dtype)
    locate, _, _, sums, _, _ = steps("logsumexp", 1, layout, options, dtype).values()
    add, _, total_of = reductions(layout, dtype)
    exp_of_difference = difference_exp(dtype)
    threads, gradient, smoothed = layout.threads, targets.gradient, targets.smoothed
    if targets.weighted:
        weight_of = cuda.jit(device=True)(lambda weights, j: dtype(weights[0][j]))
    else:
        weight_of = cuda.jit(device=True)(lambda weights, j: dtype(1))

    def kernel(x, out, values, rows, n, inner, target, ignore, hit, even, weights, scale):  # type: ignore[no-untyped-def]
        q, h = locate(np.int64(cuda.blockIdx.x))
        active = q < rows
        if not active:
            q = np.int64(0)
        first, y = q // inner * (n * inner) + q % inner, target[q]
        counts = active and y != ignore
        wrong = counts and (y < 0 or y >= n)
        stop = n if counts and not wrong else np.int64(0)
        at_y, weight = dtype(0), dtype(0)
        if stop > 0:  # before another thread puts the gradient in its place
            at_y, weight = load(x, first + y * inner), hit * weight_of(weights, y)
        m, total, low, ties = sums((x,), first, inner, h, stop, (), 0, dtype(1))
        spread, spread_low, distance, distance_low = dtype(0), dtype(0), dtype(0), dtype(0)
        if smoothed:
            for j in range(h, stop, threads):
                share, v = even * weight_of(weights, j), load(x, first + j * inner)
                spread, spread_low = add(spread, spread_low, share)
                if share != dtype(0):
                    distance, distance_low = add(distance, distance_low, share * (m - v))
            spread, spread_low = total_of(spread, spread_low)
            distance, distance_low = total_of(distance, distance_low)
            spread, distance = spread + spread_low, distance + distance_low
        others = total + low
        loss, rest = dtype(0), dtype(0)
        if stop > 0:
            rest = log1p(others + (ties - dtype(1)))
            loss = weight * ((m - at_y) + rest) + (distance + spread * rest)
        if wrong:
            loss = dtype(np.nan)
        if h == 0 and active:
            values[q] = loss
        if gradient:
            e_y = exp_of_difference(at_y, m)
            not_y = others + where(at_y == m, ties - dtype(1), ties - e_y)  # all but the target, which keeps its digits
            whole, factor = others + ties, dtype(scale[0])
            for j in range(h, n if active else np.int64(0), threads):
                slope = dtype(0)
                if wrong:
                    slope = dtype(np.nan)
                elif stop > 0:
                    share = even * weight_of(weights, j)
                    if j == y:
                        slope = factor * ((spread * e_y - weight * not_y) / whole - share)
                    else:
                        e = exp_of_difference(load(x, first + j * inner), m)
                        slope = factor * ((weight + spread) * (e / whole) - share)
                store(out, first + j * inner, slope)

    return kernel


def count_kernel(weighted: bool, threads: int) -> Callable[..., None]:
    """kernel(target, rows, n, ignore, weights, scale): scale[0] = 1 / what targets that count weigh; of one block."""
    layout = Layout(threads, 1, False)
    add, _, total_of = reductions(layout, np.float64)
    if weighted:
        weight_of = cuda.jit(device=True)(lambda weights, j: weights[0][j])
    else:
        weight_of = cuda.jit(device=True)(lambda weights, j: np.float64(1))

    def kernel(target, rows, n, ignore, weights, scale):  # type: ignore[no-untyped-def]
        me = cuda.threadIdx.x
        total, low = np.float64(0), np.float64(0)
        for q in range(me, rows, threads):
            y = target[q]
            if y != ignore and 0 <= y < n:
                total, low = add(total, low, weight_of(weights, y))
        total, low = total_of(total, low)
        if me == 0:
            scale[0] = np.float64(1) / (total + low)

    return kernel


def total_kernel(result: str, threads: int, dtype: Any) -> Callable[..., None]:
    """kernel(values, rows, scale, out): out[0] = scale[0] * sum(values), added in float64; of one block."""
    layout = Layout(threads, 1, False)
    add, _, total_of = reductions(layout, np.float64)
    _, store = access(result, dtype)

    def kernel(values, rows, scale, out):  # type: ignore[no-untyped-def]
        me = cuda.threadIdx.x
        total, low = np.float64(0), np.float64(0)
        for q in range(me, rows, threads):
            total, low = add(total, low, np.float64(values[q]))
        total, low = total_of(total, low)
        if me == 0:
            store(out, 0, dtype((total + low) * scale[0]))

    return kernel
