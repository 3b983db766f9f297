"""The class of fastact's elementwise functions, and the decorator that makes one of a formula.

An `Activation` is its compiled operations (forward, derivative, backward, and a derivative for each parameter), made of
a formula and a slope, and what a learner and the documentation read about them. activations/ and users define
activations; to add one, write a paragraph there.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import numba
import numpy as np

from fastact._core import dispatch, registry, slabs
from fastact._native.arithmetic import standard_arithmetic
from fastact._native.ufunc import (
    QuickCall,
    Threads,
    add_bfloat16,
    call,
    enable_vectorcall,
    make_ufunc,
    nanoseconds_per_element,
)
from fastact._scalar.primitives import COMPILED, JIT_OPTIONS, like
from fastact.backends.cpu import serial
from fastact.errors import UnknownNameError, nearest

__all__ = ["Activation", "ElementwiseOperation", "activation", "jitted", "public"]

#: The dtypes an operation is compiled for, in the order in which NumPy tries them for operands of other dtypes. Before
#: float32 come float16 and, once ml_dtypes is imported, bfloat16, which are computed in float32 and rounded.
FLOATS = "fd"
INTEGERS_AND_FLOATS = "bBhHiIlLqQfd"

Formula = Callable[..., Any]


def jitted(formula: Formula) -> Any:
    """The formula for compiled code; where it is a function of the vocabulary, the scalar one that stands for it."""
    return numba.njit(**JIT_OPTIONS)(COMPILED.get(formula, formula))


class ElementwiseOperation(QuickCall):
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
        super().__init__(name, len(inputs), dict(parameters), dispatch.elementwise, outputs)
        self.input_names = inputs
        self.parameters = dict(parameters)
        self.dtypes = dtypes
        #: The jitted formula, for this package's own backends; `scalar` is the users'.
        self.jitted = jitted(formula)
        #: The formula as plain NumPy runs it, on whole arrays.
        self.plain = formula
        #: keyword -> its value -> the operation that it selects
        self.variants: dict[str, dict[str, ElementwiseOperation]] = {}
        self._loops: dict[tuple[int, bool], tuple[int, float]] = {}
        self._ufuncs: dict[tuple[int, bool], np.ufunc] = {}
        self._with_bfloat16: set[tuple[int, bool]] = set()
        self.keeps_integers = "i" in dtypes
        self._common = Threads.AUTO, self.are_numbers(self.defaults, 0)
        self.set_common_ufunc(self._ufunc(*self._common))

    @property
    def ufunc(self) -> np.ufunc:
        return self._ufunc(Threads.AUTO, False)

    def _ufunc(self, threads: int, numbers: bool) -> np.ufunc:
        """The ufunc with this threading, for parameters that are Python numbers or not; with bfloat16 if known."""
        key = threads, numbers
        if key not in self._ufuncs or ("ml_dtypes" in sys.modules and key not in self._with_bfloat16):
            counts = self.inputs, len(self.parameters), self.outputs
            compute = self._compute_plain if threads == Threads.PYTHON else self._compile
            definition = *counts, self.dtypes, compute, threads, numbers
            if key not in self._ufuncs:
                self._ufuncs[key] = make_ufunc(self.name, *definition)
            bfloat16 = getattr(sys.modules.get("ml_dtypes"), "bfloat16", None)
            if bfloat16 is not None:
                dtype = np.dtype(bfloat16)
                loop = add_bfloat16(self._ufuncs[key], dtype, *definition)
                self._with_bfloat16.add(key)
                if key == self._common:
                    self.set_common_bfloat16(dtype.num, loop)
        return self._ufuncs[key]

    def loop_for(
        self, operands: tuple[Any, ...], dtype: Any = None, threads: int = Threads.AUTO
    ) -> tuple[np.ufunc, tuple[Any, ...] | None]:
        """The ufunc that a call with these operands takes, and its keyword `signature` where a dtype is asked for.

        `ufunc` itself would convert Python numbers to the arrays' dtype before they are used, alpha=0.01 to the float16
        0.010002, and would give float64 for an integer array and a Python float. For parameters of another dtype than
        the arrays', and for bfloat16, NumPy's dtype= finds no loop: it needs the whole signature.
        """
        numbers = self.are_numbers(operands, self.inputs)
        ufunc = self._ufunc(threads, numbers)
        if dtype is None and self._with_bfloat16:
            dtype = _beside_numbers(operands[: self.inputs] if numbers else operands)
        if dtype is None:
            return ufunc, None
        parameters = [float if numbers else dtype] * len(self.parameters)
        return ufunc, (*[dtype] * self.inputs, *parameters, *[dtype] * self.outputs)

    def result_dtype(self, operands: tuple[Any, ...], dtype: Any = None, casting: Any = "same_kind") -> np.dtype[Any]:
        """The dtype of the result for these operands, as NumPy decides it."""
        kinds = tuple(type(o) if type(o) in (int, float) else np.asarray(o).dtype for o in operands)
        ufunc, signature = self.loop_for(operands, dtype)
        outputs = (None,) * self.outputs
        signature = signature or (None,) * len(kinds) + outputs
        return ufunc.resolve_dtypes((*kinds, *outputs), signature=signature, casting=casting)[-1]

    def _compile(self, row: int, array_parameters: bool) -> tuple[int, float]:
        """The address of the loop for the dtype in this row, which all ufuncs of this operation share, and its cost."""
        key = row, array_parameters or not self.parameters
        if key not in self._loops:
            dtype, parameters = np.dtype(self.dtypes[row]), len(self.parameters)
            address = serial.compile_loop(self.jitted, self.name, self.inputs, parameters, self.outputs, dtype, key[1])
            operands = self.inputs + parameters + self.outputs
            self._loops[key] = address, nanoseconds_per_element(address, operands, parameters, dtype)
        return self._loops[key]

    def _compute_plain(self, row: int, operands: list[np.ndarray]) -> None:
        """The formula by plain NumPy, in the dtype in this row: inputs and parameters, and then where results go."""
        inputs, outputs = operands[: -self.outputs], operands[-self.outputs :]
        with standard_arithmetic():
            found = self.plain(*(each.astype(self.dtypes[row], copy=False) for each in inputs))
            for output, result in zip(outputs, found if self.outputs > 1 else (found,), strict=True):
                output[...] = result

    def cost(self, dtype: np.dtype[Any]) -> float:
        """Nanoseconds that the loop for results of this dtype takes for an element; it may be compiled now."""
        kernel = np.dtype(np.float32) if dtype.itemsize == 2 and dtype.kind not in "iu" else dtype
        return self._compile(self.dtypes.index(kernel.char), False)[1]

    def compile(self) -> None:
        """Compile the loops for float32 and float64, which calls otherwise do when they first need one."""
        for dtype in FLOATS:
            for array_parameters in (False, True):
                self._compile(self.dtypes.index(dtype), array_parameters)

    @property
    def scalar(self) -> Any:
        """The jitted formula, callable inside your own `numba.njit` and `numba.cuda.jit` code."""
        dispatch.offer_to_cuda()
        return self.jitted

    def run(self, threads: int, operands: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        """Apply the ufunc with this threading to arrays and parameters."""
        if "signature" in keywords:
            return call(self._ufunc(threads, False), operands, keywords)
        ufunc, signature = self.loop_for(operands, keywords.pop("dtype", None), threads)
        if signature is not None:
            keywords["signature"] = signature
        if threads in (Threads.AUTO, Threads.OWN) and slabs.applies(operands, keywords):
            return slabs.apply(ufunc, operands, keywords, self.result_dtype(operands, signature and signature[-1]))
        return call(ufunc, operands, keywords)

    def bind(self, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> tuple[Any, ...]:
        """All operands of the ufunc; takes those given by name out of `keywords`."""
        names = (*self.input_names, *self.parameters)
        if len(arguments) == len(names) + self.outputs and "out" not in keywords:
            arguments, outputs = arguments[: len(names)], arguments[len(names) :]
            keywords["out"] = outputs if self.outputs > 1 else outputs[0]
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
        return dispatch.vectorize(self, target)

    @property
    def __signature__(self) -> inspect.Signature:
        positional, by_name = inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY
        return inspect.Signature(
            [
                *(inspect.Parameter(name, positional) for name in self.input_names),
                *(inspect.Parameter(n, positional, default=value) for n, value in self.parameters.items()),
                *(inspect.Parameter(n, by_name, default=next(iter(v))) for n, v in self.variants.items()),
                inspect.Parameter("out", by_name, default=None),
                inspect.Parameter("backend", by_name, default=None),
                inspect.Parameter("ufunc_keywords", inspect.Parameter.VAR_KEYWORD),
            ]
        )

    def __repr__(self) -> str:
        return f"<fastact {self.name}{inspect.signature(self)}>"


def _beside_numbers(operands: tuple[Any, ...]) -> np.dtype[Any] | None:
    """bfloat16 where it alone meets Python numbers: NumPy would give float32, though its own float16 stays float16."""
    if {float, int}.isdisjoint(map(type, operands)):
        return None
    dtypes = {np.asarray(operand).dtype for operand in operands if type(operand) not in (float, int)}
    return dtypes.pop() if {dtype.name for dtype in dtypes} == {"bfloat16"} else None


class Part(ElementwiseOperation):
    """The derivative of an activation, or another of its parts: an operation that pickles as such."""

    def __init__(self, owner: str, part: str, *definition: Any) -> None:
        super().__init__(f"{owner}_{part}", *definition)
        self._place = owner, part

    def __reduce__(self) -> tuple[Any, ...]:
        return _part, self._place


def _part(owner: str, part: str) -> ElementwiseOperation:
    return registry.get(owner)._part(part)


class Activation(ElementwiseOperation):
    """An elementwise activation function with its derivative.

    Call it like a ufunc: `f(x, *parameters, out=None, where=True, dtype=None, casting=..., order=..., backend=None)`.

    Attributes
    ----------
    derivative : callable
        f'(x), taken at the input x, so that it is accurate where f saturates.
    backward : callable
        backward(grad_output, x) = grad_output * f'(x), in one pass.
    parameter_backward : callable
        The gradient with respect to the parameters; `parameter_derivative(name)` is the elementwise derivative.
    with_bias : callable
        with_bias(x, bias) = f(x + bias), in one pass, in place with out=x.
    ufunc, scalar, parameters, vectorize : see `ElementwiseOperation`
    formula, derivative_formula, range, kinks, reference, notes, aliases
        What it computes, for readers.
    max_ulp : float
        The error bound of the float32 forward pass, in units in the last place of the exact result.
    """

    def __init__(
        self,
        formula: Formula,
        slopes: Mapping[str, Formula],
        parameters: Mapping[str, float],
        *,
        dtypes: str = FLOATS,
        text: Mapping[str, Any],
    ) -> None:
        name = formula.__name__
        super().__init__(name, formula, ("x",), parameters, dtypes)
        #: The formulas of those parts that were defined by one; `_part` makes each other part of its twin.
        self._slopes = dict(slopes)
        self._parts: dict[str, ElementwiseOperation] = {}
        self.aliases: tuple[str, ...] = tuple(text.get("aliases", ()))
        self.formula: str = text.get("formula", f"{name}(x)")
        self.derivative_formula: str = text.get("derivative_formula", f"{name}'(x)")
        self.range: str = text.get("range", "(-inf, inf)")
        self.kinks: str = text.get("kinks", "smooth")
        self.reference: str = text.get("reference", "")
        self.notes: dict[str, str] = dict(text.get("notes", {}))
        self.max_ulp: float = text.get("max_ulp", float("nan"))
        self.__doc__ = _documentation(self, inspect.getdoc(formula) or "")
        registry.add(self)

    def _part(self, part: str) -> ElementwiseOperation:
        """with_bias, [parameter_]derivative or [parameter_]backward, made once: of its formula, or of its twin's."""
        if part not in self._parts:
            kind = part.rpartition("_")[2]
            inputs, twin, made_of_twin = _PARTS[kind]
            formula, make = self._slopes.get(part), None
            if part == "with_bias":
                formula, make = self.plain, made_of_twin
            elif formula is None:
                formula, make = self._slopes[part.removesuffix(kind) + twin], made_of_twin
            count, dtypes = len(self.parameters), self.dtypes if part == "with_bias" else FLOATS
            compiled = make(jitted(formula), count) if make else formula
            operation = Part(self.name, part, compiled, inputs, self.parameters, dtypes)
            operation.plain = make(formula, count) if make else formula
            self._parts[part] = operation
        return self._parts[part]

    def operations(self) -> list[ElementwiseOperation]:
        """All that can be computed: the function itself, and both parts of each slope that it was defined with."""
        prefixes = dict.fromkeys(part.removesuffix("derivative").removesuffix("backward") for part in self._slopes)
        return [self, *(self._part(prefix + kind) for prefix in prefixes for kind in ("derivative", "backward"))]

    def _need_derivative(self) -> None:
        if not {"derivative", "backward"} & set(self._slopes):
            raise TypeError(
                f"{self.name} was defined without a derivative; define it as @activation(derivative=...) "
                "with a scalar function of the same arguments"
            )

    def _need_parameter_derivative(self, name: str) -> None:
        if name not in self.parameters:
            raise UnknownNameError(f"{self.name} has no parameter {name!r}{nearest(name, list(self.parameters))}")
        if f"{name}_derivative" not in self._slopes:
            raise TypeError(
                f"{self.name} was defined without a derivative with respect to {name}; define it as "
                f"@activation(parameter_derivatives={{{name!r}: ...}}) with a scalar function of the same arguments"
            )

    @cached_property
    def derivative(self) -> ElementwiseOperation:
        """f'(x, *parameters), from the input."""
        self._need_derivative()
        return self._part("derivative")

    @cached_property
    def backward(self) -> ElementwiseOperation:
        """grad_output * f'(x, *parameters), in one pass."""
        self._need_derivative()
        return self._part("backward")

    @cached_property
    def with_bias(self) -> ElementwiseOperation:
        """f(x + bias, *parameters), in one pass: a bias of shape (n,) is added along the last axis, at no cost.

        Any other bias that broadcasts against x is taken too. The sum is rounded to the dtype in which f is computed.
        """
        return self._part("with_bias")

    def parameter_derivative(self, name: str) -> ElementwiseOperation:
        """The derivative of f(x, *parameters) with respect to the parameter of this name: callable like f."""
        self._need_parameter_derivative(name)
        return self._part(f"{name}_derivative")

    def parameter_backward(self, grad_output: Any, x: Any, *parameters: Any, **keywords: Any) -> Any:
        """The gradient of a loss with respect to the parameters, as training them needs it (PReLU).

        Parameters
        ----------
        grad_output, x, *parameters
            As for `backward`; parameters by position or by name.
        backend : str, optional
            As for any call.

        Returns
        -------
        ndarray, or tuple of ndarray
            For each parameter, in their order, the sum of grad_output * df/dparameter over the axes along which the
            parameter was broadcast: of the parameter's own shape. One array where there is one parameter. Sums of
            float16 and float32 are accumulated in float64.

        Raises
        ------
        TypeError
            If the activation has no parameters, or was defined without their derivatives.
        """
        if not self.parameters:
            raise TypeError(f"{self.name} has no parameters, so there is nothing to be had from parameter_backward")
        for name in self.parameters:
            self._need_parameter_derivative(name)
        products = [self._part(f"{name}_backward") for name in self.parameters]
        backend = keywords.pop("backend", None)
        operands = products[0].bind((grad_output, x, *parameters), keywords)
        if keywords:
            raise TypeError(
                f"{self.name}.parameter_backward() got an unexpected keyword argument {next(iter(keywords))!r}"
            )
        shapes = [np.shape(operand) for operand in operands[2:]]
        gradients = tuple(
            _sum_to(product(*operands, backend=backend), shape) for product, shape in zip(products, shapes, strict=True)
        )
        return gradients if len(gradients) > 1 else gradients[0]

    def add_variants(self, keyword: str, choices: Mapping[str, Activation]) -> None:
        """Let `keyword` of this activation and its parts select another activation."""
        self.variants[keyword] = dict(choices)
        for part in ("derivative", "backward", "with_bias"):
            getattr(self, part).variants[keyword] = {name: getattr(f, part) for name, f in choices.items()}

    def __reduce__(self) -> tuple[Any, ...]:
        return registry.get, (self.name,)


# In forms without a star where `numba.vectorize` may meet them.


def _backward_of(derivative: Formula, parameters: int) -> Formula:
    """grad_output * derivative(x, *parameters)."""

    def backward(grad_output, x):  # type: ignore[no-untyped-def]
        return grad_output * derivative(x)

    def backward_one(grad_output, x, a):  # type: ignore[no-untyped-def]
        return grad_output * derivative(x, a)

    def backward_more(grad_output, x, *parameters):  # type: ignore[no-untyped-def]
        return grad_output * derivative(x, *parameters)

    return (backward, backward_one, backward_more)[min(parameters, 2)]


def _derivative_of(backward: Formula, parameters: int) -> Formula:
    """backward(1, x, *parameters)."""

    def derivative(x):  # type: ignore[no-untyped-def]
        return backward(like(1.0, x), x)

    def derivative_one(x, a):  # type: ignore[no-untyped-def]
        return backward(like(1.0, x), x, a)

    def derivative_more(x, *parameters):  # type: ignore[no-untyped-def]
        return backward(like(1.0, x), x, *parameters)

    return (derivative, derivative_one, derivative_more)[min(parameters, 2)]


def _with_bias(activation: Formula, parameters: int) -> Formula:
    """activation(x + bias, *parameters); integers wrap as NumPy's do."""

    def with_bias(x, bias):  # type: ignore[no-untyped-def]
        return activation(like(x + bias, x))

    def with_bias_one(x, bias, a):  # type: ignore[no-untyped-def]
        return activation(like(x + bias, x), a)

    def with_bias_more(x, bias, *parameters):  # type: ignore[no-untyped-def]
        return activation(like(x + bias, x), *parameters)

    return (with_bias, with_bias_one, with_bias_more)[min(parameters, 2)]


#: Kind of part -> its array operands, its twin, and what makes it of that.
_PARTS = {
    "derivative": (("x",), "backward", _derivative_of),
    "backward": (("grad_output", "x"), "derivative", _backward_of),
    "bias": (("x", "bias"), "", _with_bias),
}


def _sum_to(array: Any, shape: tuple[int, ...]) -> Any:
    """The sum of an array over the axes along which `shape` was broadcast to its shape."""
    lead = array.ndim - len(shape)
    stretched = (lead + i for i, length in enumerate(shape) if length == 1 and array.shape[lead + i] != 1)
    axes = (*range(lead), *stretched)
    if not axes:
        return array
    wide = np.result_type(array.dtype, np.float64)
    with standard_arithmetic():
        return array.sum(axis=axes, dtype=wide).reshape(shape).astype(array.dtype)[()]


for _kind in (ElementwiseOperation, Part, Activation):
    enable_vectorcall(_kind)


def _documentation(f: Activation, summary: str) -> str:
    """The numpydoc text of an activation, from what its paragraph says."""
    parameters = "".join(
        f"\n{name} : array_like, default {value}\n    Broadcasts against x." for name, value in f.parameters.items()
    )
    keeps = "integers stay integers; " if "i" in f.dtypes else ""
    return f"""{summary}

{f.name}(x) = {f.formula}
{f.name}'(x) = {f.derivative_formula}

Parameters
----------
x : array_like
    float16, bfloat16 (of ml_dtypes), float32 and float64 are kept; {keeps}other real dtypes are converted as by
    `numpy.exp`.{parameters}
out, where, dtype, casting, order, subok
    As for any `numpy.ufunc`.
backend : str, optional
    "serial", "parallel", "numpy", "cuda" or "auto"; see `fastact.backends`.

Returns
-------
ndarray or scalar
    Of the broadcast shape of x and the parameters, values in {f.range}.

Raises
------
TypeError
    For object, complex or long double input, and for an `out` of a dtype that the result cannot be cast to.
ValueError
    If the operands or `out` do not broadcast together.

Notes
-----
Derivative at kinks: {f.kinks}. NaN gives NaN. Largest error in float32: {f.max_ulp} ULP.

References
----------
{f.reference or "none"}
"""


def public(names: Mapping[str, Any]) -> list[str]:
    """The names in a module's globals that stand for activations: its `__all__`."""
    return [name for name, each in names.items() if isinstance(each, Activation)]


def activation(
    formula: Formula | None = None, *, derivative: Formula | None = None, backward: Formula | None = None,
    parameter_derivatives: Mapping[str, Formula] | None = None, keeps_integers: bool = False,
    text: Mapping[str, Any] | None = None, **parameters: float,
) -> Any:  # fmt: skip
    """Make a fastact function of a scalar formula.

    Parameters
    ----------
    formula : function of (x, *parameters)
        Scalar code that Numba can compile. Write constants as `like(0.5, x)` and choices as `where(x > 0, a, b)` from
        `fastact.math`: the loop then vectorises and stays in the dtype of x, and the `numpy` backend can run it too.
    derivative : function of the same arguments, optional
        Needed for `.derivative` and `.backward`.
    backward : function of (grad_output, x, *parameters), optional
        grad_output times the derivative, for a derivative that may underflow where the product does not; it stands for
        `derivative` too, which then is backward(1, x, *parameters). Give one of the two.
    parameter_derivatives : mapping of parameter names to functions of the same arguments, optional
        Needed for `.parameter_backward`.
    keeps_integers : bool
        Whether integers give integers; the formula must then hold for integers.
    text : mapping, optional
        formula, derivative_formula, range, kinks, reference, notes, aliases, max_ulp: what readers see.
    **parameters : float
        Names and default values of the parameters, in the order of the formula's arguments.

    Returns
    -------
    Activation

    Examples
    --------
    >>> import fastact as fa
    >>> from fastact.math import like, sigmoid, where
    >>> def slope(x, beta):
    ...     s = sigmoid(beta * x)
    ...     return s + beta * x * s * (like(1.0, x) - s)
    >>> @fa.activation(derivative=slope, beta=1.0)
    ... def my_swish(x, beta):
    ...     return x * sigmoid(beta * x)
    >>> float(my_swish(0.0))
    0.0
    """
    if formula is None:
        return lambda f: activation(
            f, derivative=derivative, backward=backward, parameter_derivatives=parameter_derivatives,
            keeps_integers=keeps_integers, text=text, **parameters,
        )  # fmt: skip
    if derivative is not None and backward is not None:
        raise TypeError(f"{formula.__name__}: give derivative= or backward=, not both; one is made of the other")
    by_parameter = dict(parameter_derivatives or {})
    if not set(by_parameter) <= set(parameters):
        raise TypeError(
            f"{formula.__name__}: parameter_derivatives names {set(by_parameter) - set(parameters)}, no parameter"
        )
    given = {"derivative": derivative, "backward": backward}
    slopes = {part: slope for part, slope in given.items() if slope is not None}
    slopes |= {f"{name}_derivative": slope for name, slope in by_parameter.items()}
    _check_arguments(formula, 1, parameters)
    for part, slope in slopes.items():
        _check_arguments(slope, 2 if part == "backward" else 1, parameters)
    dtypes = INTEGERS_AND_FLOATS if keeps_integers else FLOATS
    return Activation(formula, slopes, parameters, dtypes=dtypes, text=text or {})


def _check_arguments(formula: Formula, arrays: int, parameters: Mapping[str, float]) -> None:
    names = list(inspect.signature(formula).parameters)
    if names[arrays:] != list(parameters):
        raise TypeError(
            f"{formula.__name__}({', '.join(names)}): the arguments after {('x', 'grad_output and x')[arrays - 1]} "
            f"must be the parameters ({', '.join(parameters) or 'none'}), in this order, each with a default given to "
            "@activation"
        )
