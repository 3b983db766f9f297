"""Activations: elementwise functions with their derivative, and the decorator that makes one of a formula.

An `Activation` is its compiled operations (forward, derivative, backward, and a derivative for each parameter), made of
a formula and a slope, and what a learner and the documentation read about them. Those of fastact are defined in
functions/activations/; to add one, write a paragraph there.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, overload

import numpy as np

from fastact._core import containers, pickles, registry
from fastact._core.documentation import of_activation
from fastact._core.function import Function, Metadata
from fastact._core.operation import FLOATS, INTEGERS_AND_FLOATS, Formula, Operation, Part, jitted
from fastact._core.services import service
from fastact._kernels.native.arithmetic import standard_arithmetic
from fastact._kernels.scalar.primitives import like
from fastact.errors import FormulaError, MissingDependencyError, UnknownNameError, nearest

__all__ = ["Activation", "activation", "public"]


class Activation(Operation, Function):
    """An elementwise activation function with its derivative.

    Call it like a ufunc: `f(x, *parameters, out=None, where=True, dtype=None, casting=..., order=..., backend=None)`.

    Attributes
    ----------
    derivative : callable
        f'(x), taken at the input x, so that it is accurate where f saturates. Where none was given it is derived from
        the formula, when it is first asked for.
    backward : callable
        backward(grad_output, x) = grad_output * f'(x), in one pass.
    parameter_backward : callable
        The gradient with respect to the parameters; `parameter_derivative(name)` is the elementwise derivative.
    with_bias : callable
        with_bias(x, bias) = f(x + bias), in one pass, in place with out=x.
    ufunc, scalar, parameters, vectorize : see `Operation`
    metadata, formula, derivative_formula, range, kinks, reference, notes, aliases, max_ulp : see `Metadata`

    Examples
    --------
    >>> import numpy as np
    >>> import fastact as fa
    >>> x = np.array([-1.0, 0.0, 2.0])
    >>> fa.relu(x), fa.relu.derivative(x), fa.relu.backward(np.full(3, 0.5), x)
    (array([0., 0., 2.]), array([0., 0., 1.]), array([0. , 0. , 0.5]))
    """

    kind = "activation"
    _family = "elementwise"

    def __init__(
        self,
        formula: Formula,
        slopes: Mapping[str, Formula],
        parameters: Mapping[str, float],
        *,
        dtypes: str = FLOATS,
        text: Metadata | Mapping[str, Any],
    ) -> None:
        name = formula.__name__
        super().__init__(name, formula, ("x",), parameters, dtypes)
        self.__module__, self.__qualname__ = formula.__module__, formula.__qualname__
        #: The formulas of those parts that were defined by one, or derived; `_made` makes each other part of its twin.
        self._slopes = dict(slopes)
        #: "x" or a parameter -> what was derived, and why nothing could be.
        self._derived: dict[str, Any] = {}
        self._refused: dict[str, FormulaError] = {}
        self._parts: dict[str, Operation] = {}
        #: What pickles write of it, where a file's text goes with it.
        self._sent: Any = None
        #: What tells it from others of its name, and whether it came from another process.
        self._identity: str | None = None
        self._came = False
        defaults = {"formula": f"{name}(x)", "derivative_formula": _unknown(name), "kinks": "smooth"}
        self.metadata = Metadata.of(text, **defaults)
        self.__doc__ = of_activation(self, inspect.getdoc(formula) or "")
        registry.add(self)

    def _find(self, name: str) -> Operation | None:
        prefix, _, kind = name.rpartition("_")
        if name == "forward":
            return self
        if name == "with_bias":
            return self.with_bias
        if kind not in ("derivative", "backward"):
            return None
        self._need_parameter(prefix)
        self._need_derivative(prefix)
        return self._made(name)

    def _made(self, part: str) -> Operation:
        """with_bias, [parameter_]derivative or [parameter_]backward, made once: of its formula, or of its twin's."""
        if part not in self._parts:
            kind = part.rpartition("_")[2]
            inputs, twin, made_of_twin = _PARTS[kind]
            # star_relu has a parameter of the same name.
            inputs = tuple(f"added_{name}" if name in self.parameters else name for name in inputs)
            formula, make = self._slopes.get(part), None
            if part == "with_bias":
                formula, make = self._plain, made_of_twin
            elif formula is None:
                formula, make = self._slopes[part.removesuffix(kind) + twin], made_of_twin
            count, dtypes = len(self.parameters), self._dtypes if part == "with_bias" else FLOATS
            compiled = make(jitted(formula), count) if make else formula
            operation = Part(self, part, compiled, inputs, self.parameters, dtypes)
            operation._plain = make(formula, count) if make else formula
            self._parts[part] = operation
        return self._parts[part]

    def _operations(self) -> list[Operation]:
        """What is computed: the function itself, and both parts of each slope that was given, or derived by now."""
        prefixes = dict.fromkeys(part.removesuffix("derivative").removesuffix("backward") for part in self._slopes)
        return [self, *(self._made(prefix + kind) for prefix in prefixes for kind in ("derivative", "backward"))]

    @property
    def differentiable(self) -> bool:
        """Whether it was defined with a derivative, or one can be derived, which is then done."""
        try:
            self._need_derivative()
        except TypeError:
            return False
        return True

    @property
    def derivation(self) -> Any:
        """What was derived of the formula: formulas, source and accuracy; None if all derivatives were given.

        Examples
        --------
        >>> import fastact as fa
        >>> from fastact.math import tanh
        >>> @fa.activation
        ... def tanh_cubed(x):
        ...     return tanh(x) * tanh(x) * tanh(x)
        >>> tanh_cubed.derivation.formulas["x"]
        '3*(1 - tanh(x)**2)*tanh(x)**2'
        >>> tanh_cubed.derivation.max_ulp["float32"] < 8
        True
        """
        if not self.differentiable or not self._derived:
            return None
        return service("derivation")(self, dict(self._derived))

    @property
    def derivative_formula(self) -> str:
        """The derivative in plain text: as it was given, or as it was derived."""
        text = self.metadata.derivative_formula
        if text and text != _unknown(self.name):
            return text
        return self.derivation.formulas.get("x", text) if self.derivation else text

    def _need_parameter(self, name: str) -> None:
        if name and name not in self.parameters:
            raise UnknownNameError(f"{self.name} has no parameter {name!r}{nearest(name, list(self.parameters))}")

    def _need_derivative(self, parameter: str = "") -> None:
        """Derive the derivative, by x or a parameter, if it was not given; TypeError if that cannot be done."""
        by, part = (parameter, f"{parameter}_derivative") if parameter else ("x", "derivative")
        if part in self._slopes or (not parameter and "backward" in self._slopes):
            return
        error: Exception | None = self._refused.get(by)
        if error is None:
            try:
                self._derived[by] = service("derivative")(self, by)
                self._slopes[part] = self._derived[by].function
                return
            except MissingDependencyError as missing:
                error = missing
            except FormulaError as refused:
                error = self._refused[by] = refused
        kind = f"a derivative with respect to {parameter}" if parameter else "a derivative"
        remedy = f"parameter_derivatives={{{parameter!r}: ...}}" if parameter else "derivative=..."
        raise TypeError(
            f"{self.name} was defined without {kind}, and none can be derived: {error}; or define it as "
            f"@activation({remedy}) with a scalar function of the same arguments"
        ) from error

    @cached_property
    def derivative(self) -> Operation:
        """f'(x, *parameters), from the input; where none was given, at a kink the slope of the branch taken there."""
        self._need_derivative()
        return self._made("derivative")

    @cached_property
    def backward(self) -> Operation:
        """grad_output * f'(x, *parameters), in one pass."""
        self._need_derivative()
        return self._made("backward")

    @cached_property
    def with_bias(self) -> Operation:
        """f(x + bias, *parameters), in one pass: a bias of shape (n,) is added along the last axis, at no cost.

        Any other bias that broadcasts against x is taken too. The sum is rounded to the dtype in which f is computed.
        """
        return self._made("with_bias")

    def parameter_derivative(self, name: str) -> Operation:
        """The derivative of f(x, *parameters) with respect to the parameter of this name: callable like f."""
        if not name:
            raise UnknownNameError(f"{self.name} has no parameter ''{nearest(name, list(self.parameters))}")
        self._need_parameter(name)
        self._need_derivative(name)
        return self._made(f"{name}_derivative")

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
            If the activation has no parameters, or was defined without their derivatives and none can be derived.
        """
        if not self.parameters:
            raise TypeError(f"{self.name} has no parameters, so there is nothing to be had from parameter_backward")
        for name in self.parameters:
            self._need_derivative(name)
        adapter = containers.adapter(grad_output, x, *parameters, *keywords.values(), elementwise=True)
        if adapter is not None:
            return adapter.call(self, "parameter_backward", (grad_output, x, *parameters), keywords)
        products = [self._made(f"{name}_backward") for name in self.parameters]
        backend = keywords.pop("backend", None)
        operands = products[0]._bind((grad_output, x, *parameters), keywords)
        if keywords:
            raise TypeError(
                f"{self.name}.parameter_backward() got an unexpected keyword argument {next(iter(keywords))!r}"
            )
        shapes = [np.shape(operand) for operand in operands[2:]]
        gradients = tuple(
            _sum_to(product(*operands, backend=backend), shape) for product, shape in zip(products, shapes, strict=True)
        )
        return gradients if len(gradients) > 1 else gradients[0]

    def _curves(self, x: Any) -> dict[str, tuple[Any, Any]]:
        """Make the lines "f(x)" and "f'(x)" of a picture, each as x and y, with a nan where it jumps.

        An activation without a derivative has the first alone. Nothing is compiled where NumPy can run the formula.
        """
        from fastact._core import facts

        return facts.curves(self, np.asarray(x))

    def _definition(self) -> dict[str, Any]:
        """What it was defined by, and what was derived since: what `defined` takes."""
        return {
            "formula": self._plain, "slopes": dict(self._slopes), "parameters": dict(self.parameters),
            "dtypes": self._dtypes, "text": self.metadata,
        }  # fmt: skip

    @classmethod
    def _defined(cls, definition: dict[str, Any]) -> Activation:
        """The activation of this definition, registered."""
        formula, slopes, parameters = (definition[name] for name in ("formula", "slopes", "parameters"))
        return cls(formula, slopes, parameters, dtypes=definition["dtypes"], text=definition["text"])

    def __reduce__(self) -> Any:
        """A user's arrives in other processes too; see pickles.py."""
        return pickles.reduced(self)


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


def _unknown(name: str) -> str:
    """The derivative's formula where none was given."""
    return f"{name}'(x)"


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


def public(names: Mapping[str, Any]) -> list[str]:
    """The names in a module's globals that stand for activations: its `__all__`."""
    return [name for name, each in names.items() if isinstance(each, Function)]


@overload
def activation(
    formula: Formula, *, derivative: Formula | None = None, backward: Formula | None = None,
    parameter_derivatives: Mapping[str, Formula] | None = None, keeps_integers: bool = False,
    text: Metadata | Mapping[str, Any] | None = None, **parameters: float,
) -> Activation: ...  # fmt: skip


@overload
def activation(
    formula: None = None, *, derivative: Formula | None = None, backward: Formula | None = None,
    parameter_derivatives: Mapping[str, Formula] | None = None, keeps_integers: bool = False,
    text: Metadata | Mapping[str, Any] | None = None, **parameters: float,
) -> Callable[[Formula], Activation]: ...  # fmt: skip


def activation(
    formula: Formula | None = None, *, derivative: Formula | None = None, backward: Formula | None = None,
    parameter_derivatives: Mapping[str, Formula] | None = None, keeps_integers: bool = False,
    text: Metadata | Mapping[str, Any] | None = None, **parameters: float,
) -> Any:  # fmt: skip
    """Make a fastact function of a scalar formula.

    Parameters
    ----------
    formula : function of (x, *parameters)
        Scalar code that Numba can compile. Write constants as `like(0.5, x)` and choices as `where(x > 0, a, b)` from
        `fastact.math`: the loop then vectorises and stays in the dtype of x, and the `numpy` backend can run it too.
    derivative : function of the same arguments, optional
        Unless it is given, `.derivative` and `.backward` are derived from the formula when they are first asked for,
        by SymPy, the extra "derive"; `.derivation` shows the result, and how exact it is.
    backward : function of (grad_output, x, *parameters), optional
        grad_output times the derivative, for a derivative that may underflow where the product does not; it stands for
        `derivative` too, which then is backward(1, x, *parameters). Give one of the two.
    parameter_derivatives : mapping of parameter names to functions of the same arguments, optional
        Those that are not given are derived in the same way.
    keeps_integers : bool
        Whether integers give integers; the formula must then hold for integers.
    text : mapping, optional
        What readers see: formula, derivative_formula, range, kinks, reference, notes, aliases, max_ulp, as in
        `fastact.Metadata`, which is taken too.
    **parameters : float
        Names and default values of the parameters, in the order of the formula's arguments.

    Returns
    -------
    Activation

    Raises
    ------
    TypeError
        If derivative and backward are both given, if arguments of the functions are not the parameters, or if text has
        an unknown field.
    ValueError
        If another function has the name.

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
