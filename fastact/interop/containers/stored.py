"""Arrays in files and graphs of other libraries, which NumPy would read or compute whole without a word."""

from __future__ import annotations

from typing import Any

from fastact._core.containers import Adapter

__all__ = ["LIBRARIES", "adapter"]

LIBRARIES = "cubed", "h5py", "netCDF4", "tensorstore", "zarr"


class _Stored(Adapter):
    elementwise = True

    def call(self, function: Any, method: str, operands: tuple[Any, ...], options: dict[str, Any]) -> Any:
        named = ((type(each).__module__.partition(".")[0], type(each)) for each in (*operands, *options.values()))
        library, kind = next(each for each in named if each[0] in LIBRARIES)
        raise TypeError(
            f"{function.name} would read the whole {library}.{kind.__name__} into memory; pass x[...] if it fits, or "
            "keep it lazy by dask.array.from_array(x)"
        )


adapter = _Stored()
