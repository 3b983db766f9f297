from fastact._native.softmax.avx512 import *  # noqa: F403
