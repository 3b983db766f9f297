# Set the floating-point unit to the mode that kernels need, whatever mode the calling thread has set.
#
# A caller may flush subnormals to zero, round downwards or trap, but the kernels' error bounds hold for IEEE's
# defaults. So a call notes the caller's mode, computes in the default one, and restores the noted one with its
# exception flags: kernels compare and select, which may raise "invalid" for a NaN that is only passed on. That costs 1
# ns where the mode is the default already. Every extension that computes includes this file, and each thread of a call
# sets its own mode.

cdef extern from *:
    """
    #if defined(__SSE2__) || defined(_M_X64)
    #include <xmmintrin.h>
    typedef unsigned int fastact_mode;
    static inline void fastact_enter(fastact_mode* callers) {
      *callers = _mm_getcsr();
      if ((*callers & 0xffc0) != 0x1f80) _mm_setcsr(0x1f80); /* all but the flags: nearest, no trap, nothing flushed */
    }
    static inline void fastact_leave(const fastact_mode* callers) { _mm_setcsr(*callers); }
    #else
    #include <fenv.h>
    typedef fenv_t fastact_mode;
    static inline void fastact_enter(fastact_mode* callers) { fegetenv(callers); fesetenv(FE_DFL_ENV); }
    static inline void fastact_leave(const fastact_mode* callers) { fesetenv(callers); }
    #endif
    """
    ctypedef struct Mode "fastact_mode":
        pass
    void enter_standard "fastact_enter"(Mode* callers) noexcept nogil
    void leave_standard "fastact_leave"(const Mode* callers) noexcept nogil
