"""Verify any implementation of an activation against the exact function: `verify`.

targets.py finds the function and libraries.py calls it; inputs.py says at which numbers; measuring.py counts the
errors, behaviour.py looks for the rest, and verification.py tells what was found. All are loaded by the first call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastact.measure.verification.verification import Verification

__all__ = ["verify"]


def verify(
    function: str | Callable[..., Any],
    against: str | None = None,
    *,
    parameters: Mapping[str, Any] | None = None,
    derivative: str | Callable[..., Any] | None = None,
    dtypes: str | Iterable[str] = ("float16", "bfloat16", "float32", "float64"),
    exhaustive: bool = False,
    samples: int = 1 << 21,
    max_ulp: float = 2.0,
    max_ulp_derivative: float | None = None,
    library: str | None = None,
    device: str | None = None,
    threads: int | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> Verification:
    """Measure the errors of an implementation of an activation, and of its derivative, and say what is wrong with it.

    Results are compared with fastact's in float64, which mpmath checks at the worst inputs and at others; float64
    results with mpmath's own. Errors are in units in the last place (ULP) of the exact result; the unit of a subnormal
    result is the smallest subnormal.

    Parameters
    ----------
    function : str or callable
        A callable on NumPy arrays, or on arrays of PyTorch, JAX or CuPy; or a name: "torch:gelu", "jax:silu",
        "scipy:expit", "numpy:tanh", "numexpr:1/(1+exp(-x))", "fastact:gelu", "module:function", "FILE.py:function",
        "model.onnx". Keyword arguments may follow a name: "torch:gelu?approximate=tanh".
    against : str, optional
        The activation that it should be, by fastact's name or another known one; unless given, that of the same name.
    parameters : mapping, optional
        Keyword arguments for the function; those that are parameters of the activation are its too.
    derivative : str or callable, optional
        What computes the derivative; unless given, PyTorch's or JAX's autograd or fastact's own derivative. Of other
        libraries' functions, the derivative is not verified.
    dtypes : str or iterable of str
        Those of "float16", "bfloat16", "float32", "float64" to verify, where the function takes them. Of the first two
        all numbers are, of the others a sample.
    exhaustive : bool
        Verify all float32 numbers too, which takes minutes.
    samples : int
        About how many float32 numbers to verify otherwise. All landmarks are among them: neighbours of zeros, kinks
        and powers of two, and of where results become subnormal or saturate.
    max_ulp, max_ulp_derivative : float
        The largest errors that pass; the latter is twice the former unless given.
    library : {"numpy", "torch", "jax", "cupy", "fastact"}, optional
        Whose arrays the function takes, where that cannot be seen from the function.
    device : str, optional
        Where PyTorch or JAX compute, such as "cuda".
    threads : int, optional
        That call the function at once; all cores unless given, 1 for a function that does not bear it.
    progress : callable, optional
        Called as progress(done, total) now and then.

    Returns
    -------
    Verification
        With `passed`, tables, sentences, `as_dict()` and `figure()`. It is true if the function passes, false if not.

    Raises
    ------
    UnknownNameError
        For a name that is not known; the message names the nearest.
    ValueError
        For a function that does not act on each element by itself, or raises an error.

    Examples
    --------
    >>> import numpy as np
    >>> import fastact as fa
    >>> def sigmoid(x):
    ...     return 1 / (1 + np.exp(-x))
    >>> found = fa.verify(sigmoid, dtypes=["float32"], samples=10_000)
    >>> found.passed
    False
    >>> print(found.sentences()[0])
    sigmoid fails as sigmoid: errors above the limit in float32.
    """
    from fastact.measure.verification import running

    return running.verified(
        function, against, parameters=parameters or {}, derivative=derivative,
        dtypes=(dtypes,) if isinstance(dtypes, str) else tuple(dtypes), exhaustive=exhaustive, samples=samples,
        max_ulp=max_ulp, max_ulp_derivative=max_ulp_derivative, library=library, device=device, threads=threads,
        progress=progress,
    )  # fmt: skip
