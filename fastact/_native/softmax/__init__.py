"""The softmax kernels, compiled for each instruction set: baseline, avx2, avx512. Their source is kernels.pxi."""
