"""The compiled parts of fastact; everything else is in pyproject.toml.

Each extension is built for the baseline of its platform, without fast-math and without -march=native, so that a
wheel runs everywhere and gives the same bits everywhere.
"""

import sysconfig

import numpy as np
from Cython.Build import cythonize
from setuptools import Extension, setup

DEFINES = [("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION"), ("NPY_TARGET_VERSION", "NPY_2_0_API_VERSION")]


def extension(name: str, *flags: str) -> Extension:
    return Extension(
        f"fastact.{name}",
        [f"fastact/{name}.pyx"],
        include_dirs=[np.get_include()],
        define_macros=DEFINES,
        extra_compile_args=["-O3", *flags],
    )


# The softmax kernels once per instruction set; backends/cython.py chooses at run time. MSVC, arm64 and universal
# macOS builds get the baseline alone.
SOFTMAX_FLAGS = {"_softmax_baseline": []}
if sysconfig.get_platform().endswith("-x86_64"):
    SOFTMAX_FLAGS["_softmax_avx2"] = ["-mavx2", "-mfma"]
    SOFTMAX_FLAGS["_softmax_avx512"] = ["-mavx512f", "-mavx512dq", "-mavx512vl", "-mavx512bw", "-mfma"]

extensions = [extension("_threads"), extension("_ufunc")]
extensions += [extension(name, *flags) for name, flags in SOFTMAX_FLAGS.items()]
setup(ext_modules=cythonize(extensions, language_level=3))
