"""The public function `warmup`, which compiles kernels ahead of their first call.

Imported by the package's __init__. What a function compiles is its own affair: it lists its `operations`.
"""

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
        softmin and hardmax are compiled at installation.

    Raises
    ------
    UnknownNameError
        If there is no function of that name.

    See Also
    --------
    cache_info : where the cache is, and what this process found in it and compiled.
    """
    functions = [registry.get(name) for name in names or registry.names()]
    for function in functions:
        for operation in getattr(function, "operations", list)():
            operation.compile()
