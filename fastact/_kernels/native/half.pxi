# How arrays store their items, and the loops that convert float16 and bfloat16 to float32 and back. With them, kernels
# for float32 serve the half types.
#
# The loops are integer arithmetic without branches, which compilers vectorise for any CPU. On x86-64 they are compiled
# again for AVX2 and AVX-512, where float16 has instructions of its own (more than ten times as fast); the CPU's set is
# chosen at import. These move 64 bytes at a time: two loads or two stores for one cache line take twice as long where
# the line is not in the cache (relu of 10,000,000: 0.32 instead of 0.14 ns). All sets give the same bits: they round to
# nearest even, keep subnormals, and make NaN quiet, with its sign and leading digits. To add a half type, write its two
# scalar functions, and add their loops to `HALF_LOOPS` and its code to `Format`.

cdef extern from *:
    """
    #include <stddef.h>
    #include <stdint.h>
    #include <string.h>

    #if defined(__GNUC__)
      #define HALF_INLINE static inline __attribute__((always_inline))
    #else
      #define HALF_INLINE static __inline
    #endif

    HALF_INLINE uint32_t half_bits(float f) { uint32_t u; memcpy(&u, &f, 4); return u; }
    HALF_INLINE float half_float(uint32_t u) { float f; memcpy(&f, &u, 4); return f; }

    /* Exponents differ by 112. A subnormal's digits get the exponent of 2**-14, which is then subtracted. */
    HALF_INLINE float half_from_float16(uint16_t h) {
      int32_t magnitude = (int32_t)(h & 0x7fff) << 13, rebiased = magnitude + (112 << 23);
      uint32_t not_finite = -(uint32_t)(magnitude >= 31 << 23), subnormal = -(uint32_t)(magnitude < 1 << 23);
      uint32_t small = half_bits(half_float((uint32_t)rebiased + (1 << 23)) - 6.103515625e-05f);
      uint32_t normal = (uint32_t)rebiased + (not_finite & (112 << 23));
      return half_float((normal & ~subnormal) | (small & subnormal) | (uint32_t)(h & 0x8000) << 16);
    }

    /* Adding 0.5 rounds a magnitude below 2**-14 to multiples of 2**-24. A carry out of the digits raises the exponent,
       from the largest numbers to infinity. */
    HALF_INLINE uint16_t half_to_float16(float f) {
      uint32_t bits = half_bits(f);
      int32_t magnitude = (int32_t)(bits & 0x7fffffff);
      uint32_t subnormal = -(uint32_t)(magnitude < 113 << 23), large = -(uint32_t)(magnitude >= 143 << 23);
      uint32_t nan = -(uint32_t)(magnitude > 0x7f800000);
      uint32_t small = half_bits(half_float((uint32_t)magnitude) + 0.5f) - (126 << 23);
      uint32_t result = (uint32_t)(magnitude - (112 << 23) + 0xfff + (magnitude >> 13 & 1)) >> 13;
      result = (result & ~subnormal) | (small & subnormal);
      result = (result & ~large) | (0x7c00 & large) | (nan & (0x200 | (magnitude >> 13 & 0x3ff)));
      return (uint16_t)(result | (bits >> 16 & 0x8000));
    }

    HALF_INLINE float half_from_bfloat16(uint16_t h) { return half_float((uint32_t)h << 16); }

    HALF_INLINE uint16_t half_to_bfloat16(float f) {
      uint32_t bits = half_bits(f), round = 0x7fff + (bits >> 16 & 1);
      return (uint16_t)((bits + (bits << 1 > 0xff000000u ? ~bits & 0x400000 : round)) >> 16);
    }

    #define HALF_LOOP(NAME, TARGET, FROM, TO, FUNCTION, VECTORS)                                                   \\
      TARGET static void NAME(void* target, const void* source, ptrdiff_t n) {                                     \\
        TO* to = (TO*)target; const FROM* from = (const FROM*)source; ptrdiff_t i = 0;                             \\
        VECTORS                                                                                                    \\
        for (; i < n; i++) to[i] = FUNCTION(from[i]);                                                              \\
      }
    #define HALF_LOOPS(SET, TARGET, FROM_FLOAT16, TO_FLOAT16, FROM_BFLOAT16)                                       \\
      HALF_LOOP(half_from_float16_##SET, TARGET, uint16_t, float, half_from_float16, FROM_FLOAT16)                 \\
      HALF_LOOP(half_to_float16_##SET, TARGET, float, uint16_t, half_to_float16, TO_FLOAT16)                       \\
      HALF_LOOP(half_from_bfloat16_##SET, TARGET, uint16_t, float, half_from_bfloat16, FROM_BFLOAT16)              \\
      HALF_LOOP(half_to_bfloat16_##SET, TARGET, float, uint16_t, half_to_bfloat16, )                               \\
      static const half_loops_t half_loops_##SET = {                                                               \\
        #SET,                                                                                                      \\
        {NULL, half_from_float16_##SET, half_from_bfloat16_##SET},                                                 \\
        {NULL, half_to_float16_##SET, half_to_bfloat16_##SET}                                                      \\
      };

    typedef void (*half_loop_t)(void* target, const void* source, ptrdiff_t n);
    typedef struct { const char* name; half_loop_t from[3], to[3]; } half_loops_t;

    HALF_LOOPS(baseline, , , , )

    #if defined(__GNUC__) && defined(__x86_64__)
      #include <cpuid.h>
      #include <immintrin.h>
      HALF_LOOPS(avx2, __attribute__((target("avx2,f16c"))),
        for (; i + 8 <= n; i += 8)
          _mm256_storeu_ps(to + i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i*)(from + i))));,
        for (; i + 8 <= n; i += 8)
          _mm_storeu_si128((__m128i*)(to + i), _mm256_cvtps_ph(_mm256_loadu_ps(from + i), 0));, )
      HALF_LOOPS(avx512, __attribute__((target("avx512f,avx512bw,avx512vl"))),
        for (; i + 32 <= n; i += 32) {
          __m512i both = _mm512_loadu_si512(from + i);
          _mm512_storeu_ps(to + i, _mm512_cvtph_ps(_mm512_castsi512_si256(both)));
          _mm512_storeu_ps(to + i + 16, _mm512_cvtph_ps(_mm512_extracti64x4_epi64(both, 1))); }
        for (; i + 16 <= n; i += 16)
          _mm512_storeu_ps(to + i, _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i*)(from + i))));,
        for (; i + 32 <= n; i += 32) {
          __m256i low = _mm512_cvtps_ph(_mm512_loadu_ps(from + i), 0);
          __m256i high = _mm512_cvtps_ph(_mm512_loadu_ps(from + i + 16), 0);
          _mm512_storeu_si512(to + i, _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1)); }
        for (; i + 16 <= n; i += 16)
          _mm256_storeu_si256((__m256i*)(to + i), _mm512_cvtps_ph(_mm512_loadu_ps(from + i), 0));,
        for (; i + 32 <= n; i += 32) {
          __m512i both = _mm512_loadu_si512(from + i);
          __m512i low = _mm512_cvtepu16_epi32(_mm512_castsi512_si256(both));
          __m512i high = _mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(both, 1));
          _mm512_storeu_si512(to + i, _mm512_slli_epi32(low, 16));
          _mm512_storeu_si512(to + i + 16, _mm512_slli_epi32(high, 16)); })
    #endif

    #if defined(__GNUC__) && defined(__x86_64__)
      static int cpu_has_f16c(void) {
        unsigned int a, b, c = 0, d;
        return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
      }
    #endif

    /* Entry i of the loops that this CPU can run, best first; NULL after the last. */
    static const half_loops_t* half_loops_of(int i) {
      const half_loops_t* found[4] = {NULL, NULL, NULL, NULL};
      int count = 0;
    #if defined(__GNUC__) && defined(__x86_64__)
      __builtin_cpu_init();
      if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
        found[count++] = &half_loops_avx512;
      if (__builtin_cpu_supports("avx2") && cpu_has_f16c())
        found[count++] = &half_loops_avx2;
    #endif
      found[count] = &half_loops_baseline;
      return found[i];
    }
    """
    ctypedef void (*half_loop_t)(void* target, const void* source, Py_ssize_t n) noexcept nogil
    ctypedef struct half_loops_t:
        const char* name
        half_loop_t* from_half "from"  # by `Format`
        half_loop_t* to_half "to"
    const half_loops_t* half_loops_of(int i) noexcept nogil

cdef enum Format:  # how an array stores its items
    SAME = 0       # as the kernel computes them
    FLOAT16 = 1    # the half types, for a kernel that computes in float32
    BFLOAT16 = 2
    DOUBLE = 3     # as float64

cdef const half_loops_t* half_loops = half_loops_of(0)


def half_instruction_sets():
    """The instruction sets, best first, that this CPU can run and that have loops of their own for the half types."""
    names = []
    while half_loops_of(len(names)) != NULL:
        names.append(half_loops_of(len(names)).name.decode())
    return names


def use_half_instructions(str name):
    """Convert half types with the loops for one of `half_instruction_sets()`; the best set is in use from the start."""
    global half_loops
    half_loops = half_loops_of(half_instruction_sets().index(name))
