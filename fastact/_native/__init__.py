"""The compiled parts, which import nothing else of fastact: ufuncs, the pool of threads, and the softmax kernels."""
