"""The programs of tools/ as modules."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType

from helpers import ROOT

__all__ = ["tool"]


def tool(name: str) -> ModuleType:
    """Import tools/NAME.py anew."""
    spec = importlib.util.spec_from_file_location(f"tools_{name}", ROOT / "tools" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # as dataclasses want it
    spec.loader.exec_module(module)
    return module
