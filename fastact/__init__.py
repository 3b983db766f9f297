"""Activation functions and their derivatives for NumPy: fast, exact, on CPU and CUDA GPUs.

A call goes from the public object (activations/, softmax.py) through _dispatch.py to one of backends/, its compiled
kernel and so to the formula. Importing compiles nothing and starts no thread. New public names go into `__all__`.
"""

from importlib.machinery import PathFinder as _PathFinder

if _PathFinder.find_spec("fastact._native.ufunc", [f"{__path__[0]}/_native"]) is None:
    raise ImportError(
        f"fastact's compiled parts are not in {__path__[0]}: this is an unbuilt checkout. Build it there with "
        "`pip install -e .`, or start Python in another folder to use an installed fastact"
    )

from fastact._compile.cache import cache_info
from fastact._core.activation import Activation, activation
from fastact._core.dispatch import backends, explain, get_num_threads, set_num_threads, use_backend
from fastact._core.registry import get, names
from fastact._core.warmup import warmup
from fastact.activations import *
from fastact.activations.randomised import rrelu as rrelu
from fastact.errors import BackendError, MissingDependencyError, UnknownNameError
from fastact.gated_units import bilinear, geglu, glu, reglu, swiglu
from fastact.losses.cross_entropy import binary_cross_entropy, cross_entropy, huber, mse, nll_loss
from fastact.mlp import MLP
from fastact.softmax.dense import log_softmax as log_softmax
from fastact.softmax.dense import logsumexp
from fastact.softmax.dense import softmax as softmax
from fastact.softmax.dense import softmin as softmin
from fastact.softmax.sparse import entmax15 as entmax15
from fastact.softmax.sparse import gumbel_softmax
from fastact.softmax.sparse import hardmax as hardmax
from fastact.softmax.sparse import sparsemax as sparsemax

__version__ = "0.1.0"

__all__ = [
    "MLP", "Activation", "BackendError", "MissingDependencyError", "UnknownNameError", "activation", "backends",
    "bilinear", "binary_cross_entropy", "cache_info", "cross_entropy", "explain", "geglu", "get", "get_num_threads",
    "glu", "gumbel_softmax", "huber", "logsumexp", "mse", "names", "nll_loss", "reglu", "set_num_threads", "swiglu",
    "use_backend", "warmup", *names(),
]  # fmt: skip
