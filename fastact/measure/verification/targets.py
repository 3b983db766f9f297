"""What is verified: a function of any library, found by the text that names it, or given as it is."""

from __future__ import annotations

import ast
import functools
import importlib
import importlib.util
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from fastact._core import registry
from fastact.errors import UnknownNameError, nearest, require
from fastact.measure.verification.formats import FORMATS, Format, has
from fastact.measure.verification.libraries import LIBRARIES, Call, Library, library_of
from fastact.measure.verification.onnx_files import OnnxModel

__all__ = ["Target", "of_callable", "of_text"]

#: What the names of a library mean that other libraries have for something else: JAX's gelu is the tanh form.
DEFAULTS: dict[tuple[str, str], dict[str, Any]] = {("jax", "gelu"): {"approximate": True}}
#: How many numbers a dtype is tried with.
TRIED = 16


@dataclass(frozen=True)
class Target:
    """A function of NumPy arrays, and what is known of it.

    Attributes
    ----------
    name : str
        For readers.
    function : str
        What the function is called, which names the reference.
    settings : mapping
        Its keyword arguments, also those by default, that choose the reference.
    forward, derivative : callable
        Of a flat array; derivative is None where `why` says why.
    dtypes : tuple of str
        Those that it may take.
    few_shapes, strides : bool
        See `Library`.
    """

    name: str
    function: str
    forward: Call
    derivative: Call | None = None
    why: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    dtypes: tuple[str, ...] = tuple(FORMATS)
    few_shapes: bool = False
    strides: bool = False

    def of(self, part: str) -> Call | None:
        return self.forward if part == "forward" else self.derivative

    def offers(self, kind: Format) -> str:
        """Why numbers of this format cannot be verified; empty where they can.

        Raises
        ------
        ValueError
            If it does not give an element for each one.
        """
        if kind.name not in self.dtypes:
            return f"it takes {', '.join(self.dtypes)} only"
        if kind.name == "bfloat16" and not has("ml_dtypes"):
            return 'ml_dtypes is not installed; pip install "fastact[verify]"'
        x = np.linspace(-2, 2, TRIED).astype(kind.dtype)
        try:
            with np.errstate(all="ignore"):
                result = self.forward(x)
        except Exception as error:
            return f"it raises {type(error).__name__}: {shortened(error)}"
        if result.shape != x.shape:
            made = f"makes the shape {result.shape} of {x.shape}"
            raise ValueError(f"{self.name}: {made}; verify takes functions that act on each element by itself")
        if result.dtype.name not in FORMATS:
            return f"it makes {result.dtype} of it"
        return ""


def shortened(error: BaseException) -> str:
    """What an error says, in one short line."""
    text = " ".join(str(error).split())
    return text if len(text) <= 160 else f"{text[:157]}..."


def of_text(text: str, settings: Mapping[str, Any], library: str | None = None, device: str | None = None) -> Target:
    """The target that a text such as "torch:gelu?approximate=tanh", "FILE.py:gelu" or "model.onnx" names."""
    if text.lower().endswith(".onnx"):
        return _of_onnx(text)
    text, question, query = text.partition("?") if not text.startswith("numexpr:") else (text, "", "")
    for each in query.split("&") if question else ():
        key, equals, value = each.partition("=")
        if not equals or not key:
            raise ValueError(f"{text}?{query}: write keyword arguments as ?name=value&name=value")
        settings = {**settings, key: literal(value)}
    source, colon, name = text.rpartition(":")
    if not colon or not source or not name:
        raise ValueError(
            f"TARGET {text!r} names no function; write library:function ({', '.join(LIBRARIES)}), module:function, "
            "FILE.py:function or FILE.onnx"
        )
    if source in LIBRARIES and library is None:
        return _of_library(source, name, settings, device)
    module = _file(source) if source.endswith(".py") else _module(source)
    function: Any = module
    for part in name.split("."):
        if not hasattr(function, part):
            public = [each for each in vars(function) if callable(getattr(function, each)) and each[0] != "_"]
            raise UnknownNameError(f"{source} has no {part!r}{nearest(part, public)}")
        function = getattr(function, part)
    return of_callable(function, settings, library, device, text)


def of_callable(
    function: Any,
    settings: Mapping[str, Any],
    library: str | None = None,
    device: str | None = None,
    name: str | None = None,
) -> Target:
    """The target that calls a function, with arrays of its library."""
    if not callable(function):
        raise TypeError(f"{name or repr(function)}: is no function, but {type(function).__name__}")
    if isinstance(function, type):
        raise TypeError(f"{name or function.__name__}: is a class; give an object of it, or a function")
    if library is not None and library not in LIBRARIES:
        raise UnknownNameError(f"library={library!r}{nearest(library, LIBRARIES)}")
    chosen = LIBRARIES[library or library_of(function)](device)
    own = getattr(function, "func", function)
    called = getattr(own, "__name__", type(own).__name__)
    if name is None:
        module = getattr(function, "__module__", None) or type(function).__module__
        name = called if module in ("__main__", "builtins") else f"{module}:{called}"
    return _wrapped(chosen, function, called, settings, name)


def _wrapped(library: Library, function: Any, called: str, settings: Mapping[str, Any], name: str) -> Target:
    bound = functools.partial(function, **settings) if settings else function
    title = name + ("?" + "&".join(f"{key}={value}" for key, value in settings.items()) if settings else "")
    derivative = library.differentiated(bound)
    return Target(
        name=title, function=called, forward=library.wrapped(bound), derivative=derivative,
        why="" if derivative else library.no_derivative, settings={**getattr(function, "keywords", {}), **settings},
        few_shapes=library.few_shapes, strides=library.strides,
    )  # fmt: skip


def _of_library(source: str, name: str, settings: Mapping[str, Any], device: str | None) -> Target:
    library = LIBRARIES[source](device)
    if source == "numexpr":
        if settings:
            raise ValueError(f"numexpr:{name} takes no keyword arguments; write their values into the expression")
        return _wrapped(library, library.expression(name), name, {}, f"numexpr:{name}")  # type: ignore[attr-defined]
    function, known = _found(library, source, name)
    if not callable(function):
        shown = nearest(name, known)
        raise UnknownNameError(
            f"{source} has no function {name!r} in {' or '.join(library.modules)}"
            + (shown if "known:" not in shown else "")
        )
    if isinstance(function, type):
        raise ValueError(f"{source}:{name}: is a class; name a function, or an object in a FILE.py")
    target = _wrapped(library, function, name, settings, f"{source}:{name}")
    return replace(target, settings={**DEFAULTS.get((source, name), {}), **target.settings})


def _found(library: Library, source: str, name: str) -> tuple[Any, list[str]]:
    """What the first module of the library has under this name, or None; and the names of all functions."""
    if source == "fastact":
        functions = map(registry.get, registry.names())
        known = {alias: each for each in functions for alias in (each.name, *each.aliases)}
        return known.get(name), list(known)
    names: list[str] = []
    for each in library.modules:
        module = require(each, library.extra, f"the target {source}:{name}")
        if callable(found := getattr(module, name, None)):
            return found, []
        names += [public for public in dir(module) if public[0] != "_" and callable(getattr(module, public, None))]
    return None, names


def _of_onnx(text: str) -> Target:
    model = OnnxModel(Path(text))
    function = model.operators[0] if len(model.operators) == 1 else Path(text).stem
    return Target(text, function, model, why="onnxruntime does not differentiate", dtypes=(model.dtype,))


def literal(text: str) -> Any:
    """A value as Python writes it, or else the text itself."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return {"true": True, "false": False}.get(text, text)


def _module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            near = nearest(name, LIBRARIES)
            if "did you mean" not in near:
                near = f"; libraries are {', '.join(LIBRARIES)}, and a file's name ends in .py"
            raise UnknownNameError(f"no library or module {name!r}{near}") from error
        raise ValueError(f"{name}: cannot be imported ({shortened(error)})") from error
    except (Exception, SystemExit) as error:
        raise ValueError(f"{name}: cannot be imported ({type(error).__name__}: {shortened(error)})") from error


def _file(text: str) -> ModuleType:
    """The module in a Python file, which is run once."""
    path = Path(text).resolve(strict=True)
    for module in list(sys.modules.values()):
        if getattr(module, "__file__", None) == str(path):
            return module
    name = f"fastact_verified_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise ValueError(f"{text}: {type(error).__name__}: {shortened(error)}") from error
    return module
