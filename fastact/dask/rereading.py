"""The same arrays for a second time, from tasks of their own.

A second pass over an array would else keep all of it in memory: dask computes a task once, and holds what it gave until
all that need it are done. dask's own `clone` leaves out the dependencies of many tasks (dask 2026.8).
"""

from __future__ import annotations

from typing import Any

from dask._task_spec import TaskRef, convert_legacy_graph
from dask.base import clone_key
from dask.blockwise import Blockwise
from dask.highlevelgraph import HighLevelGraph, MaterializedLayer

from fastact.dask.blocks import is_lazy

__all__ = ["read_again"]

#: Makes the names of tasks other ones, the same in every process.
_SEED = "fastact: second pass"


def read_again(*operands: Any) -> list[Any]:
    """The operands, of which dask arrays are computed from tasks of their own; what a cluster holds is not."""
    return [_again(each) if is_lazy(each) else each for each in operands]


def _again(array: Any) -> Any:
    graph = array.__dask_graph__()
    held, above = set(), [name for name, layer in graph.layers.items() if _is_held(layer)]
    while above:  # with all that it was made of
        held.add(name := above.pop())
        above += graph.dependencies[name] - held
    known = set().union(*(layer.get_output_keys() for name, layer in graph.layers.items() if name not in held))
    names = {name: name if name in held else clone_key(name, _SEED) for name in graph.layers}
    layers = {names[name]: layer if name in held else _renamed(layer, known) for name, layer in graph.layers.items()}
    dependencies = {names[name]: {names[each] for each in needed} for name, needed in graph.dependencies.items()}
    rebuild, arguments = array.__dask_postpersist__()
    name = names.get(array.name, array.name)
    return rebuild(HighLevelGraph(layers, dependencies), *arguments, rename={array.name: name})


def _is_held(layer: Any) -> bool:
    """Whether the layer is what a cluster has computed already, or how its workers exchange blocks, once for each."""
    if type(layer).__module__.startswith("distributed"):
        return True
    return isinstance(layer, MaterializedLayer) and any(isinstance(value, TaskRef) for value in layer.values())


def _renamed(layer: Any, known: set[Any]) -> Any:
    """The layer with other names for these keys."""
    if isinstance(layer, Blockwise):
        return layer.clone(known, _SEED)[0]
    tasks = convert_legacy_graph(dict(layer), all_keys=known | layer.get_output_keys())
    return MaterializedLayer({
        clone_key(key, _SEED): task.substitute(
            {each: clone_key(each, _SEED) for each in task.dependencies if each in known}, key=clone_key(key, _SEED)
        )
        for key, task in tasks.items()
    })  # fmt: skip
