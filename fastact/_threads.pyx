"""One parallel-for for all of fastact's CPU loops: elementwise ufuncs and softmax alike.

The threads are Numba's (backends/parallel.py compiles the `prange` that starts them); this file decides when
they may be used, and hands out the work in blocks. Rules, each of which a threading layer would otherwise break:

- one parallel region at a time: a second Python thread runs its call serially (workqueue aborts the process on
  concurrent regions, and two regions on the same cores gain nothing);
- never in a forked child: GNU OpenMP kills or hangs there, so children run serially;
- each thread begins with a fixed share, which its caches may still hold from the last call, and then takes blocks of
  the others' shares: a core that is busy elsewhere delays a call by one block at most.

Cython files cimport `parallel_for`; Python files use the functions below through `_dispatch`.
"""

import os

cdef extern from *:
    """
    #if defined(_MSC_VER)
    #include <intrin.h>
    static __inline Py_ssize_t fastact_fetch_add(Py_ssize_t* p, Py_ssize_t v) { return _InterlockedExchangeAdd64((__int64*)p, v); }
    static __inline int fastact_try_lock(int* p) { return _InterlockedExchange((long*)p, 1) == 0; }
    static __inline void fastact_unlock(int* p) { _InterlockedExchange((long*)p, 0); }
    #else
    static inline Py_ssize_t fastact_fetch_add(Py_ssize_t* p, Py_ssize_t v) { return __atomic_fetch_add(p, v, __ATOMIC_RELAXED); }
    static inline int fastact_try_lock(int* p) { return __atomic_exchange_n(p, 1, __ATOMIC_ACQUIRE) == 0; }
    static inline void fastact_unlock(int* p) { __atomic_store_n(p, 0, __ATOMIC_RELEASE); }
    #endif
    """
    Py_ssize_t fetch_add "fastact_fetch_add"(Py_ssize_t* p, Py_ssize_t v) noexcept nogil
    int try_lock "fastact_try_lock"(int* p) noexcept nogil
    void unlock "fastact_unlock"(int* p) noexcept nogil

ctypedef void (*launcher_t)(Py_ssize_t workers, void* function, void* argument) noexcept nogil

cdef enum:
    MOST_WORKERS = 256
    ALIGNMENT = 64  # items, so that shares of elements begin with a cache line

cdef struct Job:
    task_t task
    void* context
    Py_ssize_t n
    Py_ssize_t grain
    Py_ssize_t share                # elements of a worker's own share
    Py_ssize_t workers
    Py_ssize_t next[MOST_WORKERS]   # where each share goes on

cdef int region_lock = 0
cdef int usable = 1          # 0 in a forked child, and where no launcher could be compiled
cdef int workers_wanted = 1
cdef launcher_t launcher = NULL
compile_launcher = None      # set once by backends/parallel.py: () -> address


cdef void work(Job* job, Py_ssize_t worker) noexcept nogil:
    cdef Py_ssize_t i, share, start, stop
    for i in range(job.workers):
        share = (worker + i) % job.workers
        stop = min((share + 1) * job.share, job.n)
        start = fetch_add(&job.next[share], job.grain)
        while start < stop:
            job.task(job.context, start, min(start + job.grain, stop))
            start = fetch_add(&job.next[share], job.grain)


cdef int default_workers() noexcept nogil:
    return workers_wanted


cdef void find_launcher() noexcept with gil:
    global launcher, usable
    try:
        launcher = <launcher_t><size_t>compile_launcher()
    except Exception as error:
        import warnings
        usable = 0
        warnings.warn(f"fastact runs on one thread: the parallel loop cannot be compiled ({error})", RuntimeWarning)


cdef void parallel_for(task_t task, void* context, Py_ssize_t n, Py_ssize_t grain, int workers) noexcept nogil:
    """Call task(context, start, stop) over blocks of `grain` that cover range(n), on up to `workers` threads."""
    cdef Job job
    cdef Py_ssize_t i
    if workers < 2 or n <= grain or not usable or not try_lock(&region_lock):
        task(context, 0, n)
        return
    if launcher == NULL:
        find_launcher()
    if launcher == NULL:
        task(context, 0, n)
    else:
        job.task, job.context, job.n, job.grain = task, context, n, grain
        job.workers = min(min(<Py_ssize_t>workers, (n + grain - 1) // grain), MOST_WORKERS)
        job.share = (n + job.workers - 1) // job.workers
        job.share = (job.share + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT if n > ALIGNMENT * job.workers else job.share
        for i in range(job.workers):
            job.next[i] = i * job.share
        launcher(job.workers, <void*>&work, &job)
    unlock(&region_lock)


def set_num_threads(int n):
    global workers_wanted
    workers_wanted = n


def get_num_threads():
    return workers_wanted


def available():
    """Whether this process may use threads: False in a forked child."""
    return bool(usable)


def _serial_from_now_on():
    global usable
    usable = 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_serial_from_now_on)
