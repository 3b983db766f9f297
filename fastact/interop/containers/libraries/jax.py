"""JAX's arrays in host memory; what JAX traces is refused."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from jax import numpy as jnp

from fastact.interop.containers.tensors import Tensors

__all__ = ["adapter"]


class _Jax(Tensors):
    def array(self, function: str, value: Any) -> Any:
        if isinstance(value, jax.core.Tracer):
            raise TypeError(
                f"{function} got an array that JAX traces, as in jax.jit or jax.grad; call it outside, "
                "or by jax.pure_callback"
            )
        return np.asarray(value) if isinstance(value, jax.Array) else value

    def tensor(self, array: Any, like: Any) -> Any:
        return jnp.asarray(array)


adapter = _Jax()
