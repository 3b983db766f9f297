"""The softmax and cross-entropy kernels, compiled once for each instruction set: baseline, avx2 and avx512.

The source is kernels.pyx, whose first lines say which file does what and how to add an operation, and
cross_entropy.pxi. The flags of each instruction set are in setup.py.
"""
