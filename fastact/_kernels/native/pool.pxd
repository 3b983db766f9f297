# What other Cython files of fastact may use of pool.pyx.

ctypedef void (*task_t)(void* context, Py_ssize_t start, Py_ssize_t stop) noexcept nogil

cdef void parallel_for(task_t task, void* context, Py_ssize_t n, Py_ssize_t grain, int workers) noexcept nogil
cdef void numba_for(task_t task, void* context, Py_ssize_t n, Py_ssize_t grain, int workers) noexcept nogil
cdef int default_workers() noexcept nogil
cdef bint worthwhile(double nanoseconds) noexcept nogil
cdef void done_alone(double nanoseconds) noexcept nogil
cdef double now() noexcept nogil
cdef long errors_raised() noexcept nogil
