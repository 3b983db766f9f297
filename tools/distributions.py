"""Check the files of a release: `python tools/distributions.py dist/*`, as `nox -s package` does.

The sdist holds what git tracks. Wheels hold its modules, stubs and data, and compiled parts in place of Cython's and
gettext's sources. With `--try` the wheel is installed in an empty environment without a compiler, and computes there.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tarfile
import tempfile
import time
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
MAX_WHEEL = 5_000_000
#: What setuptools adds to an sdist.
GENERATED = ("PKG-INFO", "setup.cfg", "fastact.egg-info/")
#: What others include.
INCLUDED = (".pxd", ".pxi", "softmax/kernels.pyx")
#: What each source becomes in a wheel; the dot before the suffix begins the platform's name.
COMPILED = {".c": (".so", ".pyd"), ".pyx": (".so", ".pyd"), ".po": (".mo",)}

FIRST_RESULT = """
import numpy as np
import fastact as fa

x = np.array([-1, 0, 2], np.float32)
np.testing.assert_allclose(fa.gelu(x), [-0.15865525, 0, 1.9544997], rtol=1e-6)
np.testing.assert_allclose(fa.softmax(x).sum(), 1, rtol=1e-6)
model = fa.MLP([2, 4, 1], output="sigmoid", seed=0)
model.fit(np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32), np.array([0, 1, 1, 0], np.float32), epochs=5)
"""


def check(holds: bool, message: str) -> None:
    """End the program with this message if a condition does not hold."""
    if not holds:
        sys.exit(message)


def tracked() -> set[str]:
    """The files that git tracks."""
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return set(names.split("\0")) - {""}


def in_sdist(path: Path) -> set[str]:
    """The files of an sdist below its only folder, without those of setuptools."""
    with tarfile.open(path) as archive:
        names = [member.name.partition("/")[2] for member in archive if member.isfile()]
    return {name for name in names if not name.startswith(GENERATED)}


def in_wheel(path: Path) -> set[str]:
    """The files of a wheel, without those that describe it."""
    with zipfile.ZipFile(path) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name and not name.endswith("/")}


def check_sdist(path: Path) -> None:
    """Compare an sdist with what git tracks."""
    check(not (wrong := in_sdist(path) ^ tracked()), f"{path.name}: not both in git and in the sdist: {sorted(wrong)}")


def check_wheel(path: Path) -> None:
    """Compare a wheel with the sources, and look at its size."""
    found, expected = in_wheel(path), set()
    for name in tracked():
        source = Path(name)
        if source.parts[0] not in ("fastact", "fastact_command.py") or name.endswith(INCLUDED):
            continue
        if source.suffix in COMPILED:
            start = f"{source.with_suffix('').as_posix()}."
            made = {one for one in found if one.startswith(start) and one.endswith(COMPILED[source.suffix])}
            check(len(made) == 1, f"{path.name}: {name} became {sorted(made)}")
            expected |= made
        else:
            expected.add(name)
    check(not (wrong := found ^ expected), f"{path.name}: missing or not wanted: {sorted(wrong)}")
    check((size := path.stat().st_size) < MAX_WHEEL, f"{path.name} has {size:,} bytes, more than {MAX_WHEEL:,}")


def try_wheel(path: Path) -> None:
    """Install a wheel, alone and then with the commands, where only Python is on the search path; print the times."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        programs = Path(folder) / ("Scripts" if os.name == "nt" else "bin")
        environment = {**os.environ, "CC": "false", "CXX": "false", "FASTACT_CACHE": str(Path(folder) / "cache")}
        if os.name != "nt":
            environment["PATH"] = str(programs)

        def run(*command: str) -> float:
            start = time.perf_counter()
            subprocess.run(
                [programs / "python", "-I", *command], cwd=folder, env=environment, check=True, stdout=subprocess.PIPE
            )
            return time.perf_counter() - start

        install = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary=:all:")
        print(f"install {run(*install, str(path)):.1f} s, ", end="")
        print(f"first results {run('-c', FIRST_RESULT):.1f} s, again {run('-c', FIRST_RESULT):.1f} s, ", end="")
        run(*install, "--no-compile", f"{path}[demo]")
        print(f"`fastact info` {run('-m', 'fastact', 'info'):.1f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("files", nargs="+", type=Path, help="an sdist and wheels")
    parser.add_argument("--try", dest="tried", action="store_true", help="install the wheel, which is for this Python")
    arguments = parser.parse_args()
    check(len({path.name.split("-")[1].removesuffix(".tar.gz") for path in arguments.files}) == 1, "versions differ")
    for path in arguments.files:
        print(f"{path.name}: {path.stat().st_size:,} bytes")
        if path.suffix == ".whl":
            check_wheel(path)
            if arguments.tried:
                try_wheel(path.resolve())
        else:
            check_sdist(path)


if __name__ == "__main__":
    main()
