"""sparsemax, entmax15, hardmax and gumbel_softmax beside their usual formulations in NumPy, PyTorch and JAX.

Every library gets the same float32 array and returns a new one. Calls take turns, and the least time of each counts.
The ratio is the fastest peer's time over fastact's. Rows are standard normal numbers, of which few are in the support;
in "close" ones most are, since their differences are small. Backward passes have no peers.

    python benchmarks/sparse.py [sparsemax] [entmax15] [hardmax] [gumbel_softmax] [--case WORDS] [--seconds 1]
"""

from __future__ import annotations

from lines import arguments, timed

from fastact.measure.bench.cases import Case

SHAPES = [((1, 10), -1), ((128, 10), -1), ((60_000, 10), -1), ((512, 100), -1), ((4096, 1000), -1), ((64, 50_257), -1),
          ((1000, 4096), 0), ((16, 1000, 196), 1), ((32, 12, 128, 128), -1)]  # fmt: skip
#: What the rows of each function are like.
ROWS = {"sparsemax": ("", "close"), "entmax15": ("", "close"), "hardmax": ("",), "gumbel_softmax": ("",)}


def main() -> None:
    options = arguments(__doc__, list(ROWS))
    cases = [
        Case(name, part, size=shape, axis=axis, data=rows)
        for name in options.kinds
        for shape, axis in SHAPES
        for rows in ROWS[name]
        for part in ("forward", "backward")
    ]
    timed(cases, ["numpy", "torch", "jax"], options)


if __name__ == "__main__":
    main()
