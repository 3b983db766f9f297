"""The softmax family over one row: the formula of each operation, written once, as a function of contiguous arrays.

`ROWS` lists the functions by name and number of inputs: f(x, out, scratch) is the forward pass, f(grad_output, output,
out, scratch) the backward pass; out may be an input. They are compiled for rows of float32 and float64. Sums are exact
to twice the digits of float64: a binary tree over blocks, with one vector loop for each of its levels. To add an
operation, write its function, its line in `ROWS`, and its reference in backends/numpy/softmax.py.
"""

from __future__ import annotations

from math import inf, log1p, nan

import numpy as np
from numba import njit

from fastact._kernels.scalar import exp, exp_times
from fastact._kernels.scalar.pairs import exact_product, exact_sum, ordered_sum, scalar
from fastact._kernels.scalar.primitives import INNER_OPTIONS, fma, like, maximum, where
from fastact._kernels.scalar.primitives import sqrt as root

__all__ = ["ROWS", "scratch_size"]

#: How many numbers one tree sums; its scratch fits into the first cache.
BLOCK = 1024
#: How many numbers a search looks at together before it looks for one among them.
GLANCE = 64
#: A correction of the threshold that is so small needs no other after it, in float32 and float64.
ENOUGH = (2.0**-50, 2.0**-90)
MOST_STEPS = 100
#: Numbers from here on that differ by little more than 2 have a difference that float64 holds exactly.
FAR = 8.0
#: How much the bound for candidates may be off.
MARGIN = 2.0**-20

#: Decorates sums whose order is free: they begin a search that exact sums end.
rough = njit(**{**INNER_OPTIONS, "fastmath": {"reassoc"}})


def scratch_size(n: int) -> int:
    """Return how many float64 numbers of scratch a row of n needs: two blocks, and the candidates for a support."""
    return 2 * BLOCK + n


# --- parts ------------------------------------------------------------------------------------------------------------


@scalar
def row_maximum(x):
    """The largest number; NaN if there is a NaN."""
    top = x[0]
    for i in range(x.size):
        top = maximum(top, x[i])
    return top


@scalar
def fill(out, value):
    for i in range(out.size):
        out[i] = value


@scalar
def tree_sum(values, errors, n):
    """The sum of values[:n] + errors[:n], as a pair; both are overwritten."""
    while n > 1:
        half = (n + 1) // 2
        upper, upper_errors = values[half:n], errors[half:n]
        for i in range(n - half):
            values[i], error = exact_sum(values[i], upper[i])
            errors[i] = errors[i] + upper_errors[i] + error
        n = half
    return ordered_sum(values[0], errors[0])


@scalar
def total(term, a, b, shift, low, scratch):
    """The sum of term(a_i, b_i, shift, low), as a pair of float64 numbers, as each term is."""
    values, errors = scratch[:BLOCK], scratch[BLOCK : 2 * BLOCK]
    high, rest = 0.0, 0.0
    for start in range(0, a.size, BLOCK):
        a_part, b_part = a[start : start + BLOCK], b[start : start + BLOCK]
        for i in range(a_part.size):
            values[i], errors[i] = term(a_part[i], b_part[i], shift, low)
        block, block_rest = tree_sum(values, errors, a_part.size)
        high, error = exact_sum(high, block)
        rest += error + block_rest
    return ordered_sum(high, rest)


@scalar
def product_term(a, b, _shift, _low):
    return exact_product(np.float64(a), np.float64(b))


@scalar
def plain_term(a, _b, _shift, _low):
    return np.float64(a), 0.0


# --- softmax and log_softmax ------------------------------------------------------------------------------------------


@scalar
def shifted_exp(x, top):
    """e**(x - top), with the exact difference."""
    distance, rest = exact_sum(x, -top)
    e = exp(distance)
    return where(e > like(0.0, e), fma(e, rest, e), e)


@scalar
def others_term(x, _b, top, _low):
    """e**(x - top), exactly 1 for each top. So log1p of the sum less 1 keeps its digits where one element dominates."""
    return where(x == top, 1.0, np.float64(shifted_exp(x, top))), 0.0


@scalar
def softmax(x, out, scratch):
    top = row_maximum(x)
    if top - top != 0.0:
        fill(out, nan)
        return
    for i in range(x.size):
        out[i] = shifted_exp(x[i], top)
    sum_, rest = total(plain_term, out, out, 0.0, 0.0, scratch)
    inverse = 1.0 / sum_
    inverse_rest = (fma(-inverse, sum_, 1.0) - inverse * rest) * inverse
    factor = like(inverse, top)
    factor_rest = like((inverse - np.float64(factor)) + inverse_rest, top)
    for i in range(x.size):
        out[i] = fma(out[i], factor, out[i] * factor_rest)


@scalar
def softmax_gradient(g, y, out, scratch):
    """y * (g - sum(g * y))."""
    dot = like(total(product_term, g, y, 0.0, 0.0, scratch)[0], y[0])
    for i in range(y.size):
        out[i] = y[i] * (g[i] - dot)


@scalar
def log_softmax(x, out, scratch):
    top = row_maximum(x)
    if top - top != 0.0:
        fill(out, nan)
        return
    sum_, rest = total(others_term, x, x, top, 0.0, scratch)
    log_sum = like(log1p((sum_ - 1.0) + rest), top)
    for i in range(x.size):
        out[i] = (x[i] - top) - log_sum


@scalar
def log_softmax_gradient(g, y, out, scratch):
    """g - exp(y) * sum(g)."""
    sum_ = like(total(plain_term, g, g, 0.0, 0.0, scratch)[0], y[0])
    for i in range(y.size):
        out[i] = g[i] - exp_times(sum_, y[i], like(0.0, y[0]))


@scalar
def logsumexp(x, out, scratch):
    """`out` has one element."""
    top = row_maximum(x)
    out[0] = top
    if top - top == 0.0:
        sum_, rest = total(others_term, x, x, top, 0.0, scratch)
        out[0] = np.float64(top) + log1p((sum_ - 1.0) + rest)


@scalar
def logsumexp_gradient(g, x, out, scratch):
    """g * softmax(x); g repeats one number for every element."""
    softmax(x, out, scratch)
    for i in range(x.size):
        out[i] = g[i] * out[i]


# --- sparsemax and entmax15 -------------------------------------------------------------------------------------------
# Both are max(c - threshold, 0)**power with c = x / power, and the threshold makes their sum 1. That sum falls, and is
# convex, as the threshold rises: Newton's method from a threshold too low comes nearer at every step and never passes.


@scalar
def excess(c, high, low):
    """max(c - (high + low), 0) as a pair; NaN stays NaN."""
    distance, error = exact_sum(c, -high)
    over, rest = exact_sum(distance, -low)
    return where(over <= 0.0, 0.0, over), where(over > 0.0, rest + error, 0.0)


@scalar
def sparsemax_term(c, _b, high, low):
    return excess(c, high, low)


@scalar
def entmax15_term(c, _b, high, low):
    over, rest = excess(c, high, low)
    square, error = exact_product(over, over)
    return square, fma(2.0 * over, rest, error)


@rough
def sparsemax_sums(c, top, low):
    """The sum for a threshold top + low, and minus its slope."""
    sum_, slope = 0.0, 0.0
    for i in range(c.size):
        over = (c[i] - top) - low
        sum_ += where(over > 0.0, over, 0.0)
        slope += where(over > 0.0, 1.0, 0.0)
    return sum_, slope


@rough
def entmax15_sums(c, top, low):
    """The sum for a threshold top + low, and minus its slope."""
    sum_, slope = 0.0, 0.0
    for i in range(c.size):
        over = (c[i] - top) - low
        over = where(over > 0.0, over, 0.0)
        sum_ += over * over
        slope += 2.0 * over
    return sum_, slope


@scalar
def candidates(x, scale, anchor, lowest, found):
    """Collect all c = scale * x - anchor that are at least `lowest`, and return how many they are."""
    count = 0
    for start in range(0, x.size, GLANCE):
        part = x[start : start + GLANCE]
        wanted = False
        for i in range(part.size):
            wanted |= scale * np.float64(part[i]) - anchor >= lowest
        if wanted:
            for i in range(part.size):
                c = scale * np.float64(part[i]) - anchor
                if c >= lowest:
                    found[count] = c
                    count += 1
    return count


@rough
def mean_distance(c, top):
    sum_ = 0.0
    for i in range(c.size):
        sum_ += c[i] - top
    return sum_ / c.size


@scalar
def threshold(term, sums, power, c, top, enough, scratch):
    """The threshold as a pair; c are the candidates, none of which is 1 or more below the top."""
    # Two bounds from below: the top alone, and the inequality of the power mean.
    low = max(-1.0, mean_distance(c, top) - c.size ** (-1.0 / power))
    for _ in range(MOST_STEPS):
        sum_, slope = sums(c, top, low)
        step = (sum_ - 1.0) / slope
        low += step
        if not step > 1e-6:
            break
    high, low = exact_sum(top, low)
    for _ in range(MOST_STEPS):
        sum_, rest = total(term, c, c, high, low, scratch)
        step = ((sum_ - 1.0) + rest) / sums(c, high, low)[1]
        high, low = ordered_sum(high, low + step)
        if not abs(step) > enough:
            break
    return high, low


@scalar
def projection(term, sums, power, x, out, scratch):
    """max(c - threshold, 0)**power for c = x / power."""
    top = np.float64(row_maximum(x))
    if top - top != 0.0:
        fill(out, nan)
        return
    # Far from 0 the candidates' distances from the top are exact, and their threshold has digits to spare.
    anchor = 0.0 if abs(top) < FAR else top / power
    top, found = top / power - anchor, scratch[2 * BLOCK :]
    count = candidates(x, 1.0 / power, anchor, top - 1.0 - MARGIN, found)
    enough = ENOUGH[x.itemsize // 8]
    high, low = threshold(term, sums, power, found[:count], top, enough, scratch)
    for i in range(x.size):
        value, rest = term(np.float64(x[i]) / power - anchor, 0.0, high, low)
        out[i] = value + rest


@scalar
def sparsemax(x, out, scratch):
    projection(sparsemax_term, sparsemax_sums, 1.0, x, out, scratch)


@scalar
def entmax15(x, out, scratch):
    projection(entmax15_term, entmax15_sums, 2.0, x, out, scratch)


@scalar
def support_term(_g, y, _shift, _low):
    return where(y > 0.0, 1.0, 0.0), 0.0


@scalar
def support_product_term(g, y, _shift, _low):
    return where(y > 0.0, np.float64(g), 0.0), 0.0


@scalar
def root_term(_g, y, _shift, _low):
    return root(np.float64(y)), 0.0


@scalar
def root_product_term(g, y, _shift, _low):
    product, error = exact_product(np.float64(g), root(np.float64(y)))
    return where(y > 0.0, product, 0.0), where(y > 0.0, error, 0.0)


@scalar
def projection_gradient(weight_term, product_term, g, y, out, scratch):
    """w * (g - sum(w * g) / sum(w)) with w = y**(1 - 1 / power); 0 where y is 0, whatever g is there."""
    mean = total(product_term, g, y, 0.0, 0.0, scratch)[0] / total(weight_term, g, y, 0.0, 0.0, scratch)[0]
    for i in range(y.size):
        gradient = weight_term(g[i], y[i], 0.0, 0.0)[0] * (np.float64(g[i]) - mean)
        out[i] = where(y[i] == 0.0, 0.0, gradient)


@scalar
def sparsemax_gradient(g, y, out, scratch):
    projection_gradient(support_term, support_product_term, g, y, out, scratch)


@scalar
def entmax15_gradient(g, y, out, scratch):
    projection_gradient(root_term, root_product_term, g, y, out, scratch)


# --- hardmax ----------------------------------------------------------------------------------------------------------


@scalar
def first_equal(x, wanted):
    """The index of the first element that is `wanted`; one is."""
    start = 0
    while True:
        part = x[start : start + GLANCE]
        found = False
        for i in range(part.size):
            found |= part[i] == wanted
        if found:
            break
        start += GLANCE
    while x[start] != wanted:
        start += 1
    return start


@scalar
def hardmax(x, out, scratch):
    top = row_maximum(x)
    if not top > -inf:
        fill(out, nan)
        return
    place = first_equal(x, top)
    fill(out, 0.0)
    out[place] = 1.0


@scalar
def hardmax_gradient(g, y, out, scratch):
    """0, since the maximum stays where it is when x changes a little; NaN for NaN."""
    for i in range(y.size):
        out[i] = where(y[i] == y[i], like(0.0, y[i]), y[i])


#: (name, number of inputs) -> function of the inputs, the result and scratch.
ROWS = {
    ("softmax", 1): softmax,
    ("softmax", 2): softmax_gradient,
    ("log_softmax", 1): log_softmax,
    ("log_softmax", 2): log_softmax_gradient,
    ("logsumexp", 1): logsumexp,
    ("logsumexp", 2): logsumexp_gradient,
    ("sparsemax", 1): sparsemax,
    ("sparsemax", 2): sparsemax_gradient,
    ("entmax15", 1): entmax15,
    ("entmax15", 2): entmax15_gradient,
    ("hardmax", 1): hardmax,
    ("hardmax", 2): hardmax_gradient,
}
