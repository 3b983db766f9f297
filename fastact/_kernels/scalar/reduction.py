"""The argument reduction of sine.py: a * x modulo pi for any finite product, by the method of Payne and Hanek.

a * x / pi is the mantissa of x times the binary digits of (mantissa of a) / pi, of which a window matters: the digits
before it contribute integers. The window's first word, as wide as the float, is multiplied as an integer, and its
overflow is a whole number. The next two words contribute 2**8 or 2**11 times less, and are multiplied as floats with
their low parts. The result is right to 2**-56 of pi (float32) or 2**-115 (float64); no float32 or float64 number comes
nearer than about 2**-31 or 2**-62 to a multiple of pi.

M. Payne, R. Hanek. Radian reduction for trigonometric functions. SIGNUM Newsletter 18 (1983), pp. 19-24.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

from llvmlite import ir

from fastact._kernels.scalar.primitives import primitive

LONG = ir.IntType(64)

#: The binary digits of 1 / pi after the point; tools/coefficients.py prints them.
INVERSE_PI = int(
    "517cc1b727220a94fe13abe8fa9a6ee06db14acc9e21c820ff28b1d5ef5de2b0db92371d2126e9700324977504e8c90e7f0ef58e"
    "5894d39f74411afa975da24274ce38135a2fbf209cc8eb1cc1a99cfa4e422fc5defc941d8ffc4bffef02cc07f79788c5ad05368f"
    "b69b3f6793e584dba7a31fb34f2ff516ba93dd63f5f2f8bd9e839cfbc529497535fdafd88fc6ae842b0198237e3db5d5",
    16,
)
DIGITS = 1216


class Plan(NamedTuple):
    """The layout of a dtype's reduction."""

    float_bits: int
    mantissa_bits: int
    #: How many words of the table, each as wide as the float, come before the point.
    zeros: int
    #: The most words by which a product can be moved along the table.
    farthest: int


#: By bits of the float. Products a * x from 2**-9 or 2**-19 to the largest number have their windows in the table.
PLANS = {32: Plan(32, 23, 2, 4), 64: Plan(64, 52, 2, 16)}


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
        """Split a float's bits into mantissa and exponent e: |value| = mantissa * 2**(e - bias - mantissa_bits)."""
        builder, bits = self.builder, self.plan.mantissa_bits
        one = self.number(1 << bits)
        fraction = builder.and_(value, builder.sub(one, self.number(1)))
        exponent = builder.and_(self.right(value, bits), self.number((1 << (self.plan.float_bits - 1 - bits)) - 1))
        normal = builder.icmp_unsigned("!=", exponent, self.number(0))
        mantissa = builder.select(normal, builder.or_(fraction, one), fraction)
        return mantissa, builder.select(normal, exponent, self.number(1))

    def table(self, mantissa: Any, words: int) -> list[Any]:
        """Multiply the mantissa by 1 / pi, modulo a power of two: so many words, of which the first are mostly zeros.

        Where `a` is a number, a compiled loop does this once.
        """
        builder, plan = self.builder, self.plan
        factors = [builder.zext(mantissa, LONG)]
        if plan.float_bits == 64:
            factors = [self.low(mantissa), self.right(mantissa, 32)]
        per_word, zeros = plan.float_bits // 32, plan.zeros * plan.float_bits // 32

        def digit(place: int) -> Any:
            return self.number(INVERSE_PI >> (DIGITS - 32 * (place - zeros + 1)) & 0xFFFFFFFF, LONG)

        digits, half = [self.number(0, LONG)] * (per_word * words), ir.IntType(32)
        for m, factor in enumerate(factors):
            carry = self.number(0, LONG)
            for i in reversed(range(len(digits))):
                term = builder.add(builder.mul(factor, digit(i + m)), digits[i])
                # Each addend is cut off by itself; or else LLVM would do that word by word in the loop, after
                # selecting.
                cut = builder.add(builder.trunc(term, half), builder.trunc(carry, half))
                digits[i], carry = builder.zext(cut, LONG), self.right(builder.add(term, carry), 32)
        if per_word == 1:
            return [builder.trunc(digit, self.word) for digit in digits]
        return [builder.or_(self.left(high, 32), low) for high, low in zip(digits[::2], digits[1::2], strict=True)]

    def window(self, words: list[Any], place: Any, needed: int) -> list[Any]:
        """Take so many words of the table, from binary place `place` on."""
        builder, plan = self.builder, self.plan
        bits = plan.float_bits
        # Move to the place's word by 16, 8, 4, 2 and 1 words, then to its bit.
        step = 1 << (plan.farthest.bit_length() - 1)
        while step:
            moved = builder.icmp_unsigned("!=", builder.and_(place, self.number(step * bits)), self.number(0))
            words = [
                builder.select(moved, words[i + step], words[i]) if i + step < len(words) else words[i]
                for i in range(min(needed + step, len(words)))
            ]
            step //= 2
        by = builder.and_(place, self.number(bits - 1))
        back = builder.sub(self.number(bits - 1), by)
        return [
            builder.or_(builder.shl(high, by), builder.lshr(self.right(low, 1), back)) for high, low in pairwise(words)
        ]

    def nearest(self, quarters: int) -> tuple[Any, Any, Any]:
        """a * x / pi + quarters / 4 less the nearest multiple n / 2, as high and low part, and (-1)**n.

        The parts are in units of 2**-32 (float32) or 2**-64. Since n is chosen before the last digits are added, they
        may be up to 1/4 + 2**-8 or 2**-11.
        """
        builder, plan = self.builder, self.plan
        bits, size = plan.float_bits, plan.mantissa_bits + 1
        (a, a_exponent), (x, x_exponent) = self.split(self.a), self.split(self.x)
        bias = (1 << (bits - 1 - size)) - 1
        start = plan.zeros * bits - 2 * (bias + plan.mantissa_bits)
        place = builder.add(x_exponent, builder.add(a_exponent, self.number(start)))
        first, second, third = self.window(self.table(a, plan.farthest + 4), place, 3)
        negative = builder.icmp_signed("<", builder.xor(self.a, self.x), self.number(0))
        x = builder.select(negative, builder.neg(x), x)

        # The first word times x as an integer, whose overflow is whole; but for n / 2, as two floats.
        whole = builder.add(builder.mul(x, first), self.number(quarters + 1 << (bits - 2)))
        inner = builder.sub(builder.and_(whole, self.number((1 << (bits - 1)) - 1)), self.number(1 << (bits - 2)))
        high = self.float(inner, 0)
        low = self.float(builder.sub(inner, builder.fptosi(high, self.word)), 0)
        # Those after it, as two floats that do not overlap, times x: below 2**size.
        after = builder.or_(self.left(second, size), self.right(third, bits - size))
        x = self.float(x, size)
        word, word_low = self.float(self.right(second, bits - size), 0), self.float(self.right(after, 1), bits - 1)
        more = builder.fmul(x, word)
        minus_more = builder.fsub(ir.Constant(self.type, -0.0), more)  # CUDA's compiler knows no fneg
        more_low = builder.fma(x, word_low, builder.fma(x, word, minus_more))
        # Either |high| > |more| or both parts are integers of one unit that a float can hold: the sum is exact.
        high, rounded = self.sum(high, more)
        high, low = self.sum(high, builder.fadd(builder.fadd(low, rounded), more_low))
        sign = builder.and_(whole, self.number(1 << (bits - 1)))
        one = self.number(bias << plan.mantissa_bits)
        return high, low, builder.bitcast(builder.or_(sign, one), self.type)

    def float(self, integer: Any, places: int) -> Any:
        """integer * 2**-places, of an integer with a sign."""
        number = self.builder.sitofp(integer, self.type)
        return self.builder.fmul(number, ir.Constant(self.type, 2.0**-places)) if places else number

    def sum(self, a: Any, b: Any) -> tuple[Any, Any]:
        """`ordered_sum`."""
        high = self.builder.fadd(a, b)
        return high, self.builder.fadd(self.builder.fsub(a, high), b)


def _half_turns(quarters: int, part: int) -> Any:
    """A primitive of (a, x): one part of what `nearest` finds."""

    def body(builder: Any, values: Any, cast: Any) -> Any:
        return Reduction(builder, cast(0, 1), values[1]).nearest(quarters)[part]

    return primitive(2, 1, body)(lambda a, x: None)


#: a * x / pi less the nearest n / 2, for |a * x| from 2**-9 (float32) and 2**-19 to the largest number: high and low
#: part in units of 2**-32 or 2**-64, and (-1)**n.
half_turns, half_turns_low, half_turns_sign = _half_turns(0, 0), _half_turns(0, 1), _half_turns(0, 2)
#: The same of a * x + pi / 4.
shifted_half_turns, shifted_half_turns_low, shifted_half_turns_sign = (_half_turns(1, part) for part in range(3))
