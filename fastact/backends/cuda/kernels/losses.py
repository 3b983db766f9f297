"""The kernels of the cross-entropy of rows, and of its gradient (see groups.py, tiles.py and softmax.py).

    loss_kernel         a block takes whole rows
    loss_parts_kernel   several blocks find the sums of the parts of a row, and as many then compute its gradient

The target of row q is the class target[q], with `hit` times its weight, and every class with `even` times its weight.
Where targets are probabilities, it is every class with its weight times (hit times its probability + even). These
numbers are the classes' shares. A loss and its gradient are NaN where the target is no class.

Device functions here pass a row's `goal` (y, weight, wrong, logit): its class, -1 where targets are probabilities; the
share of this class alone; whether it is no class; its logit. And its `spread` (share, distance): the sum of all shares
but that one, and the sum of share * (m - x), which are 0 where there are no others.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import cuda

from fastact._kernels.scalar.primitives import where
from fastact.backends.cuda.dtypes import dtype_of
from fastact.backends.cuda.kernels import DeviceFunction, Kernel, device_function
from fastact.backends.cuda.kernels.groups import finding, placing, reductions
from fastact.backends.cuda.kernels.intrinsics import exchange, log1p
from fastact.backends.cuda.kernels.layouts import Layout, RowTraits, in_warps
from fastact.backends.cuda.kernels.memory import access
from fastact.backends.cuda.kernels.softmax import difference_exp, summing
from fastact.backends.cuda.kernels.staging import staging
from fastact.backends.cuda.kernels.sums import scale_type, scaling, weighing
from fastact.backends.cuda.kernels.tiles import loading, mapped, storing
from fastact.backends.cuda.kernels.turns import turns

__all__ = ["TargetTraits", "loss_kernel", "loss_parts_kernel"]


class TargetTraits(NamedTuple):
    """What the kernels are compiled for, besides the layout and `RowTraits`."""

    gradient: bool = False
    weighted: bool = False  # classes have weights
    smoothed: bool = False  # a part of the target is spread over all classes
    counted: bool = False  # the argument `scale` is what the targets weigh, see `scaling`
    reduced: bool = False  # losses are to be added, and stored in float64 until then
    probabilities: str = ""  # dtype of targets that are probabilities, empty where they are classes

    @property
    def spreads(self) -> bool:
        """Has a class beside the target's a share?"""
        return self.smoothed or bool(self.probabilities)


# --- steps ------------------------------------------------------------------------------------------------------------


def _targeting(targets: TargetTraits, dtype: Any) -> tuple[DeviceFunction, DeviceFunction, Any]:
    """Device functions: (target, q), the class of row q, -1 where targets are probabilities; (target, i, j, hit, even,
    weights), the share of class j, which is item i, without what its one class has alone. And what the argument
    `target` of kernels is.
    """
    weight_of, _ = weighing(targets.weighted, dtype)
    if not targets.probabilities:
        class_of = device_function(lambda target, q: target[q])
        share_of = device_function(lambda target, i, j, hit, even, weights: even * weight_of(weights, j))
        return class_of, share_of, np.dtype(np.int64)
    load, _ = access(targets.probabilities, dtype)
    class_of = device_function(lambda target, q: np.int64(-1))
    share_of = device_function(
        lambda target, i, j, hit, even, weights: weight_of(weights, j) * (hit * load(target, i) + even)
    )
    return class_of, share_of, dtype_of(targets.probabilities)


def _aiming(traits: RowTraits, targets: TargetTraits) -> DeviceFunction:
    """A device function: (q, active, n, target, ignore, hit, weights), (y, weight, wrong) of row q, and how many of its
    numbers count: n or none.
    """
    dtype, dense = traits.number, bool(targets.probabilities)
    weight_of, _ = weighing(targets.weighted, dtype)
    class_of, _, _ = _targeting(targets, dtype)

    @device_function
    def aim(q, active, n, target, ignore, hit, weights):  # type: ignore[no-untyped-def]
        y = class_of(target, q)
        counts = active and (dense or y != ignore)
        wrong = counts and not dense and (y < 0 or y >= n)
        stop, weight = n if counts and not wrong else np.int64(0), dtype(0)
        if stop > 0 and not dense:
            weight = hit * weight_of(weights, y)
        return (y, weight, wrong), stop

    return aim


def _basing(dtype: Any) -> DeviceFunction:
    """A device function: (m), what the distances of a part of a row are from; m is its maximum."""
    return device_function(lambda m: where(m > dtype(-np.inf), m, dtype(0)))


def _spreading(layout: Layout, traits: RowTraits, targets: TargetTraits) -> tuple[DeviceFunction, DeviceFunction]:
    """Device functions: (row, start, stop, m, shares), the spread of the numbers that the threads of a row take from
    `start` on; (sums, first, parts, all_parts, h, m), that of a row in parts. `shares` is (target, hit, even, weights).
    """
    dtype, threads = traits.number, layout.threads
    if not targets.spreads:
        none = device_function(lambda row, start, stop, m, shares: (dtype(0), dtype(0)))
        return none, device_function(lambda sums, first, parts, all_parts, h, m: (dtype(0), dtype(0)))
    load, place_of = access(traits.stored, dtype)[0], placing(layout)
    _, share_of, _ = _targeting(targets, dtype)
    base_of = _basing(dtype)

    def adding_up(term: DeviceFunction) -> DeviceFunction:
        """A device function: (given, start, stop, m), the sums of both numbers of term(given, j, m)."""
        add, _, share_of_all, _ = reductions(layout, dtype)
        distance_of_all = reductions(layout, dtype).total

        @device_function
        def added(given, start, stop, m):  # type: ignore[no-untyped-def]
            share, share_low, distance, distance_low = dtype(0), dtype(0), dtype(0), dtype(0)
            for j in range(start, stop, threads):
                one, far = term(given, j, m)
                share, share_low = add(share, share_low, one)
                distance, distance_low = add(distance, distance_low, far)
            share, share_low = share_of_all(share, share_low)
            distance, distance_low = distance_of_all(distance, distance_low)
            if distance < dtype(np.inf):  # the logit -inf of a class with a weight leaves no error to add
                distance = distance + distance_low
            return share + share_low, distance

        return added

    @device_function
    def of_number(given, j, m):  # type: ignore[no-untyped-def]
        row, (target, hit, even, weights) = given
        i = place_of(row, j)
        share = share_of(target, i, j, hit, even, weights)
        return share, share * (m - load(row[0][0], i)) if share != dtype(0) else dtype(0)

    @device_function
    def of_part(given, c, m):  # type: ignore[no-untyped-def]
        sums, first, all_parts = given
        i = 4 * all_parts + 2 * (first + c)
        share, distance = sums[i], sums[i + 1]
        if share != dtype(0):
            distance = distance + share * (m - base_of(sums[4 * (first + c)]))
        return share, distance

    of_numbers, of_parts = adding_up(of_number), adding_up(of_part)
    return (
        device_function(lambda row, start, stop, m, shares: of_numbers((row, shares), start, stop, m)),
        device_function(lambda sums, first, parts, all_parts, h, m: of_parts((sums, first, all_parts), h, parts, m)),
    )


def _ending(layout: Layout, traits: RowTraits, targets: TargetTraits) -> tuple[DeviceFunction, DeviceFunction]:
    """Device functions: (sums, goal, spread, stop), the loss of a row of which `stop` numbers count; (out, row, start,
    stop, end, held, sums, goal, spread, shares, factor) stores its gradient times `factor`.
    """
    dtype, threads, e_of = traits.number, layout.threads, difference_exp(traits)
    _, share_of, _ = _targeting(targets, dtype)
    load, place_of = access(traits.stored, dtype)[0], placing(layout)
    _, put = access(traits.result, dtype)
    spreads, store_scaled = targets.spreads, _held(layout, traits)[2]

    @device_function
    def loss_of(sums, goal, spread, stop):  # type: ignore[no-untyped-def]
        (m, total, low, ties), (_, weight, wrong, logit), (share, distance) = sums, goal, spread
        loss = dtype(0)
        if stop > 0:
            rest = log1p((total + low) + (ties - dtype(1)))
            loss = distance + share * rest
            if weight != dtype(0):
                loss = weight * ((m - logit) + rest) + loss
        return dtype(np.nan) if wrong else loss

    @device_function
    def store_gradient(  # type: ignore[no-untyped-def]
        out, row, start, stop, end, held, sums, goal, spread, shares, factor
    ):
        (m, total, low, ties), (y, weight, wrong, logit), (share, _) = sums, goal, spread
        others = total + low
        e_y = e_of(logit, m)
        not_y = others + where(logit == m, ties - dtype(1), ties - e_y)  # all but the target, which keeps its digits
        whole = others + ties
        slope_y = factor * ((share * e_y - weight * not_y) / whole)
        each = factor * (weight + share) / whole
        if wrong:
            stop, each = end, dtype(np.nan)
        if not spreads:
            store_scaled(out, row, start, stop, end, held, m, each)
            if start <= y < stop and (y - start) % threads == 0:
                put(out, place_of(row, y), slope_y)
        else:
            target, hit, even, weights = shares
            for j in range(start, end, threads):
                i, slope = place_of(row, j), dtype(0)
                if j < stop:
                    own = factor * share_of(target, i, j, hit, even, weights)
                    slope = (slope_y if j == y else each * e_of(load(row[0][0], i), m)) - own
                put(out, i, slope)

    return loss_of, store_gradient


def _held(layout: Layout, traits: RowTraits) -> tuple[DeviceFunction, DeviceFunction, DeviceFunction]:
    """Device functions: (row, start, stop), the numbers that a thread holds, all that it has of its row or none;
    (row, start, stop, held), the row's sums; (out, row, start, stop, end, held, m, factor) stores factor * e**(x - m).
    """
    dtype, tile_size = traits.number, layout.tile
    tile, store = loading(layout, traits, 0, dtype(-np.inf)), storing(layout, traits, dtype(0))
    e_of = difference_exp(traits)
    scaled = mapped(device_function(lambda x, more: e_of(x, more[0]) * more[1]), layout.numbers)
    of_tile, of_range, _ = summing(layout, traits, True)
    if layout.whole:
        sums_of = device_function(lambda row, start, stop, held: of_tile(held))

        @device_function
        def store_scaled(out, row, start, stop, end, held, m, factor):  # type: ignore[no-untyped-def]
            store(out, row, start, stop, end, scaled(held, (m, factor)))

        return tile, sums_of, store_scaled

    @device_function
    def store_all_scaled(out, row, start, stop, end, held, m, factor):  # type: ignore[no-untyped-def]
        while start < end:
            store(out, row, start, stop, end, scaled(tile(row, start, stop), (m, factor)))
            start += tile_size

    hold = device_function(lambda row, start, stop: ())
    return hold, device_function(lambda row, start, stop, held: of_range(row, start, stop)), store_all_scaled


def _keeping(layout: Layout, traits: RowTraits, reduced: bool) -> DeviceFunction:
    """A device function: (values, q, own, loss) stores the loss of row q or, if they are `reduced`, the sum of a
    block's; `own` says whether this thread has a loss.
    """
    dtype = traits.number
    if not reduced or layout.rows == 1:
        _, put = access("float64" if reduced else traits.result, dtype)

        @device_function
        def keep_each(values, q, own, loss):  # type: ignore[no-untyped-def]
            if own:
                put(values, q, loss)

        return keep_each

    warps, lanes = in_warps(layout.block).rows, in_warps(layout.block).threads
    apart = 1 if layout.columns else layout.threads  # threads of a warp that have a loss

    @device_function
    def keep_sum(values, q, own, loss):  # type: ignore[no-untyped-def]
        total, step = np.float64(loss if own else dtype(0)), lanes // 2
        while step >= apart:
            total += np.float64(exchange(total, step))
            step //= 2
        shared = cuda.shared.array(warps, np.float64)
        me = cuda.threadIdx.x
        if me % lanes == 0:
            shared[me // lanes] = total
        cuda.syncthreads()
        if me == 0:
            for warp in range(1, warps):
                total += shared[warp]
            values[np.int64(cuda.blockIdx.x)] = total

    return keep_sum


# --- kernels ----------------------------------------------------------------------------------------------------------


def _arguments(traits: RowTraits, targets: TargetTraits, *middle: Any) -> tuple[Any, ...]:
    """What the arguments (x, out, values, *middle, rows, n, inner, target, ...) of kernels are."""
    stored, number, long = dtype_of(traits.stored), traits.number, np.int64
    values = np.dtype(np.float64) if targets.reduced else dtype_of(traits.result)
    (_, weights), (_, _, target) = weighing(targets.weighted, number), _targeting(targets, number)
    scale = scale_type(targets.counted)
    return stored, stored, values, *middle, long, long, long, target, long, number, number, weights, scale


def loss_kernel(layout: Layout, traits: RowTraits, targets: TargetTraits) -> Kernel:
    """kernel(x, out, values, rows, n, inner, target, ignore, hit, even, weights, scale): the loss of each row, or the
    sum of each block's, in `values` and, in `out`, the gradient of their sum times `scale`; `out` may be x.
    """
    dtype, gradient = traits.number, targets.gradient
    if targets.probabilities:  # they would have to be staged too
        layout = layout._replace(staged=False)
    enter, leave = staging(layout, traits.stored, [True], traits.result, gradient)
    find, place_of, aim = finding(layout, traits), placing(layout), _aiming(traits, targets)
    load, _ = access(traits.stored, dtype)
    hold, sums_of, _ = _held(layout, traits)
    spread_of, _ = _spreading(layout, traits, targets)
    loss_of, store_gradient = _ending(layout, traits, targets)
    may_overwrite = not layout.staged
    keep, factor_of = _keeping(layout, traits, targets.reduced), scaling(targets.counted, layout.block, dtype)

    def kernel(x, out, values, rows, n, inner, target, ignore, hit, even, weights, scale):  # type: ignore[no-untyped-def]
        block = np.int64(cuda.blockIdx.x)
        near, results = enter((x,), out, block, rows, n)
        row, q, h, _, end, active = find(block, n, near, rows, n, inner, dtype(1), (), (), n)
        shares = target, hit, even, weights
        (y, weight, wrong), stop = aim(q, active, n, target, ignore, hit, weights)
        goal = y, weight, wrong, load(near[0], place_of(row, y)) if 0 <= y < stop else dtype(0)
        held = hold(row, h, stop)
        sums = sums_of(row, h, stop, held)
        spread = spread_of(row, h, stop, sums[0], shares)
        keep(values, q, active and h == 0, loss_of(sums, goal, spread, stop))
        if gradient:
            factor = dtype(factor_of(scale))
            if may_overwrite:
                cuda.syncthreads()  # all have read the logit of their target
            store_gradient(results, row, h, stop, end, held, sums, goal, spread, shares, factor)
            leave(results, out, block, rows, n)

    return Kernel(kernel, _arguments(traits, targets), layout.block)


def loss_parts_kernel(layout: Layout, traits: RowTraits, targets: TargetTraits) -> Kernel:
    """kernel(x, out, values, sums, counters, parts, part_size, together, rows, n, ...), for rows in parts (turns.py).

    `values` has a loss for each row. `sums` has four numbers for each part, then two for its spread; at the end, the
    logit of each row's target, because another block may put the gradient in its place.
    """
    dtype, gradient = traits.number, targets.gradient
    find, place_of, aim = finding(layout, traits), placing(layout), _aiming(traits, targets)
    load, _ = access(traits.stored, dtype)
    of_range, of_parts = summing(layout, traits, True).of_range, summing(layout, traits, True).of_parts  # as in softmax
    spread_of, spread_of_parts = _spreading(layout, traits, targets)
    base_of, (loss_of, store_gradient) = _basing(dtype), _ending(layout, traits, targets)
    _, put = access("float64" if targets.reduced else traits.result, dtype)
    (take, wait, count), factor_of = turns(), scaling(targets.counted, layout.block, dtype)

    def kernel(  # type: ignore[no-untyped-def]
        x, out, values, sums, counters, parts, part_size, together, rows, n, inner, target, ignore, hit, even, weights,
        scale,
    ):  # fmt: skip
        finishing, group, block = take(counters, parts * together)
        part, all_parts, shares = block % parts, rows * parts, (target, hit, even, weights)
        row, q, h, stop, end, active = find(
            group * together + block // parts, min(n, (part + 1) * part_size), (x,), rows, n, inner, dtype(1), (), (), n
        )
        (y, weight, wrong), whole = aim(q, active, n, target, ignore, hit, weights)
        start, stop, first, logit = part * part_size + h, min(stop, whole), q * parts, 6 * all_parts + q
        if not finishing:
            found = of_range(row, start, stop)
            spread = spread_of(row, start, stop, base_of(found[0]), shares)
            if active and h == 0:
                i, j = 4 * (first + part), 4 * all_parts + 2 * (first + part)
                sums[i], sums[i + 1], sums[i + 2], sums[i + 3] = found
                sums[j], sums[j + 1] = spread
                if part * part_size <= y < stop:
                    sums[logit] = load(x, place_of(row, y))
            count(counters, group)
        elif gradient or part == 0:
            wait(counters, group, parts * together)
            found = of_parts(sums, first, parts, h)
            spread = spread_of_parts(sums, first, parts, all_parts, h, found[0])
            goal = y, weight, wrong, sums[logit] if 0 <= y < whole else dtype(0)
            if active and h == 0 and part == 0:
                put(values, q, loss_of(found, goal, spread, whole))
            if gradient:
                store_gradient(out, row, start, stop, end, (), found, goal, spread, shares, dtype(factor_of(scale)))

    middle = np.dtype(dtype), np.dtype(np.int32), *[np.int64] * 3
    return Kernel(kernel, _arguments(traits, targets, *middle), layout.block)
