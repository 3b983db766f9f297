"""Where an optional library is missing, one line says which extra brings it, and that extra does."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastact as fa
from fastact.cli import about
from fastact.learn.pictures.curves import curves
from fastact.measure.verification.libraries import LIBRARIES
from helpers import ROOT
from helpers.commands import one_line

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
#: Extras of those who work on fastact; the others are for users.
TOOLS = {"all", "ci", "ci-cuda", "dev", "docs", "lint", "package", "ptx", "test"}
#: Modules whose package has another name, or comes with another package.
PACKAGES = {"jinja2": "bokeh", "markupsafe": "bokeh", "sklearn": "scikit-learn", "cupy": "cupy-cuda13x"}
#: What dask[dataframe] brings.
PACKAGES_OF_DASK = {"pandas": "dask"}


def packages(extra: str) -> set[str]:
    """The packages that an extra brings, through other extras too."""
    found: set[str] = set()
    for each in EXTRAS[extra]:
        name, _, rest = each.replace("[", " [").partition(" ")
        name = re.split(r"[<>=!;]", name)[0]
        if name == "fastact":
            found = found.union(*(packages(other) for other in rest.strip("[]").split(",")))
        else:
            found.add(name.lower().replace("_", "-"))
    return found


def required() -> Iterator[tuple[str, str, str]]:
    """Where `require` is called with which module and extra."""
    for path in sorted((ROOT / "fastact").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)) if "require(" in text else ():
            if isinstance(node, ast.Call) and getattr(node.func, "id", "").endswith("require"):
                module, extra = node.args[:2]
                if isinstance(module, ast.JoinedStr):
                    module = module.values[0]
                if isinstance(module, ast.Constant) and isinstance(extra, ast.Constant):
                    place = f"{path.relative_to(ROOT)}:{node.lineno}"
                    yield place, str(module.value).partition(".")[0], str(extra.value)


def brings(extra: str, module: str) -> bool:
    package = (PACKAGES_OF_DASK if extra == "dask" else {}) | PACKAGES
    return package.get(module, module).replace("_", "-") in packages(extra)


def test_extras_bring_what_their_name_is_given_for() -> None:
    calls = list(required())
    assert len(calls) > 40
    assert [(place, module, extra) for place, module, extra in calls if not brings(extra, module)] == []
    of_libraries = [(each.extra, name) for name, each in LIBRARIES.items() if name not in ("numpy", "fastact")]
    assert [(extra, name) for extra, name in of_libraries if not brings(extra, name)] == []


def test_no_message_names_an_extra_that_is_not_there() -> None:
    named = {
        extra
        for path in (ROOT / "fastact").rglob("*.py")
        for extra in re.findall(r"fastact\[([\w,]+)\]", path.read_text(encoding="utf-8"))
    }
    assert named <= set(EXTRAS)


def test_about_knows_the_libraries_of_all_extras() -> None:
    wanted = {package for extra in set(EXTRAS) - TOOLS for package in packages(extra)}
    assert wanted <= {name.replace("_", "-") for name in about.LIBRARIES}


@contextmanager
def without(library: str) -> Iterator[None]:
    """Pretend that a library is not installed, and forget the modules of fastact that import it at their head."""

    def touched() -> dict[str, Any]:
        heads = (library, "fastact.dask", "fastact.onnx.backend", "fastact.sklearn", "fastact.torch")
        return {
            name: each for name, each in sys.modules.items() if f"{name}.".startswith(tuple(f"{h}." for h in heads))
        }

    before = touched()
    for name in before:
        del sys.modules[name]
    absent = [name for name in before if f"{name}.".startswith(f"{library}.")]
    sys.modules.update(dict.fromkeys([library, *absent]))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in touched():
            del sys.modules[name]
        sys.modules.update(before)


def imported(name: str) -> Callable[[], object]:
    return lambda: __import__(name)


def fitted(progress: bool = False, **settings: Any) -> object:
    return fa.MLP([2, 1], **settings).fit(np.eye(2), np.arange(2.0), epochs=1, progress=progress)


def derived() -> object:
    @fa.activation
    def doubled(x):  # type: ignore[no-untyped-def]
        return x + x

    return doubled.derivative(1.0)


def compared(data: str = "xor", **settings: Any) -> Any:
    from fastact.learn.experiments import compare

    return compare(data, ["relu", "identity"], epochs=1, **{"seeds": 2, **settings})


#: The library that is missing -> its extra, and what needs it.
CALLS: list[tuple[str, str, Callable[[], object]]] = [
    ("cupy", "cupy", lambda: fa.MLP([2, 1], device="cuda")),
    ("joblib", "demo", lambda: compared(jobs=2)),
    ("jax", "bench", lambda: fa.verify("jax:gelu")),
    ("matplotlib", "demo", lambda: curves(["relu"])),
    ("numba_cuda", "cuda", lambda: fa.use_backend("cuda").__enter__()),
    ("numexpr", "bench", lambda: fa.verify("numexpr:x", "relu")),
    ("onnx", "onnx", lambda: fa.MLP.from_onnx("model.onnx")),
    ("onnx", "onnx", imported("fastact.onnx.backend")),
    ("onnxruntime", "bench", lambda: fa.verify("model.onnx", "relu")),
    ("rich", "demo", lambda: fitted(progress=True)),
    ("safetensors", "safetensors", lambda: fa.MLP([2, 1]).save_weights("weights")),
    ("safetensors", "safetensors", lambda: fa.MLP([2, 1]).load_weights("weights")),
    ("scipy", "scipy", lambda: fitted(optimizer="lbfgs")),
    ("scipy", "demo", lambda: compared().sentences()),
    ("scipy", "verify", lambda: fa.verify("scipy:expit", "sigmoid")),
    ("sklearn", "demo", lambda: compared("digits")),
    ("sklearn", "sklearn", imported("fastact.sklearn")),
    ("sympy", "derive", derived),
    ("torch", "torch", imported("fastact.torch")),
    ("torch", "torch", lambda: fa.verify("torch:gelu")),
    ("ml_dtypes", "verify", lambda: fa.verify(np.tanh, "tanh", dtypes="bfloat16")),
]


@pytest.mark.usefixtures("own_registry")
@pytest.mark.parametrize(("library", "extra", "call"), CALLS, ids=lambda value: value if isinstance(value, str) else "")
def test_calls_name_the_extra(
    library: str, extra: str, call: Callable[[], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("model.onnx").touch()
    with without(library), pytest.raises((ImportError, RuntimeError, TypeError, ValueError)) as raised:
        call()
    assert f'pip install "fastact[{extra}]"' in str(raised.value)
    assert "\n" not in str(raised.value)


#: The library that is missing -> its extra, and the command that needs it.
COMMANDS = [
    ("bokeh", "demo", "explore"),
    ("bokeh", "demo", "compare xor --seeds 1 --activations relu -q --report page.html"),
    ("dask", "dask", "apply relu in.zarr out.zarr"),
    ("dask", "dask", "apply relu in.parquet out.parquet"),
    ("matplotlib", "demo", "plot -o picture.png"),
    ("matplotlib", "demo", "bench relu --no-peers --budget 1e-3 --size 1 --plot picture.png"),
    ("matplotlib", "demo", "diagnose xor --epochs 1"),
    ("numba_cuda", "cuda", "apply relu in.npy out.npy --backend cuda"),
    ("pandas", "demo", "train table.csv --target b"),
    ("pandas", "demo", "choose --data table.csv --target b"),
    ("pyarrow", "parquet", "train table.parquet --target b"),
    ("rich", "demo", "list"),
    ("rich", "demo", "apply relu in.npy out.npy"),
    ("sklearn", "demo", "demo vanishing"),
    ("torch", "bench", "bench relu --peer torch"),
    ("torch", "torch", "verify torch:gelu"),
    ("zarr", "dask", "apply relu in.zarr out.zarr"),
]


@pytest.mark.parametrize(("library", "extra", "command"), COMMANDS)
def test_commands_name_the_extra(fastact: Callable[..., str], library: str, extra: str, command: str) -> None:
    if library in ("pyarrow", "zarr") and find_spec("dask") is None and "apply" in command:
        pytest.skip("dask is not installed")
    np.save("in.npy", np.zeros(3))
    Path("in.zarr").mkdir()
    Path("in.parquet").touch()
    Path("table.csv").write_text("a,b\n" + "1,2\n3,4\n" * 20)
    Path("table.parquet").touch()
    with without(library):
        output = fastact(*command.split(), exit_code=2 if extra in ("bench", "torch") else 1)
    assert f'pip install "fastact[{extra}]"' in one_line(output)
