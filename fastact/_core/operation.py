"""Elementwise operations: a formula, compiled on first use, that is called like a ufunc on every backend."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import Any

import numba
import numpy as np

from fastact._core import containers, dispatch, slabs
from fastact._core.devices import REPEATS
from fastact._core.function import Function
from fastact._core.named import Named
from fastact._kernels.compile.loops import compile_loop
from fastact._kernels.native.arithmetic import standard_arithmetic
from fastact._kernels.native.ufunc import (
    QuickCall,
    Threads,
    add_bfloat16,
    call,
    enable_vectorcall,
    make_ufunc,
    nanoseconds_per_element,
)
from fastact._kernels.scalar.primitives import COMPILED, JIT_OPTIONS
from fastact.errors import UnknownNameError, nearest

__all__ = ["FLOATS", "INTEGERS_AND_FLOATS", "Formula", "Operation", "Part", "jitted"]

#: The dtypes an operation is compiled for, in the order in which NumPy tries them for operands of other dtypes. Before
#: float32 come float16 and, once ml_dtypes is imported, bfloat16, which are computed in float32 and rounded.
FLOATS = "fd"
INTEGERS_AND_FLOATS = "bBhHiIlLqQfd"

#: What Numba can make a ufunc for.
TARGETS = ("cpu", "parallel", "cuda")

Formula = Callable[..., Any]


def jitted(formula: Formula) -> Any:
    """The formula for compiled code; where it is a function of the vocabulary, the scalar one that stands for it."""
    return numba.njit(**JIT_OPTIONS)(COMPILED.get(formula, formula))


class _Signature:
    """What `inspect.signature` finds at an operation; at the class it finds nothing, and takes the constructor's."""

    def __get__(self, operation: Operation | None, owner: type) -> inspect.Signature:
        if operation is None:
            raise AttributeError("__signature__")
        positional, by_name = inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY
        return inspect.Signature(
            [
                *(inspect.Parameter(name, positional) for name in operation._input_names),
                *(inspect.Parameter(n, positional, default=value) for n, value in operation.parameters.items()),
                *(inspect.Parameter(n, by_name, default=next(iter(v))) for n, v in operation._variants.items()),
                inspect.Parameter("out", by_name, default=None),
                inspect.Parameter("backend", by_name, default=None),
                inspect.Parameter("ufunc_keywords", inspect.Parameter.VAR_KEYWORD),
            ]
        )


class Operation(QuickCall, Named):
    """One formula, callable like a ufunc on every backend; with several `outputs` it returns a tuple of results.

    Attributes
    ----------
    ufunc : the genuine `numpy.ufunc`; its inputs are the arrays and then every parameter, all of one dtype
    parameters : names and default values of the parameters
    """

    def __init__(
        self,
        name: str,
        formula: Formula,
        inputs: tuple[str, ...],
        parameters: Mapping[str, float],
        dtypes: str = FLOATS,
        outputs: int = 1,
    ) -> None:
        super().__init__(name, len(inputs), dict(parameters), _dispatched, outputs)
        self._input_names = inputs
        self.parameters: Mapping[str, float] = dict(parameters)
        self._dtypes = dtypes
        #: The jitted formula, for this package's own backends; `scalar` is the users'.
        self._jitted = jitted(formula)
        #: The formula as plain NumPy runs it, on whole arrays.
        self._plain = formula
        #: keyword -> its value -> the operation that it selects
        self._variants: dict[str, dict[str, Operation]] = {}
        self._loops: dict[tuple[int, bool], tuple[int, float]] = {}
        self._ufuncs: dict[tuple[int, bool], np.ufunc] = {}
        self._with_bfloat16: set[tuple[int, bool]] = set()
        self._keeps_integers = "i" in dtypes
        self._common = Threads.AUTO, self._are_numbers(self._defaults, 0)
        self._set_common_ufunc(self._ufunc_for(*self._common))

    def __init_subclass__(cls) -> None:
        enable_vectorcall(cls)

    @property
    def ufunc(self) -> np.ufunc:
        return self._ufunc_for(Threads.AUTO, False)

    def _ufunc_for(self, threads: int, numbers: bool) -> np.ufunc:
        """The ufunc with this threading, for parameters that are Python numbers or not; with bfloat16 if known."""
        key = threads, numbers
        if key not in self._ufuncs or ("ml_dtypes" in sys.modules and key not in self._with_bfloat16):
            counts = self._inputs, len(self.parameters), self._outputs
            compute = self._compute_plain if threads == Threads.PYTHON else self._compile
            definition = *counts, self._dtypes, compute, threads, numbers
            if key not in self._ufuncs:
                self._ufuncs[key] = make_ufunc(self.name, *definition)
            bfloat16 = getattr(sys.modules.get("ml_dtypes"), "bfloat16", None)
            if bfloat16 is not None:
                dtype = np.dtype(bfloat16)
                loop = add_bfloat16(self._ufuncs[key], dtype, *definition)
                self._with_bfloat16.add(key)
                if key == self._common:
                    self._set_common_bfloat16(dtype.num, loop)
        return self._ufuncs[key]

    def _loop_for(
        self, operands: tuple[Any, ...], dtype: Any = None, threads: int = Threads.AUTO
    ) -> tuple[np.ufunc, tuple[Any, ...] | None]:
        """The ufunc that a call with these operands takes, and its keyword `signature` where a dtype is asked for.

        `ufunc` itself would convert Python numbers to the arrays' dtype before they are used, alpha=0.01 to the float16
        0.010002, and would give float64 for an integer array and a Python float. For parameters of another dtype than
        the arrays', and for bfloat16, NumPy's dtype= finds no loop: it needs the whole signature.
        """
        numbers = self._are_numbers(operands, self._inputs)
        ufunc = self._ufunc_for(threads, numbers)
        if dtype is None and self._with_bfloat16:
            dtype = _beside_numbers(operands[: self._inputs] if numbers else operands)
        if dtype is None:
            return ufunc, None
        parameters = [float if numbers else dtype] * len(self.parameters)
        return ufunc, (*[dtype] * self._inputs, *parameters, *[dtype] * self._outputs)

    def _result_dtype(self, operands: tuple[Any, ...], dtype: Any = None, casting: Any = "same_kind") -> np.dtype[Any]:
        """The dtype of the result for these operands, as NumPy decides it."""
        kinds = tuple(type(o) if type(o) in (int, float) else np.asarray(o).dtype for o in operands)
        ufunc, signature = self._loop_for(operands, dtype)
        outputs = (None,) * self._outputs
        signature = signature or (None,) * len(kinds) + outputs
        return ufunc.resolve_dtypes((*kinds, *outputs), signature=signature, casting=casting)[-1]

    def _compile(self, row: int, array_parameters: bool) -> tuple[int, float]:
        """The address of the loop for the dtype in this row, which all ufuncs of this operation share, and its cost."""
        key = row, array_parameters or not self.parameters
        if key not in self._loops:
            dtype, parameters = np.dtype(self._dtypes[row]), len(self.parameters)
            address = compile_loop(self._jitted, self.name, self._inputs, parameters, self._outputs, dtype, key[1])
            operands = self._inputs + parameters + self._outputs
            self._loops[key] = address, nanoseconds_per_element(address, operands, parameters, dtype)
        return self._loops[key]

    def _compute_plain(self, row: int, operands: list[np.ndarray]) -> None:
        """The formula by plain NumPy, in the dtype in this row: inputs and parameters, and then where results go."""
        inputs, outputs = operands[: -self._outputs], operands[-self._outputs :]
        with standard_arithmetic():
            found = self._plain(*(each.astype(self._dtypes[row], copy=False) for each in inputs))
            for output, result in zip(outputs, found if self._outputs > 1 else (found,), strict=True):
                output[...] = result

    def _cost(self, dtype: np.dtype[Any]) -> float:
        """Nanoseconds that the loop for results of this dtype takes for an element; it may be compiled now."""
        kernel = np.dtype(np.float32) if dtype.itemsize == 2 and dtype.kind not in "iu" else dtype
        return self._compile(self._dtypes.index(kernel.char), False)[1]

    def _compile_floats(self) -> None:
        """Compile the loops for float32 and float64, which calls otherwise do when they first need one."""
        for dtype in FLOATS:
            for array_parameters in (False, True):
                self._compile(self._dtypes.index(dtype), array_parameters)

    @property
    def scalar(self) -> Any:
        """The jitted formula, callable inside your own `numba.njit` and `numba.cuda.jit` code."""
        if "numba.cuda" in sys.modules and find_spec("numba_cuda") is not None:
            dispatch.find("cuda").register()
        return self._jitted

    def _run(self, threads: int, operands: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        """Apply the ufunc with this threading to arrays and parameters."""
        if "signature" in keywords:
            return call(self._ufunc_for(threads, False), operands, keywords)
        ufunc, signature = self._loop_for(operands, keywords.pop("dtype", None), threads)
        if signature is not None:
            keywords["signature"] = signature
        if threads in (Threads.AUTO, Threads.OWN) and slabs.applies(operands, keywords):
            return slabs.apply(ufunc, operands, keywords, self._result_dtype(operands, signature and signature[-1]))
        return call(ufunc, operands, keywords)

    def _bind(self, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> tuple[Any, ...]:
        """All operands of the ufunc; takes those given by name out of `keywords`."""
        names = (*self._input_names, *self.parameters)
        if len(arguments) == len(names) + self._outputs and "out" not in keywords:
            arguments, outputs = arguments[: len(names)], arguments[len(names) :]
            keywords["out"] = outputs if self._outputs > 1 else outputs[0]
        if len(arguments) > len(names):
            raise TypeError(f"{self.name}() takes {', '.join(names)} and out; {len(arguments)} operands were given")
        operands = list(arguments)
        for name in names[: len(arguments)]:
            if name in keywords:
                raise TypeError(f"{self.name}() got {name!r} twice: by position and by name")
        for name in names[len(arguments) :]:
            if name in keywords:
                operands.append(keywords.pop(name))
            elif name in self.parameters:
                operands.append(self.parameters[name])
            else:
                raise TypeError(f"{self.name}() is missing its operand {name!r}")
        return tuple(operands)

    def vectorize(self, target: str = "cpu") -> Any:
        """Numba's own `@vectorize` ufunc of the formula.

        Parameters
        ----------
        target : {"cpu", "parallel", "cuda"}
            "cuda" needs numba-cuda and a GPU.

        Notes
        -----
        `where=` is not accepted by such an object, and on the CPU it is several times slower in place; the public
        functions have neither limit.
        """
        if target not in TARGETS:
            raise UnknownNameError(f"unknown target {target!r}{nearest(target, TARGETS)}")
        if self._outputs > 1:
            raise TypeError(f"{self.name} has several results; numba.vectorize makes functions of one")
        if target == "cuda":
            return dispatch.load("cuda").vectorize(self)
        arity = self._inputs + len(self.parameters)
        loops = [numba.from_dtype(np.dtype(character)) for character in self._dtypes]
        return numba.vectorize([loop(*[loop] * arity) for loop in loops], target=target)(self.scalar.py_func)

    __signature__ = _Signature()

    def __repr__(self) -> str:
        return f"<fastact {self.name}{inspect.signature(self)}>"


enable_vectorcall(Operation)


def _dispatched(operation: Operation, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    """A call that `QuickCall` does not send to the loop itself, with anything its users may write."""
    keywords = dict(keywords)
    if arguments and type(arguments[0]) in REPEATS:
        result = _repeated(operation, arguments, keywords)
        if result is not None:
            return result
    one = operation._outputs == 1  # libraries whose arrays take ufuncs may take none with several results
    adapter = containers.adapter(*arguments, *keywords.values(), elementwise=one)
    if adapter is not None:
        adapted = adapter.call(operation, "__call__", arguments, keywords)
        if adapted is not NotImplemented:
            return adapted
    if not operation._variants.keys().isdisjoint(keywords):
        return operation._selected(keywords)(*arguments, **keywords)  # perhaps one for the loop itself
    backend = keywords.pop("backend", None)
    operands = operation._bind(arguments, keywords)
    return dispatch.choose("elementwise", backend, *operands).elementwise(operation, operands, keywords)


def _repeated(operation: Operation, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    """The result of a call for arrays on a device, where it is like one that was made before; None for any other."""
    written, given = dict(keywords), len(arguments) - operation._inputs
    if len(written) == ("out" in written) and 0 <= given <= len(operation._defaults):
        operands = arguments + operation._defaults[given:]  # as `bind` would, in a tenth of the time
    else:
        operands = operation._bind(arguments, written)
    backend, out = written.pop("backend", None), written.pop("out", None)
    return None if written else dispatch.repeated(operation, backend, operands, out)


def _beside_numbers(operands: tuple[Any, ...]) -> np.dtype[Any] | None:
    """bfloat16 where it alone meets Python numbers: NumPy would give float32, though its own float16 stays float16."""
    if {float, int}.isdisjoint(map(type, operands)):
        return None
    arrays = [operand for operand in operands if type(operand) not in (float, int)]
    dtypes = {each.dtype if hasattr(each, "dtype") else np.asarray(each).dtype for each in arrays}  # of a device too
    return dtypes.pop() if {dtype.name for dtype in dtypes} == {"bfloat16"} else None


class Part(Operation):
    """An operation that a public function is made of, such as its derivative; pickles as a part of it."""

    def __init__(self, owner: Function, part: str, *definition: Any, **options: Any) -> None:
        super().__init__(f"{owner.name}_{part}", *definition, **options)
        self._place = owner, part

    def __reduce__(self) -> tuple[Any, ...]:
        return Function._part, self._place
