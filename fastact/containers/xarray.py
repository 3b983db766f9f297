"""xarray: arrays and data sets, whose axes have names. What they hold, NumPy's or dask's, is handed on as it is."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import xarray as xr

from fastact._core.arrays import normalize_axis
from fastact._core.containers import Adapter
from fastact.containers.roles import Role, is_elementwise, roles
from fastact.errors import UnknownNameError, nearest

__all__ = ["adapter"]

Dims = tuple[Hashable, ...]


class _Xarray(Adapter):
    elementwise = True
    beside = frozenset({"dask"})

    def call(self, function: Any, method: str, operands: tuple[Any, ...], options: dict[str, Any]) -> Any:
        if is_elementwise(function) and method == "__call__":
            return NotImplemented
        values = (*operands, *options.values())
        if any(isinstance(each, xr.Dataset) for each in values):
            return _by_variable(function, method, operands, options)
        if any(isinstance(each, xr.Variable) for each in values):
            found = self.call(
                function, method, tuple(map(_labelled, operands)), {k: _labelled(v) for k, v in options.items()}
            )
            several = found if isinstance(found, tuple) else (found,)
            made = tuple(each.variable if isinstance(each, xr.DataArray) else each for each in several)
            return made if isinstance(found, tuple) else made[0]
        for each in values:
            if type(each).__module__.partition(".")[0] == "xarray" and not isinstance(each, xr.DataArray):
                raise TypeError(f"{function.name} does not take a {type(each).__name__}; pass a DataArray or a Dataset")
        if method == "parameter_backward":
            return _parameter_gradients(function, operands, options)
        return _over_dimensions(function, method, operands, options)


def _labelled(value: Any) -> Any:
    return xr.DataArray(value) if isinstance(value, xr.Variable) else value


def _by_variable(function: Any, method: str, operands: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """The call for each variable of a data set; of several data sets, for those of one name."""
    sets = [each for each in (*operands, *options.values()) if isinstance(each, xr.Dataset)]
    first = sets[0]
    for each in sets[1:]:
        if list(each.data_vars) != list(first.data_vars):
            raise ValueError(f"data sets have the variables {list(first.data_vars)} and {list(each.data_vars)}")
    axes = options.get("axis")
    if any(isinstance(each, int) for each in (axes if isinstance(axes, tuple | list) else (axes,))):
        raise TypeError(f"axis={axes!r}, but variables of a Dataset have dimensions of their own; pass names")

    def variable(value: Any, name: Hashable) -> Any:
        return value[name] if isinstance(value, xr.Dataset) else value

    found = {
        name: getattr(function, method)(
            *(variable(each, name) for each in operands), **{key: variable(v, name) for key, v in options.items()}
        )
        for name in first.data_vars
    }
    several = [each if isinstance(each, tuple) else (each,) for each in found.values()]
    made = tuple(
        xr.Dataset(dict(zip(found, each, strict=True)), attrs=_attrs(first)) for each in zip(*several, strict=True)
    )
    return made if len(made) != 1 else made[0]


def _attrs(container: Any) -> Any:
    """The attributes that a result keeps: those of ufuncs."""
    return None if xr.get_options()["keep_attrs"] is False else container.attrs


def _parameter_gradients(function: Any, operands: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """For each parameter the sum over the dimensions that it has not."""
    backend = {"backend": options["backend"]} if "backend" in options else {}
    names = list(function.parameters)
    given = {**function.parameters, **dict(zip(names, operands[2:], strict=False)), **options}
    gradients = []
    for name in names:
        product = function.part(f"{name}_backward")(*operands[:2], *(given[each] for each in names), **backend)
        kept = given[name].dims if isinstance(given[name], xr.DataArray) else ()
        if not kept and np.ndim(given[name]):
            raise TypeError(f"{name} is an array without names of dimensions; pass a DataArray")
        total = product.sum([dim for dim in product.dims if dim not in kept], dtype=np.float64, skipna=False)
        gradients.append(total.astype(product.dtype))
    return tuple(gradients) if len(gradients) > 1 else gradients[0]


def _over_dimensions(function: Any, method: str, operands: tuple[Any, ...], options: dict[str, Any]) -> Any:
    if options.get("out") is not None:
        raise TypeError("out is not taken with containers of xarray; assign the result")
    what = roles(function, method, operands, options)
    role_of: dict[Any, Role] = {**what.options, **dict(enumerate(what.operands))}
    arguments: dict[Any, Any] = {**dict(enumerate(operands)), **options}
    named = {key: each for key, each in arguments.items() if isinstance(each, xr.DataArray)}
    places = [key for key in named if role_of.get(key) == "whole" and isinstance(key, int)]
    if not places:  # x is not labelled: all goes by position
        plain = {key: each.data if key in named else each for key, each in arguments.items()}
        return getattr(function, method)(
            *(plain[i] for i in range(len(operands))), **{key: plain[key] for key in options}
        )
    like = named[places[-1] if method == "backward" else places[0]]
    dims: Dims = like.dims
    if "axis" in options:
        options = {**options, "axis": _numbers(options["axis"], like)}
    axes = (
        () if "axis" not in options else options["axis"] if isinstance(options["axis"], tuple) else (options["axis"],)
    )
    core = [dims[i] for i in axes]
    extra: Dims = tuple(
        dict.fromkeys(
            d for key, each in named.items() if role_of.get(key) == "whole" for d in each.dims if d not in dims
        )
    )
    _align(function.name, like, named, role_of, core)
    if extra:
        bare = [str(key) for key, each in arguments.items() if role_of.get(key) and key not in named and np.ndim(each)]
        if bare:
            raise TypeError(f"beside the dimensions {extra} that x has not, pass DataArrays only")
    full = extra + dims
    sizes = {d: n for each in named.values() for d, n in zip(each.dims, each.shape, strict=True)}
    sizes.update(zip(dims, like.shape, strict=True))
    if core:
        options["axis"] = tuple(i + len(extra) for i in axes)
        if not isinstance(arguments["axis"], tuple | list) and arguments["axis"] is not None:
            options["axis"] = options["axis"][0]
    rows = tuple(d for d in full if d not in core)
    half = {d: n // 2 if d in core else n for d, n in sizes.items()}
    placed = {}
    for key, each in named.items():
        role = role_of.get(key, "whole")
        wanted = rows if role == "rows" else tuple(core) if role == "classes" else full
        unknown = [d for d in each.dims if d not in wanted]
        if unknown:
            raise ValueError(f"{_name(key, function)} has the dimension {unknown[0]!r}, where {wanted} are known")
        stretch = isinstance(key, int) and (extra or each.ndim < len(wanted)) and function.kind != "loss"
        placed[key] = _placed(each, wanted, half if role == "half" else sizes, bool(stretch or role == "rows"))
    found = getattr(function, method)(
        *(placed.get(i, each) for i, each in enumerate(operands)),
        **{key: placed.get(key, each) for key, each in options.items()},
    )
    several = found if isinstance(found, tuple) else (found,)
    keep = tuple(core) if options.get("keepdims") else ()
    made = tuple(
        _made(each, role, full, rows, keep, core, like, named) for each, role in zip(several, what.results, strict=True)
    )
    return made if isinstance(found, tuple) else made[0]


def _name(key: Any, function: Any) -> str:
    """What an argument is called in messages."""
    return f"argument {key + 1} of {function.name}" if isinstance(key, int) else str(key)


def _numbers(axis: Any, like: Any) -> Any:
    """Axes as numbers from 0: those that are named, and those that are numbers already."""
    if axis is None:
        return tuple(range(like.ndim))
    if isinstance(axis, list) or (isinstance(axis, tuple) and axis not in like.dims):
        return tuple(_numbers(each, like) for each in axis)
    if axis in like.dims:
        return like.dims.index(axis)
    if isinstance(axis, int | np.integer):
        return normalize_axis(int(axis), like.ndim)
    names = [str(d) for d in like.dims]
    raise UnknownNameError(f"axis={axis!r} is no dimension of x, which has {', '.join(names)}{nearest(axis, names)}")


def _align(name: str, like: Any, named: dict[Any, Any], role_of: dict[Any, Role], core: Sequence[Hashable]) -> None:
    """Raise ValueError where two arguments have other labels along the same dimension."""
    half = like.isel({d: slice(like.sizes[d] // 2) for d in core}) if "half" in role_of.values() else None
    for key, each in named.items():
        whole = half if half is not None and role_of.get(key) == "half" else like
        for other in (whole, *named.values()) if whole is like else (whole,):
            try:
                xr.align(other, each, join="exact", copy=False, exclude=core if other is not whole else ())
            except ValueError:
                dim = next(
                    (
                        d
                        for d in each.dims
                        if d in other.dims and (other.sizes[d] != each.sizes[d] or not _same_index(other, each, d))
                    ),
                    "",
                )
                raise ValueError(
                    f"{name}: arguments have other labels, or another order of them, along the dimension {dim!r}; make "
                    "them equal, as by xarray.align(..., join='inner')"
                ) from None


def _same_index(a: Any, b: Any, dim: Hashable) -> bool:
    """Whether two arrays have the same labels along a dimension, if both have some."""
    both = dim in a.indexes and dim in b.indexes
    return not both or bool(a.indexes[dim].equals(b.indexes[dim]))


def _placed(array: Any, dims: Dims, sizes: Any, stretched: bool) -> Any:
    """The data with the axes in the order of `dims`, of size 1 or stretched where it has none."""
    variable = array.variable.transpose(*(d for d in dims if d in array.dims))
    missing = {d: sizes[d] if stretched else 1 for d in dims if d not in array.dims}
    shape = {d: missing.get(d, variable.sizes.get(d)) for d in dims}
    return variable.set_dims(shape).transpose(*dims).data


def _made(
    value: Any, role: Role, full: Dims, rows: Dims, keep: Dims, core: Sequence[Hashable], like: Any, named: Any
) -> Any:
    """A result as a DataArray, with the coordinates that belong to its dimensions."""
    dims = {"number": (), "rows": full if keep else rows}.get(role, full)
    coords: dict[Any, Any] = {}
    for each in (like, *named.values()):
        for name, coordinate in each.coords.items():
            if set(coordinate.dims) <= set(dims) - set(keep):
                coords.setdefault(name, coordinate)
    if role == "half":
        coords = {
            name: c.isel({d: slice(c.sizes[d] // 2) for d in core if d in c.dims}) if name in like.coords else c
            for name, c in coords.items()
        }
    names = {each.name for each in named.values()}
    return xr.DataArray(value, coords, dims, name=like.name if len(names) == 1 else None, attrs=_attrs(like))


adapter = _Xarray()
