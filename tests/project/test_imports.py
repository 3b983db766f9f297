"""What importing fastact does not do, and which module may import which: an arrow outside `ALLOWED` is an error."""

from __future__ import annotations

import ast
import importlib
import json
import pkgutil
import re
import shutil
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import fastact as fa
from helpers import ROOT

#: The checkout, which has the Cython sources too.
PACKAGE = ROOT / "fastact"

#: Modules (patterns, relative to fastact) and what of fastact they may import. "" is the package's public names.
ALLOWED = {
    "_errors": [],
    "_registry": ["_errors"],
    "_primitives": [],
    "_scalar_math*": ["_primitives", "_scalar_math*"],
    "math": ["_scalar_math"],
    "_threads": [],
    "_arithmetic": ["_threads"],
    "_ufunc": ["_threads"],
    "_files": [],
    "_fingerprint": [],
    "_cache": ["_files", "_fingerprint"],
    "_axes": ["_arithmetic", "_errors"],
    "_rows": ["_primitives", "_scalar_math*"],
    "_softmax*": ["_threads", "_softmax*"],
    "_cores": [],
    "_devices": [],
    "_dispatch": ["_cores", "_devices", "_errors", "_threads", "_ufunc"],
    "_slabs": ["_threads", "_ufunc"],
    "_activation": [
        "_arithmetic",
        "_dispatch",
        "_errors",
        "_registry",
        "_primitives",
        "_slabs",
        "_ufunc",
        "backends.serial",
    ],
    "_warmup": ["_registry"],
    "activations*": ["_activation", "_scalar_math", "activations*"],
    "gated": ["_activation", "_axes", "_devices", "_dispatch", "_ufunc", "activations"],
    "losses": ["_arithmetic", "_activation", "_axes", "_devices", "_dispatch", "_errors", "_scalar_math"],
    "softmax": ["_arithmetic", "_axes", "_devices", "_dispatch", "_errors", "_registry"],
    "sparse": ["_arithmetic", "_axes", "_devices", "_registry", "softmax"],
    "rrelu": ["_arithmetic", "_devices", "_registry", "activations.piecewise"],
    "backends": [],
    "backends.serial": [
        "_arithmetic",
        "_cache",
        "_errors",
        "_primitives",
        "_threads",
        "_ufunc",
        "backends._softmax_numba",
    ],
    "backends.threads": ["_primitives", "_ufunc", "backends._softmax_numba"],
    "backends.parallel": ["_errors", "_primitives", "_threads", "_ufunc", "backends._softmax_numba"],
    "backends.cuda*": ["_axes", "_cache", "_devices", "_errors", "_primitives", "_threads", "math", "backends.cuda*"],
    "backends.*": ["_errors", "_primitives", "_threads", "_ufunc"],
    "backends.cython": ["_arithmetic", "_axes", "_errors"],
    "backends._softmax_numpy": ["_arithmetic", "_axes"],
    "backends._softmax_numba": [
        "_arithmetic",
        "_axes",
        "_cache",
        "_primitives",
        "_rows",
        "_threads",
        "_ufunc",
        "backends._softmax_numpy",
    ],
    "backends.numpy": ["_ufunc", "backends._losses_numpy", "backends._softmax_numpy"],
    "backends._losses_numpy": ["_arithmetic", "_axes", "backends._softmax_numpy"],
    "torch": [""],
    "mlp*": ["", "_errors", "_files", "mlp*"],
    "experiments*": ["", "_errors", "experiments*"],
    "bench*": ["", "_errors", "bench*"],
    "cli*": ["", "_errors", "_files", "bench*", "cli*", "experiments*"],
    "__main__": ["cli"],
    "": [
        "_activation",
        "_cache",
        "_dispatch",
        "_errors",
        "_registry",
        "_warmup",
        "activations",
        "gated",
        "losses",
        "softmax",
        "sparse",
        "rrelu",
        "mlp",
    ],
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
    heavy = {"matplotlib", "sklearn", "scipy", "rich", "click", "torch", "cupy", "jax", "pandas", "numba_cuda", "cuda"}
    assert not {module.split(".")[0] for module in modules} & heavy
    assert not [module for module in modules if module.startswith(("numba.cuda", "numba.np.ufunc.parallel"))]


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


def sources() -> Iterator[tuple[str, Path]]:
    for path in sorted(PACKAGE.rglob("*.py*")):
        if path.suffix in (".py", ".pyx"):
            parts = path.relative_to(PACKAGE).with_suffix("").parts
            yield ".".join(part for part in parts if part != "__init__"), path


def imported(module: str, path: Path) -> Iterator[str]:
    """What of fastact a file imports, as names relative to fastact."""
    if path.suffix == ".pyx":
        yield from re.findall(r"^\s*(?:from|c?import) fastact\.(\w+)", path.read_text(), re.M)
        return
    package = module if path.stem == "__init__" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if alias.name.split(".")[0] == "fastact"]
            yield from (name.partition(".")[2] for name in names)
        elif isinstance(node, ast.ImportFrom):
            base = ["fastact", *package.split(".")][: -node.level + 1 or None] if node.level else []
            source = ".".join([*filter(None, base), *filter(None, [node.module])])
            if source.split(".")[0] == "fastact":
                for alias in node.names:
                    full = f"{source}.{alias.name}".partition(".")[2]
                    yield full if is_module(full) else source.partition(".")[2]


def is_module(name: str) -> bool:
    path = PACKAGE.joinpath(*name.split("."))
    return any(path.with_suffix(suffix).exists() for suffix in (".py", ".pyx")) or (path / "__init__.py").exists()


@pytest.mark.parametrize(("module", "path"), [pytest.param(*each, id=each[0]) for each in sources()])
def test_imports_follow_the_architecture(module: str, path: Path) -> None:
    pattern = module if module in ALLOWED else next(each for each in ALLOWED if each and fnmatch(module, each))
    own = {module, module.rpartition(".")[0]} if path.stem != "__init__" else {module}
    for name in imported(module, path):
        allowed = name in own or any(fnmatch(name, each) for each in ALLOWED[pattern])
        assert allowed, f"fastact.{module} must not import fastact.{name}"


MODULES = [info.name for info in pkgutil.walk_packages([str(PACKAGE)], "fastact.")]


@pytest.mark.parametrize("name", [each for each in MODULES if not each.endswith(("__main__", "_avx2", "_avx512"))])
def test_all_lists_what_is_there(name: str) -> None:
    if name == "fastact.torch":
        pytest.importorskip("torch")
    module = importlib.import_module(name)
    names = getattr(module, "__all__", [])
    assert len(set(names)) == len(names)
    assert all(hasattr(module, each) for each in names)


def test_public_names() -> None:
    """Every public name of the package is fastact's own, and every function of the catalogue is one."""
    public = {name for name in vars(fa) if not name.startswith("_") and not isinstance(getattr(fa, name), ModuleType)}
    assert set(fa.names()) <= public
    for name in public - set(fa.names()):
        assert getattr(fa, name).__module__.startswith("fastact"), name
