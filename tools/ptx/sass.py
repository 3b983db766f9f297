"""What ptxas makes of the PTX that is kept: registers, spills, and does it take it? python sass.py [name of a kernel]

ptxas comes with the package nvidia-cuda-nvcc.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

from fake_gpu import CACHE


def found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    assert match is not None, pattern
    return match[1]


def main() -> None:
    ptxas = next(Path(sys.prefix).glob("lib/python3*/site-packages/nvidia/cu13/bin/ptxas"))
    wanted = sys.argv[1] if len(sys.argv) > 1 else "kernel"
    kernels = defaultdict(list)
    for path in sorted(CACHE.glob("*.ptx")):
        text = path.read_text()
        name = found(r"\.entry\s+_ZN7fastact8backends4cuda7kernels\d+[a-z]+\d+(\w+?_kernel)", text)
        if wanted not in name:
            continue
        target, block = found(r"\.target (\w+)", text), int(found(r"\.maxntid\s+(\d+)", text))
        command = [ptxas, "-v", f"-arch={target}", "-o", "/dev/null", path]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        out = done.stdout + done.stderr
        if done.returncode:
            print("REFUSED", path.name, out[-300:])
            continue
        registers, stack = int(found(r"Used (\d+) registers", out)), int(found(r"(\d+) bytes stack frame", out))
        kernels[target, name, block].append((registers, stack, path.name))
    for key, rows in sorted(kernels.items()):
        used, spilled = sorted(rows), [row for row in rows if row[1]]
        print(*key, f"threads: {len(rows)} kernels, registers {used[0][0]} to {used[-1][0]};", end=" ")
        print(f"{len(spilled)} with a stack or spills: {spilled[:3]}")


if __name__ == "__main__":
    main()
