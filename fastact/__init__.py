"""Activation functions and their derivatives for NumPy: fast, exact, on CPU and CUDA GPUs.

A call goes from the public function (activations/, softmax/, gated_units.py, losses/) through _core/ to one of
backends/, its compiled kernel and so to the formula. Importing compiles nothing and starts no thread.
"""

from importlib.machinery import PathFinder as _PathFinder

if _PathFinder.find_spec("fastact._native.ufunc", [f"{__path__[0]}/_native"]) is None:
    raise ImportError(
        f"fastact's compiled parts are not in {__path__[0]}: this is an unbuilt checkout. Build it there with "
        "`pip install -e .`, or start Python in another folder to use an installed fastact"
    )

from fastact import ufuncs
from fastact._compile.cache import cache_info
from fastact._core.activation import Activation, activation
from fastact._core.dispatch import backends, use_backend
from fastact._core.explain import explain
from fastact._core.function import Function, Metadata
from fastact._core.registry import get, names
from fastact._core.threads import get_num_threads, set_num_threads
from fastact._core.warmup import warmup
from fastact.activations import *
from fastact.derivation import check_gradient
from fastact.errors import BackendError, MissingDependencyError, UnknownNameError
from fastact.gated_units import bilinear, geglu, geglu_tanh, glu, reglu, swiglu
from fastact.losses import (
    binary_cross_entropy,
    cross_entropy,
    huber,
    mae,
    mse,
    nll_loss,
    poisson_loss,
    quantile_loss,
)
from fastact.mlp import MLP
from fastact.recommending import recommend
from fastact.softmax import (
    entmax15,
    gumbel_softmax,
    hardmax,
    log_softmax,
    logsumexp,
    softmin,
    sparsemax,
)  # fmt: skip
from fastact.softmax import (
    softmax as softmax,
)
from fastact.verification import verify

__version__ = "0.1.0"

__all__ = [
    "MLP", "Activation", "BackendError", "Function", "Metadata", "MissingDependencyError", "UnknownNameError",
    "activation", "backends", "bilinear", "binary_cross_entropy", "cache_info", "check_gradient", "cross_entropy",
    "entmax15", "explain", "geglu", "geglu_tanh", "get", "get_num_threads", "glu", "gumbel_softmax", "hardmax",
    "huber", "log_softmax", "logsumexp", "mae", "mse", "names", "nll_loss", "poisson_loss", "quantile_loss",
    "recommend", "reglu", "set_num_threads", "softmax", "softmin", "sparsemax", "swiglu", "ufuncs", "use_backend",
    "verify", "warmup",
    *names("activation"),
]  # fmt: skip
