"""The softmax family, in which the elements of a row depend on each other; a file for each branch of it."""

from fastact.softmax.dense import log_softmax, softmax, softmin
from fastact.softmax.gumbel import gumbel_softmax
from fastact.softmax.logsumexp import logsumexp
from fastact.softmax.sparse import entmax15, hardmax, sparsemax

__all__ = [
    "entmax15", "gumbel_softmax", "hardmax", "log_softmax", "logsumexp", "softmax", "softmin", "sparsemax",
]  # fmt: skip
