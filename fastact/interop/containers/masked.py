"""NumPy's masked arrays: masked elements do not count, and are masked in the result.

The other containers that know missing values hand them on as masked arrays.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastact._core.arrays import float_dtype, normalize_axes, normalize_axis
from fastact._core.containers import Adapter
from fastact.interop.containers.roles import is_elementwise, roles

__all__ = ["adapter"]

Mask = Any


class _Masked(Adapter):
    def call(self, function: Any, method: str, operands: tuple[Any, ...], options: dict[str, Any]) -> Any:
        if is_elementwise(function):
            return NotImplemented
        if isinstance(options.get("out"), np.ma.MaskedArray):
            raise TypeError("out is a masked array; leave it out, and assign the result")
        if function.kind == "loss":
            losses = _class_losses if function._family == "class loss" else _elementwise_losses
            return losses(function, method, operands, options)
        if function.kind == "activation":  # rrelu
            return _elements(function, operands, options)
        return (_halves if function.kind == "gated unit" else _over_axes)(function, method, operands, options)


def _mask(*arguments: Any) -> Mask:
    """Where one of the arguments is masked, in the shape to which those broadcast; nomask if none is."""
    found: Mask = np.ma.nomask
    for each in arguments:
        if isinstance(each, np.ma.MaskedArray):
            mask = np.ma.getmask(each)
            found = mask if found is np.ma.nomask else found if mask is np.ma.nomask else found | mask
    return found


def _data(value: Any, filled: Any = None) -> Any:
    """The numbers of an argument; `filled`, if given, stands where they are masked."""
    if not isinstance(value, np.ma.MaskedArray):
        return value
    return np.ma.getdata(value) if filled is None else np.ma.filled(value, filled)


def _results(found: Any, masks: list[Mask]) -> Any:
    """Results with their masks."""
    several = found if isinstance(found, tuple) else (found,)
    masked = tuple(
        np.ma.masked if np.ndim(each) == 0 and mask is not np.ma.nomask and mask else _of(each, mask)
        for each, mask in zip(several, masks, strict=True)
    )
    return masked if isinstance(found, tuple) else masked[0]


def _of(values: Any, mask: Mask) -> Any:
    return np.ma.MaskedArray(values, mask if mask is np.ma.nomask else mask.copy()) if np.ndim(values) else values


def _over_axes(function: Any, method: str, operands: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """The softmax family: masked elements are left out by `where`."""
    options, what = dict(options), roles(function, method, operands, options)
    temperature, b, where = (options.get(name) for name in ("temperature", "b", "where"))
    whole = [each for each, role in zip(operands, what.operands, strict=True) if role == "whole"]
    shape = np.shape(whole[-1])
    mask = _mask(*whole, temperature)
    rows = _mask(*(each for each, role in zip(operands, what.operands, strict=True) if role == "rows"))
    axes = normalize_axes(options.get("axis"), max(len(shape), 1))
    if rows is not np.ma.nomask:  # a gradient that is missing for whole rows
        rows = np.reshape(rows, tuple(1 if i in axes else n for i, n in enumerate(shape)))
        mask = np.broadcast_to(rows | (mask if mask is not np.ma.nomask else False), shape)
    if b is not None:
        options["b"] = _data(b, 0)
    for name, filled in (("temperature", 1), ("lengths", 0), ("where", False)):
        if options.get(name) is not None:
            options[name] = _data(options[name], filled)
    if mask is not np.ma.nomask:
        mask = np.broadcast_to(mask, shape)
        counted = ~mask
        if isinstance(where, str):
            if where == "causal" and len(shape) > 1:
                counted &= np.tri(*shape[-2:], dtype=np.bool_)
                options["where"] = counted
        else:
            options["where"] = counted if where is None else counted & options["where"]
    found = getattr(function, method)(*(_data(each, 0) for each in operands), **options)
    masks = {"whole": mask, "rows": mask}
    if mask is not np.ma.nomask:
        masks["rows"] = mask.all(axis=axes if shape else None, keepdims=bool(options.get("keepdims")))
    return _results(found, [masks[role] for role in what.results])


def _elements(function: Any, operands: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """A function of single elements that is no ufunc."""
    found = function(*map(_data, operands), **options)
    return _results(found, [_mask(*operands)] * (len(found) if isinstance(found, tuple) else 1))


def _halves(function: Any, method: str, operands: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """glu: an element of the result is masked where its value or its gate is, and so is the gradient of both."""
    x = operands[-1]
    axis = normalize_axis(options.get("axis", -1), np.ndim(x))
    found = getattr(function, method)(*(_data(each) for each in operands), **options)
    mask = _mask(x)
    if mask is not np.ma.nomask:
        value, gate = np.split(mask, 2, axis)
        mask = value | gate
    if method == "backward":
        given = _mask(operands[0])
        mask = mask if given is np.ma.nomask else given if mask is np.ma.nomask else mask | given
        if mask is not np.ma.nomask:
            mask = np.concatenate([mask, mask], axis)
    return _results(found, [mask])


def _scattered(values: Any, counts: NDArray[np.bool_]) -> Any:
    """An array that holds the values where `counts`, and is masked elsewhere."""
    values = np.asarray(values)
    whole = np.zeros(counts.shape + values.shape[1:], values.dtype)
    whole[counts] = values
    mask = np.broadcast_to(~counts.reshape(counts.shape + (1,) * (values.ndim - 1)), whole.shape)
    return np.ma.MaskedArray(whole, mask.copy())


def _elementwise_losses(function: Any, method: str, operands: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """Losses of those elements alone that are masked in no argument."""
    _refuse_out(options)
    named = [name for name in function.parameters if options.get(name) is not None]
    arguments = [*operands, *(options[name] for name in named)]
    mask = _mask(*arguments)
    if mask is np.ma.nomask:
        plain = {**options, **{name: _data(options[name]) for name in named}}
        found = getattr(function, method)(*map(_data, operands), **plain)
        several = found if isinstance(found, tuple) else (found,)
        return _results(found, [np.ma.nomask] * len(several))
    try:
        shape = np.broadcast_shapes(*map(np.shape, arguments))
    except ValueError:
        shapes = ", ".join(str(np.shape(each)) for each in arguments)
        raise ValueError(
            f"{function.name}: x, target and parameters of shapes {shapes} do not broadcast together"
        ) from None
    counts = ~np.broadcast_to(mask, shape)
    chosen = [np.broadcast_to(_data(each), shape)[counts] if np.ndim(each) else _data(each) for each in arguments]
    options = {**options, **dict(zip(named, chosen[2:], strict=True))}
    return _losses_of_chosen(getattr(function, method)(*chosen[:2], **options), counts, options)


def _losses_of_chosen(found: Any, counts: NDArray[np.bool_], options: dict[str, Any]) -> Any:
    """Losses and gradients of what counts, put where they belong."""
    loss, *gradient = found if isinstance(found, tuple) else (found,)
    if options.get("reduction") == "none":
        loss = _scattered(loss, counts)[()]
    return (loss, _scattered(gradient[0], counts)) if gradient else loss


def _class_losses(function: Any, method: str, operands: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """Losses of the rows that have a target and a class; masked logits are classes that do not count, as -inf are."""
    _refuse_out(options)
    logits, targets = operands
    if np.ma.is_masked(options.get("weight")):
        raise TypeError("weight is a masked array; fill it, as by weight.filled(0)")
    options = {**options, "weight": _data(options.get("weight"))}
    shape, axis = np.shape(logits), normalize_axis(options.get("axis", -1), np.ndim(logits))
    dense = np.ndim(targets) == len(shape)
    if np.shape(targets) != (shape if dense else shape[:axis] + shape[axis + 1 :]):
        return getattr(function, method)(_data(logits), _data(targets), **options)  # an error that says why
    x, y = np.moveaxis(np.asarray(_data(logits)), axis, -1), _data(targets)
    mask = np.moveaxis(np.ma.getmaskarray(logits), axis, -1)
    missing: Mask = np.ma.getmaskarray(targets)
    if dense:
        y, missing = np.moveaxis(_data(targets, 0), axis, -1), np.moveaxis(missing, axis, -1)
        missing = (missing & ~mask).any(axis=-1)
    counts = ~(missing | mask.all(axis=-1))
    x, y, mask = x[counts], np.asarray(y)[counts], mask[counts]
    if mask.any():
        _check_classes(function.name, y, mask, dense, options)
        dtype = float_dtype(function.name, x.dtype)
        x = np.where(mask, np.asarray(-np.inf, dtype), x.astype(dtype, copy=False))
    found = getattr(function, method)(x, y, **{**options, "axis": -1})
    found = _losses_of_chosen(found, counts, options)
    if not isinstance(found, tuple):
        return found
    gradient = found[1]
    full = np.moveaxis(np.ma.getmaskarray(logits), axis, -1) | gradient.mask
    return found[0], np.ma.MaskedArray(np.moveaxis(gradient.data, -1, axis), np.moveaxis(full, -1, axis))


def _check_classes(name: str, y: NDArray[Any], mask: NDArray[np.bool_], dense: bool, options: dict[str, Any]) -> None:
    """Raise ValueError where the target is a class whose logit is masked: its loss would be infinite."""
    if options.get("label_smoothing"):
        raise ValueError("label_smoothing spreads the target over all classes, and some logits are masked")
    if dense:
        wrong = (mask & (y != 0)).any()
    else:
        inside = (y >= 0) & (y < mask.shape[-1]) & (y != options.get("ignore_index", -100))
        places = np.where(inside, y, 0).astype(np.intp)
        wrong = (np.take_along_axis(mask, places[:, np.newaxis], -1)[:, 0] & inside).any()
    if wrong:
        raise ValueError(f"{name}: a target is a class that is masked in the same row; mask the target too")


def _refuse_out(options: dict[str, Any]) -> None:
    if options.get("out") is not None:
        raise TypeError("out is not taken with masked arrays in losses; assign the result")


adapter = _Masked()
