"""The compiled parts, which import nothing else of fastact: ufuncs, the pool of threads, and the softmax kernels.

An extension is a .pyx file, with an entry in setup.py; the .pxi files hold what several extensions include. Every
extension declares that it needs no GIL: state that threads share goes through atomics.pxi, and a comment beside it says
why that is enough.
"""
