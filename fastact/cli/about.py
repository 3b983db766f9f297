"""What a bug report says of an installation: `fastact info` prints it, and so does `python -m fastact.cli.about`.

Nothing is compiled and no thread starts. To tell of one more thing, add it to a section, or a section to `_SECTIONS`;
users of the JSON rely on the names.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
import sysconfig
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import numba
import numpy as np

import fastact as fa
from fastact import language
from fastact._core.cores import allowed_cores, quota
from fastact._kernels.native.ufunc import half_instruction_sets
from fastact.cli.wrapping import cells
from fastact.errors import told
from fastact.language import marked
from fastact.language import translated as _
from fastact.measure.bench.report import processor

__all__ = ["LIBRARIES", "about", "text"]

#: What fastact is built on, and all that its extras bring and users have beside it, by the names of packages.
LIBRARIES = (
    "numpy", "numba", "llvmlite", "bokeh", "click", "cupy-cuda12x", "cupy-cuda13x", "dask", "distributed", "jax",
    "joblib", "matplotlib", "matplotlib-fontja", "ml_dtypes", "mpmath", "numba-cuda", "numexpr", "onnx", "onnxruntime",
    "openvino", "pandas", "polars", "pyarrow", "rich", "safetensors", "scikit-learn", "scipy", "sparse", "sympy", "tbb",
    "threadpoolctl", "torch", "xarray", "zarr",
)  # fmt: skip

#: The sections whose labels are names, which are the same in every language.
_OF_NAMES = ("backends", "environment", "libraries")
#: The beginnings of environment variables that bear on speed or results.
_VARIABLES = ("CUDA_VISIBLE", "FASTACT_", "MKL_", "NUMBA_", "OMP_", "OPENBLAS_", "VECLIB_")
#: The beginnings of LLVM's names for what a processor may have to compute on several numbers at once.
_VECTORS = ("avx", "f16c", "fma", "fullfp16", "neon", "sve")


def about() -> dict[str, dict[str, Any]]:
    """Collect what a bug report needs, section by section.

    Returns
    -------
    dict of str to dict
        Texts, numbers, booleans, lists of texts, and None for what is not known or not there. A section that fails
        has the key "error" instead.

    Examples
    --------
    >>> from fastact.cli import about
    >>> found = about.about()
    >>> found["backends"]["serial"]
    'available'
    """
    return {name: _section(collect) for name, collect in _SECTIONS.items()}


def text(found: dict[str, dict[str, Any]]) -> str:
    r"""What `about` found as plain lines, which survive being copied into an issue.

    Parameters
    ----------
    found : dict of str to dict
        What `about` returned.

    Returns
    -------
    str

    Examples
    --------
    >>> from fastact.cli import about
    >>> about.text(about.about()).partition("\n")[0]
    'fastact'
    """
    return "\n".join(_lines(found))


def _lines(found: dict[str, dict[str, Any]]) -> Iterator[str]:
    for name, section in found.items():
        yield _(name)
        labels = {label if name in _OF_NAMES else _(label): value for label, value in section.items()}
        width = max(map(cells, labels), default=0)
        for label, value in labels.items():
            yield f"    {label}{' ' * (width - cells(label))} {_shown(value)}"
        if not section:
            yield f"    {_('none')}"


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, list):
        return ", ".join(value)
    return _("unknown") if value is None else _(str(value))


def _section(collect: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What the section says; an installation that is broken is what a report is about."""
    try:
        return collect()
    except Exception as error:
        return {marked("error"): f"{type(error).__name__}: {told(error)}"}


def _fastact() -> dict[str, Any]:
    folder = str(Path(fa.__file__).parent)
    return {marked("version"): fa.__version__, marked("folder"): folder, marked("language"): language.current()}


def _python() -> dict[str, Any]:
    return {
        marked("version"): platform.python_version(),
        marked("implementation"): platform.python_implementation(),
        marked("compiler"): platform.python_compiler(),
        marked("free_threaded"): bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
        marked("gil_enabled"): getattr(sys, "_is_gil_enabled", lambda: True)(),
    }


def _processor() -> dict[str, Any]:
    from fastact.backends.cpu import instruction_sets

    features = llvm.get_host_cpu_features()
    return {
        marked("system"): platform.platform(),
        marked("name"): processor(),
        marked("architecture"): platform.machine(),
        marked("llvm_name"): llvm.get_host_cpu_name(),
        marked("vectors"): sorted(name for name, there in features.items() if there and name.startswith(_VECTORS)),
        marked("softmax_kernels"): instruction_sets.name(),
        marked("half_conversion"): half_instruction_sets()[0],
    }


def _threads() -> dict[str, Any]:
    try:
        layer: str = numba.threading_layer()
    except ValueError:
        layer = marked("chosen when Numba's threads start")
    return {
        marked("cores"): os.cpu_count(),
        marked("allowed_cores"): allowed_cores(),
        marked("cpu_quota"): quota() or marked("none"),
        "fastact": fa.get_num_threads(),
        "numba": numba.config.NUMBA_NUM_THREADS,  # type: ignore[attr-defined]
        marked("numba_layer"): layer,
    }


def _blas() -> dict[str, Any]:
    """What NumPy multiplies matrices with; threadpoolctl, which comes with scikit-learn, knows its threads."""
    built: Any = np.show_config(mode="dicts")
    known = built["Build Dependencies"]["blas"]
    found = {"name": known["name"], "version": known.get("version"), "kernels": None, "threads": None}
    found[marked("layer")] = None
    if find_spec("threadpoolctl") is not None:
        import threadpoolctl

        for library in threadpoolctl.threadpool_info():
            if library["user_api"] == "blas" and "numpy" in library["filepath"]:
                layer = library.get("threading_layer")
                found |= {"kernels": library.get("architecture"), "threads": library["num_threads"], "layer": layer}
    return found


def _cache() -> dict[str, Any]:
    cache = fa.cache_info()
    return {
        marked("state"): marked("on") if cache.why_not is None else f"off: {cache.why_not}",
        marked("folder"): None if cache.folder is None else str(cache.folder),
        marked("kernels"): cache.kernels,
        marked("bytes"): cache.bytes,
    }


def _backends() -> dict[str, Any]:
    return {name: marked("available") if why == "available" else why for name, why in fa.backends().items()}


def _environment() -> dict[str, Any]:
    return {name: value for name, value in sorted(os.environ.items()) if name.startswith(_VARIABLES)}


def _libraries() -> dict[str, Any]:
    """The versions of those that are installed."""
    found = {}
    for name in LIBRARIES:
        with suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


_SECTIONS: dict[str, Callable[[], dict[str, Any]]] = {
    "fastact": _fastact,
    marked("python"): _python,
    marked("processor"): _processor,
    marked("threads"): _threads,
    marked("blas"): _blas,
    marked("cache"): _cache,
    marked("backends"): _backends,
    marked("environment"): _environment,
    marked("libraries"): _libraries,
}


if __name__ == "__main__":
    print(text(about()))  # noqa: T201
