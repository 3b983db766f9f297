"""Arrays in files and graphs of other libraries, which NumPy would read or compute whole without a word."""

from __future__ import annotations

from typing import Any

from fastact._core.containers import Adapter

__all__ = ["adapter"]


class _Stored(Adapter):
    elementwise = True

    def call(self, function: Any, method: str, operands: tuple[Any, ...], options: dict[str, Any]) -> Any:
        kinds = (type(each) for each in (*operands, *options.values()))
        from fastact._core.containers import ADAPTERS

        kind = next(each for each in kinds if ADAPTERS.get(each.__module__.partition(".")[0]) == __name__)
        raise TypeError(
            f"{function.name} would read the whole {kind.__module__.partition('.')[0]}.{kind.__name__} into memory; "
            "pass x[...] if it fits, or keep it lazy by dask.array.from_array(x)"
        )


adapter = _Stored()
