/* The softmax kernels compiled for AVX-512 (F, DQ, VL, BW); setup.py has the flags.
   To be imported only where `cpu_supports` of the baseline names this instruction set. */
#define PyInit_kernels PyInit_avx512
#include "kernels.c"
