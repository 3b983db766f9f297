"""What `import fastact` costs beside `import numba`, each in a fresh process, taking turns.

python benchmarks/start.py
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time


def seconds(statement: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-P", "-c", statement], check=True)
    return time.perf_counter() - start


def main() -> None:
    rounds = [(seconds("import numba"), seconds("import fastact")) for _ in range(21)]
    numba, fastact = (statistics.median(column) for column in zip(*rounds, strict=True))
    extra = statistics.median(b - a for a, b in rounds)
    print(f"import numba {numba:.3f} s, import fastact {fastact:.3f} s, difference {extra:.3f} s (medians of 21)")


if __name__ == "__main__":
    main()
