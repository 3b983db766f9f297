"""What ptxas makes of the kernels that check.py has compiled: registers, spills, and does it take them?

It comes with the package nvidia-cuda-nvcc. Each kernel is assembled for several GPUs, on a copy of its PTX that names
them. It is an error if one spills for want of registers. python sass.py --help
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import sysconfig
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import fake_gpu as gpu
import results

CAPABILITIES = ("7.5", "8.0", "9.0", "12.0")
COLUMNS = ("template", "kernels", "registers", "with a stack or spills", "largest spill in bytes")
#: ptxas spills so many bytes although it has registers left: fewer of them let twice as many warps run.
CHOSEN = 64
#: Template -> bytes that its kernels may spill for want of registers; each needs a comment with the reason.
ALLOWED = {
    "loss_parts_kernel": 72,  # float64 on 7.5, where a float64 operation takes longer than the access to a spill
}


class Assembled(NamedTuple):
    """What ptxas says of a kernel."""

    template: str
    threads: int
    registers: int
    spilled: int  # bytes of stack and spills
    source: str  # the template and its parameters

    @property
    def excess(self) -> int:
        """How many bytes more than allowed it spills."""
        chosen = self.registers < min(255, 65536 // self.threads)
        return self.spilled - (CHOSEN if chosen else ALLOWED.get(self.template, 0))


def found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    assert match is not None, f"{pattern} in {text[:300]}"
    return match[1]


def assembled(ptxas: Path, capability: str, path: Path) -> Assembled:
    text, arch = path.read_text(), f"sm_{capability.replace('.', '')}"
    template, source = found("^// (.*)", text).split()[0], found("^// (.*)", text)
    retargeted = re.sub(r"(?m)^\.target sm_\d+", f".target {arch}", text)
    command = [ptxas, "-v", f"-arch={arch}", "-o", "/dev/null", "-"]
    done = subprocess.run(command, input=retargeted, capture_output=True, text=True, check=False)
    out = done.stdout + done.stderr
    if done.returncode:
        raise RuntimeError(f"{source} for {capability}: {out[-500:]}")
    spilled = max(int(found(rf"(\d+) bytes {what}", out)) for what in ("stack frame", "spill stores", "spill loads"))
    threads = int(found(r"\.maxntid\s+(\d+)", text))
    return Assembled(template, threads, int(found(r"Used (\d+) registers", out)), spilled, source)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("template", nargs="?", default="kernel", help="a part of the names of templates")
    parser.add_argument("--cc", action="append", help=f"compute capabilities, by default {', '.join(CAPABILITIES)}")
    parser.add_argument("--record", action="store_true", help="write what was found into results.md")
    given = parser.parse_args()
    ptxas = Path(sysconfig.get_path("purelib"), "nvidia", "cu13", "bin", "ptxas")
    paths = sorted(gpu.kept().glob("*.ptx"))
    if not paths:
        sys.exit(f"no kernels in {gpu.kept()}: run check.py before")
    wrong: list[str] = []
    for capability in given.cc or CAPABILITIES:
        kernels = defaultdict[str, list[Assembled]](list)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for each in pool.map(partial(assembled, ptxas, capability), paths):
                if given.template in each.template:
                    kernels[f"{each.template} of {each.threads} threads"].append(each)
        for template, group in sorted(kernels.items()):
            registers, worst = sorted(each.registers for each in group), max(group, key=lambda each: each.spilled)
            spilling = sum(each.spilled > 0 for each in group)
            cells = len(group), f"{registers[0]} to {registers[-1]}", spilling, worst.spilled
            described = ", ".join(f"{name} {cell}" for name, cell in zip(COLUMNS[1:], cells, strict=True))
            print(f"{capability}, {template}: {described}", flush=True)
            wrong += [
                f"{capability}: {each.spilled} bytes, {each.registers} registers, {each.source}"
                for each in group
                if each.excess > 0
            ]
            if given.record:
                results.record(f"Machine code for {capability}", COLUMNS, template, *cells)
    if wrong:
        sys.exit(f"{len(wrong)} SPILL:\n" + "\n".join(wrong))
    print(f"{len(paths)} kernels of {gpu.sources()}: none spills more than it may; exceptions: {ALLOWED}")


if __name__ == "__main__":
    main()
