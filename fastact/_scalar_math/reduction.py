"""a * x modulo pi for any product that is finite: the method of Payne and Hanek, in integers.

Only sine.py imports this. a * x / pi modulo 1 is, but for an integer, the mantissa of a * x times a window of the
binary digits of 1 / pi: those before the window contribute integers. All is done in 32-bit digits, held in 64-bit
integers, to 2**-60 (float32) or 2**-124 of pi: no float32 or float64 number comes nearer than about 2**-31 or 2**-62 to
a multiple of it.

M. Payne, R. Hanek. Radian reduction for trigonometric functions. SIGNUM Newsletter 18 (1983), pp. 19-24.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

from llvmlite import ir

from fastact._primitives import primitive

LONG = ir.IntType(64)

#: The binary digits of 1 / pi after the point; benchmarks/coefficients.py prints them.
INVERSE_PI = int(
    "517cc1b727220a94fe13abe8fa9a6ee06db14acc9e21c820ff28b1d5ef5de2b0db92371d2126e9700324977504e8c90e7f0ef58e"
    "5894d39f74411afa975da24274ce38135a2fbf209cc8eb1cc1a99cfa4e422fc5defc941d8ffc4bffef02cc07f79788c5ad05368f"
    "b69b3f6793e584dba7a31fb34f2ff516ba93dd63f5f2f8bd9e839cfbc529497535fdafd88fc6ae842b0198237e3db5d5",
    16,
)
DIGITS = 1216


class Plan(NamedTuple):
    """How a dtype's reduction is laid out."""

    float_bits: int
    mantissa_bits: int
    #: Words of the table of 1 / pi, as wide as the float, of which so many are zeros before the point.
    zeros: int
    words: int
    #: Most words that a product can be moved along the table.
    farthest: int
    #: 32-bit digits of the mantissa of a * x, and of the fraction that comes out.
    factors: int
    digits: int


#: The products a * x from 2**-9 and 2**-19 to the largest number have their windows in the table.
PLANS = {32: Plan(32, 23, 2, 9, 4, 2, 2), 64: Plan(64, 52, 2, 21, 16, 4, 4)}


class Reduction:
    """Emits the instructions for one pair of floats."""

    def __init__(self, builder: Any, a: Any, x: Any) -> None:
        self.builder, self.plan = builder, PLANS[32 if isinstance(x.type, ir.FloatType) else 64]
        self.type, self.word = x.type, ir.IntType(self.plan.float_bits)
        self.a, self.x = builder.bitcast(a, self.word), builder.bitcast(x, self.word)

    def number(self, value: int, type_: Any = None) -> Any:
        return ir.Constant(type_ or self.word, value)

    def right(self, value: Any, bits: int) -> Any:
        return self.builder.lshr(value, ir.Constant(value.type, bits)) if bits else value

    def left(self, value: Any, bits: int) -> Any:
        return self.builder.shl(value, ir.Constant(value.type, bits)) if bits else value

    def low(self, value: Any) -> Any:
        """The last 32 bits of a 64-bit integer."""
        return self.builder.and_(value, self.number(0xFFFFFFFF, LONG))

    def split(self, value: Any) -> tuple[Any, Any]:
        """Mantissa and exponent e of the bits of a float: |value| = mantissa * 2**(e - bias - mantissa_bits)."""
        builder, bits = self.builder, self.plan.mantissa_bits
        one = self.number(1 << bits)
        fraction = builder.and_(value, builder.sub(one, self.number(1)))
        exponent = builder.and_(self.right(value, bits), self.number((1 << (self.plan.float_bits - 1 - bits)) - 1))
        normal = builder.icmp_unsigned("!=", exponent, self.number(0))
        mantissa = builder.select(normal, builder.or_(fraction, one), fraction)
        return mantissa, builder.select(normal, exponent, self.number(1))

    def product(self, a: Any, x: Any) -> list[Any]:
        """The product of two mantissas as 32-bit digits, last digit first."""
        builder = self.builder
        if self.plan.float_bits == 32:
            whole = builder.mul(builder.zext(a, LONG), builder.zext(x, LONG))
            return [self.low(whole), self.right(whole, 32)]
        (a0, a1), (x0, x1) = ((self.low(each), self.right(each, 32)) for each in (a, x))
        first = builder.mul(a0, x0)
        second = builder.add(builder.add(builder.mul(a0, x1), builder.mul(a1, x0)), self.right(first, 32))
        third = builder.add(builder.mul(a1, x1), self.right(second, 32))
        return [self.low(first), self.low(second), self.low(third), self.right(third, 32)]

    def window(self, place: Any) -> list[Any]:
        """The 32-bit digits of 1 / pi, as many as are needed, from binary place `place` of the table on."""
        builder, plan = self.builder, self.plan
        bits, shift = plan.float_bits, plan.float_bits.bit_length() - 1
        ends = range(bits * (1 - plan.zeros), bits * (plan.words - plan.zeros + 1), bits)
        words = [self.number(INVERSE_PI >> (DIGITS - end) & ((1 << bits) - 1)) for end in ends]
        needed = -(-32 * (plan.digits + plan.factors) // bits) + 1
        # Move to the place's word by 16, 8, 4, 2 and 1 words, then to its bit.
        index, step = self.right(place, shift), 1 << (plan.farthest.bit_length() - 1)
        while step:
            moved = builder.icmp_unsigned("!=", builder.and_(index, self.number(step)), self.number(0))
            words = [
                builder.select(moved, words[i + step], words[i]) if i + step < len(words) else words[i]
                for i in range(min(needed + step - 1, len(words)))
            ]
            step //= 2
        by = builder.and_(place, self.number(bits - 1))
        back = builder.sub(self.number(bits - 1), by)
        shifted = [
            builder.or_(builder.shl(high, by), builder.lshr(self.right(low, 1), back)) for high, low in pairwise(words)
        ]
        if bits == 32:
            return [builder.zext(word, LONG) for word in shifted]
        return [half for word in shifted for half in (self.right(word, 32), self.low(word))]

    def fraction(self) -> list[Any]:
        """|a * x| / pi modulo 1, the first 64 bits and then in 32-bit digits."""
        builder, plan = self.builder, self.plan
        (a, a_exponent), (x, x_exponent) = self.split(self.a), self.split(self.x)
        factors = self.product(a, x)
        bias = (1 << (plan.float_bits - 2 - plan.mantissa_bits)) - 1
        start = plan.zeros * plan.float_bits - 2 * (bias + plan.mantissa_bits)
        place = builder.add(builder.add(a_exponent, x_exponent), self.number(start))
        window = self.window(place)
        products = [[builder.mul(f, w) for w in window[m : m + plan.digits + 1]] for m, f in enumerate(factors)]
        carry, digits = self.number(0, LONG), []
        for i in range(plan.digits - 1, 1, -1):
            for row in products:
                carry = builder.add(carry, builder.add(self.low(row[i]), self.right(row[i + 1], 32)))
            digits.append(self.low(carry))
            carry = self.right(carry, 32)
        for row in products:  # what overflows here is whole
            for term in self.left(row[0], 32), row[1], self.right(row[2], 32):
                carry = builder.add(carry, term)
        return [carry, *reversed(digits)]

    def nearest(self, quarters: int) -> tuple[Any, Any]:
        """a * x / pi + quarters / 4 less the nearest integer, as high and low part."""
        builder, plan = self.builder, self.plan
        first, *rest = self.fraction()
        if rest:
            words = [first, builder.or_(self.left(rest[0], 32), rest[1])]
        else:
            words = [builder.trunc(self.right(first, 32), self.word), builder.trunc(first, self.word)]

        def negated(words: list[Any], mask: Any) -> list[Any]:
            return [builder.xor(word, mask) for word in words]  # but for 1 in the last place

        top = self.number(plan.float_bits - 1)
        first, *rest = negated(words, builder.ashr(builder.xor(self.a, self.x), top))
        first = builder.add(first, self.number(quarters << (plan.float_bits - 2)))
        words = negated([first, *rest], builder.ashr(first, top))

        # Pieces as long as a mantissa are floats, after the leading bit, which is 0.
        size, pieces = plan.mantissa_bits, []
        for begin in range(1, 2 * plan.float_bits, size):
            length = min(size, 2 * plan.float_bits - begin)
            pieces.append(self.float(self.bits(words, begin, length), begin + length))
        high, low = self.sum(pieces[0], pieces[1])
        high, low = self.sum(high, builder.fadd(low, pieces[2]))
        sign = builder.and_(first, self.number(1 << (plan.float_bits - 1)))
        high, low = (builder.xor(builder.bitcast(part, self.word), sign) for part in (high, low))
        return builder.bitcast(high, self.type), builder.bitcast(low, self.type)

    def bits(self, words: list[Any], begin: int, length: int) -> Any:
        """So many bits of a row of words, from one of them on, as an integer."""
        builder, total = self.builder, self.number(0)
        for i, word in enumerate(words):
            shift = begin + length - self.plan.float_bits * (i + 1)  # to the left
            if -self.plan.float_bits < shift < length:
                moved = self.left(word, shift) if shift >= 0 else self.right(word, -shift)
                total = builder.or_(total, moved)
        return builder.and_(total, self.number((1 << length) - 1))

    def float(self, integer: Any, places: int) -> Any:
        """integer * 2**-places: an integer no longer than the mantissa put behind a leading 1, which is taken away."""
        builder, plan = self.builder, self.plan
        bias = (1 << (plan.float_bits - 2 - plan.mantissa_bits)) - 1
        one = self.number((bias + plan.mantissa_bits - places) << plan.mantissa_bits)
        return builder.fsub(builder.bitcast(builder.or_(integer, one), self.type), builder.bitcast(one, self.type))

    def sum(self, a: Any, b: Any) -> tuple[Any, Any]:
        """`ordered_sum`."""
        high = self.builder.fadd(a, b)
        return high, self.builder.fadd(self.builder.fsub(a, high), b)


def _half_turns(quarters: int, part: int) -> Any:
    """A primitive of (a, x): the high or the low part of a * x / pi + quarters / 4, less the nearest integer."""

    def body(builder: Any, values: Any, cast: Any) -> Any:
        return Reduction(builder, cast(0, 1), values[1]).nearest(quarters)[part]

    return primitive(2, 1, body)(lambda a, x: None)


#: a * x / pi less the nearest integer, for |a * x| from 2**-9 (float32) and 2**-19 to the largest number.
half_turns, half_turns_low = _half_turns(0, 0), _half_turns(0, 1)
#: The same of a * x + pi / 4.
shifted_half_turns, shifted_half_turns_low = _half_turns(1, 0), _half_turns(1, 1)
