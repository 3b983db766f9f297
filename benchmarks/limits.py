"""What limits fastact in the cells in which a peer is faster, and which designs were tried there.

grid.py lists each such cell under the first of `LIMITS` that holds for it. Unless they say otherwise, times are
nanoseconds per float32 on one thread, in cache, on an AMD EPYC 9004 (Zen 4); instructions are those for a vector of 16,
and errors are in ULP.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from fastact.measure.bench.cases import Case
from fastact.measure.bench.results import Times, copy_share, ratio

__all__ = ["LIMITS", "Limit", "limit_of"]

Condition = Callable[[Case, Times], bool]


class Limit(NamedTuple):
    """Why a peer is faster where `holds` is true."""

    title: str
    holds: Condition
    text: str


def of(*names: str, parts: tuple[str, ...] = ("forward", "derivative", "backward"), kind: str = "") -> Condition:
    """The condition that a case is of these functions, parts and dtype."""
    return lambda case, _: case.name in names and case.part in parts and kind in ("", case.dtype)


SLOPE = ("derivative", "backward")
#: From this share of the copy's bandwidth on, memory is the limit.
MEMORY = 0.75
#: What two runs of the same build differ by.
NOISE = 0.95

LIMITS = (
    Limit(
        "The result does not depend on x",
        of("identity", "step", parts=SLOPE),
        """
        The peers write a constant or copy grad_output, and never read x. fastact reads it, because NaN must
        give NaN: it moves two arrays where they move one, and three where they move one or two, at the copy's
        speed. No design reads less. Tried for the speed: two and four vectors side by side (the same within
        noise); results past the caches (kept for large ones); threads from 35 us of work on, counted by bytes
        (kept: relu of 60,000 float64 0.052 -> 0.040 ns).
        """,
    ),
    Limit(
        "Elements that do not follow each other",
        lambda case, times: case.layout == "strided" and copy_share(times) > MEMORY / 4,
        """
        Every second element is read, so half of each cache line is wasted, and the elements go through a buffer
        to the kernel, which torch's and NumPy's cheap functions do without. Tried, for a relu of 1,000,000
        float64 in C on one thread: buffers of 16 KiB (0.82 ns), 8 KiB (0.56), 4 KiB (0.45; kept, since fastact's
        backward pass of relu takes 1.35 instead of 1.94) and 2 KiB (0.39, but on two threads as fast as 4 KiB);
        fetching 64, 256 or 1,024 elements ahead (0.48, 0.50, 0.46); a kernel that reads such elements itself
        (0.38), which would double the kernels to compile; the gathering by SSE2's shuffles (0.28 of 10,000
        elements of 8 bytes), AVX2's (0.14: kept) and AVX-512's (0.13).
        """,
    ),
    Limit(
        "Memory is the limit",
        lambda _, times: copy_share(times) > MEMORY,
        """
        fastact moves the bytes about as fast as a copy does. Which library is ahead depends on where a call
        finds its lines, and on whether its threads are awake: torch's look out for work for milliseconds,
        fastact's for 0.5 ms, and leave the cores to other processes (`benchmarks/busy.py`). Tried: a look-out of
        50 us (relu.backward in place beside a copy of 4 MB 0.068 ns), of 0.5 ms (0.045, but a matrix product of
        364 us by OpenBLAS then takes 434), of 50 us and then, after each yield to others, up to 0.5 ms (0.049,
        and the product 358: kept); results that go past the caches where all operands together take 24 MB or
        more (kept), in blocks of 4 KiB (kept; half or twice as much is 10 % slower); the bytes counted as work,
        and helpers woken from 35 us on (kept: in place, 1,000,000 float64 0.060 -> 0.050 ns); the memory of
        freed results kept for the next one (kept: 0.90 -> 0.16 ns for a new array of 10,000,000); two and four
        vectors side by side (the same within noise).
        """,
    ),
    Limit(
        "Half types",
        lambda case, _: case.dtype in ("float16", "bfloat16"),
        """
        A block is converted to float32, computed, and converted back, in the first cache: loads, work and stores
        take turns, and overlap little with the memory, where torch converts in registers, in kernels of its own
        for each half type. Such kernels would double what there is to compile. Tried for relu of 10,000,000
        float16 on one thread (ns, and those of 100,000): blocks of 4 KiB (0.32, 0.11), 2 KiB (0.35, 0.11), 1 KiB
        (0.32, 0.13) and 512 bytes (0.21, 0.17); results stored 64 bytes at a time, not 32 (0.14, 0.11: kept);
        operands loaded so too (on two threads 0.11 -> 0.065: kept).
        """,
    ),
    Limit(
        "The slopes of silu, swish, quick_gelu and gelu_tanh",
        of("silu", "swish", "quick_gelu", "gelu_tanh", parts=SLOPE),
        """
        They are 0 at a root for some x < 0, beside which fastact keeps within 2 ULP; torch and jax subtract
        there, and give 0 in the tails (docs/accuracy.md), with about 40 instructions. Tried for silu
        (instructions, ULP): nothing compensated (44, 3.5); five ways to compensate a part (47.5 to 63, 4.6 to
        2.3); written in the distance from the root, with all low parts (90, 1.49: until now) or with those that
        matter (65, 1.82); e**-b split so that it is a number of the dtype at the root, with one division and one
        correction (55.5, 1.48: kept; 0.96 -> 0.63 ns), and that with a term less or in another order (54.5, 7.4;
        54.5, 2.0; 55.5, 2.2; 53.5, 2.13); powers of two by one instruction, vscalefps, in place of third roots
        (43, the same bits: kept; 0.66 -> 0.59 ns). Of two operations that a cycle could start, 1.25 do. Neither
        one, two or eight vectors side by side (0.77, 0.70, 0.65) nor schedules for five other processors (0.60
        to 0.66) nor an estimate with Newton's steps for the division (0.59) nor bounds left out (0.57) change
        that much.
        """,
    ),
    Limit(
        "swish",
        of("swish"),
        """
        The peers have silu alone, which fastact takes too where beta is 1. For any other beta the product beta *
        x has a low part, and what bounds |x| depends on beta. Tried (instructions): tests for undefined products
        first, powers of two in two steps that depend on their size (67; 0.68 ns); the power given to the sigmoid
        instead of its exponent (66); the product bounded before its low part, powers of two as third roots (56;
        0.60 ns), by one instruction (41; 0.52: kept); beta = 1 known to the compiler (41; 0.51).
        """,
    ),
    Limit(
        "gelu",
        of("gelu"),
        """
        Its polynomial is two pieces with 24 operations on the port that limits the loop, and a division;
        torch's gelu is NaN or 0 in the tails (docs/accuracy.md). Tried (ns): one, two and four vectors side by
        side (0.627, 0.590, 0.584: kept), which shows that spilled registers are not the cause; the polynomial
        in pairs (0.664 instead of 0.632); a stack of whole cache lines (kept: erf in float64 no longer 2.0 in
        some processes and 1.6 in others); one rational piece (on paper 3 operations less of 51, but a low part
        of the quotient more).
        """,
    ),
    Limit(
        "The exponential",
        of("exponential", "elu", "celu", "selu"),
        """
        onnxruntime takes fewer operations, and nothing is asked of how its errors lie; fastact's exponential
        nowhere falls, which costs it the cheaper forms. Tried (ns, ULP): r centred, 1 + r with a low part
        (0.327, 0.84: until now); r * v added to 1 (0.262 and 0.274, 0.91, but it falls near -0.236); the
        interval skewed by 1/8 (0.270, 1.001) and 1/16 (0.285, 1.02); from 3/4 to 3/2, powers of two as integer
        additions (0.25, 0.90), and by one instruction (0.215, the same bits: kept).
        """,
    ),
    Limit(
        "The sigmoid and its kin",
        of("sigmoid", "log_sigmoid", "tanh", "tanhshrink", "softplus", "silu", "gelu_tanh"),
        """
        fastact's tails keep their digits down to the subnormal numbers, where the peers give 0
        (docs/accuracy.md), and its derivatives come from x, not from a rounded result. Tried (ns): slopes of
        tanh and sigmoid with powers of two by one instruction (0.65 -> 0.55: kept) and eight vectors side by
        side (0.50: kept), silu with eight (0.44 -> 0.40: kept), others with eight (1 to 20 % slower); the
        denominator as two exact sums (0.405 for sigmoid), as one with two terms less (0.375: kept), as one fma
        (on paper an operation less, but one more on the port that limits); two and four vectors side by side
        (tanhshrink 0.82 -> 0.74, tanh in float64 1.17 -> 0.99: four are kept); powers of two as inner and outer
        factors (0 to 3 %, dropped); the gradient multiplied by the power early (the same, dropped); softplus's
        and tanh's polynomials in pairs (3 to 20 % slower).
        """,
    ),
    Limit(
        "erf, ndtr, serf and telu",
        of("erf", "ndtr", "serf", "telu"),
        """
        Polynomials of two pieces, chosen per element, and in ndtr and serf an exponential whose argument has a
        low part. Tried: polynomials in pairs (3 to 20 % slower); two and four vectors side by side (telu 0.83,
        serf 0.86 to 0.89, ndtr 0.93 of the time: four are kept); a stack of whole cache lines (kept).
        """,
    ),
    Limit(
        "squareplus and softsign",
        of("squareplus", "softsign"),
        """
        jax computes (x + sqrt(x * x + b)) / 2, which for x < 0 is little but the error of the subtraction, and
        overflows from 1e19 on. fastact is within 1 ULP everywhere, nowhere falls, scales by powers of two, and
        divides. Tried for squareplus (instructions, ns): pairs throughout, two divisions (60, 0.66: until now);
        one division by the product of both divisors (57, 0.81), with the quotient doubled and the choice before
        the scaling (58.25, 0.615), with a sum by order (54.25, 0.615, but 1.5 ULP at subnormal results; 53.5,
        0.61: kept); a step of Newton's method with 1 / s to an eighth (28.5, 0.37), to 8 / 9 of that and to
        1/64, all of which fall at places. For its slope, by the factor of the root's correction: 1.25, 1.125, 1
        + 0.42 a (2.19, 2.32, 2.17 ULP), 1 + 0.3 a with another residual for large x (1.90: kept; 0.86 -> 0.54
        ns). For softsign: a residual without the low part of 1 + |x| (13.75, 0.160, falls at 22 places), the
        exact sum by order (15.75, 0.168: kept; before 18.75, 0.203); its slope with all low parts (0.35), with
        a square summed from its largest term (0.21: kept).
        """,
    ),
    Limit(
        "snake",
        of("snake"),
        """
        x is reduced modulo pi exactly, whatever its size; NumPy's and jax's sines need a few operations, and
        are not exact for large x. Tried for the slope (instructions): a mantissa times digits in 64-bit
        integers (201: until now); alpha / pi as a table that is made once, the first word an integer product,
        the rest fma in pairs (150); modulo pi / 2 with the parity apart (140); integers to floats and back for
        the low part (131.5); parts in units of the last digit (128: kept; 1.81 -> 1.14 ns); floats alone in 5
        to 6 pieces (on paper the same for alpha = 1, 20 more otherwise).
        """,
    ),
    Limit(
        "Piecewise functions",
        of("hard_sigmoid", "hard_silu", "hard_tanh", "star_relu", "leaky_relu"),
        """
        Their edges are exact: slope * x + offset with the low part of 1 / 6 decides on which side x is. Tried
        for hard_sigmoid's slope: exact products with signs of what underflows (24.5 instructions), fma in the
        sums and the sign alone where offset is 0 (18.5: kept), bounds computed beforehand (wrong for array
        parameters).
        """,
    ),
    Limit(
        "Within the noise",
        lambda _, times: ratio(times) >= NOISE,
        """
        Two runs of the same build differ by as much.
        """,
    ),
    Limit("Not explained", lambda *_: True, "Measure again, and look into these."),
)


def limit_of(case: Case, times: Times) -> Limit:
    """The first limit that holds."""
    return next(limit for limit in LIMITS if limit.holds(case, times))
