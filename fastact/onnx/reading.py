"""Networks out of ONNX files: which tensor is the result, the layers that lead to it, and a check of what they give."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

import fastact as fa
from fastact.mlp.namespaces import moved
from fastact.onnx.chain import Chain, Layer
from fastact.onnx.files import File, opened
from fastact.onnx.pieces import pieces

__all__ = ["read"]

#: Operators between probabilities and labels.
_LABELS = {
    "ArgMax", "ArrayFeatureExtractor", "Binarizer", "Cast", "Gather", "Greater", "GreaterOrEqual", "LabelEncoder",
    "ZipMap",
}  # fmt: skip

#: Settings that the file decides.
_DECIDED = "layer_sizes", "activation", "batch_norm", "residual", "trainable"


def read(cls: Any, source: Any, output: Any, output_name: str | None, settings: dict[str, Any]) -> Any:
    """See `MLP.from_onnx`."""
    for name in _DECIDED:
        if name in settings:
            raise TypeError(f"{name}={settings[name]!r:.99}: the file decides that; leave it out")
    model, name = opened(source)
    try:
        return _network(cls, File(model), output, output_name, settings)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def _network(cls: Any, file: File, output: Any, output_name: str | None, settings: dict[str, Any]) -> Any:
    end, outputs = _result(file, output_name)
    start = _start(file, end)
    shape = file.shape(start)
    width = None if not shape[1:] or None in shape[1:] else int(np.prod(shape[1:]))  # type: ignore[arg-type]
    layers = Chain(width).add(pieces(file, start, end, width)).end()
    for layer in layers:
        for array in (layer.weights, layer.bias, *(layer.norm or {}).values()):
            if not np.isfinite(array).all():
                raise ValueError("its weights hold nan or inf; train the network anew before it is exported")
    last = layers[-1].activation
    settings = {"dtype": file.dtype(start), **settings}
    model = cls(
        [len(layers[0].weights), *(layer.weights.shape[1] for layer in layers)],
        activation=[layer.activation for layer in layers[:-1]],
        output=_output(last, output),
        batch_norm=_flags([layer.norm is not None for layer in layers[:-1]]),
        residual=_flags([layer.residual for layer in layers[:-1]]),
        trainable=_flags([bool(layer.arrays) for layer in layers[:-1]]),
        **settings,
    )
    for layer, read_layer in zip(model.layers, layers, strict=True):
        _fill(layer, read_layer)
    for each in outputs:
        _check(file, model, last, start, each)
    return model


def _flags(values: list[bool]) -> Any:
    """One value for all layers where they agree."""
    return values[0] if len(set(values)) == 1 else values or False


def _result(file: File, output_name: str | None) -> tuple[str, list[str]]:
    """The tensor that the network computes, before labels and the like, and the outputs that hand it on."""
    if output_name is not None and output_name not in file.outputs:
        raise ValueError(f"has no output {output_name!r:.99}; it has {', '.join(file.outputs)}")
    outputs = file.outputs if output_name is None else [output_name]
    found = {each: _before_labels(file, each) for each in outputs}
    ends = dict.fromkeys(found.values())
    for each in list(ends):  # leave out those on the way to another
        if any(each != other and file.leading_to(file.nodes, other, each) for other in ends):
            del ends[each]
    if len(ends) != 1:
        raise ValueError(
            f"has {len(ends)} results, in the outputs {', '.join(file.outputs)}; say which with output_name"
        )
    (end,) = ends
    return end, [each for each in outputs if file.same(each) == end] or [end]


def _before_labels(file: File, name: str) -> str:
    makers = {output: node for node in file.nodes for output in node.output}
    name = file.same(name)
    while name in makers:
        node = makers[name]
        flowing = [each for each in node.input if each and each not in file.constants]
        if node.op_type in _LABELS and len(flowing) == 1:
            name = flowing[0]
        elif node.op_type == "Concat" and len(flowing) == 2 and _is_rest(file, makers.get(flowing[0]), flowing[1]):
            name = flowing[1]
        else:
            break
    return name


def _is_rest(file: File, node: Any, name: str) -> bool:
    """Whether a node computes 1 - name, as the first of two columns of probabilities."""
    if node is None or node.op_type != "Sub" or node.input[1] != name:
        return False
    one = file.constants.get(node.input[0])
    return one is not None and bool((one == 1).all())


def _start(file: File, end: str) -> str:
    inputs = [name for name in file.inputs if name == end or file.leading_to(file.nodes, end, name)]
    if len(inputs) != 1:
        names = ", ".join(file.inputs) or "none"
        raise ValueError(
            f"its result depends on {len(inputs)} inputs ({names}); a network here has one, of all features"
        )
    return inputs[0]


def _output(found: Any, wanted: Any) -> Any:
    """The activation of the output layer: as in the file, or the one that is wanted on top of its preactivations."""
    if wanted is None or wanted == found:
        return found
    if found == "identity" or (found, wanted) == ("log_softmax", "softmax"):
        return wanted
    raise ValueError(f"output={wanted!r:.99}, but the file ends with {found!r}; leave it out")


def _fill(layer: Any, found: Layer) -> None:
    """Give a layer of the network its arrays."""
    layer.weights, layer.bias = found.weights, found.bias
    arrays = {**layer.parameters, **layer.statistics}
    values = {**(found.norm or {}), **{f"activation_{name}": array for name, array in found.arrays.items()}}
    for name, value in values.items():
        arrays[name][...] = moved(np.asarray(value, arrays[name].dtype), layer._xp)


def _check(file: File, model: Any, last: Any, start: str, output: str) -> None:
    """Raise ValueError unless the network gives what the file does, of random samples."""
    x = np.random.default_rng(0).normal(size=(16, model.layer_sizes[0])).astype(file.dtype(start))
    try:
        wanted = file.run_all(start, x, output)
    except Exception as error:  # whatever the evaluator cannot do
        raise ValueError(f"it cannot be run to compare the network with it: {error!s:.200}") from error
    model.forward(x)
    found = _applied(last, moved(model.layers[-1].preactivation, np))
    column = wanted.shape == (wanted.size, 1)  # as skl2onnx gives several outputs
    rows = wanted.size == found.size and (column or wanted.shape[:1] == x.shape[:1])
    if not rows or not _alike(found, wanted.reshape(found.shape)):
        raise ValueError(
            "the network that was read from it predicts otherwise, so it has a form that is not understood; "
            "export a chain of dense layers and activations"
        )


def _applied(setting: Any, z: NDArray[Any]) -> NDArray[Any]:
    given = dict(setting) if isinstance(setting, dict) else {"name": setting}
    return np.asarray(fa.get(given.pop("name"))(z, **given))


def _alike(found: NDArray[Any], wanted: NDArray[Any]) -> bool:
    """Whether nearly all samples agree: rounding may carry one over a jump."""
    scale = np.abs(wanted[np.isfinite(wanted)]).max(initial=1e-3)
    near = np.isclose(found, wanted, 1e-3, 1e-3 * scale, equal_nan=True).all(axis=1)
    return bool(near.mean() >= 0.9)
