"""The compiled parts of fastact: extensions and translations; everything else is in pyproject.toml.

Each extension is built for the baseline of its platform, without fast-math and without -march=native, so that a build
runs on every processor of that platform. The softmax kernels are translated once, and compiled for each instruction set
of `SOFTMAX_FLAGS`; backends/cpu/instruction_sets.py chooses among them at run time.
"""

import os
import sysconfig
from pathlib import Path

import numpy as np
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CCompilerError, ExecError, PlatformError

DEFINES = [("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION"), ("NPY_TARGET_VERSION", "NPY_2_0_API_VERSION")]

# MSVC, arm64 and universal macOS builds have the baseline alone.
SOFTMAX_FLAGS: dict[str, list[str]] = {"softmax.baseline": []}
if sysconfig.get_platform().endswith("-x86_64"):
    SOFTMAX_FLAGS["softmax.avx2"] = ["-mavx2", "-mfma", "-mf16c"]
    SOFTMAX_FLAGS["softmax.avx512"] = ["-mavx512f", "-mavx512dq", "-mavx512vl", "-mavx512bw", "-mfma"]
if not sysconfig.get_platform().startswith("win"):  # so that loops know the operation and the format of numbers
    for _flags in SOFTMAX_FLAGS.values():
        _flags.append("-DCYTHON_INLINE=inline __attribute__((always_inline))")


class BuildExtensions(build_ext):
    """Build on all cores. Without a working C compiler, say what to do rather than where the call failed."""

    def finalize_options(self) -> None:
        super().finalize_options()
        self.parallel = self.parallel or True

    def run(self) -> None:
        try:
            super().run()
        except (CCompilerError, ExecError, PlatformError) as error:
            raise SystemExit(
                f"\nfastact cannot be built: {error}\n"
                "It needs a working C compiler and Python's headers. Install them and try again:\n"
                "    Debian, Ubuntu   apt install gcc python3-dev\n"
                "    Fedora           dnf install gcc python3-devel\n"
                "    macOS            xcode-select --install\n"
                "    Windows          Microsoft C++ Build Tools\n"
            ) from None


def extension(name: str, flags: list[str], suffix: str = "pyx") -> Extension:
    """The extension of this name in fastact/_kernels/native, compiled with these flags."""
    # Python's own flags ask for debugging information, which takes more than half of the compiler's time.
    optimise = [] if sysconfig.get_platform().startswith("win") else ["-O3", "-g0"]
    return Extension(
        f"fastact._kernels.native.{name}",
        [f"fastact/_kernels/native/{name.replace('.', '/')}.{suffix}"],
        include_dirs=[np.get_include()],
        define_macros=DEFINES,
        extra_compile_args=[*optimise, *flags],
        depends=["fastact/_kernels/native/softmax/kernels.c"] if name in SOFTMAX_FLAGS else [],
    )


def extensions() -> list[Extension]:
    """All extensions, those first that take longest to compile, so that no core waits for them."""
    names = ["softmax.kernels", "ufunc", "step", "strided", "pool", "launch"]
    _, *others = cythonize([extension(each, []) for each in names], language_level=3, nthreads=os.cpu_count() or 1)
    return [*(extension(name, flags, "c") for name, flags in SOFTMAX_FLAGS.items()), *others]


def compile_translations() -> None:
    """Compile the gettext catalogues, beside their sources, as Cython writes its C files."""
    for path in Path("fastact/language").rglob("*.po"):
        with path.open("rb") as source, path.with_suffix(".mo").open("wb") as target:
            write_mo(target, read_po(source, path.parts[-3]))


if __name__ == "__main__":  # not in the processes that Cython starts
    compile_translations()
    setup(ext_modules=extensions(), cmdclass={"build_ext": BuildExtensions})
