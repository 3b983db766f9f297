# The vectors of the softmax kernels. Of their source, this file alone knows compilers, instruction sets and
# polynomials.
#
# `vf` and `vd` hold as many float32 or float64 as one register of the instruction set that the extension is compiled
# for. They are vector extensions of GCC and clang, so that +, -, * and / are operators; intrinsics do what these cannot
# say. With MSVC a vector has one lane, and the same kernels are scalar code. To add an instruction set, write its
# section in the C block below, its C file beside avx2.c, and its flags in setup.py.

cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>

    #if defined(__GNUC__)
      #if defined(__x86_64__)
        #include <immintrin.h>
      #endif
      #if defined(__AVX512F__)
        #define LANES 16
      #elif defined(__AVX2__)
        #define LANES 8
      #else
        #define LANES 4
      #endif
      #define VECTOR(T, N) T __attribute__((vector_size(sizeof(T) * (N)), aligned(sizeof(T)), may_alias))
      typedef VECTOR(float, LANES) vf;
      typedef VECTOR(int32_t, LANES) vf_bits;
      typedef VECTOR(double, LANES / 2) vd;
      typedef VECTOR(int64_t, LANES / 2) vd_bits;
      enum { vf_lanes = LANES, vd_lanes = LANES / 2 };
      #define CONVERT(v, T) __builtin_convertvector(v, T)
      #ifdef __clang__
        #define SHUFFLE(BITS, a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
      #else
        #define SHUFFLE(BITS, a, b, ...) __builtin_shuffle(a, b, (BITS){__VA_ARGS__})
      #endif
      #define LOW_2 0, 2
      #define HIGH_2 1, 3
      #define LOW_4 0, 4, 1, 5
      #define HIGH_4 2, 6, 3, 7
      #define LOW_8 0, 8, 1, 9, 2, 10, 3, 11
      #define HIGH_8 4, 12, 5, 13, 6, 14, 7, 15
      #define LOW_16 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
      #define HIGH_16 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
      #define ZIP(V, HALF, N) static inline V V##_zip_##HALF(V a, V b) { return SHUFFLE(V##_bits, a, b, N); }
      #if LANES == 16
        ZIP(vf, low, LOW_16) ZIP(vf, high, HIGH_16) ZIP(vd, low, LOW_8) ZIP(vd, high, HIGH_8)
      #elif LANES == 8
        ZIP(vf, low, LOW_8) ZIP(vf, high, HIGH_8) ZIP(vd, low, LOW_4) ZIP(vd, high, HIGH_4)
      #else
        ZIP(vf, low, LOW_4) ZIP(vf, high, HIGH_4) ZIP(vd, low, LOW_2) ZIP(vd, high, HIGH_2)
      #endif
      #define BITS_OF(V, v) ((V##_bits)(v))
      #define FROM_BITS(V, b) ((V)(b))
      #define CHOOSE(V, mask, v) FROM_BITS(V, (mask) & BITS_OF(V, v))
      #if defined(__AVX512BW__) && defined(__AVX512VL__)
        static inline vf vf_where_set(const char* p, vf v, vf other) {
          __m128i bytes = _mm_loadu_si128((const __m128i*)p);
          return _mm512_mask_mov_ps(other, _mm_test_epi8_mask(bytes, bytes), v); }
        static inline vd vd_where_set(const char* p, vd v, vd other) {
          __m128i bytes = _mm_loadl_epi64((const __m128i*)p);
          return _mm512_mask_mov_pd(other, (__mmask8)_mm_test_epi8_mask(bytes, bytes), v); }
      #else
        typedef uint8_t vf_bytes __attribute__((vector_size(LANES)));
        typedef uint8_t vd_bytes __attribute__((vector_size(LANES / 2)));
        #define WHERE_SET(V) static inline V V##_where_set(const char* p, V v, V other) { \\
            V##_bytes bytes; V##_bits mask; memcpy(&bytes, p, sizeof bytes); mask = CONVERT(bytes, V##_bits) != 0; \\
            return FROM_BITS(V, (mask & BITS_OF(V, v)) | (~mask & BITS_OF(V, other))); }
        WHERE_SET(vf) WHERE_SET(vd)
      #endif
      #define SPLAT(V, S, s) ((S)(s) - (V){0})
    #else
      typedef float vf; typedef int32_t vf_bits; typedef double vd; typedef int64_t vd_bits;
      enum { vf_lanes = 1, vd_lanes = 1 };
      #define CONVERT(v, T) ((T)(v))
      static __inline float vf_zip_low(float a, float b) { return a; }
      static __inline float vf_zip_high(float a, float b) { return b; }
      static __inline double vd_zip_low(double a, double b) { return a; }
      static __inline double vd_zip_high(double a, double b) { return b; }
      static __inline vf_bits vf_to_bits(vf v) { vf_bits b; memcpy(&b, &v, sizeof b); return b; }
      static __inline vd_bits vd_to_bits(vd v) { vd_bits b; memcpy(&b, &v, sizeof b); return b; }
      static __inline vf vf_from_bits(vf_bits b) { vf v; memcpy(&v, &b, sizeof v); return v; }
      static __inline vd vd_from_bits(vd_bits b) { vd v; memcpy(&v, &b, sizeof v); return v; }
      #define BITS_OF(V, v) V##_to_bits(v)
      #define FROM_BITS(V, b) V##_from_bits(b)
      #define CHOOSE(V, mask, v) ((mask) ? (v) : 0)
      static __inline vf vf_where_set(const char* p, vf v, vf other) { return *p ? v : other; }
      static __inline vd vd_where_set(const char* p, vd v, vd other) { return *p ? v : other; }
      #define SPLAT(V, S, s) ((S)(s))
    #endif

    /* `maximum` is max(a, b), or b if either is NaN; `part` is the first n lanes of a vector in memory. */
    #if defined(__AVX512F__) && defined(__GNUC__)
      #define MAXIMUM(V, S) static inline V V##_maximum(V a, V b) { return V##_max(a, b); }
      #define vf_max _mm512_max_ps
      #define vd_max _mm512_max_pd
      static inline vf vf_load_part(vf* p, Py_ssize_t n, vf pad) { return _mm512_mask_loadu_ps(pad, (1u << n) - 1, p); }
      static inline vd vd_load_part(vd* p, Py_ssize_t n, vd pad) { return _mm512_mask_loadu_pd(pad, (1u << n) - 1, p); }
      static inline void vf_store_part(vf* p, Py_ssize_t n, vf v) { _mm512_mask_storeu_ps(p, (1u << n) - 1, v); }
      static inline void vd_store_part(vd* p, Py_ssize_t n, vd v) { _mm512_mask_storeu_pd(p, (1u << n) - 1, v); }
    #else
      #if defined(__AVX2__) && defined(__GNUC__)
        #define MAXIMUM(V, S) static inline V V##_maximum(V a, V b) { return V##_max(a, b); }
        #define vf_max _mm256_max_ps
        #define vd_max _mm256_max_pd
      #elif defined(__SSE2__) && defined(__GNUC__)
        #define MAXIMUM(V, S) static inline V V##_maximum(V a, V b) { return V##_max(a, b); }
        #define vf_max _mm_max_ps
        #define vd_max _mm_max_pd
      #elif defined(__GNUC__)
        #define MAXIMUM(V, S) static inline V V##_maximum(V a, V b) \\
            { V##_bits m = a > b; return FROM_BITS(V, (m & BITS_OF(V, a)) | (~m & BITS_OF(V, b))); }
      #else
        #define MAXIMUM(V, S) static __inline V V##_maximum(V a, V b) { return a > b ? a : b; }
      #endif
      #if defined(__AVX2__) && defined(__GNUC__)
        static const int32_t fastact_part[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
        #define PART(V, n) \\
          _mm256_loadu_si256((const __m256i*)((const char*)fastact_part + 32 - (n) * (32 / V##_lanes)))
        static inline vf vf_load_part(vf* p, Py_ssize_t n, vf pad)
            { return _mm256_blendv_ps(pad, _mm256_maskload_ps((float*)p, PART(vf, n)), (__m256)PART(vf, n)); }
        static inline vd vd_load_part(vd* p, Py_ssize_t n, vd pad)
            { return _mm256_blendv_pd(pad, _mm256_maskload_pd((double*)p, PART(vd, n)), (__m256d)PART(vd, n)); }
        static inline void vf_store_part(vf* p, Py_ssize_t n, vf v) { _mm256_maskstore_ps((float*)p, PART(vf, n), v); }
        static inline void vd_store_part(vd* p, Py_ssize_t n, vd v) { _mm256_maskstore_pd((double*)p, PART(vd, n), v); }
      #else
        #define PARTS(V, S) \\
          static __inline V V##_load_part(V* p, Py_ssize_t n, V pad) \\
            { Py_ssize_t i; if (n == V##_lanes) return *p; \\
              for (i = 0; i < n; i++) ((S*)&pad)[i] = ((S*)p)[i]; \\
              return pad; } \\
          static __inline void V##_store_part(V* p, Py_ssize_t n, V v) \\
            { Py_ssize_t i; if (n == V##_lanes) *p = v; else for (i = 0; i < n; i++) ((S*)p)[i] = ((S*)&v)[i]; }
        PARTS(vf, float)
        PARTS(vd, double)
      #endif
    #endif

    /* a * b + c, rounded once; left to itself, the compiler might fuse another product, or none. */
    #if defined(__FMA__) && defined(__GNUC__)
      enum { FUSED = 1 };
      #if LANES == 16
        static inline vf vf_fused(vf a, vf b, vf c) { return _mm512_fmadd_ps(a, b, c); }
        static inline vd vd_fused(vd a, vd b, vd c) { return _mm512_fmadd_pd(a, b, c); }
      #else
        static inline vf vf_fused(vf a, vf b, vf c) { return _mm256_fmadd_ps(a, b, c); }
        static inline vd vd_fused(vd a, vd b, vd c) { return _mm256_fmadd_pd(a, b, c); }
      #endif
    #elif defined(__aarch64__) && defined(__GNUC__)
      enum { FUSED = 1 };
      static inline vf vf_fused(vf a, vf b, vf c) { vf y; int i;
        for (i = 0; i < vf_lanes; i++) y[i] = __builtin_fmaf(a[i], b[i], c[i]);
        return y; }
      static inline vd vd_fused(vd a, vd b, vd c) { vd y; int i;
        for (i = 0; i < vd_lanes; i++) y[i] = __builtin_fma(a[i], b[i], c[i]);
        return y; }
    #else
      enum { FUSED = 0 };
      static __inline vf vf_fused(vf a, vf b, vf c) { return a * b + c; }
      static __inline vd vd_fused(vd a, vd b, vd c) { return a * b + c; }
    #endif

    /* As many half types in memory as a float32 vector has lanes. The bits are those of half.pxi. */
    #if defined(__AVX512F__) && defined(__GNUC__)
      static inline vf vf_from_float16(const void* p) { return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i*)p)); }
      static inline void vf_to_float16(void* p, vf v) { _mm256_storeu_si256((__m256i*)p, _mm512_cvtps_ph(v, 0)); }
      /* One permutation each: conversions between 16 and 32 bits take twice as long. */
      static const uint16_t fastact_spread[32] = {0, 0, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7,
                                                  0, 8, 0, 9, 0, 10, 0, 11, 0, 12, 0, 13, 0, 14, 0, 15};
      static const uint16_t fastact_odd[32] = {1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31};
      static inline vf vf_from_bfloat16(const void* p) {
        __m512i halves = _mm512_castsi256_si512(_mm256_loadu_si256((const __m256i*)p));
        return (vf)_mm512_maskz_permutexvar_epi16(0xaaaaaaaa, _mm512_loadu_si512(fastact_spread), halves); }
      static inline void vf_to_bfloat16(void* p, vf v) {
        __m512i bits = _mm512_castps_si512(v);
        __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
        __m512i rounded = _mm512_add_epi32(_mm512_add_epi32(bits, _mm512_set1_epi32(0x7fff)), odd);
        __mmask16 nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
        rounded = _mm512_mask_or_epi32(rounded, nan, bits, _mm512_set1_epi32(0x400000));
        rounded = _mm512_permutexvar_epi16(_mm512_loadu_si512(fastact_odd), rounded);
        _mm256_storeu_si256((__m256i*)p, _mm512_castsi512_si256(rounded)); }
      static inline void vf_copy_halves(void* to, const void* from, Py_ssize_t n) {
        __mmask16 part = (__mmask16)((1u << n) - 1);
        _mm256_mask_storeu_epi16(to, part, _mm256_maskz_loadu_epi16(part, from)); }
    #else
      static __inline void vf_copy_halves(void* to, const void* from, Py_ssize_t n) { Py_ssize_t i;
        for (i = 0; i < n; i++) ((uint16_t*)to)[i] = ((const uint16_t*)from)[i]; }
      #if defined(__GNUC__)
        typedef uint16_t vf_halves __attribute__((vector_size(2 * LANES), aligned(2), may_alias));
        typedef uint32_t vf_words __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
        #if defined(__F16C__)
          static inline vf vf_from_float16(const void* p) {
            return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i*)p)); }
          static inline void vf_to_float16(void* p, vf v) { _mm_storeu_si128((__m128i*)p, _mm256_cvtps_ph(v, 0)); }
        #else    /* half_from_float16 and half_to_float16, for all lanes at once */
          static inline vf vf_from_float16(const void* p) {
            vf_words half = CONVERT(*(const vf_halves*)p, vf_words);
            vf_bits magnitude = (vf_bits)((half & 0x7fff) << 13), rebiased = magnitude + (112 << 23);
            vf_bits not_finite = magnitude >= 31 << 23, subnormal = magnitude < 1 << 23;
            vf_bits small = (vf_bits)((vf)(rebiased + (1 << 23)) - 6.103515625e-05f);
            vf_bits normal = rebiased + (not_finite & (112 << 23));
            return (vf)((vf_words)((normal & ~subnormal) | (small & subnormal)) | (half & 0x8000) << 16); }
          static inline void vf_to_float16(void* p, vf v) {
            vf_words bits = (vf_words)v, digits = bits >> 13;
            vf_bits magnitude = (vf_bits)(bits & 0x7fffffff);
            vf_words subnormal = (vf_words)(magnitude < 113 << 23), large = (vf_words)(magnitude >= 143 << 23);
            vf_words nan = (vf_words)(magnitude > 0x7f800000);
            vf_words small = (vf_words)((vf)magnitude + 0.5f) - (126 << 23);
            vf_words result = ((vf_words)magnitude - (112 << 23) + 0xfff + (digits & 1)) >> 13;
            result = (result & ~subnormal) | (small & subnormal);
            result = (result & ~large) | (0x7c00 & large) | (nan & (0x200 | (digits & 0x3ff)));
            *(vf_halves*)p = CONVERT(result | (bits >> 16 & 0x8000), vf_halves); }
        #endif
        static inline vf vf_from_bfloat16(const void* p) { return (vf)(CONVERT(*(const vf_halves*)p, vf_words) << 16); }
        static inline void vf_to_bfloat16(void* p, vf v) {
          vf_words bits = (vf_words)v, nan = (vf_words)(v != v);
          bits = (nan & (bits | 0x400000)) | (~nan & (bits + 0x7fff + (bits >> 16 & 1)));
          *(vf_halves*)p = CONVERT(bits >> 16, vf_halves); }
      #else
        static __inline vf vf_from_float16(const void* p) { return half_from_float16(*(const uint16_t*)p); }
        static __inline void vf_to_float16(void* p, vf v) { *(uint16_t*)p = half_to_float16(v); }
        static __inline vf vf_from_bfloat16(const void* p) { return half_from_bfloat16(*(const uint16_t*)p); }
        static __inline void vf_to_bfloat16(void* p, vf v) { *(uint16_t*)p = half_to_bfloat16(v); }
      #endif
    #endif
    #ifdef __GNUC__
      /* clang wants constants */
      #define PREFETCH(p, write) ((write) ? __builtin_prefetch(p, 1) : __builtin_prefetch(p, 0))
    #else
      #define PREFETCH(p, write)
    #endif

    /* Combine the lanes, which takes less time in narrower registers. */
    #if defined(__SSE2__) && defined(__GNUC__)
      static inline float vf_highest(vf v) {
        #if LANES == 16
          __m256 w = _mm256_max_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
        #elif LANES == 8
          __m256 w = v;
        #endif
        #if LANES >= 8
          __m128 u = _mm_max_ps(_mm256_castps256_ps128(w), _mm256_extractf128_ps(w, 1));
        #else
          __m128 u = v;
        #endif
        u = _mm_max_ps(u, _mm_movehl_ps(u, u));
        return _mm_cvtss_f32(_mm_max_ss(u, _mm_shuffle_ps(u, u, 1))); }
      static inline double vf_sum(vf v) {
        #if LANES == 16
          __m512d x = _mm512_add_pd(_mm512_cvtps_pd(_mm512_castps512_ps256(v)),
                                    _mm512_cvtps_pd(_mm512_extractf32x8_ps(v, 1)));
          __m256d w = _mm256_add_pd(_mm512_castpd512_pd256(x), _mm512_extractf64x4_pd(x, 1));
        #elif LANES == 8
          __m256d w = _mm256_add_pd(_mm256_cvtps_pd(_mm256_castps256_ps128(v)),
                                    _mm256_cvtps_pd(_mm256_extractf128_ps(v, 1)));
        #endif
        #if LANES >= 8
          __m128d u = _mm_add_pd(_mm256_castpd256_pd128(w), _mm256_extractf128_pd(w, 1));
        #else
          __m128d u = _mm_add_pd(_mm_cvtps_pd(v), _mm_cvtps_pd(_mm_movehl_ps(v, v)));
        #endif
        return _mm_cvtsd_f64(_mm_add_sd(u, _mm_unpackhi_pd(u, u))); }
    #else
      static __inline float vf_highest(vf v) { float a = ((float*)&v)[0], b; int i;
        for (i = 1; i < vf_lanes; i++) { b = ((float*)&v)[i]; a = b > a ? b : a; }
        return a; }
      static __inline double vf_sum(vf v) { double a = 0; int i;
        for (i = 0; i < vf_lanes; i++) a += ((float*)&v)[i];
        return a; }
    #endif

    #define OPERATIONS(V, S, MANTISSA, SQRT_HALF) \\
      MAXIMUM(V, S) \\
      static __inline V V##_splat(double s) { return SPLAT(V, S, s); } \\
      static __inline V V##_lane(V* p, Py_ssize_t i) { return SPLAT(V, S, ((S*)p)[i]); } \\
      static __inline V V##_upper(V v) \\
        { return FROM_BITS(V, BITS_OF(V, v) & ~((((V##_bits){0} + 1) << (MANTISSA + 1) / 2) - 1)); } \\
      static __inline V V##_pow2(V biased) { return FROM_BITS(V, BITS_OF(V, biased) << MANTISSA); } \\
      static __inline V V##_where_equal(V a, V b, V v) { return CHOOSE(V, a == b, v); } \\
      static __inline V V##_where_differs(V a, V b, V v) { return CHOOSE(V, a != b, v); } \\
      static __inline V V##_where_beyond(V v, V limit) { return CHOOSE(V, (v >= limit) | (v <= -limit), v); } \\
      static __inline V V##_split(V u, V* exponent) { \\
          V##_bits half = BITS_OF(V, V##_splat(SQRT_HALF)), bits = BITS_OF(V, u) - half; \\
          *exponent = CONVERT(bits >> MANTISSA, V); \\
          return FROM_BITS(V, (bits & ((((V##_bits){0} + 1) << MANTISSA) - 1)) + half); }
    OPERATIONS(vf, float, 23, 0x1.6a09e6p-1)
    OPERATIONS(vd, double, 52, 0x1.6a09e667f3bcdp-1)
    """
    ctypedef float vf
    ctypedef double vd
    int vf_lanes, vd_lanes
    int FUSED    # 1 if `fused` rounds once
    vf vf_fused(vf a, vf b, vf c) noexcept nogil
    vd vd_fused(vd a, vd b, vd c) noexcept nogil
    float vf_highest(vf v) noexcept nogil
    double vf_sum(vf v) noexcept nogil
    vf vf_from_float16(const void* p) noexcept nogil
    vf vf_from_bfloat16(const void* p) noexcept nogil
    void vf_to_float16(void* p, vf v) noexcept nogil
    void vf_to_bfloat16(void* p, vf v) noexcept nogil
    void vf_copy_halves(void* to, const void* source, Py_ssize_t n) noexcept nogil
    void prefetch "PREFETCH"(void* p, int write) noexcept nogil
    vf vf_maximum(vf a, vf b) noexcept nogil
    vd vd_maximum(vd a, vd b) noexcept nogil
    vf vf_splat(double s) noexcept nogil
    vd vd_splat(double s) noexcept nogil
    vf vf_lane(vf* p, Py_ssize_t i) noexcept nogil
    vd vd_lane(vd* p, Py_ssize_t i) noexcept nogil
    vf vf_pow2(vf biased) noexcept nogil
    vd vd_pow2(vd biased) noexcept nogil
    vf vf_upper(vf v) noexcept nogil
    vd vd_upper(vd v) noexcept nogil
    vf vf_where_equal(vf a, vf b, vf v) noexcept nogil
    vd vd_where_equal(vd a, vd b, vd v) noexcept nogil
    vf vf_where_differs(vf a, vf b, vf v) noexcept nogil
    vd vd_where_differs(vd a, vd b, vd v) noexcept nogil
    vf vf_where_set(const char* p, vf v, vf other) noexcept nogil
    vd vd_where_set(const char* p, vd v, vd other) noexcept nogil
    vf vf_where_beyond(vf v, vf limit) noexcept nogil
    vd vd_where_beyond(vd v, vd limit) noexcept nogil
    vf vf_split(vf u, vf* exponent) noexcept nogil
    vd vd_split(vd u, vd* exponent) noexcept nogil
    vf vf_zip_low(vf a, vf b) noexcept nogil
    vd vd_zip_low(vd a, vd b) noexcept nogil
    vf vf_zip_high(vf a, vf b) noexcept nogil
    vd vd_zip_high(vd a, vd b) noexcept nogil
    vf vf_load_part(vf* p, Py_ssize_t n, vf pad) noexcept nogil
    vd vd_load_part(vd* p, Py_ssize_t n, vd pad) noexcept nogil
    void vf_store_part(vf* p, Py_ssize_t n, vf v) noexcept nogil
    void vd_store_part(vd* p, Py_ssize_t n, vd v) noexcept nogil

ctypedef fused vec:
    vf
    vd


cdef inline vec maximum(vec a, vec b) noexcept nogil:
    """max(a, b); b where either is NaN."""
    if vec is vf:
        return vf_maximum(a, b)
    else:
        return vd_maximum(a, b)


cdef inline vec fused(vec a, vec b, vec c) noexcept nogil:
    """a * b + c, rounded once if FUSED."""
    if vec is vf:
        return vf_fused(a, b, c)
    else:
        return vd_fused(a, b, c)


cdef inline vec splat(vec* tag, double s) noexcept nogil:
    """s in every lane; the tag names the type alone."""
    if vec is vf:
        return vf_splat(s)
    else:
        return vd_splat(s)


cdef inline vec lane(vec* p, Py_ssize_t i) noexcept nogil:
    """Number i from p on, in every lane."""
    if vec is vf:
        return vf_lane(p, i)
    else:
        return vd_lane(p, i)


cdef inline vec upper(vec v) noexcept nogil:
    """v without the lower half of its digits: products of two such numbers are exact."""
    if vec is vf:
        return vf_upper(v)
    else:
        return vd_upper(v)


cdef inline vec where_equal(vec a, vec b, vec v) noexcept nogil:
    """v where a == b, else 0."""
    if vec is vf:
        return vf_where_equal(a, b, v)
    else:
        return vd_where_equal(a, b, v)


cdef inline vec where_differs(vec a, vec b, vec v) noexcept nogil:
    """v where a != b, else 0."""
    if vec is vf:
        return vf_where_differs(a, b, v)
    else:
        return vd_where_differs(a, b, v)


cdef inline vec where_set(const char* p, vec v, vec other) noexcept nogil:
    """v where the bytes at p, one for each lane, are not 0, else `other`."""
    if vec is vf:
        return vf_where_set(p, v, other)
    else:
        return vd_where_set(p, v, other)


cdef inline vec zip_low(vec a, vec b) noexcept nogil:
    """The first halves of a and b, interleaved."""
    if vec is vf:
        return vf_zip_low(a, b)
    else:
        return vd_zip_low(a, b)


cdef inline vec zip_high(vec a, vec b) noexcept nogil:
    """The second halves of a and b, interleaved."""
    if vec is vf:
        return vf_zip_high(a, b)
    else:
        return vd_zip_high(a, b)


cdef inline vec load_part(vec* p, Py_ssize_t n, vec pad) noexcept nogil:
    """The n <= lanes numbers at p, then pad. Reads nothing beyond them."""
    if vec is vf:
        return vf_load_part(p, n, pad)
    else:
        return vd_load_part(p, n, pad)


cdef inline void store_part(vec* p, Py_ssize_t n, vec v) noexcept nogil:
    """Write the first n <= lanes numbers of v to p."""
    if vec is vf:
        vf_store_part(p, n, v)
    else:
        vd_store_part(p, n, v)


cdef inline Py_ssize_t lanes(vec* tag) noexcept nogil:
    """How many numbers a vector holds."""
    if vec is vf:
        return vf_lanes
    else:
        return vd_lanes


cdef inline vec* at(vec* p, Py_ssize_t i) noexcept nogil:
    """The address of number (not vector) i from p on; vectors need no alignment."""
    if vec is vf:
        return <vec*>(<float*>p + i)
    else:
        return <vec*>(<double*>p + i)


# Numbers in an array may be half types. `stored` is their `Format`, known at compile time where these are inlined.

cdef inline vec* stored_at(int stored, void* p, Py_ssize_t i, vec* tag) noexcept nogil:
    """The address of number i from p on."""
    return at[vec](<vec*>p, i) if stored == SAME else <vec*>(<unsigned short*>p + i)


cdef inline Py_ssize_t stored_size(vec* tag, int stored) noexcept nogil:
    """The bytes that a number takes."""
    return <Py_ssize_t>sizeof(vec) // lanes[vec](tag) if stored == SAME else 2


cdef inline vec get(int stored, vec* p, Py_ssize_t i) noexcept nogil:
    """Load vector i from p on."""
    if vec is vf:
        if stored == FLOAT16:
            return vf_from_float16(<unsigned short*>p + i * vf_lanes)
        if stored == BFLOAT16:
            return vf_from_bfloat16(<unsigned short*>p + i * vf_lanes)
    return p[i]


cdef inline void put(int stored, vec* p, Py_ssize_t i, vec v) noexcept nogil:
    """Store v as vector i from p on."""
    if vec is vf:
        if stored == FLOAT16:
            vf_to_float16(<unsigned short*>p + i * vf_lanes, v)
            return
        if stored == BFLOAT16:
            vf_to_bfloat16(<unsigned short*>p + i * vf_lanes, v)
            return
    p[i] = v


cdef inline vec get_part(int stored, vec* p, Py_ssize_t i, Py_ssize_t n, vec pad) noexcept nogil:
    """Load the first n numbers of vector i from p on, then pad."""
    cdef unsigned short[16] halves
    cdef vec v
    if stored == SAME:
        return load_part[vec](p + i, n, pad)
    vf_copy_halves(halves, <unsigned short*>p + i * lanes[vec](p), n)
    v = get[vec](stored, <vec*>halves, 0)
    return load_part[vec](&v, n, pad)


cdef inline void put_part(int stored, vec* p, Py_ssize_t i, Py_ssize_t n, vec v) noexcept nogil:
    """Store the first n numbers of v in vector i from p on."""
    cdef unsigned short[16] halves
    if stored == SAME:
        store_part[vec](p + i, n, v)
    else:
        put[vec](stored, <vec*>halves, 0, v)
        vf_copy_halves(<unsigned short*>p + i * lanes[vec](p), halves, n)


# exp. With k = round(x / ln 2), e^x = 2^k e^r and |r| <= ln 2 / 2. Adding MAGIC = 1.5 * 2^mantissa_bits rounds to an
# integer and leaves it in the low bits, from where a shift moves it into the exponent. LN2_HIGH is short enough for
# k * LN2_HIGH to be exact, with or without fma. The polynomials are minimax for the relative error on |r| <= 0.3473,
# with 1 + r exact: 3.1e-9 for float32 (degree 6), 3.7e-18 for float64 (degree 11).
#
# A softmax is made of e^(x - max). But x - max rounds, which makes the result at x - max = -16 wrong by up to 8 ULP.
# And the difference is not needed: e^r of the maximum cancels against the sum. So rows are scaled by a power of two
# only. A maximum beyond LIMIT is subtracted first; that is exact for every x within a factor of two, and all others
# give 0. The power is HEADROOM too large, so that results become subnormal in the last multiplication, and not before.

cdef inline vec constant(vec* tag, double single, double wide) noexcept nogil:
    """`single` in float32, `wide` in float64."""
    return splat[vec](tag, single if vec is vf else wide)


cdef enum:
    SINGLE_LIMIT = 256
    WIDE_LIMIT = 1500
    SINGLE_ZERO = 127 + 30    # exponent bias + HEADROOM
    WIDE_ZERO = 1023 + 60


cdef inline vec exponent(vec x) noexcept nogil:
    """x / ln 2, rounded to an integer."""
    cdef vec magic = constant[vec](&x, 12582912.0, 6755399441055744.0)
    return (x * splat[vec](&x, 1.44269504088896341) + magic) - magic


cdef inline vec base_shift(vec top) noexcept nogil:
    """What to subtract from a row of maximum `top`: 0 up to LIMIT, then `top`."""
    cdef vec limit = constant[vec](&top, SINGLE_LIMIT, WIDE_LIMIT)
    if vec is vf:
        return vf_where_beyond(top, limit)
    else:
        return vd_where_beyond(top, limit)


cdef inline vec base_bias(vec top) noexcept nogil:
    """What to add to x / ln 2: MAGIC + exponent bias + HEADROOM - k(top). `top` is shifted already."""
    return constant[vec](&top, 12582912.0 + SINGLE_ZERO, 6755399441055744.0 + WIDE_ZERO) - exponent[vec](top)


cdef inline vec base_low(vec top) noexcept nogil:
    """The x at which the exponent's bits become 0, so that `exp_above` gives 0; less is clamped to this."""
    return (exponent[vec](top) - constant[vec](&top, SINGLE_ZERO, WIDE_ZERO)) * splat[vec](&top, 0.693147180559945309)


cdef inline void set_base(vec m, vec* base) noexcept nogil:
    """Set what e^x needs in a row of maximum m: base_shift, base_low and base_bias."""
    base[0] = base_shift[vec](m)
    base[1] = base_low[vec](m - base[0])
    base[2] = base_bias[vec](m - base[0])


cdef inline void set_row_base(vec m, vec* base) noexcept nogil:
    """Do `set_base` for a maximum that is the same in all lanes: single float64 numbers take less time."""
    cdef double top, power
    cdef bint shifted
    if vec is vf:
        top = (<float*>&m)[0]
        shifted = top >= SINGLE_LIMIT or top <= -SINGLE_LIMIT
        base[0] = vf_splat(top if shifted else 0)
        top = 0 if shifted else top
        power = (top * 1.44269504088896341 + 6755399441055744.0) - 6755399441055744.0
        base[1] = vf_splat((power - SINGLE_ZERO) * 0.693147180559945309)
        base[2] = vf_splat(12582912.0 + SINGLE_ZERO - power)
    else:
        set_base[vec](m, base)


cdef inline vec headroom(vec like) noexcept nogil:
    """The factor that makes the results of `exp_above` e^x."""
    if vec is vf:
        return vf_splat(2.0 ** -30)
    else:
        return vd_splat(2.0 ** -60)


cdef inline vec exp_above(vec x, vec low, vec bias) noexcept nogil:
    """e^x scaled as `bias` says, for x not far above the maximum that made `low` and `bias`; NaN for NaN."""
    cdef vec biased, k, r, p, s
    x = maximum[vec](low, x)
    if vec is vf:
        biased = x * vf_splat(1.44269504088896341) + bias
        k = biased - bias
        r = x - k * vf_splat(0.693359375)
        r = r - k * vf_splat(-2.1219444005469057e-4)
        p = vf_splat(0.0013814320554956794)
        p = p * r + vf_splat(0.00836885068565607)
        p = p * r + vf_splat(0.041668400168418884)
        p = p * r + vf_splat(0.1666651964187622)
        p = p * r + vf_splat(0.4999999403953552)
        p = p * r + vf_splat(1.0)
        p = p * r + vf_splat(1.0)
        return p * vf_pow2(biased)
    else:
        biased = x * vd_splat(1.44269504088896341) + bias
        k = biased - bias
        s = x - k * vd_splat(6.93147180369123816490e-01)
        r = s - k * vd_splat(1.90821492927058770002e-10)
        p = vd_splat(2.499985827047285e-08)
        p = p * r + vd_splat(2.76305234673536e-07)
        p = p * r + vd_splat(2.7557588421289217e-06)
        p = p * r + vd_splat(2.4801492388293636e-05)
        p = p * r + vd_splat(0.00019841269502740908)
        p = p * r + vd_splat(0.0013888888944249187)
        p = p * r + vd_splat(0.008333333333496923)
        p = p * r + vd_splat(0.0416666666665281)
        p = p * r + vd_splat(0.16666666666666408)
        p = p * r + vd_splat(0.5000000000000011)
        if FUSED:
            p = p * r + vd_splat(1.0)
            p = p * r + vd_splat(1.0)
        else:    # every step rounds twice: so the last steps are written to lose little
            p = vd_splat(1.0) + (r + (r * r * p + ((s - r) - k * vd_splat(1.90821492927058770002e-10))))
        return p * vd_pow2(biased)


cdef inline vec log1p(vec z) noexcept nogil:
    """log(1 + z) for z >= 0: FreeBSD's e_log.c and s_log1p.c, without their branches."""
    cdef vec k, u = z + splat[vec](&z, 1), one = splat[vec](&z, 1), f, lost, s, w, p, half
    lost = (z - (u - one)) / u
    if vec is vf:
        f = vf_split(u, &k) - one
        s = f / (one + one + f)
        w = s * s
        p = vf_splat(0.24279078841)
        p = p * w + vf_splat(0.28498786688)
        p = p * w + vf_splat(0.40000972152)
        p = (p * w + vf_splat(0.66666662693)) * w
        half = vf_splat(0.5) * f * f
        return k * vf_splat(0.693359375) - (
            (half - (s * (half + p) + (k * vf_splat(-2.1219444005469057e-4) + lost))) - f)
    else:
        f = vd_split(u, &k) - one
        s = f / (one + one + f)
        w = s * s
        p = vd_splat(1.479819860511658591e-01)
        p = p * w + vd_splat(1.531383769920937332e-01)
        p = p * w + vd_splat(1.818357216161805012e-01)
        p = p * w + vd_splat(2.222219843214978396e-01)
        p = p * w + vd_splat(2.857142874366239149e-01)
        p = p * w + vd_splat(3.999999999940941908e-01)
        p = (p * w + vd_splat(6.666666666666735130e-01)) * w
        half = vd_splat(0.5) * f * f
        return k * vd_splat(6.93147180369123816490e-01) - (
            (half - (s * (half + p) + (k * vd_splat(1.90821492927058770002e-10) + lost))) - f)
