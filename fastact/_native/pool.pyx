"""One parallel-for for all of fastact's CPU loops: elementwise ufuncs and softmax alike.

A call is cut into blocks; every thread begins with a share of them, which its caches may still hold from the last call,
and then takes blocks of the others' shares. The calling thread is one of them and never waits for a thread that has
not begun: where other processes keep the cores busy, a late helper finds the work done and the door closed.

Helpers are started by the first long call, look out for the next job for a moment and then sleep. Waking them costs the
caller as much as 10 us of work, so `worthwhile` asks for more work where they sleep, unless calls come one upon the
other. They are plain C threads that touch Python objects in `for_slabs`, and where a formula raises. They keep to the
CPU affinity of the thread that calls. One region at a time: a second Python thread runs its call serially. A forked
child has no helpers, and starts its own. `numba_for` runs the same blocks on Numba's threads (backends/parallel.py).

Cython files cimport `parallel_for`; Python files use the functions below through `_dispatch`.
"""

import os
from contextvars import copy_context

from cpython.exc cimport PyErr_Fetch, PyErr_NormalizeException, PyErr_Occurred, PyErr_Restore, PyErr_SetObject
from cpython.object cimport PyObject
from cpython.ref cimport Py_XDECREF
from libc.string cimport memset

include "arithmetic.pxi"

cdef extern from *:
    """
    #if PY_VERSION_HEX >= 0x030D0000
    #define fastact_finalizing Py_IsFinalizing
    #else
    #define fastact_finalizing _Py_IsFinalizing
    #endif
    """
    bint is_finalizing "fastact_finalizing"() noexcept nogil

cdef extern from "Python.h":
    ctypedef int GILState "PyGILState_STATE"
    GILState PyGILState_Ensure() nogil
    void PyGILState_Release(GILState state) nogil
    bint PyGILState_Check() nogil
    void* PyGILState_GetThisThreadState() nogil
    void* PyEval_SaveThread() nogil
    void PyEval_RestoreThread(void* thread) nogil

cdef extern from "pythread.h":
    ctypedef void* PyThread_type_lock
    unsigned long PyThread_start_new_thread(void (*function)(void*) noexcept nogil, void* argument)
    unsigned long PYTHREAD_INVALID_THREAD_ID
    PyThread_type_lock PyThread_allocate_lock()
    int PyThread_acquire_lock(PyThread_type_lock lock, int wait) noexcept nogil
    void PyThread_release_lock(PyThread_type_lock lock) noexcept nogil

cdef extern from *:
    """
    #if defined(_MSC_VER)
    #include <intrin.h>
    #include <windows.h>
    static __inline long fastact_load(volatile long* p) { return _InterlockedOr(p, 0); }
    static __inline long fastact_exchange(volatile long* p, long v) { return _InterlockedExchange(p, v); }
    static __inline long fastact_add(volatile long* p, long v) { return _InterlockedExchangeAdd(p, v); }
    static __inline int fastact_swap(volatile long* p, long from, long to) {
      return _InterlockedCompareExchange(p, to, from) == from;
    }
    static __inline Py_ssize_t fastact_take(Py_ssize_t* p, Py_ssize_t v) { return _InterlockedExchangeAdd64((__int64*)p, v); }
    static __inline void fastact_pause(void) { YieldProcessor(); }
    static __inline void fastact_yield(void) { SwitchToThread(); }
    static __inline double fastact_now(void) {
      LARGE_INTEGER count, frequency;
      QueryPerformanceCounter(&count); QueryPerformanceFrequency(&frequency);
      return 1e9 * (double)count.QuadPart / (double)frequency.QuadPart;
    }
    #else
    #include <sched.h>
    #include <time.h>
    static inline long fastact_load(volatile long* p) { return __atomic_load_n(p, __ATOMIC_SEQ_CST); }
    static inline long fastact_exchange(volatile long* p, long v) { return __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST); }
    static inline long fastact_add(volatile long* p, long v) { return __atomic_fetch_add(p, v, __ATOMIC_SEQ_CST); }
    static inline int fastact_swap(volatile long* p, long from, long to) {
      return __atomic_compare_exchange_n(p, &from, to, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    }
    static inline Py_ssize_t fastact_take(Py_ssize_t* p, Py_ssize_t v) { return __atomic_fetch_add(p, v, __ATOMIC_RELAXED); }
    static inline void fastact_pause(void) {
    #if defined(__x86_64__) || defined(__i386__)
      __builtin_ia32_pause();
    #elif defined(__aarch64__)
      __asm__ __volatile__("isb");
    #endif
    }
    static inline void fastact_yield(void) { sched_yield(); }
    static inline double fastact_now(void) {
      struct timespec t;
      clock_gettime(CLOCK_MONOTONIC, &t);
      return 1e9 * (double)t.tv_sec + (double)t.tv_nsec;
    }
    #endif
    """
    long load "fastact_load"(volatile long* p) noexcept nogil
    long exchange "fastact_exchange"(volatile long* p, long value) noexcept nogil
    long add "fastact_add"(volatile long* p, long value) noexcept nogil
    bint swap "fastact_swap"(volatile long* p, long old, long new) noexcept nogil
    Py_ssize_t take "fastact_take"(Py_ssize_t* p, Py_ssize_t value) noexcept nogil
    void pause "fastact_pause"() noexcept nogil
    void give_way "fastact_yield"() noexcept nogil
    double now "fastact_now"() noexcept nogil  # nanoseconds

cdef extern from *:
    """
    /* On which cores helpers run: on those of the thread that calls, as it is allowed them now. Linux wakes a thread where
       it last ran, though the caller may compute there now: it would wait for milliseconds, even while another core does
       nothing but spin. So a helper that is woken is sent to the other cores. */
    #if defined(__linux__)
    #include <sched.h>
    #include <sys/syscall.h>
    #include <unistd.h>
    typedef pid_t fastact_thread;
    typedef struct { pid_t thread; cpu_set_t allowed; volatile int core; } fastact_place;
    static __thread pid_t fastact_number = 0;
    static inline pid_t fastact_this_thread(void) {
      if (fastact_number == 0) fastact_number = (pid_t)syscall(SYS_gettid);
      return fastact_number;
    }
    static inline void fastact_forget_thread(void) { fastact_number = 0; }
    static inline int fastact_core(void) { return sched_getcpu(); }
    /* How many cores a thread may use; 0 if that cannot be told. */
    static inline int fastact_allowed(pid_t thread, cpu_set_t* cores) {
      return sched_getaffinity(thread, sizeof *cores, cores) == 0 ? CPU_COUNT(cores) : 0;
    }
    static inline int fastact_cores(void) { cpu_set_t cores; return fastact_allowed(0, &cores); }
    static inline void fastact_follow(fastact_place* place, pid_t caller) {
      cpu_set_t cores;
      if (fastact_allowed(caller, &cores) == 0 || CPU_EQUAL(&cores, &place->allowed)) return;
      if (sched_setaffinity(place->thread, sizeof cores, &cores) == 0) place->allowed = cores;
    }
    static inline void fastact_arrive(fastact_place* place) {
      place->thread = (pid_t)syscall(SYS_gettid);
      if (fastact_allowed(0, &place->allowed) == 0) CPU_ZERO(&place->allowed);
    }
    static inline void fastact_wake_place(fastact_place* place, pid_t caller, int core) {
      cpu_set_t others;
      fastact_follow(place, caller);
      others = place->allowed;
      if (place->core != core || core < 0 || core >= CPU_SETSIZE) return;
      CPU_CLR(core, &others);
      if (CPU_COUNT(&others) > 0) sched_setaffinity(place->thread, sizeof others, &others);
    }
    #else
    typedef int fastact_thread;
    typedef struct { int core; } fastact_place;
    static inline int fastact_this_thread(void) { return 0; }
    static inline void fastact_forget_thread(void) {}
    static inline int fastact_core(void) { return 0; }
    static inline int fastact_cores(void) { return 0; }
    static inline void fastact_follow(fastact_place* place, int caller) {}
    static inline void fastact_arrive(fastact_place* place) {}
    static inline void fastact_wake_place(fastact_place* place, int caller, int core) {}
    #endif
    """
    ctypedef int Thread "fastact_thread"
    ctypedef struct Place "fastact_place":
        int core
    Thread this_thread "fastact_this_thread"() noexcept nogil
    void forget_thread "fastact_forget_thread"() noexcept nogil
    int current_core "fastact_core"() noexcept nogil
    int cores_allowed "fastact_cores"() noexcept nogil
    void arrive "fastact_arrive"(Place* place) noexcept nogil
    void follow "fastact_follow"(Place* place, Thread caller) noexcept nogil
    void wake_place "fastact_wake_place"(Place* place, Thread caller, int core) noexcept nogil

ctypedef void (*launcher_t)(Py_ssize_t workers, void* function, void* argument) noexcept nogil

cdef enum:
    MOST_WORKERS = 256
    ALIGNMENT = 64        # items, so that shares of elements begin with a cache line
    SHUT = -(1 << 30)     # added to `door`: nobody may enter any more
    PATIENCE = 2000       # looks for helpers amid a block before the caller lets others run
    LOOKOUT = 50000       # nanoseconds for which a helper looks out for the next job before it sleeps
    FOLLOW = 100000       # nanoseconds after which a helper that is awake asks again where the caller may run, which takes 300

#: Nanoseconds of one thread's work from which several are faster: where helpers are awake, where they must be woken.
FROM_AWAKE, FROM_ASLEEP = 2500, 35000
cdef double from_awake = FROM_AWAKE, from_asleep = FROM_ASLEEP

cdef struct Job:
    task_t task
    void* context
    Py_ssize_t n
    Py_ssize_t grain
    Py_ssize_t share                # elements of a worker's own share
    Py_ssize_t workers
    Thread caller
    PyObject* error                 # the first exception of a thread that is not Python's, until the caller raises it
    Py_ssize_t next[MOST_WORKERS]   # where each share goes on

cdef struct Helper:
    PyThread_type_lock bell         # held by nobody; a helper sleeps by acquiring it
    volatile long asleep
    Place place

cdef Job job                          # of the region that is open
cdef Helper helpers[MOST_WORKERS]     # by worker; 0 is the caller and has none
cdef int started = 0                  # helpers that run
cdef volatile long region = 0         # 1 while a thread has a parallel region
cdef volatile long number = 0         # of the newest job
cdef volatile long door = SHUT        # helpers at work in the job; negative once it is shut
cdef double soon = 0                  # a call before this time comes right upon one that was done alone

cdef int workers_wanted = 1
cdef bint overbooked = False          # more threads were asked for than there were cores
cdef launcher_t launcher = NULL
compile_launcher = None               # set once by _dispatch.py: () -> address of backends/parallel.py's loop
numba_refused = None                  # why Numba's threads cannot be used, once that is known


cdef void work(Job* job, Py_ssize_t worker) noexcept nogil:
    cdef Py_ssize_t i, share, start, stop
    cdef Mode callers
    enter_standard(&callers)
    for i in range(job.workers):
        share = (worker + i) % job.workers
        stop = min((share + 1) * job.share, job.n)
        start = take(&job.next[share], job.grain)
        while start < stop:
            job.task(job.context, start, min(start + job.grain, stop))
            start = take(&job.next[share], job.grain)
    leave_standard(&callers)


cdef void prepare(task_t task, void* context, Py_ssize_t n, Py_ssize_t grain, int workers) noexcept nogil:
    cdef Py_ssize_t i
    job.task, job.context, job.n, job.grain, job.error = task, context, n, grain, NULL
    job.workers = min(<Py_ssize_t>workers, (n + grain - 1) // grain)
    job.share = (n + job.workers - 1) // job.workers
    if n > ALIGNMENT * job.workers:
        job.share = (job.share + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT
    for i in range(job.workers):
        job.next[i] = i * job.share


cdef int default_workers() noexcept nogil:
    return workers_wanted


# --- fastact's own threads -------------------------------------------------------------------------------------------


cdef bint enter() noexcept nogil:
    """Go through the door, unless it is shut."""
    cdef long inside = load(&door)
    while inside >= 0:
        if swap(&door, inside, inside + 1):
            return True
        inside = load(&door)
    return False


cdef void help(void* argument) noexcept nogil:
    """The life of a helper: wait for a job, work on it, wait for the next."""
    cdef Py_ssize_t worker = <Py_ssize_t>argument
    cdef Helper* self = &helpers[worker]
    cdef long seen = 0
    cdef double time = now(), followed = time, end
    cdef int i
    arrive(&self.place)
    while True:
        time = now()
        end = time + LOOKOUT
        while True:
            if time > followed + FOLLOW:
                follow(&self.place, job.caller)
                followed = time
            if load(&number) != seen or time >= end:
                break
            for i in range(16):
                pause()
            time = now()
        if load(&number) == seen:
            self.place.core = current_core()
            exchange(&self.asleep, 1)
            # A job that came just now has either seen that this helper sleeps, and rings, or is seen here.
            if load(&number) == seen or not swap(&self.asleep, 1, 0):
                PyThread_acquire_lock(self.bell, 1)
        seen = load(&number)
        if enter():
            if worker < job.workers:
                work(&job, worker)
            add(&door, -1)


cdef bint worthwhile(double nanoseconds) noexcept nogil:
    """Whether a call that takes one thread so long is faster on several.

    Of short calls one upon the other the first finds the helpers asleep, and leaves them so; the second wakes them.
    """
    if nanoseconds < from_awake or workers_wanted < 2:
        return False
    return nanoseconds >= from_asleep or (started > 0 and not load(&helpers[1].asleep)) or now() < soon


cdef void done_alone(double nanoseconds) noexcept nogil:
    """Note the end of a call that was not `worthwhile`."""
    global soon
    if nanoseconds >= from_awake:
        soon = now() + LOOKOUT


cdef int start_helpers(int wanted) noexcept with gil:
    """Start helpers until `wanted` run; how many run now."""
    global started
    while started < wanted:
        helpers[started + 1].asleep = 0
        helpers[started + 1].bell = PyThread_allocate_lock()
        if helpers[started + 1].bell == NULL:
            break
        PyThread_acquire_lock(helpers[started + 1].bell, 1)
        if PyThread_start_new_thread(help, <void*><Py_ssize_t>(started + 1)) == PYTHREAD_INVALID_THREAD_ID:
            break
        started += 1
    return started


cdef void parallel_for(task_t task, void* context, Py_ssize_t n, Py_ssize_t grain, int workers) noexcept nogil:
    """Call task(context, start, stop) over blocks of `grain` that cover range(n), on up to `workers` threads."""
    cdef Py_ssize_t i
    cdef int looks = 0, core
    cdef void* python = NULL
    workers = min(workers, MOST_WORKERS)
    if workers < 2 or n <= grain or not open_region():
        task(context, 0, n)
        return
    job.caller = this_thread()
    if started < 1 or load(&helpers[1].asleep):
        workers = within_cores(workers)
        if workers < 2:
            exchange(&region, 0)
            task(context, 0, n)
            return
    if started < workers - 1:
        workers = start_helpers(workers - 1) + 1
    prepare(task, context, n, grain, workers)
    exchange(&door, 0)
    add(&number, 1)
    core = current_core()
    for i in range(1, job.workers):
        if swap(&helpers[i].asleep, 1, 0):
            wake_place(&helpers[i].place, job.caller, core)
            PyThread_release_lock(helpers[i].bell)
    work(&job, 0)
    add(&door, SHUT)
    while load(&door) != SHUT:
        looks += 1
        if looks < PATIENCE:
            pause()
            continue
        if python == NULL and PyGILState_Check():  # a helper may want to raise what its formula raised
            python = PyEval_SaveThread()
        give_way()
    if python != NULL:
        PyEval_RestoreThread(python)
    raise_for_helpers()
    exchange(&region, 0)


cdef bint open_region() noexcept nogil:
    """Whether this call may use several threads. Not while Python ends: a thread that then asks for the GIL ends too."""
    return not is_finalizing() and swap(&region, 0, 1)


cdef int within_cores(int workers) noexcept nogil:
    """Limit the workers to the cores that the caller may run on now, unless the user asked for more threads than cores."""
    cdef int cores = 0 if overbooked else cores_allowed()
    return min(workers, cores) if cores > 0 else workers


# --- what a thread raises --------------------------------------------------------------------------------------------


cdef size_t enter_python() noexcept nogil:
    """Get the GIL for a kernel whose formula raises. The result is for `leave_python`."""
    cdef bint foreign = PyGILState_GetThisThreadState() == NULL
    return <size_t>PyGILState_Ensure() << 1 | foreign


cdef void leave_python(size_t entered, const char* name) noexcept nogil:
    """Leave the exception to the caller, by way of the job if Python did not start this thread. Give the GIL back."""
    note_formula(name)
    if entered & 1:
        hand_over()
    PyGILState_Release(<GILState>(entered >> 1))


cdef void note_formula(const char* name) noexcept with gil:
    """Say in the exception whose formula raised it."""
    cdef PyObject *kind, *value, *traceback
    PyErr_Fetch(&kind, &value, &traceback)
    PyErr_NormalizeException(&kind, &value, &traceback)
    if value != NULL:
        try:
            (<object>value).add_note(f"raised by the formula of {name.decode()}")
        except Exception:
            pass
    PyErr_Restore(kind, value, traceback)


cdef void hand_over() noexcept with gil:
    """Move the exception of this thread, which ends here, to the job."""
    cdef PyObject *kind, *value, *traceback
    PyErr_Fetch(&kind, &value, &traceback)
    PyErr_NormalizeException(&kind, &value, &traceback)
    if value != NULL and traceback != NULL:
        (<object>value).__traceback__ = <object>traceback
    Py_XDECREF(kind)
    Py_XDECREF(traceback)
    if job.error == NULL:
        job.error = value
    else:
        Py_XDECREF(value)


cdef void raise_for_helpers() noexcept nogil:
    if job.error != NULL:
        take_over()


cdef void take_over() noexcept with gil:
    """Set the exception of the job in the calling thread, as a formula that raised there would."""
    cdef PyObject* error = job.error
    job.error = NULL
    if not PyErr_Occurred():
        PyErr_SetObject(type(<object>error), <object>error)
    Py_XDECREF(error)


def raising_functions():
    """The addresses of `size_t enter_python(void)` and `void leave_python(size_t, const char *name)`, for kernels."""
    return <size_t>&enter_python, <size_t>&leave_python


# --- Python functions ------------------------------------------------------------------------------------------------


cdef class standard_mode:
    """A context in which this thread rounds to nearest and flushes nothing, as _arithmetic.pxi has it for kernels."""

    cdef Mode callers

    def __enter__(self):
        enter_standard(&self.callers)

    def __exit__(self, *error):
        leave_standard(&self.callers)


cdef void call_slab(void* context, Py_ssize_t start, Py_ssize_t stop) noexcept with gil:
    cdef list job = <list>context
    try:
        job[1].copy().run(job[0], start, stop)
    except BaseException as error:
        job.append(error)


def for_slabs(function, Py_ssize_t n, Py_ssize_t grain, bint numba=False):
    """Call the Python function(start, stop), which is to release the GIL, over blocks of `grain` that cover range(n).

    On fastact's own threads, or on Numba's; in the caller's context, of which np.errstate is a part.
    """
    cdef list job = [function, copy_context()]
    cdef void* context = <void*>job
    with nogil:
        if numba:
            numba_for(call_slab, context, n, grain, default_workers())
        else:
            parallel_for(call_slab, context, n, grain, default_workers())
    if len(job) > 2:
        raise job[2]


# --- Numba's threads -------------------------------------------------------------------------------------------------


cdef void find_launcher() noexcept with gil:
    global launcher, numba_refused
    try:
        launcher = <launcher_t><size_t>compile_launcher()
    except Exception as error:
        numba_refused = f"Numba's threads cannot be started ({' '.join(str(error).split())}); let the backend be 'threads'"


cdef void numba_for(task_t task, void* context, Py_ssize_t n, Py_ssize_t grain, int workers) noexcept nogil:
    """`parallel_for` on Numba's threads, which backends/parallel.py has seen to be there; never two at a time, which
    aborts under workqueue."""
    cdef void* python
    workers = min(workers, MOST_WORKERS)
    if workers < 2 or n <= grain or launcher == NULL or not open_region():
        task(context, 0, n)
        return
    prepare(task, context, n, grain, workers)
    python = PyEval_SaveThread() if PyGILState_Check() else NULL  # as in `parallel_for`
    launcher(job.workers, <void*>&work, &job)
    if python != NULL:
        PyEval_RestoreThread(python)
    raise_for_helpers()
    exchange(&region, 0)


def set_num_threads(int n):
    global workers_wanted, overbooked
    workers_wanted = n
    overbooked = n > cores_allowed() > 0


def get_num_threads():
    return workers_wanted


def numba_refusal(bint start=False):
    """Why this process cannot use Numba's threads; None if it can, or if that is not known before they `start`."""
    if start and numba_refused is None and launcher == NULL:
        find_launcher()
    return numba_refused


def _forget_threads():
    """In a forked child: no thread but the calling one came along."""
    global started, region, number, door, launcher, numba_refused
    started, region, number, door, launcher = 0, 0, 0, SHUT, NULL
    numba_refused = "Numba's threads do not survive a fork; let the backend be 'threads'"
    memset(helpers, 0, sizeof(helpers))
    forget_thread()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_threads)
