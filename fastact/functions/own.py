"""Activations of a user's own, from a Python file."""

from __future__ import annotations

import importlib.util
import os
import sys
from contextlib import suppress
from os import PathLike
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from fastact._core import registry
from fastact.errors import BackendError, told

__all__ = ["load"]


def load(path: str | PathLike[str]) -> list[str]:
    r"""Run a Python file that defines activations with `@fa.activation`, and return their names.

    A file that was loaded before is not run again. Its module is importable under the file's name in this process. Its
    activations can be pickled: the text of the file goes with them, and is run where they arrive.

    Parameters
    ----------
    path : path
        Its name must be that of no other module.

    Returns
    -------
    list of str

    Raises
    ------
    ValueError
        The file is no Python, raises an error, or defines no activation, or one that cannot be compiled.
    OSError
        It cannot be read.

    Examples
    --------
    >>> from pathlib import Path
    >>> from fastact.functions import own
    >>> lines = "import fastact as fa", "@fa.activation", "def my_cube(x):", "    return x * x * x"
    >>> written = Path("CUBES.py").write_text("\n".join(lines))
    >>> own.load("CUBES.py")
    ['my_cube']
    """
    text = os.fspath(path)
    file = Path(text).resolve()
    name = file.stem
    loaded = sys.modules.get(name)
    if loaded is not None and getattr(loaded, "__file__", None) == str(file):
        return [known for known in registry.names("activation") if registry.get(known).__module__ == name]
    if loaded is not None or name in sys.stdlib_module_names or not name.isidentifier():
        raise ValueError(f"{text}: its name must be that of no other module; rename it to my_activations.py")
    return _run(text, file, file.read_bytes())


def arrived(path: str, source: bytes, name: str) -> Any:
    """The activation of this name, of a file that another process loaded from this path and sent; it is run here.

    Raises
    ------
    ValueError
        Another file is loaded here under this path or as the module of its name, or it cannot be run here.
    """
    file = Path(path)
    module = sys.modules.get(file.stem)
    if module is None:
        _run(path, file, source)
    elif _source_of(module, file) != source:
        raise ValueError(
            f"{path} came from another process, and here module {file.stem} is another one; start the processes anew"
        )
    return registry.get(name)


def _source_of(module: ModuleType, file: Path) -> bytes | None:
    """The source that was run as this module, if it is that of the file."""
    if getattr(module, "__file__", None) != str(file):
        return None
    return getattr(module, "__source__", None) or file.read_bytes()


def _run(text: str, file: Path, source: bytes) -> list[str]:
    """Run a file's source as the module of its name, and return the activations that it defines."""
    name = file.stem
    try:
        code = compile(source, str(file), "exec")
    except SyntaxError as error:
        raise ValueError(f"{text}, line {error.lineno}: {error.msg}") from error
    except ValueError as error:  # null bytes
        raise ValueError(f"{text}: no Python file ({error})") from error
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None:
        raise ValueError(f"{text}: no Python file; its name must end in .py")
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    module.__source__ = source  # type: ignore[attr-defined]
    try:
        with registry.all_or_nothing():
            found = _defined(text, code, module)
    except BaseException:
        del sys.modules[name]
        raise
    for each in found:
        registry.get(each)._sent = arrived, (str(file), source, each)
    return found


def _defined(text: str, code: Any, module: ModuleType) -> list[str]:
    """Run the code in the module, and compile what it defines, so that nothing fails in the middle of a training."""
    before = set(registry.names())
    try:
        exec(code, module.__dict__)
    except (Exception, SystemExit) as error:
        raise ValueError(f"{text}: {type(error).__name__}: {error}") from error
    found = [each for each in registry.names("activation") if each not in before]
    if not found:
        raise ValueError(f"{text}: defines no activation; decorate a function with @fastact.activation")
    for each in found:
        try:
            _compile(registry.get(each))
        except Exception as error:
            raise ValueError(
                f"{text}: {each} cannot be compiled ({told(error)}); write its formulas for one number, with "
                "functions of math and numpy"
            ) from error
    return found


def _compile(activation: Any) -> None:
    x = np.zeros(1, np.float32)
    with suppress(BackendError):  # nothing can be compiled here
        activation(x)
        if activation.differentiable:
            activation.backward(x, x)
