"""The `threads` backend: the loops on fastact's own threads, whatever the length of a call.

Long calls take these threads of themselves. native/pool.pyx starts them, also in a forked child, and hands out blocks.
"""

from fastact._kernels.native.ufunc import Threads
from fastact.backends.cpu.loops import Loops

__all__ = ["backend"]

backend = Loops("threads", Threads.OWN)
