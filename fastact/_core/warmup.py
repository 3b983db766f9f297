"""Compiling kernels ahead of their first call."""

from __future__ import annotations

from fastact._core import registry

__all__ = ["warmup"]


def warmup(*names: str) -> None:
    """Compile functions now; later processes then find their machine code in the cache.

    Parameters
    ----------
    *names : str
        Names or aliases; all functions if none is given. Compiled are the function, its derivatives and its backward
        passes, in float32 and float64, for parameters that are numbers and that are arrays. softmax, log_softmax,
        softmin, hardmax, logsumexp and cross_entropy are compiled at installation.

    Raises
    ------
    UnknownNameError
        If there is no function of that name.

    See Also
    --------
    cache_info : where the cache is, and what this process found in it and compiled.

    Examples
    --------
    >>> import fastact as fa
    >>> fa.warmup("relu")
    """
    for function in [registry.get(name) for name in names or registry.names()]:
        for operation in function._operations():
            operation._compile_floats()
