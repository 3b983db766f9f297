"""NumPy's masked arrays: masked elements do not count, and are masked in the result.

The other containers that know missing values hand them on as masked arrays.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastact._core.arrays import float_dtype, normalize_axes, normalize_axis
from fastact._core.containers import Adapter
from fastact.interop.containers.roles import Call, is_elementwise, of_each, roles

__all__ = ["adapter"]

Mask = Any


class _Masked(Adapter):
    def call(self, function: Any, method: str, operands: tuple[Any, ...], options: dict[str, Any]) -> Any:
        if is_elementwise(function):
            return NotImplemented
        if isinstance(options.get("out"), np.ma.MaskedArray):
            raise TypeError("out is a masked array; leave it out, and assign the result")
        call = Call(function, method, operands, options)
        if function.kind == "loss":
            call.refuse_out("masked arrays in losses")
            losses = _class_losses if function._family == "class loss" else _elementwise_losses
            return losses(call, options)
        if function.kind == "activation":  # rrelu, a function of single elements that is no ufunc
            return of_each(call.made(call.each(_data)), lambda value: _of(value, _mask(*operands)))
        over_axes = _halves if function.kind == "gated unit" else _over_axes
        return over_axes(call, operands, options)


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


def _of(values: Any, mask: Mask) -> Any:
    """A result with its mask."""
    if np.ndim(values):
        return np.ma.MaskedArray(values, mask if mask is np.ma.nomask else mask.copy())
    return np.ma.masked if mask is not np.ma.nomask and mask else values


def _over_axes(call: Call, operands: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """The softmax family: masked elements are left out by `where`."""
    options, what = dict(options), roles(call.function, call.method, operands, options)
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
    found = call.made({**call.each(lambda each: _data(each, 0)), **options})
    masks = {"whole": mask, "rows": mask}
    if mask is not np.ma.nomask:
        masks["rows"] = mask.all(axis=axes if shape else None, keepdims=bool(options.get("keepdims")))
    return of_each(found, lambda value, role: _of(value, masks[role]), what.results)


def _halves(call: Call, operands: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """glu: an element of the result is masked where its value or its gate is, and so is the gradient of both."""
    x = operands[-1]
    axis = normalize_axis(options.get("axis", -1), np.ndim(x))
    mask = _mask(x)
    if mask is not np.ma.nomask:
        value, gate = np.split(mask, 2, axis)
        mask = value | gate
    if call.method == "backward":
        given = _mask(operands[0])
        mask = mask if given is np.ma.nomask else given if mask is np.ma.nomask else mask | given
        if mask is not np.ma.nomask:
            mask = np.concatenate([mask, mask], axis)
    return _of(call.made(call.each(_data)), mask)


def _scattered(values: Any, counts: NDArray[np.bool_]) -> Any:
    """An array that holds the values where `counts`, and is masked elsewhere."""
    values = np.asarray(values)
    whole = np.zeros(counts.shape + values.shape[1:], values.dtype)
    whole[counts] = values
    mask = np.broadcast_to(~counts.reshape(counts.shape + (1,) * (values.ndim - 1)), whole.shape)
    return np.ma.MaskedArray(whole, mask.copy())


def _elementwise_losses(call: Call, options: dict[str, Any]) -> Any:
    """Losses of those elements alone that are masked in no argument."""
    named = [name for name in call.function.parameters if options.get(name) is not None]
    arguments = {key: call.arguments[key] for key in (0, 1, *named)}
    mask = _mask(*arguments.values())
    if mask is np.ma.nomask:
        return of_each(call.made(call.each(_data)), lambda value: _of(value, mask))
    shapes = [np.shape(each) for each in arguments.values()]
    try:
        shape = np.broadcast_shapes(*shapes)
    except ValueError:
        what, text = f"{call.function.name}: x, target and parameters", ", ".join(map(str, shapes))
        raise ValueError(f"{what} of shapes {text} do not broadcast together") from None
    counts = ~np.broadcast_to(mask, shape)
    chosen = {
        key: np.broadcast_to(_data(each), shape)[counts] if np.ndim(each) else _data(each)
        for key, each in arguments.items()
    }
    return _losses_of_chosen(call.made(chosen), counts, options)


def _losses_of_chosen(found: Any, counts: NDArray[np.bool_], options: dict[str, Any]) -> Any:
    """Losses and gradients of what counts, put where they belong."""
    loss, *gradient = found if isinstance(found, tuple) else (found,)
    if options.get("reduction") == "none":
        loss = _scattered(loss, counts)[()]
    return (loss, _scattered(gradient[0], counts)) if gradient else loss


def _class_losses(call: Call, options: dict[str, Any]) -> Any:
    """Losses of the rows that have a target and a class; masked logits are classes that do not count, as -inf are."""
    logits, targets = call.arguments[0], call.arguments[1]
    if np.ma.is_masked(options.get("weight")):
        raise TypeError("weight is a masked array; fill it, as by weight.filled(0)")
    plain = {"weight": _data(options.get("weight"))}
    shape, axis = np.shape(logits), normalize_axis(options.get("axis", -1), np.ndim(logits))
    dense = np.ndim(targets) == len(shape)
    if np.shape(targets) != (shape if dense else shape[:axis] + shape[axis + 1 :]):
        return call.made(call.each(_data))  # an error that says why
    x, y = np.moveaxis(np.asarray(_data(logits)), axis, -1), _data(targets)
    mask = np.moveaxis(np.ma.getmaskarray(logits), axis, -1)
    missing: Mask = np.ma.getmaskarray(targets)
    if dense:
        y, missing = np.moveaxis(_data(targets, 0), axis, -1), np.moveaxis(missing, axis, -1)
        missing = (missing & ~mask).any(axis=-1)
    counts = ~(missing | mask.all(axis=-1))
    x, y, mask = x[counts], np.asarray(y)[counts], mask[counts]
    if mask.any():
        _check_classes(call.function.name, y, mask, dense, options)
        dtype = float_dtype(call.function.name, x.dtype)
        x = np.where(mask, np.asarray(-np.inf, dtype), x.astype(dtype, copy=False))
    found = _losses_of_chosen(call.made({0: x, 1: y, "axis": -1, **plain}), counts, options)
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


adapter = _Masked()
