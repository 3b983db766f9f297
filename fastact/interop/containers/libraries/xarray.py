"""xarray: arrays and data sets, whose axes have names. What they hold, NumPy's or dask's, is handed on as it is."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

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
        return _OverDimensions(call, operands, options).made()


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


class _OverDimensions:
    """A call whose results have the dimensions and coordinates that its arguments give them.

    Attributes
    ----------
    named : dict
        The arguments with dimensions, by position or name.
    like : DataArray
        The one whose dimensions results have, x above all; None if no operand of x's shape has some.
    """

    def __init__(self, call: Call, operands: tuple[Any, ...], options: dict[str, Any]) -> None:
        call.refuse_out("containers of xarray")
        what = roles(call.function, call.method, operands, options)
        self.call, self.options, self.role_of, self.results = call, options, what.by_key, what.results
        self.named: dict[Any, xr.DataArray] = call.where(lambda each: isinstance(each, xr.DataArray))
        self.operands = {key: each for key, each in self.named.items() if isinstance(key, int)}
        self.like: Any = call.like(self.operands, self.role_of)

    def made(self) -> Any:
        like, options = self.like, self.options
        if like is None:  # all goes by position
            return self.call.made({key: each.data for key, each in self.named.items()})
        axis = _numbers(options["axis"], like) if "axis" in options else ()
        core: Dims = tuple(like.dims[i] for i in (axis if isinstance(axis, tuple) else (axis,)))
        self._check_labels(core)
        full = self._new_dims() + like.dims
        placed = self._placed(full, core)
        if "axis" in options:
            new = len(full) - like.ndim
            placed["axis"] = tuple(i + new for i in axis) if isinstance(axis, tuple) else axis + new
        kept = core if options.get("keepdims") else ()
        rows = full if kept else tuple(dim for dim in full if dim not in core)
        dims: dict[Role, Dims] = {"whole": full, "half": full, "rows": rows, "number": ()}
        same_name = len({each.name for each in self.operands.values()}) == 1

        def labelled(value: Any, role: Role) -> Any:
            coords = self._coords(dims[role], kept, core if role == "half" else ())
            array = xr.DataArray(value, coords, dims[role], attrs=_attrs(like))
            array.name = like.name if same_name else None  # and not that of a dask array
            return array

        return of_each(self.call.made(placed), labelled, self.results)

    def _check_labels(self, core: Dims) -> None:
        """Raise ValueError where two arguments have other labels, or another size, along the same dimension."""
        name, like = self.call.function.name, self.like
        half = like.isel({dim: slice(like.sizes[dim] // 2) for dim in core})
        seen: dict[Hashable, Any] = {}
        for key, each in self.named.items():
            halved = self.role_of.get(key) == "half"
            for dim in each.dims:
                other = half if halved else like if dim in like.dims else seen.setdefault(dim, each)
                sizes, labelled = (other.sizes[dim], each.sizes[dim]), dim in other.indexes and dim in each.indexes
                if sizes[0] != sizes[1]:
                    raise ValueError(f"{name}: sizes {sizes[0]} and {sizes[1]} along the dimension {dim!r}")
                if labelled and not other.indexes[dim].equals(each.indexes[dim]):
                    raise ValueError(
                        f"{name}: arguments have other labels, or another order of them, along the dimension {dim!r}; "
                        "make them equal, as by xarray.align(a, b)"
                    )

    def _new_dims(self) -> Dims:
        """The dimensions that other arguments have and x has not: those of the result begin with them."""
        whole = (each for key, each in self.named.items() if self.role_of.get(key) == "whole")
        new: Dims = tuple(dict.fromkeys(dim for each in whole for dim in each.dims if dim not in self.like.dims))
        for key, each in self.call.arguments.items() if new else ():
            if key in self.role_of and key not in self.named and np.ndim(each):
                raise TypeError(
                    f"x has no dimension {new[0]!r}; beside new dimensions pass DataArrays, and no bare arrays"
                )
        return new

    def _placed(self, full: Dims, core: Dims) -> dict[Any, Any]:
        """What the arguments hold, with axes in the order of the dimensions."""
        sizes = {dim: each.sizes[dim] for each in (*self.named.values(), self.like) for dim in each.dims}
        function, placed = self.call.function, {}
        for key, each in self.named.items():
            role = self.role_of.get(key, "whole")
            dims = core if role == "classes" else tuple(d for d in full if role != "rows" or d not in core)
            unknown = next((dim for dim in each.dims if dim not in dims), None)
            if unknown is not None:
                what, known = self.call.name(key), ", ".join(map(str, dims))
                raise ValueError(f"{function.name}: {what} has the dimension {unknown!r}; it may have {known}")
            # Losses of elements and options broadcast by themselves.
            stretched = isinstance(key, int) and (function.kind != "loss" or function._family == "class loss")
            shape = {dim: each.sizes.get(dim, sizes[dim] if stretched else 1) for dim in dims}
            placed[key] = each.variable.set_dims(shape).transpose(*dims).data
        return placed

    def _coords(self, dims: Dims, kept: Dims, halved: Dims) -> Any:
        """The coordinates of a result with these dimensions, of which some have no labels and some are halved."""
        found, labelled = xr.Dataset(), set(dims) - set(kept)
        for each in (self.like, *self.named.values()):
            out = [name for name, c in each.coords.items() if name in found.coords or not set(c.dims) <= labelled]
            coords = each.coords.to_dataset().drop_vars(out)
            cut = {dim: slice(self.like.sizes[dim] // 2) for dim in halved if dim in coords.dims}
            found = found.assign_coords(coords.isel(cut).coords)
        return found.coords


def _numbers(axis: Any, like: Any) -> Any:
    """Axes as numbers from 0: those that are named, and those that are numbers already."""
    places = {dim: place for place, dim in enumerate(like.dims)}
    found = numbered(axis, places, f"is no dimension of x, which has {', '.join(map(str, like.dims))}")
    if found is None:
        return tuple(range(like.ndim))
    if isinstance(found, tuple):
        return tuple(normalize_axis(each, like.ndim) for each in found)
    return normalize_axis(found, like.ndim)


adapter = _Xarray()
