"""The softmax family, in which the elements of a row depend on each other; a file for each branch of it."""

from fastact.functions.softmax.dense import log_softmax, softmax, softmin
from fastact.functions.softmax.gumbel import gumbel_softmax
from fastact.functions.softmax.logsumexp import logsumexp
from fastact.functions.softmax.sparse import entmax15, hardmax, sparsemax

__all__ = [
    "entmax15", "gumbel_softmax", "hardmax", "log_softmax", "logsumexp", "softmax", "softmin", "sparsemax",
]  # fmt: skip
