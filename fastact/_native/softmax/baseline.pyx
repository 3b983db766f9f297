# cython: cdivision=True, freethreading_compatible=True
"""The softmax kernels compiled for the platform's baseline (SSE2 on x86-64, NEON on arm64), and `cpu_supports`.

Their source is kernels.pxi.
"""

include "kernels.pxi"
include "cross_entropy.pxi"

cdef extern from *:
    """
    #if defined(__x86_64__) && defined(__GNUC__)    /* __builtin_cpu_supports asks the system, too */
      #define CPU_HAS(feature) __builtin_cpu_supports(feature)
      #define CPU_HAS_F16C() cpu_has_f16c()
      #define CPU_INIT() __builtin_cpu_init()
    #else
      #define CPU_HAS(feature) 0
      #define CPU_HAS_F16C() 0
      #define CPU_INIT()
    #endif
    static int cpu_has_avx2(void) { CPU_INIT(); return CPU_HAS("avx2") && CPU_HAS("fma") && CPU_HAS_F16C(); }
    static int cpu_has_avx512(void) {
        return cpu_has_avx2() && CPU_HAS("avx512f") && CPU_HAS("avx512dq") && CPU_HAS("avx512vl")
            && CPU_HAS("avx512bw"); }
    """
    bint cpu_has_avx2()
    bint cpu_has_avx512()


def cpu_supports():
    """Return the instruction sets, best first, that this CPU and system can run."""
    return ["avx512"] * cpu_has_avx512() + ["avx2"] * cpu_has_avx2() + ["baseline"]
