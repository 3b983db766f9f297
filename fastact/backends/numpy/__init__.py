"""The `numpy` backend: the same formulas run by plain NumPy on whole arrays, readable and without a compiler.

The compiled backends are compared with it. Exact to a few units in the last place, except far in the tails.
"""

from fastact.backends.numpy.cross_entropy import count_targets, cross_entropy, total
from fastact.backends.numpy.elementwise import elementwise
from fastact.backends.numpy.softmax import signed_logsumexp, softmax

__all__ = ["count_targets", "cross_entropy", "elementwise", "signed_logsumexp", "softmax", "total", "why_not"]


def why_not() -> str | None:
    """None: plain NumPy works everywhere."""
    return None
