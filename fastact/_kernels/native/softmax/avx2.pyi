from fastact._kernels.native.softmax.avx512 import *  # noqa: F403
