"""What no adapter takes, and which adapter takes what."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import fastact as fa
from fastact._core.containers import ADAPTERS, Adapter
from fastact.interop.containers import libraries, module_of

A = np.ones((2, 3), np.float32)


@pytest.mark.parametrize("name", [each.name for each in pkgutil.iter_modules(libraries.__path__)])
def test_every_adapter_loads(name: str) -> None:
    pytest.importorskip(name)
    module = module_of(name)
    assert module is not None
    assert isinstance(importlib.import_module(module).adapter, Adapter)


@pytest.mark.parametrize("call", [fa.gelu, fa.softmax, lambda x: fa.mse(x, 0.0), fa.glu])
def test_stored_arrays(call: Any) -> None:
    zarr: Any = pytest.importorskip("zarr")
    with pytest.raises(TypeError, match=r"whole zarr\.Array into memory; pass x\[\.\.\.\]"):
        call(zarr.array(A))


def test_mixed_libraries() -> None:
    pd, torch = pytest.importorskip("pandas"), pytest.importorskip("torch")
    for call in (fa.mse, fa.softmax.backward, fa.silu.backward):
        with pytest.raises(TypeError, match="arguments of pandas and of torch are mixed"):
            call(pd.DataFrame(A), torch.from_numpy(A))


def test_subclasses() -> None:
    class Own(np.ndarray):
        """Without any meaning of its own."""

    x = A.view(Own)
    assert type(fa.gelu(x)) is type(fa.swiglu(x, x)) is type(fa.glu(x[:, :2])) is Own
    assert type(fa.softmax(x)) is type(fa.mse(x, x, reduction="none")) is np.ndarray
    with pytest.warns(PendingDeprecationWarning):
        matrix = np.asmatrix(A)
    np.testing.assert_array_equal(fa.softmax(matrix), fa.softmax(A))
    assert fa.mse(matrix, 0.0) == fa.mse(A, 0.0)


def _elsewhere(monkeypatch: pytest.MonkeyPatch, name: str) -> Any:
    """A container of a library that fastact does not know, and a module with its adapter."""
    box: Any = type("Box", (), {"__module__": f"{name}.boxes", "__init__": lambda self, x: setattr(self, "held", x)})

    class Boxes(Adapter):
        elementwise = True

        def call(self, function: Any, method: str, operands: tuple[Any, ...], options: dict[str, Any]) -> Any:
            plain = (each.held if isinstance(each, box) else each for each in operands)
            return box(getattr(function, method)(*plain, **options))

    module: Any = ModuleType(f"{name}_for_fastact")
    module.adapter = Boxes()
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return box


CALLS: dict[str, Any] = {
    "elements": lambda x: fa.gelu(x),
    "rows": lambda x: fa.softmax(x, axis=0),
    "gradient": lambda x: fa.logsumexp.backward(np.ones(2, np.float32), x, axis=1),
    "loss": lambda x: fa.mse(x, 0.0, reduction="none"),
    "classes": lambda x: fa.cross_entropy(x, [0, 1]),
    "halves": lambda x: fa.glu(x, axis=0),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_an_adapter_from_outside(call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes calls while it stands in the table, also with types that were seen before."""
    box = _elsewhere(monkeypatch, "warehouse")
    with pytest.raises((TypeError, ValueError)):
        call(box(A))
    with monkeypatch.context() as patch:
        patch.setitem(ADAPTERS, "warehouse", "warehouse_for_fastact")
        found = call(box(A))
        assert type(found) is box
        np.testing.assert_array_equal(found.held, call(A), strict=True)
    with pytest.raises((TypeError, ValueError)):
        call(box(A))


def test_an_adapter_in_the_place_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    pandas = pytest.importorskip("pandas")
    box = _elsewhere(monkeypatch, "pandas")
    assert type(fa.softmax(pandas.DataFrame(A))) is pandas.DataFrame
    monkeypatch.setitem(ADAPTERS, "pandas", "pandas_for_fastact")
    assert type(fa.softmax(box(A))) is box
