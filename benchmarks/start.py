"""Times what a process waits for at its start: the import, and the first call of a function without and with the cache.

Every figure is of fresh processes that take turns. The catalogue's figures are of every function, derivative and
backward pass in float32, one after the other in one process.

python benchmarks/start.py [--rounds 11] [--catalogue]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time

FUNCTIONS = ("relu", "sigmoid", "tanh", "silu", "gelu", "mish", "softplus", "snake")

FIRST_CALL = """
import sys, time
import numpy as np
import fastact as fa

function, x = fa.get(sys.argv[1]), np.ones(8, np.float32)
start = time.perf_counter()
function(x)
print(time.perf_counter() - start)
"""

CATALOGUE = """
import time
import numpy as np
import fastact as fa

x = np.ones(8, np.float32)
fa.identity(x)
for name in fa.names():
    for operation in fa.get(name)._operations():
        start = time.perf_counter()
        operation(*[x] * operation._inputs)
        print(operation.name, time.perf_counter() - start)
"""


def run(code: str, *arguments: str, cache: str = "off") -> str:
    """What a fresh interpreter prints; it may keep Python's bytecode, as any installed package does."""
    environment = os.environ | {"FASTACT_CACHE": cache}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, "-P", "-c", code, *arguments]
    return subprocess.run(command, check=True, env=environment, capture_output=True, text=True).stdout


def seconds(statement: str) -> float:
    start = time.perf_counter()
    run(statement)
    return time.perf_counter() - start


def first_calls(function: str) -> tuple[float, float]:
    """The first call with an empty cache, and with what that left."""
    with tempfile.TemporaryDirectory() as cache:
        cold, warm = (float(run(FIRST_CALL, function, cache=cache)) for _ in range(2))
    return cold, warm


def catalogue() -> None:
    """Print the slowest calls of a process that compiles everything, and of one that finds everything."""
    with tempfile.TemporaryDirectory() as cache:
        for state in ("cold", "warm"):
            lines = map(str.split, run(CATALOGUE, cache=cache).splitlines())
            times = sorted(((float(duration), name) for name, duration in lines), reverse=True)
            worst = ", ".join(f"{name} {1e3 * duration:.1f}" for duration, name in times[:5])
            median = 1e3 * statistics.median(duration for duration, _ in times)
            print(f"{state}: {len(times)} further kernels, median {median:.1f} ms, slowest {worst}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--catalogue", action="store_true", help="every kernel too; takes a minute")
    options = parser.parse_args()
    seconds("import fastact")
    imports = [(seconds("import numba"), seconds("import fastact")) for _ in range(options.rounds)]
    numba, fastact = (statistics.median(column) for column in zip(*imports, strict=True))
    ratio = statistics.median(b / a for a, b in imports)
    print(f"import numba {numba:.3f} s, import fastact {fastact:.3f} s, ratio {ratio:.2f}")
    calls = [[first_calls(function) for function in FUNCTIONS] for _ in range(options.rounds)]
    print("first call, ms    " + "".join(f"{function:>10}" for function in FUNCTIONS))
    for state, label in enumerate(("empty cache", "filled cache")):
        columns = ([each[state] for each in column] for column in zip(*calls, strict=True))
        print(f"{label:<18}" + "".join(f"{1e3 * statistics.median(column):10.1f}" for column in columns))
    if options.catalogue:
        catalogue()


if __name__ == "__main__":
    main()
