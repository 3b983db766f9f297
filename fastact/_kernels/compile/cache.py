"""The cache of machine code on disk, which lets a process start with the kernels that an earlier one compiled.

A kernel is a file, named by the digest of all that shapes its code. What cannot be read, written or linked is compiled
as if there were no cache. The folder belongs to one user. LLVM alone links the machine code, in a millisecond; Numba's
compiler stays asleep. Whatever else comes to shape machine code belongs in `_environment`, or in `key` if a process may
change it.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import itertools
import os
import platform
import re
import secrets
import stat
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import llvmlite
import llvmlite.binding as llvm
import numba
import numpy as np

from fastact._kernels.compile.fingerprint import fingerprint

__all__ = ["CacheInfo", "cache_info", "keep", "key", "load", "read", "stamp", "store", "write"]

VARIABLE = "FASTACT_CACHE"
HEADER = b"fastact kernel 1\n"

#: Environments and kernels in each that are kept: four times what warmup writes.
MOST_ENVIRONMENTS = 8
MOST_KERNELS = 2000

_PACKAGE = Path(__file__).parents[2]
_FOLDERS = ("_core", "_kernels", "backends", "functions", "interop")
_SOURCES = ("*.py", *(f"{folder}/**/*.py" for folder in _FOLDERS))
_ENVIRONMENT_NAME = re.compile(r"fastact-[0-9a-f]{32}")

#: Options of Numba that leave the machine code of a loop on one thread as it is.
_IRRELEVANT_OPTIONS = re.compile(r"CUDA|THREAD|CACHE|COLOR|HIGHLIGHT|WARN")

#: What a kernel may call: C's mathematics, each with its float form, and copying. A kernel that calls Python or Numba
#: cannot be linked without them, and so is not kept.
_C_FUNCTIONS = (
    "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "cbrt", "ceil", "copysign", "cos", "cosh", "erf",
    "erfc", "exp", "exp2", "expm1", "fabs", "floor", "fma", "fmax", "fmin", "fmod", "hypot", "ldexp", "lgamma", "log",
    "log10", "log1p", "log2", "nearbyint", "pow", "rint", "round", "sin", "sincos", "sinh", "sqrt", "tan", "tanh",
    "tgamma", "trunc",
)  # fmt: skip
_MEMORY_FUNCTIONS = ("memcpy", "memmove", "memset")

#: Without O_NONBLOCK, opening a FIFO waits for somebody to write to it. Windows has none of these but O_BINARY.
_READ = os.O_RDONLY | sum(getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY"))
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH

_imported = time.time()
_linked: list[Any] = []  # keeps the machine code alive
_library_numbers = itertools.count()
_counts = Counter[str]()


class CacheInfo(NamedTuple):
    """What `cache_info` returns."""

    folder: Path | None
    kernels: int
    bytes: int
    found: int
    compiled: int
    why_not: str | None


class _Off(Exception):
    """The cache cannot be used; the message says why."""


# --- where it is ------------------------------------------------------------------------------------------------------


def _requested_folder() -> Path:
    """FASTACT_CACHE, or else the platform's place for a user's caches."""
    requested = os.environ.get(VARIABLE, "")
    if requested.lower() in ("0", "off"):
        raise _Off(f"{VARIABLE}={requested}")
    try:
        if requested:
            return Path(requested).expanduser().absolute()
        if sys.platform == "win32":
            return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "fastact" / "cache"
        if sys.platform == "darwin":
            return Path.home() / "Library" / "Caches" / "fastact"
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fastact"
    except RuntimeError as error:
        raise _Off(f"no home folder: {error}") from None


def _check(folder: Path) -> None:
    """Refuse a folder into which somebody else may have put machine code."""
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode):
        raise _Off(f"{folder} is not a folder (a link is none)")
    if os.name == "posix":
        if status.st_uid != os.geteuid():
            raise _Off(f"{folder} belongs to another user")
        if status.st_mode & _WRITABLE_BY_OTHERS:
            raise _Off(f"other users may write to {folder}; chmod 700 would let fastact use it")


@functools.cache
def _environment() -> str:
    """The digest of what shapes machine code and stays as it is while a process runs."""
    digest = hashlib.sha256()
    sources = sorted(path for pattern in _SOURCES for path in _PACKAGE.glob(pattern))
    if not sources:
        raise _Off(f"there are no sources in {_PACKAGE} to tell versions apart by")
    for path in sources:
        status = path.stat()
        if (status.st_mtime if os.name == "nt" else status.st_ctime) > _imported:
            raise _Off(f"{path} has changed since it was imported")
        source = path.read_bytes()
        digest.update(f"{path.relative_to(_PACKAGE)} {len(source)}\n".encode() + source)
    try:
        features = llvm.get_host_cpu_features().flatten()
    except RuntimeError:  # LLVM does not know how to ask this processor
        features = ""
    versions = sys.version, numba.__version__, llvmlite.__version__, llvm.llvm_version_info, np.__version__
    machine = sys.platform, platform.machine(), llvm.get_host_cpu_name(), features
    digest.update(repr((HEADER, versions, machine)).encode())
    return digest.hexdigest()[:32]


@functools.cache
def _opened() -> tuple[Path | None, str | None]:
    """The folder of this environment, made if need be; or None and why the cache cannot be used."""
    try:
        root = _requested_folder()
        folder = root / f"fastact-{_environment()}"
        with suppress(FileExistsError):
            root.parent.mkdir(parents=True)
        for each in (root, folder):
            with suppress(FileExistsError):
                each.mkdir(mode=0o700)
            _check(each)
        with suppress(OSError):  # a folder that can only be read is of use too
            os.utime(folder)
        _forget_environments(root)
        return folder, None
    except _Off as error:
        return None, str(error)
    except OSError as error:
        return None, f"{error.filename}: {error.strerror}"


def cache_info() -> CacheInfo:
    """Where the cache of machine code is and what it holds, or why it is off.

    Returns
    -------
    CacheInfo
        folder, kernels, bytes: the folder of this environment, None if the cache is off; how many kernels it holds, and
        their size. found, compiled: how many kernels this process found there, and had to compile. why_not: why the
        cache is off, None if it is on.

    Notes
    -----
    The environment variable FASTACT_CACHE turns the cache off ("off" or "0") or names another folder for it. The folder
    must belong to the user who runs the process and be writable for nobody else, and so must each file. Kernels are
    found again by everything that shapes their code: the sources of fastact, the versions of Python, NumPy, Numba and
    LLVM, the processor, Numba's options, and of users' formulas the bytecode with all values that it sees. Formulas
    that see arrays, objects or functions that are not jitted are compiled in every process; so are those that call
    Python, or a jitted function that was called before and so may hold values of that time.

    Examples
    --------
    >>> import fastact as fa
    >>> cache = fa.cache_info()
    >>> (cache.folder is None) == (cache.why_not is not None)
    True
    """
    folder, why_not = _opened()
    sizes = []
    for path in folder.glob("*.kernel") if folder else ():
        with suppress(FileNotFoundError):  # another process may have just deleted it
            sizes.append(path.lstat().st_size)
    return CacheInfo(folder, len(sizes), sum(sizes), _counts["found"], _counts["compiled"], why_not)


# --- what is in it ----------------------------------------------------------------------------------------------------


def key(formula: Callable[..., Any] | None, layout: tuple[Any, ...]) -> str | None:
    """The name of the kernel with this formula, if it has one, and layout; None if it is not to be kept."""
    if _opened()[0] is None:
        return None
    text = fingerprint(formula) if formula is not None else ""
    if text is None:
        return None
    # Not in the environment: a process may change them between two kernels.
    options = {
        name: repr(value)
        for name, value in sorted(vars(numba.config).items())
        if name.isupper() and not _IRRELEVANT_OPTIONS.search(name)
    }
    return hashlib.sha256(repr((options, text, layout)).encode()).hexdigest()


def stamp(formula: Callable[..., Any] | None, definition: Any) -> str | None:
    """Return a text that changes whenever machine code made of this formula and definition must be made anew.

    None if that cannot be told.
    """
    text = fingerprint(formula) if formula is not None else ""
    try:
        return None if text is None else hashlib.sha256(repr((_environment(), text, definition)).encode()).hexdigest()
    except (OSError, _Off):
        return None


def load(name: str | None) -> int | None:
    """The address of the kernel of this name; None if it must be compiled."""
    address = _linked_address(name)
    _counts["compiled" if address is None else "found"] += 1
    return address


def _linked_address(name: str | None) -> int | None:
    symbol, _, code = (_read(name) or b"").partition(b"\0")
    if not code:
        return None
    try:
        return _address(symbol.decode(), code)
    except (RuntimeError, UnicodeDecodeError):  # RuntimeError: LLVM does not take it
        return None


def _address(symbol: str, code: bytes) -> int:
    """Link an object file, for as long as the process lives."""
    library = _link(symbol, code)
    _linked.append(library)
    return int(library[symbol])


def read(name: str | None) -> bytes | None:
    """What was written under this name, such as code for a GPU; None if it must be made."""
    payload = _read(name)
    _counts["compiled" if payload is None else "found"] += 1
    return payload


def _read(name: str | None) -> bytes | None:
    folder, _ = _opened()
    if folder is None or name is None:
        return None
    try:
        with open(os.open(folder / f"{name}.kernel", _READ), "rb") as file:
            if not _is_trusted(os.fstat(file.fileno())):
                return None
            content = file.read()
    except OSError:
        return None
    head, payload = content[: len(HEADER) + 32], content[len(HEADER) + 32 :]
    return payload if head == HEADER + _checksum(name, payload) else None


def _is_trusted(status: os.stat_result) -> bool:
    """Whether it is a regular file that nobody but this user can have written: its folder alone does not say so.

    A file with a second name may have come from elsewhere; one without any is just being replaced.
    """
    if os.name != "posix" or not stat.S_ISREG(status.st_mode):
        return stat.S_ISREG(status.st_mode)
    return status.st_uid == os.geteuid() and not status.st_mode & _WRITABLE_BY_OTHERS and status.st_nlink <= 1


def store(name: str | None, function: Any) -> None:
    """Keep a function that `numba.cfunc` compiled under this name, if it can be linked again."""
    if _opened()[0] is None or name is None or function._library.has_dynamic_globals:
        return
    try:
        symbol, code = function.native_name, function._library._get_compiled_object()
        _link(symbol, code)
    except RuntimeError:
        return
    write(name, symbol.encode() + b"\0" + code)


def keep(name: str | None, symbol: str, code: bytes) -> int:
    """Link an object file, keep it under this name, and return the address of its function."""
    write(name, symbol.encode() + b"\0" + code)
    return _address(symbol, code)


def write(name: str | None, payload: bytes) -> None:
    """Keep this under a name that `key` gave."""
    folder, _ = _opened()
    if folder is None or name is None:
        return
    temporary = folder / f".fastact-{secrets.token_hex(8)}.part"
    try:
        with open(os.open(temporary, _CREATE, 0o600), "wb") as file:
            file.write(HEADER + _checksum(name, payload) + payload)
        os.replace(temporary, folder / f"{name}.kernel")
        _forget(folder, MOST_KERNELS)
    except OSError:
        return
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _checksum(name: str, payload: bytes) -> bytes:
    """Of the name too: a file under another name is no other kernel."""
    return hashlib.sha256(name.encode() + payload).digest()


def _forget(folder: Path, most: int) -> None:
    """Delete the oldest files until so many are left; another process may be doing the same."""
    with os.scandir(folder) as entries:
        ages = [(entry.stat(follow_symlinks=False).st_mtime, entry.path) for entry in entries]
    for _, path in sorted(ages)[: max(0, len(ages) - most)]:
        os.unlink(path)


def _forget_environments(root: Path) -> None:
    """Delete the environments that have not been used for longest."""
    with suppress(OSError):  # such as another process that was faster
        folders = [path for path in root.iterdir() if _ENVIRONMENT_NAME.fullmatch(path.name)]
        for folder in sorted(folders, key=lambda path: path.stat().st_mtime)[:-MOST_ENVIRONMENTS]:
            _forget(folder, 0)
            folder.rmdir()


# --- how it is linked -------------------------------------------------------------------------------------------------


@functools.cache
def _linker() -> Any:
    """LLVM's newer linker. Numba's own aborts the process where a symbol is missing; this one raises RuntimeError."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.create_lljit_compiler(suppress_errors=True)


@functools.cache
def _c_functions() -> dict[str, int]:
    """The addresses of the functions that a kernel may call, where the platform tells them."""
    if os.name != "posix":
        return {}
    process = ctypes.CDLL(None)
    names = (*_MEMORY_FUNCTIONS, *(name + suffix for name in _C_FUNCTIONS for suffix in ("", "f")))
    functions = {name: getattr(process, name) for name in names if hasattr(process, name)}
    return {name: ctypes.cast(function, ctypes.c_void_p).value or 0 for name, function in functions.items()}


def _link(symbol: str, code: bytes) -> Any:
    """An object file as a library that exports `symbol`; one each, since their other symbols may be alike."""
    builder = llvm.JITLibraryBuilder().add_object_img(code).export_symbol(symbol)
    for name, address in _c_functions().items():
        builder.import_symbol(name, address)
    return builder.link(_linker(), f"kernel{next(_library_numbers)}")
