"""Activation functions and their derivatives for NumPy: fast, exact, on CPU and CUDA GPUs.

A call goes from the public function (functions/) through _core/ to one of backends/, its compiled kernel and so to the
formula (_kernels/). Importing compiles nothing and starts no thread.
"""

from importlib.machinery import PathFinder as _PathFinder

if _PathFinder.find_spec("fastact._kernels.native.ufunc", [f"{__path__[0]}/_kernels/native"]) is None:
    raise ImportError(
        f"fastact's compiled parts are not in {__path__[0]}: this is an unbuilt checkout. Build it there with "
        "`pip install -e .`, or start Python in another folder to use an installed fastact"
    )

from fastact import backends as _  # noqa: F401 (it would replace the function of this name if it came later)
from fastact import ufuncs
from fastact._core.activation import Activation, activation
from fastact._core.containers import ADAPTERS as _ADAPTERS
from fastact._core.dispatch import backends, use_backend
from fastact._core.explain import explain
from fastact._core.function import Function, Metadata
from fastact._core.registry import get, names
from fastact._core.services import SERVICES as _SERVICES
from fastact._core.threads import get_num_threads, set_num_threads
from fastact._core.warmup import warmup
from fastact._kernels.compile.cache import cache_info
from fastact.errors import BackendError, MissingDependencyError, UnknownNameError
from fastact.functions.activations import *
from fastact.functions.gated_units import bilinear, geglu, geglu_tanh, glu, reglu, swiglu
from fastact.functions.losses import (
    binary_cross_entropy,
    cross_entropy,
    huber,
    mae,
    mse,
    nll_loss,
    poisson_loss,
    quantile_loss,
)
from fastact.functions.softmax import (
    entmax15,
    gumbel_softmax,
    hardmax,
    log_softmax,
    logsumexp,
    softmin,
    sparsemax,
)  # fmt: skip
from fastact.functions.softmax import (
    softmax as softmax,
)
from fastact.learn.recommending import recommend
from fastact.measure.gradients import check_gradient
from fastact.measure.verification import verify
from fastact.mlp import MLP

__version__ = "0.1.0"

_SERVICES |= {
    "adapter of a library": "fastact.interop.containers:module_of",
    "type in compiled code": "fastact.interop.numba:type_of",
    "derivative": "fastact.functions.derivation:derive",
    "derivation": "fastact.measure.gradients.derivation:Derivation",
    "lazy source": "fastact.dask.training.source:source_of",
    "lazy score": "fastact.dask.training.source:score",
    "lazy predictions": "fastact.dask.training.predictions:predicted",
    "network of onnx": "fastact.onnx.reading:read",
}
_ADAPTERS["dask"] = "fastact.dask.calls"

__all__ = [
    "MLP", "Activation", "BackendError", "Function", "Metadata", "MissingDependencyError", "UnknownNameError",
    "activation", "backends", "bilinear", "binary_cross_entropy", "cache_info", "check_gradient", "cross_entropy",
    "entmax15", "explain", "geglu", "geglu_tanh", "get", "get_num_threads", "glu", "gumbel_softmax", "hardmax",
    "huber", "log_softmax", "logsumexp", "mae", "mse", "names", "nll_loss", "poisson_loss", "quantile_loss",
    "recommend", "reglu", "set_num_threads", "softmax", "softmin", "sparsemax", "swiglu", "ufuncs", "use_backend",
    "verify", "warmup",
    *names("activation"),
]  # fmt: skip
