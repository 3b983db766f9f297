"""The calls: they bring the arrays of a record into the form that kernels take, and launch the kernels."""

from fastact.backends.cuda.calls import elementwise, host, losses, softmax
from fastact.backends.cuda.libraries import view_of

__all__ = ["elementwise", "host", "losses", "softmax", "view_of"]
