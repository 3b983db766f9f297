# Atomic loads and stores of what threads share, for GCC and clang, and for MSVC.
#
# Sequentially consistent but for counters and times, which order nothing else: a load costs an ordinary one on x86-64.

cdef extern from *:
    """
    typedef void* volatile fastact_shared;
    #if defined(_MSC_VER)
    #include <intrin.h>
    static __inline long fastact_load(volatile long* p) { return _InterlockedOr(p, 0); }
    static __inline long fastact_exchange(volatile long* p, long v) { return _InterlockedExchange(p, v); }
    static __inline long fastact_fetch_add(volatile long* p, long v) { return _InterlockedExchangeAdd(p, v); }
    static __inline int fastact_compare_exchange(volatile long* p, long from, long to) {
      return _InterlockedCompareExchange(p, to, from) == from;
    }
    static __inline void* fastact_load_pointer(fastact_shared* p) {
      return _InterlockedCompareExchangePointer(p, NULL, NULL);
    }
    static __inline void* fastact_exchange_pointer(fastact_shared* p, void* v) {
      return _InterlockedExchangePointer(p, v);
    }
    static __inline int fastact_offer_pointer(fastact_shared* p, void* v) {
      return _InterlockedCompareExchangePointer(p, v, NULL) == NULL;
    }
    static __inline Py_ssize_t fastact_take(volatile Py_ssize_t* p, Py_ssize_t v) {
      return _InterlockedExchangeAdd64((volatile __int64*)p, v);
    }
    static __inline double fastact_load_time(volatile double* p) { return *p; } /* eight bytes are not torn */
    static __inline void fastact_store_time(volatile double* p, double v) { *p = v; }
    #else
    static inline long fastact_load(volatile long* p) { return __atomic_load_n(p, __ATOMIC_SEQ_CST); }
    static inline long fastact_exchange(volatile long* p, long v) {
      return __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST);
    }
    static inline long fastact_fetch_add(volatile long* p, long v) {
      return __atomic_fetch_add(p, v, __ATOMIC_SEQ_CST);
    }
    static inline int fastact_compare_exchange(volatile long* p, long from, long to) {
      return __atomic_compare_exchange_n(p, &from, to, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    }
    static inline void* fastact_load_pointer(fastact_shared* p) { return __atomic_load_n(p, __ATOMIC_SEQ_CST); }
    static inline void* fastact_exchange_pointer(fastact_shared* p, void* v) {
      return __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST);
    }
    static inline int fastact_offer_pointer(fastact_shared* p, void* v) {
      void* none = NULL;
      return __atomic_compare_exchange_n(p, &none, v, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    }
    static inline Py_ssize_t fastact_take(volatile Py_ssize_t* p, Py_ssize_t v) {
      return __atomic_fetch_add(p, v, __ATOMIC_RELAXED);
    }
    static inline double fastact_load_time(volatile double* p) {
      double v;
      __atomic_load(p, &v, __ATOMIC_RELAXED);
      return v;
    }
    static inline void fastact_store_time(volatile double* p, double v) { __atomic_store(p, &v, __ATOMIC_RELAXED); }
    #endif
    """
    ctypedef void* Shared "fastact_shared"
    long load "fastact_load"(volatile long* p) noexcept nogil
    long exchange "fastact_exchange"(volatile long* p, long value) noexcept nogil
    long fetch_add "fastact_fetch_add"(volatile long* p, long value) noexcept nogil
    bint compare_exchange "fastact_compare_exchange"(volatile long* p, long old, long new) noexcept nogil
    void* load_pointer "fastact_load_pointer"(Shared* p) noexcept nogil
    void* exchange_pointer "fastact_exchange_pointer"(Shared* p, void* value) noexcept nogil
    bint offer_pointer "fastact_offer_pointer"(Shared* p, void* value) noexcept nogil  # where p holds NULL
    Py_ssize_t take "fastact_take"(volatile Py_ssize_t* p, Py_ssize_t value) noexcept nogil
    double load_time "fastact_load_time"(volatile double* p) noexcept nogil
    void store_time "fastact_store_time"(volatile double* p, double value) noexcept nogil
