"""The cache of machine code: which kernels it finds and which not, what damage it survives, whom it trusts."""

from __future__ import annotations

import errno
import hashlib
import math
import os
import shutil
import stat
import subprocess
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest

import fastact as fa
from fastact._core.operation import Operation
from fastact._kernels.compile import cache as _cache
from fastact._kernels.compile.fingerprint import fingerprint
from fastact.math import exp, like
from helpers import ROOT

posix = pytest.mark.skipif(os.name != "posix", reason="owners and modes as POSIX has them")

#: Calls some kernels; prints a digest of the results, how many kernels were found and compiled, and whether Numba's
#: compiler was set up.
CALLS = """
import hashlib, sys
import numpy as np
import fastact as fa

x = np.linspace(-9, 9, 1000, dtype=np.float32)
results = [fa.sigmoid(x), fa.elu.derivative(x), fa.leaky_relu(x, 0.5), fa.leaky_relu(x, x), fa.gelu.backward(x, x)]
cache = fa.cache_info()
digest = hashlib.sha256(b"".join(y.tobytes() for y in results)).hexdigest()
print(digest, cache.found, cache.compiled, "numba.np.arraymath" in sys.modules)
"""


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Path]]:
    """Use a folder as a new process would, with other values for these names of cache.py."""

    def use(folder: Path, **names: Any) -> Path:
        monkeypatch.setenv(_cache.VARIABLE, str(folder))
        for name, value in names.items():
            monkeypatch.setattr(_cache, name, value)
        _cache._opened.cache_clear()
        _cache._environment.cache_clear()
        return folder

    yield use
    monkeypatch.undo()
    _cache._opened.cache_clear()
    _cache._environment.cache_clear()


@pytest.fixture
def folder(use: Callable[..., Path], tmp_path: Path) -> Path:
    """A new cache."""
    return use(tmp_path / "cache")


def run(formula: Callable[..., Any]) -> tuple[float, str]:
    """The value of a formula at 2.0, and what became of its kernel."""
    before = fa.cache_info()
    value = float(Operation("formula", formula, ("x",), {})(2.0))
    after = fa.cache_info()
    assert after.found + after.compiled == before.found + before.compiled + 1
    return value, "found" if after.found > before.found else "compiled"


def defined(source: str, **values: Any) -> Any:
    """The function f of a source, in a module of its own with these values."""
    names: dict[str, Any] = {"njit": numba.njit, "like": like, "np": np, "math": math, **values}
    exec(source, names)
    return names["f"]


def double(x: Any) -> Any:
    return x + x


def triple(x: Any) -> Any:
    return x + x + x


def kernels(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.kernel"))


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


# --- found, with the same bits, by processes that do not compile -----------------------------------------------------


def test_another_process_finds_what_one_compiled(python: Any, tmp_path: Path) -> None:
    cold, warm = (python(CALLS, FASTACT_CACHE=str(tmp_path)).split() for _ in range(2))
    off = python(CALLS, FASTACT_CACHE="off").split()
    assert cold[0] == warm[0] == off[0]
    assert cold[1:] == off[1:] == ["0", "5", "True"]
    assert warm[1:] == ["5", "0", "False"]


def test_kernels_that_call_the_c_library(folder: Path) -> None:
    for expected in ("compiled", "found"):
        assert run(defined("def f(x): return math.tanh(x) + math.exp(x)")) == (math.tanh(2) + math.exp(2), expected)


@posix
@pytest.mark.parametrize(
    "source", ["def f(x):\n if x > 9: raise ValueError\n return x", "def f(x): print(x); return x"]
)
def test_kernels_that_call_python_are_not_kept(folder: Path, source: str, capfd: Any) -> None:
    for _ in range(2):
        assert run(defined(source)) == (2.0, "compiled")
    assert not kernels(folder)
    assert not capfd.readouterr().err


@pytest.mark.parametrize("name", ["elu", "snake"])
def test_warmup_compiles_all_parts(folder: Path, name: str) -> None:
    fa.warmup(name)
    before = fa.cache_info()
    f, x = fa.get(name), np.ones(3)
    f(x), f(np.float32(x)), f.derivative(x), f.backward(x, x)
    if f.parameters:
        f.parameter_backward(x, x), f(x, *[x] * len(f.parameters))
    assert fa.cache_info() == before


def test_every_formula_of_the_catalogue_has_a_fingerprint_of_its_own() -> None:
    functions = [fa.get(name) for name in fa.names() if isinstance(fa.get(name), fa.Activation)]
    operations = [operation for f in functions for operation in f._operations()]
    texts = {(fingerprint(each._jitted), each._inputs, len(each.parameters)) for each in operations}
    assert len(texts) == len(operations) > 100
    assert not [text for text, _, _ in texts if text is None]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_goes_on(python: Any, tmp_path: Path) -> None:
    code = """
import os
import fastact as fa

fa.tanh(1.0)
child = os.fork()
value = float(fa.silu(1.0) + fa.tanh(1.0))
if child == 0:
    os._exit(0 if fa.cache_info().found + fa.cache_info().compiled == 2 else 1)
print(value, os.waitpid(child, 0)[1])
"""
    for _ in range(2):
        assert python(code, FASTACT_CACHE=str(tmp_path)) == f"{fa.silu(1.0) + fa.tanh(1.0)} 0\n"


# --- not found, where anything differs -------------------------------------------------------------------------------

HELPED = "@njit\ndef h(x): return x {}\n@njit\ndef g(x): return h(x)\ndef f(x): return g(x)"
CLOSURE = "def make(c):\n def f(x): return x * c\n return f\nf = make({})"

DIFFERENT = {
    "constant": ("def f(x): return x + 1.0", "def f(x): return x + 2.0"),
    "type of a constant": ("def f(x): return x + 1", "def f(x): return x + 1.0"),
    "bool": ("def f(x): return x + 1", "def f(x): return x + True"),
    "sign of zero": ("c = 0.0\ndef f(x): return x * c", "c = -0.0\ndef f(x): return x * c"),
    "NumPy type": ("c = np.float32(1)\ndef f(x): return x * c", "c = np.float64(1)\ndef f(x): return x * c"),
    "operation": ("def f(x): return x + x", "def f(x): return x * x"),
    "name": ("def f(x): return math.sin(x)", "def f(x): return math.cos(x)"),
    "global": ("c = 1.5\ndef f(x): return x * c", "c = 2.5\ndef f(x): return x * c"),
    "tuple": ("c = 1, 2\ndef f(x): return x * c[0]", "c = 1, 2.0\ndef f(x): return x * c[0]"),
    "unused global of a name that is used": ("def f(x): return x * np.e", "def f(x): return x * np.pi"),
    "closure": (CLOSURE.format("1"), CLOSURE.format("2")),
    "default": ("def f(x, c=1): return x * c", "def f(x, c=2): return x * c"),
    "edited helper of a helper": (HELPED.format("+ 1"), HELPED.format("- 1")),
    "helper's options": (HELPED.format("+ 1"), HELPED.format("+ 1").replace("@njit", "@njit(fastmath=True)", 1)),
    "nested function": (
        "def f(x):\n def g(y): return y + 1\n return g(x)",
        "def f(x):\n def g(y): return y + 2\n return g(x)",
    ),
}


@pytest.mark.parametrize("pair", DIFFERENT.values(), ids=DIFFERENT)
def test_different_formulas_are_told_apart(pair: tuple[str, str]) -> None:
    one, again, other = (fingerprint(numba.njit(defined(source))) for source in (pair[0], *pair))
    assert one == again
    assert None not in (one, other)
    assert one != other


NOT_UNDERSTOOD = {
    "array": "c = np.ones(3)\ndef f(x): return x * c[0]",
    "object": "class C: pass\nc = C()\ndef f(x): return x * c",
    "function that is not jitted": "def g(x): return x\ndef f(x): return g(x)",
    "ufunc": "c = np.exp\ndef f(x): return c(x)",
    "declared signature": "@njit('float64(float64)')\ndef g(x): return x\ndef f(x): return g(x)",
    "constant of fastact without a name": "from fastact._kernels.scalar.sine import _PI\ndef f(x): return x * _PI(x)",
    "module of the user's": "def f(x): return x * settings.factor",
}


@pytest.mark.parametrize("source", NOT_UNDERSTOOD.values(), ids=NOT_UNDERSTOOD)
def test_what_is_not_understood_is_not_kept(source: str) -> None:
    settings = types.ModuleType("settings")
    assert fingerprint(numba.njit(defined(source, settings=settings))) is None


def test_a_helper_keeps_the_values_it_was_compiled_with() -> None:
    """Numba compiles a helper's globals in; after one has changed, a formula that calls it has no fingerprint."""
    source = "c = 1.0\n@njit\ndef f(x): return x * c"
    helper = defined(source)
    formula = numba.njit(defined("def f(x): return g(x)", g=helper))
    first = fingerprint(formula)
    assert formula(2.0) == 2.0
    assert fingerprint(formula) == first
    helper.py_func.__globals__["c"] = 3.0
    assert fingerprint(numba.njit(defined("def f(x): return g(x)", g=helper))) is None


def test_functions_that_call_each_other() -> None:
    source = "@njit\ndef f(x): return x if x < {} else g(x - 1)\n@njit\ndef g(x): return f(x)"
    one, again, other = (fingerprint(defined(source.format(end))) for end in (1, 1, 2))
    assert one == again
    assert one != other


def test_an_edited_helper_gives_its_new_values(folder: Path) -> None:
    assert run(defined(HELPED.format("+ 1"))) == (3.0, "compiled")
    assert run(defined(HELPED.format("- 1"))) == (1.0, "compiled")
    assert run(defined(HELPED.format("+ 1"))) == (3.0, "found")


def test_kernels_of_one_process_are_not_mixed_up(folder: Path) -> None:
    """Their symbols may have the same names, since Numba counts from 1 in each process."""
    run(double), run(triple)
    assert [run(double), run(triple), run(exp)] == [(4.0, "found"), (6.0, "found"), (np.exp(2.0), "compiled")]


def test_other_options_miss(python: Any, folder: Path) -> None:
    code = "import fastact as fa; fa.silu(0.5); print(fa.cache_info().compiled)"
    options: list[dict[str, str]] = [
        {}, {"NUMBA_CPU_NAME": "generic"}, {"NUMBA_OPT": "1"}, {"NUMBA_LOOP_VECTORIZE": "0"}
    ]  # fmt: skip
    for compiled in ("1\n", "0\n"):
        for option in options:
            assert python(code, **{_cache.VARIABLE: str(folder)}, **option) == compiled, option


def test_options_set_while_running_miss(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(double)
    monkeypatch.setattr(numba.config, "BOUNDSCHECK", 1)
    assert run(double) == (4.0, "compiled")


@pytest.mark.parametrize(
    ("module", "name", "value"),
    [("llvm", "get_host_cpu_name", lambda: "another"), ("numba", "__version__", "99"), ("np", "__version__", "99")],
)
def test_another_environment_misses(
    folder: Path, use: Any, monkeypatch: pytest.MonkeyPatch, module: str, name: str, value: Any
) -> None:
    run(double)
    monkeypatch.setattr(getattr(_cache, module), name, value)
    use(folder)
    assert run(double) == (4.0, "compiled")
    assert len(list(folder.iterdir())) == 2


def test_other_sources_miss(folder: Path, use: Any, tmp_path: Path) -> None:
    run(double)
    copy = tmp_path / "fastact"
    shutil.copytree(_cache._PACKAGE, copy, ignore=shutil.ignore_patterns("*.so", "*.c", "__pycache__"))
    use(folder, _PACKAGE=copy, _imported=math.inf)
    assert run(double) == (4.0, "found")
    with open(copy / "_kernels" / "scalar" / "pairs.py", "a") as file:
        file.write("#")
    use(folder)
    assert run(double) == (4.0, "compiled")
    use(folder, _imported=0.0)
    assert "has changed since it was imported" in (fa.cache_info().why_not or "")


# --- damage ----------------------------------------------------------------------------------------------------------


def with_checksum(path: Path, payload: bytes) -> bytes:
    return _cache.HEADER + hashlib.sha256(path.stem.encode() + payload).digest() + payload


DAMAGE: dict[str, Callable[[Path, bytes], bytes]] = {
    "empty": lambda path, content: b"",
    "truncated": lambda path, content: content[: len(content) // 2],
    "half a header": lambda path, content: content[:20],
    "garbage": lambda path, content: bytes(len(content)),
    "one bit": lambda path, content: content[:-1] + bytes([content[-1] ^ 1]),
    "other format": lambda path, content: b"F" + content[1:],
    "no object": lambda path, content: with_checksum(path, b"symbol\0no object"),
    "no symbol": lambda path, content: with_checksum(path, b"no" + content[len(_cache.HEADER) + 32 :]),
    "no text": lambda path, content: with_checksum(path, b"\xff\0" + content),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_damaged_files_are_written_anew(folder: Path, damage: Callable[[Path, bytes], bytes]) -> None:
    run(double)
    [path] = kernels(folder)
    whole = path.read_bytes()
    path.write_bytes(damage(path, whole))
    assert run(double) == (4.0, "compiled")
    assert run(double) == (4.0, "found")


def test_a_file_of_another_kernel_is_none(folder: Path) -> None:
    run(double)
    [path] = kernels(folder)
    run(triple)
    [other] = set(kernels(folder)) - {path}
    shutil.copy(other, path)
    assert run(double) == (4.0, "compiled")


def test_full_disk(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*names: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    assert run(double) == (4.0, "compiled")
    assert not files(folder)


def test_folder_that_vanishes(folder: Path) -> None:
    run(double)
    shutil.rmtree(folder)
    assert run(double) == (4.0, "compiled")


def test_kernels_and_environments_are_not_kept_for_ever(folder: Path, use: Any) -> None:
    folder.mkdir(mode=0o700)
    for year in range(12):
        old = folder / f"fastact-{year:032x}"
        old.mkdir()
        (old / "a.kernel").touch()
        os.utime(old, (year, year))
    (folder / "mine").mkdir()
    use(folder, MOST_KERNELS=2)
    current = fa.cache_info().folder
    assert current is not None
    for factor in (2, 3, 4):
        run(defined(CLOSURE.format(factor)))
    assert len(list(folder.glob("fastact-*"))) == _cache.MOST_ENVIRONMENTS
    os.utime(current, (0, 0))
    use(folder, MOST_ENVIRONMENTS=1)
    assert fa.cache_info()[:2] == (current, 2)
    assert list(folder.glob("fastact-*")) == [current]
    assert (folder / "mine").exists()


# --- whom it trusts --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("off", ["off", "0", "OFF"])
def test_off(python: Any, tmp_path: Path, off: str) -> None:
    code = "import fastact as fa; fa.tanh(1.0); print(fa.cache_info().why_not)"
    assert python(code, FASTACT_CACHE=off, HOME=str(tmp_path), XDG_CACHE_HOME="") == f"FASTACT_CACHE={off}\n"
    assert not files(tmp_path)


@posix
def test_default_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(_cache.VARIABLE, "")
    for platform, environment, expected in (
        ("linux", {"XDG_CACHE_HOME": str(tmp_path)}, tmp_path / "fastact"),
        ("linux", {"XDG_CACHE_HOME": "", "HOME": "/h"}, Path("/h/.cache/fastact")),
        ("darwin", {"HOME": "/h"}, Path("/h/Library/Caches/fastact")),
        ("win32", {"LOCALAPPDATA": "/local"}, Path("/local/fastact/cache")),
    ):
        monkeypatch.setattr(sys, "platform", platform)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        assert _cache._requested_folder() == expected


@posix
def test_nobody_else_may_read_it(folder: Path) -> None:
    mask = os.umask(0)
    try:
        run(double)
    finally:
        os.umask(mask)
    [path] = kernels(folder)
    assert [each.stat().st_mode & 0o777 for each in (path, path.parent, folder)] == [0o600, 0o700, 0o700]


def refused(why_not: str) -> None:
    """The cache is off for this reason, and calls work."""
    assert why_not in (fa.cache_info().why_not or "")
    assert run(double) == (4.0, "compiled")


@posix
def test_folders_of_others_are_refused(folder: Path, use: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(double)
    for mode in (0o770, 0o707, 0o720, 0o702):
        folder.chmod(mode)
        use(folder)
        refused("other users may write")
    folder.chmod(0o755)
    use(folder)
    assert run(double) == (4.0, "found")
    (tmp_path / "link").symlink_to(folder)
    use(tmp_path / "link")
    refused("not a folder")
    monkeypatch.setattr(os, "geteuid", lambda: folder.stat().st_uid + 1)
    use(folder)
    refused("belongs to another user")


@posix
def test_files_of_others_are_not_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(double)
    monkeypatch.setattr(os, "geteuid", lambda: folder.stat().st_uid + 1)
    assert run(double) == (4.0, "compiled")


def linked(path: Path) -> None:
    path.symlink_to(path.rename(path.with_suffix(".elsewhere")))


def made_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


DISTRUST: dict[str, Callable[[Path], object]] = {
    "writable by the group": lambda path: path.chmod(0o620),
    "writable by all": lambda path: path.chmod(0o602),
    "link": linked,
    "second name": lambda path: os.link(path, path.with_suffix(".elsewhere")),
    "FIFO": made_fifo,
}


@posix
@pytest.mark.parametrize("distrust", DISTRUST.values(), ids=DISTRUST)
def test_a_file_that_others_may_have_written_is_not_run_and_is_replaced(
    folder: Path, distrust: Callable[[Path], object]
) -> None:
    run(double)
    [path] = kernels(folder)
    whole = path.read_bytes()
    distrust(path)
    assert run(double) == (4.0, "compiled")
    assert run(double) == (4.0, "found")
    status = path.lstat()
    assert (stat.S_ISREG(status.st_mode), status.st_mode & 0o777, status.st_nlink) == (True, 0o600, 1)
    assert all(other.read_bytes() == whole for other in path.parent.glob("*.elsewhere"))


def test_an_interrupt_leaves_no_half_kernel(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*names: Any) -> None:
        raise KeyboardInterrupt

    fa.cache_info()
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run(double)
    assert not files(folder)


@posix
def test_info_counts_what_can_vanish_meanwhile(folder: Path) -> None:
    run(double)
    (kernels(folder)[0].with_name("a.kernel")).symlink_to("nothing")
    assert fa.cache_info().kernels == 2


def test_home_that_cannot_be_written(use: Any, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    use(tmp_path / "file" / "cache")
    refused("Not a directory" if os.name == "posix" else "file")


# --- many processes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("processes", [4, pytest.param(50, marks=[pytest.mark.slow, pytest.mark.timeout(900)])])
def test_processes_that_start_cold_at_once(python: Any, tmp_path: Path, processes: int) -> None:
    environment = os.environ | {_cache.VARIABLE: str(tmp_path / "cache")}
    command = [sys.executable, "-P", "-W", "error", "-c", CALLS]
    started = [
        subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(processes)
    ]
    ended = [process.communicate() for process in started]
    assert not [errors for _, errors in ended if errors]
    digest, found, compiled, _ = python(CALLS, **{_cache.VARIABLE: str(tmp_path / "cache")}).split()
    assert {output.split()[0] for output, _ in ended} == {digest}
    assert (found, compiled) == ("5", "0")
    assert {path.suffix for path in files(tmp_path)} == {".kernel"}
    assert digest == python(CALLS, FASTACT_CACHE="off").split()[0]
