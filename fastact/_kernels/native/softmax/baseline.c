/* The softmax kernels compiled for the platform's baseline (SSE2 on x86-64, NEON on arm64); setup.py has the flags. */
#define PyInit_kernels PyInit_baseline
#include "kernels.c"
