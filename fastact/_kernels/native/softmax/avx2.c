/* The softmax kernels compiled for AVX2, FMA and F16C; setup.py has the flags.
   To be imported only where `cpu_supports` of the baseline names this instruction set. */
#define PyInit_kernels PyInit_avx2
#include "kernels.c"
