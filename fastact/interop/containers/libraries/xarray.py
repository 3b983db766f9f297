"""xarray: arrays and data sets, whose axes have names. What they hold, NumPy's or dask's, is handed on as it is."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from fastact._core.arrays import normalize_axis
from fastact._core.containers import Adapter
from fastact.errors import UnknownNameError
from fastact.interop.containers.roles import Call, Role, is_elementwise, numbered, of_each, roles

__all__ = ["adapter"]

Dims = tuple[Hashable, ...]


class _Xarray(Adapter):
    elementwise = True
    beside = frozenset({"dask"})

    def call(self, function: Any, method: str, operands: tuple[Any, ...], options: dict[str, Any]) -> Any:
        if is_elementwise(function) and method == "__call__":
            return NotImplemented if function._outputs == 1 else _with_several_results(function, operands, options)
        call = Call(function, method, operands, options)
        if sets := call.where(lambda each: isinstance(each, xr.Dataset)):
            return _by_variable(call, sets)
        if variables := call.where(lambda each: isinstance(each, xr.Variable)):
            found = call.made({key: xr.DataArray(each) for key, each in variables.items()})
            return of_each(found, lambda each: each.variable if isinstance(each, xr.DataArray) else each)
        for each in call.arguments.values():
            if type(each).__module__.partition(".")[0] == "xarray" and not isinstance(each, xr.DataArray):
                raise TypeError(f"{function.name} does not take a {type(each).__name__}; pass a DataArray or a Dataset")
        if method == "parameter_backward":
            return _parameter_gradients(function, operands, options)
        return _over_dimensions(call, operands, options)


def _with_several_results(function: Any, operands: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """As xarray calls ufuncs, but for fastact's own function: dask's arrays take no ufuncs with several results."""
    settings = xr.get_options()
    return xr.apply_ufunc(
        function, *operands, output_core_dims=((),) * function._outputs, dask="allowed", kwargs=options,
        join=settings["arithmetic_join"], dataset_join=settings["arithmetic_join"], dataset_fill_value=np.nan,
        keep_attrs=settings["keep_attrs"] is not False,
    )  # fmt: skip


def _by_variable(call: Call, sets: dict[int | str, Any]) -> Any:
    """The call for each variable of a data set; of several data sets, for those of one name."""
    first = next(iter(sets.values()))
    for each in sets.values():
        if list(each.data_vars) != list(first.data_vars):
            raise ValueError(f"data sets have the variables {list(first.data_vars)} and {list(each.data_vars)}")
    given = call.arguments.get("axis")
    axes = given if isinstance(given, tuple | list) else (given,)
    if any(isinstance(each, int) for each in axes):
        raise TypeError(f"axis={given!r}, but variables of a Dataset have dimensions of their own; pass names")
    for name, each in first.data_vars.items():
        for axis in axes:
            if axis is not None and axis not in each.dims:
                raise UnknownNameError(
                    f"axis={axis!r} is no dimension of the variable {name!r}, which has "
                    f"{', '.join(map(str, each.dims)) or 'none'}; leave it out, as by x.drop_vars({name!r})"
                )
    found = {name: call.made({key: each[name] for key, each in sets.items()}) for name in first.data_vars}
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
        product = function._part(f"{name}_backward")(*operands[:2], *(given[each] for each in names), **backend)
        kept = given[name].dims if isinstance(given[name], xr.DataArray) else ()
        if not kept and np.ndim(given[name]):
            raise TypeError(f"{name} is an array without names of dimensions; pass a DataArray")
        total = product.sum([dim for dim in product.dims if dim not in kept], dtype=np.float64, skipna=False)
        gradients.append(total.astype(product.dtype))
    return tuple(gradients) if len(gradients) > 1 else gradients[0]


class _Arguments(NamedTuple):
    """The arguments of a call: all of them by position or name, those with dimensions, and what they are."""

    call: Call
    named: dict[int | str, xr.DataArray]
    role_of: dict[int | str, Role]


def _over_dimensions(call: Call, operands: tuple[Any, ...], options: dict[str, Any]) -> Any:
    call.refuse_out("containers of xarray")
    what = roles(call.function, call.method, operands, options)
    arguments = _Arguments(call, call.where(lambda each: isinstance(each, xr.DataArray)), what.by_key)
    like = call.like([key for key in arguments.named if isinstance(key, int)], arguments.role_of)
    if like is None:  # x has no dimensions: all goes by position
        return call.made({key: each.data for key, each in arguments.named.items()})
    axis = _numbers(options["axis"], like) if "axis" in options else ()
    core: Dims = tuple(like.dims[i] for i in (axis if isinstance(axis, tuple) else (axis,)))
    _check_labels(arguments, like, core)
    full = _new_dims(arguments, like) + like.dims
    rows = tuple(dim for dim in full if dim not in core)
    placed = _placed(arguments, like, full, core)
    if "axis" in options:
        new = len(full) - like.ndim
        placed["axis"] = tuple(i + new for i in axis) if isinstance(axis, tuple) else axis + new
    kept = core if options.get("keepdims") else ()
    dims: dict[Role, Dims] = {"whole": full, "half": full, "rows": full if kept else rows, "number": ()}
    same_name = len({each.name for each in operands if isinstance(each, xr.DataArray)}) == 1

    def made(value: Any, role: Role) -> Any:
        coords = _coords(arguments, like, dims[role], kept, core if role == "half" else ())
        array = xr.DataArray(value, coords, dims[role], attrs=_attrs(like))
        array.name = like.name if same_name else None  # and not that of a dask array
        return array

    return of_each(call.made(placed), made, what.results)


def _numbers(axis: Any, like: Any) -> Any:
    """Axes as numbers from 0: those that are named, and those that are numbers already."""
    names = ", ".join(map(str, like.dims))
    places = {dim: place for place, dim in enumerate(like.dims)}
    found = numbered(axis, places, f"is no dimension of x, which has {names}")
    if found is None:
        return tuple(range(like.ndim))
    if isinstance(found, tuple):
        return tuple(normalize_axis(each, like.ndim) for each in found)
    return normalize_axis(found, like.ndim)


def _check_labels(arguments: _Arguments, like: Any, core: Dims) -> None:
    """Raise ValueError where two arguments have other labels, or another size, along the same dimension."""
    name = arguments.call.function.name
    half = like.isel({dim: slice(like.sizes[dim] // 2) for dim in core})
    seen: dict[Hashable, Any] = {}
    for key, each in arguments.named.items():
        halved = arguments.role_of.get(key) == "half"
        for dim in each.dims:
            other = half if halved else like if dim in like.dims else seen.setdefault(dim, each)
            labelled = dim in other.indexes and dim in each.indexes
            if other.sizes[dim] != each.sizes[dim]:
                raise ValueError(f"{name}: sizes {other.sizes[dim]} and {each.sizes[dim]} along the dimension {dim!r}")
            if labelled and not other.indexes[dim].equals(each.indexes[dim]):
                raise ValueError(
                    f"{name}: arguments have other labels, or another order of them, along the dimension {dim!r}; make "
                    "them equal, as by xarray.align(a, b)"
                )


def _new_dims(arguments: _Arguments, like: Any) -> Dims:
    """The dimensions that other arguments have and x has not: those of the result begin with them."""
    whole = (each for key, each in arguments.named.items() if arguments.role_of.get(key) == "whole")
    new: Dims = tuple(dict.fromkeys(dim for each in whole for dim in each.dims if dim not in like.dims))
    for key, each in arguments.call.arguments.items():
        if new and key in arguments.role_of and key not in arguments.named and np.ndim(each):
            raise TypeError(f"x has no dimension {new[0]!r}; beside new dimensions pass DataArrays, and no bare arrays")
    return new


def _placed(arguments: _Arguments, like: Any, full: Dims, core: Dims) -> dict[int | str, Any]:
    """What the arguments hold, with axes in the order of the dimensions."""
    sizes = {dim: each.sizes[dim] for each in arguments.named.values() for dim in each.dims} | dict(like.sizes)
    call, placed = arguments.call, {}
    function = call.function
    for key, each in arguments.named.items():
        role = arguments.role_of.get(key, "whole")
        dims = core if role == "classes" else tuple(d for d in full if role != "rows" or d not in core)
        unknown = [dim for dim in each.dims if dim not in dims]
        if unknown:
            known = ", ".join(map(str, dims))
            raise ValueError(f"{function.name}: {call.name(key)} has the dimension {unknown[0]!r}; it may have {known}")
        # Losses of elements and options broadcast by themselves.
        stretched = isinstance(key, int) and (function.kind != "loss" or function._family == "class loss")
        shape = {dim: each.sizes.get(dim, sizes[dim] if stretched else 1) for dim in dims}
        placed[key] = each.variable.set_dims(shape).transpose(*dims).data
    return placed


def _coords(arguments: _Arguments, like: Any, dims: Dims, kept: Dims, halved: Dims) -> Any:
    """The coordinates of a result with these dimensions, of which some have no labels, and some are cut in halves."""
    found = xr.Dataset()
    for each in (like, *arguments.named.values()):
        left_out = [
            name for name, c in each.coords.items() if name in found.coords or not set(c.dims) <= set(dims) - set(kept)
        ]
        coords = each.coords.to_dataset().drop_vars(left_out)
        cut = {dim: slice(like.sizes[dim] // 2) for dim in halved if dim in coords.dims}
        found = found.assign_coords(coords.isel(cut).coords)
    return found.coords


adapter = _Xarray()
