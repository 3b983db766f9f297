"""What importing fastact does not do, and which module may import which: `LAYERS` allows it, or it is an error."""

from __future__ import annotations

import ast
import importlib
import json
import pkgutil
import re
import shutil
from collections.abc import Iterable
from fnmatch import fnmatch
from graphlib import TopologicalSorter
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import fastact as fa
from helpers import ROOT

#: The checkout, which has the Cython sources too.
PACKAGE = ROOT / "fastact"

#: What backends know of the arguments of calls.
ARGUMENTS = ["_core.arguments", "_core.arrays", "_core.backends", "_core.devices", "_core.masking"]
#: What a backend is made of. It never imports another backend.
BELOW_A_BACKEND = ["errors", "_kernels*", *ARGUMENTS, "backends.host"]
#: What whoever stands above the functions may use: public names, and the services of `_core` that are documented.
PUBLIC = ["", "errors", "language*", "math", "_core.files"]
#: The names that `fastact/__init__.py` collects, where they are defined: what it imports cannot import it.
BELOW_PUBLIC = ["errors", "language*", "math", "functions*", "_core*"]
#: What verification and gradient checks show their results by.
RESULTS = ["learn.result", "learn.pictures", "learn.pictures.style"]
#: The rooms from the ground up, as patterns of modules relative to fastact, and what else of fastact each may import;
#: of several patterns the first that fits counts. A room imports only rooms that stand before it. "" is the package
#: itself, which has the public names; it stands above what it collects, and below those that use it.
LAYERS = {
    "errors": [],
    "language*": ["errors"],
    "_kernels.scalar*": [],
    "_kernels.native*": [],
    "_kernels.compile*": ["errors", "_kernels.scalar*", "_kernels.native*"],
    "_kernels": [],
    "math": ["_kernels.scalar"],
    "_core*": ["errors", "language*", "_kernels*"],
    "backends.host": ["errors", "_kernels.native*", *ARGUMENTS, "backends.cpu.instruction_sets"],
    "backends.cpu.instruction_sets": ["errors", "_kernels.native*"],
    "backends.cpu*": BELOW_A_BACKEND,
    "backends.numpy*": BELOW_A_BACKEND,
    "backends.cuda*": BELOW_A_BACKEND,
    "backends": [],
    "ufuncs": ["_core*", "_kernels.native.ufunc"],
    "functions*": ["errors", "_core*", "_kernels.scalar*", "_kernels.native.arithmetic"],
    "learn.result": ["language*", "_core.services"],
    "learn.pictures.style": ["errors", "language*"],
    "learn.recommending*": ["errors", "language*", "_core.registry"],
    "measure.gradients*": [*BELOW_PUBLIC, *RESULTS],
    "measure.verification*": [*BELOW_PUBLIC, *RESULTS],
    "mlp.eager": [
        *BELOW_PUBLIC,
        "mlp.namespaces",
        "_kernels.compile.products",
        "_kernels.native.step",
        "backends.cpu.instruction_sets",
    ],
    "mlp.recorder": [
        "mlp.operations",
        "_core.operation",
        "_kernels.compile.products",
        "_kernels.native.step",
        "_kernels.scalar.primitives",
        "backends.cpu.instruction_sets",
    ],
    "mlp*": BELOW_PUBLIC,
    "": [
        "errors",
        "backends",
        "ufuncs",
        "functions*",
        "_core*",
        "_kernels.compile.cache",
        "mlp",
        "measure.gradients",
        "measure.verification",
        "learn.recommending",
    ],
    "interop.numba*": ["errors", "_core*", "_kernels*", "backends.cpu.instruction_sets"],
    "interop.containers*": [*PUBLIC, "_core.arrays", "_core.containers", "_core.devices"],
    "interop": [],
    "torch*": PUBLIC,
    "onnx*": [*PUBLIC, "mlp*", "functions.derivation"],
    "dask*": [
        *PUBLIC,
        "_core.arguments",
        "_core.arrays",
        "_core.containers",
        "_core.dispatch",
        "_core.operation",
        "_kernels.native.arithmetic",
        "interop.containers*",
        "mlp*",
    ],
    "sklearn*": [*PUBLIC, "mlp*", "dask*"],
    "measure.bench*": PUBLIC,
    "measure": ["_core.services"],
    "learn.data*": PUBLIC,
    "learn.tabular*": [*PUBLIC, "learn.result", "learn.data*"],
    "learn.diagnostics*": [*PUBLIC, "learn.result", "learn.data*"],
    "learn.experiments*": [*PUBLIC, "learn.result", "functions.own", "learn.data*", "learn.diagnostics*"],
    "learn.pictures*": [*PUBLIC, *RESULTS, "learn.data*", "learn.diagnostics*", "learn.experiments*", "learn.tabular*"],
    "learn.pages*": [*PUBLIC, "functions.own", "learn*"],
    "learn": ["_core.services"],
    "cli.about": [
        *PUBLIC,
        "_core.cores",
        "_kernels.native.ufunc",
        "backends.cpu.instruction_sets",
        "measure.bench.report",
        "cli.wrapping",
    ],
    "cli*": [*PUBLIC, "functions.own", "learn*", "measure*", "dask*"],
    "__main__": ["cli"],
}

IMPORT_EFFECTS = """
import gc, json, os, sys, threading
import numba
import numpy as np
from numba.core.dispatcher import Dispatcher

def os_threads():
    return len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else threading.active_count()

before, modules = os_threads(), set(sys.modules)
import fastact
compiled = [str(d) for d in gc.get_objects() if isinstance(d, Dispatcher) and d.signatures]
print(json.dumps([os_threads() - before, compiled, sorted(set(sys.modules) - modules)]))
"""


def test_import_is_silent(python: Any) -> None:
    threads, compiled, modules = json.loads(python(IMPORT_EFFECTS))
    assert threads == 0
    assert compiled == []
    heavy = {
        "matplotlib",
        "sklearn",
        "scipy",
        "rich",
        "click",
        "torch",
        "cupy",
        "jax",
        "pandas",
        "bokeh",
        "numba_cuda",
        "cuda",
    }
    assert not {module.split(".")[0] for module in modules} & heavy
    assert not [module for module in modules if module.startswith(("numba.cuda", "numba.np.ufunc.parallel"))]
    late = ("fastact.backends.", "difflib")  # what the first call that needs it loads
    assert not [module for module in modules if module.startswith(late)]


def test_import_from_an_unbuilt_checkout(python: Any, tmp_path: Path) -> None:
    """The error says what is missing, where, and what to do."""
    shutil.copytree(PACKAGE, tmp_path / "fastact", ignore=shutil.ignore_patterns("*.so", "*.pyd", "*.c"))
    code = "\n".join([
        "try: import fastact",
        "except ImportError as error: print(error)",
    ])  # fmt: skip
    assert python(code, PYTHONPATH=str(tmp_path)) == (
        f"fastact's compiled parts are not in {tmp_path / 'fastact'}: this is an unbuilt checkout. Build it "
        "there with `pip install -e .`, or start Python in another folder to use an installed fastact\n"
    )


def test_import_needs_no_extra(python: Any) -> None:
    extras = ["matplotlib", "sklearn", "rich", "click", "scipy", "mpmath"]
    code = f"import sys; sys.modules.update(dict.fromkeys({extras})); import fastact; print(fastact.tanh(0.0))"
    assert python(code) == "0.0\n"


SOURCES = sorted(path for path in PACKAGE.rglob("*.p*") if path.suffix in (".py", ".pyi", ".pyx", ".pxd", ".pxi"))


def module_of(path: Path) -> str:
    """The module of a source, relative to fastact; an included file counts as one."""
    parts = path.relative_to(PACKAGE).with_suffix(".pxi" if path.suffix == ".pxi" else "").parts
    return ".".join(part for part in parts if part != "__init__")


def statements(path: Path) -> ast.Module:
    """The syntax tree of a Python source; of a Cython source, that of its imports, cimports and includes."""
    text = path.read_text(encoding="utf-8")
    if path.suffix in (".pyx", ".pxd", ".pxi"):
        imports = re.findall(r"^[ \t]*((?:from [\w.]+ )?c?import (?:\([^)]*\)|.+))", text, re.M)
        includes = re.findall(r'^[ \t]*include "(.+)"', text, re.M)
        lines = [line.replace("cimport", "import") for line in imports]
        lines += [f"import fastact.{module_of((path.parent / name).resolve())}" for name in includes]
        text = "\n".join(lines)
    return ast.parse(text)


def imported(path: Path) -> set[str]:
    """The modules that a source imports, from wherever they are."""
    modules = set()
    for node in ast.walk(statements(path)):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "a relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            modules |= {name if is_module(name) else node.module or "" for name in names}
    return modules


def is_module(name: str) -> bool:
    """Whether the checkout has a module or package of this name."""
    paths = [folder.joinpath(*name.split(".")) for folder in (ROOT, ROOT / "tests")]
    return any(path.is_dir() or any(path.with_suffix(end).exists() for end in (".py", ".pyx")) for path in paths)


def fits(module: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch(module, pattern) for pattern in patterns)


def layer_of(module: str) -> str:
    found = next((pattern for pattern in LAYERS if fits(module, [pattern])), None)
    assert found is not None, f"fastact.{module} is in no layer"
    return found


def own_imports(path: Path) -> set[str]:
    """The modules of fastact that a source imports, at once or when it is called."""
    return {name.partition(".")[2] for name in imported(path) if name.split(".")[0] == "fastact"}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_follow_the_architecture(path: Path) -> None:
    module = module_of(path)
    layer = layer_of(module)
    assert not {name for name in own_imports(path) if not fits(name, [layer, *LAYERS[layer]])}, f"not for {module}"


def test_no_file_is_in_a_circle() -> None:
    graph: dict[str, set[str]] = {}
    for path in SOURCES:
        graph.setdefault(module_of(path), set()).update(own_imports(path) - {module_of(path)})
    TopologicalSorter(graph).prepare()  # CycleError names a circle


def test_the_root_has_few_entries() -> None:
    assert len({path.relative_to(PACKAGE).parts[0] for path in SOURCES} | {"py.typed"}) <= 20


TESTS = sorted((ROOT / "tests").rglob("*.py"))


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_test_imports_another(path: Path) -> None:
    """What tests share is in helpers."""
    parts = {part for name in imported(path) for part in name.split(".")}
    assert not {part for part in parts if part == "conftest" or part.startswith("test_")}


MODULES = [info.name for info in pkgutil.walk_packages([str(PACKAGE)], "fastact.")]


@pytest.mark.parametrize("name", [each for each in MODULES if not each.endswith(("__main__", "_avx2", "_avx512"))])
def test_all_lists_what_is_there(name: str) -> None:
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        pytest.skip(str(error))
    names = getattr(module, "__all__", [])
    assert len(set(names)) == len(names)
    assert all(hasattr(module, each) for each in names)


def test_public_names() -> None:
    """Every public name of the package is fastact's own, and every function of the catalogue is one."""
    public = {name for name in vars(fa) if not name.startswith("_") and not isinstance(getattr(fa, name), ModuleType)}
    assert set(fa.names()) <= public
    for name in public - set(fa.names()):
        assert getattr(fa, name).__module__.startswith("fastact"), name
