# cython: freethreading_compatible=True
"""One parallel-for for all of fastact's CPU loops: elementwise ufuncs and softmax alike.

A call is cut into blocks. Every thread begins with its own share of them, which its caches may still hold from the last
call, and then takes blocks from the shares of others. The calling thread takes part, and never waits for a thread that
has not begun: where other processes keep the cores busy, a late helper finds the work done and the door shut.

The first long call starts the helpers. A helper looks out for the next region for a moment, then for a longer while in
which it yields its core to others, and then sleeps. Waking helpers costs the caller as much as 10 us of work, so
`worthwhile` asks for more work where they sleep, unless calls follow each other closely. Helpers are plain C threads.
They touch Python objects only in `for_slabs` and where a formula raises, and keep to the CPU affinity of the calling
thread. Only one region is open at a time: a second Python thread runs its call alone. A forked child has no helpers,
and starts its own. `numba_for` runs the same blocks on Numba's threads.

Free threading: nothing here relies on the GIL, which most of this file runs without on any build. `occupied` gives one
thread the region, which it alone fills in and whose helpers it alone starts; `door` and `number` publish the region to
the helpers. Threads share the other variables by atomic loads and stores, or write them once, before anybody reads
them.
"""

import os
from contextvars import copy_context

from cpython.exc cimport PyErr_Fetch, PyErr_NormalizeException, PyErr_Occurred, PyErr_Restore, PyErr_SetObject
from cpython.object cimport PyObject
from cpython.ref cimport Py_XDECREF
from libc.string cimport memset

include "arithmetic.pxi"
include "atomics.pxi"

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
    #include <windows.h>
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
    void pause "fastact_pause"() noexcept nogil
    void give_way "fastact_yield"() noexcept nogil
    double monotonic "fastact_now"() noexcept nogil

cdef extern from *:
    """
    /* The cores that helpers run on: those that the calling thread may use now. Linux wakes a thread where it last ran.
       The caller may compute there now, and the helper would wait for milliseconds, even while another core does
       nothing but spin. So whoever wakes a helper sends it to the other cores. */
    #if defined(__linux__)
    #include <sched.h>
    #include <sys/syscall.h>
    #include <unistd.h>
    typedef pid_t fastact_thread;
    typedef struct { pid_t thread; cpu_set_t allowed; volatile int core; } fastact_affinity;
    static __thread pid_t fastact_number = 0;
    static inline pid_t fastact_this_thread(void) {
      if (fastact_number == 0) fastact_number = (pid_t)syscall(SYS_gettid);
      return fastact_number;
    }
    static inline void fastact_forget_thread(void) { fastact_number = 0; }
    static inline int fastact_core(void) { return sched_getcpu(); }
    /* The number of cores that a thread may use; 0 if the system does not tell. */
    static inline int fastact_allowed(pid_t thread, cpu_set_t* cores) {
      return sched_getaffinity(thread, sizeof *cores, cores) == 0 ? CPU_COUNT(cores) : 0;
    }
    static inline int fastact_cores(void) { cpu_set_t cores; return fastact_allowed(0, &cores); }
    static inline void fastact_follow(fastact_affinity* affinity, pid_t caller) {
      cpu_set_t cores;
      if (fastact_allowed(caller, &cores) == 0 || CPU_EQUAL(&cores, &affinity->allowed)) return;
      if (sched_setaffinity(affinity->thread, sizeof cores, &cores) == 0) affinity->allowed = cores;
    }
    static inline void fastact_arrive(fastact_affinity* affinity) {
      affinity->thread = (pid_t)syscall(SYS_gettid);
      if (fastact_allowed(0, &affinity->allowed) == 0) CPU_ZERO(&affinity->allowed);
    }
    static inline void fastact_wake_elsewhere(fastact_affinity* affinity, pid_t caller, int core) {
      cpu_set_t others;
      fastact_follow(affinity, caller);
      others = affinity->allowed;
      if (affinity->core != core || core < 0 || core >= CPU_SETSIZE) return;
      CPU_CLR(core, &others);
      if (CPU_COUNT(&others) > 0) sched_setaffinity(affinity->thread, sizeof others, &others);
    }
    #else
    typedef int fastact_thread;
    typedef struct { int core; } fastact_affinity;
    static inline int fastact_this_thread(void) { return 0; }
    static inline void fastact_forget_thread(void) {}
    static inline int fastact_core(void) { return 0; }
    static inline int fastact_cores(void) { return 0; }
    static inline void fastact_follow(fastact_affinity* affinity, int caller) {}
    static inline void fastact_arrive(fastact_affinity* affinity) {}
    static inline void fastact_wake_elsewhere(fastact_affinity* affinity, int caller, int core) {}
    #endif
    """
    ctypedef int ThreadId "fastact_thread"
    ctypedef struct Affinity "fastact_affinity":
        int core
    ThreadId this_thread "fastact_this_thread"() noexcept nogil
    void forget_thread "fastact_forget_thread"() noexcept nogil
    int current_core "fastact_core"() noexcept nogil
    int cores_allowed "fastact_cores"() noexcept nogil
    void arrive "fastact_arrive"(Affinity* affinity) noexcept nogil
    void follow "fastact_follow"(Affinity* affinity, ThreadId caller) noexcept nogil
    void wake_elsewhere "fastact_wake_elsewhere"(Affinity* affinity, ThreadId caller, int core) noexcept nogil

ctypedef void (*launcher_t)(Py_ssize_t workers, void* function, void* argument) noexcept nogil

cdef enum:
    MOST_WORKERS = 256
    SHARE_UNIT = 64       # items, so that shares of elements begin with a cache line
    SHUT = -(1 << 30)     # added to `door`: nobody may enter any more
    PATIENCE = 2000       # looks at helpers that finish their last block, before the caller lets others run
    LOOKOUT = 50000       # nanoseconds for which an idle helper looks out for the next region and keeps its core
    PATIENT_LOOKOUT = 500000  # nanoseconds after which it sleeps; in between, it yields its core to others
    FOLLOW = 100000       # nanoseconds after which an awake helper asks again where the caller may run, which takes 300

#: Nanoseconds of one thread's work from which several threads are faster: with helpers awake, and with helpers asleep.
FROM_AWAKE, FROM_ASLEEP = 2500, 35000
cdef double from_awake = FROM_AWAKE, from_asleep = FROM_ASLEEP

cdef struct Region:
    task_t task
    void* context
    Py_ssize_t n
    Py_ssize_t grain
    Py_ssize_t share                # elements of a worker's own share
    Py_ssize_t workers
    Shared error                    # the first exception, a PyObject*, of a foreign thread; the caller raises it
    Py_ssize_t next[MOST_WORKERS]   # the next element of each share

cdef struct Helper:
    PyThread_type_lock bell         # held by nobody; a helper sleeps by acquiring it
    volatile long asleep
    Affinity affinity

cdef Region region                    # the one that is open; there is one at a time
cdef Helper helpers[MOST_WORKERS]     # by worker; worker 0 is the caller, and no helper
cdef volatile long started = 0        # the number of helpers that run
cdef volatile long occupied = 0       # 1 while a thread has the region
cdef volatile long number = 0         # of the newest region
cdef volatile long caller = 0         # the thread that opened it, which awake helpers look up at any time
cdef volatile long door = SHUT        # the number of helpers at work in the region; negative once it is shut
cdef volatile double soon = 0         # a call before this time closely follows one that was done alone

cdef volatile long workers_wanted = 1
cdef volatile long overbooked = 0     # 1 if the user asked for more threads than there were cores
cdef volatile long raised = 0         # exceptions of formulas, in all threads
cdef launcher_t launcher = NULL       # any that was compiled stays alive, so a race to set it is harmless
compile_launcher = None               # () -> address of a `launcher_t` for Numba's threads; set once, at import
numba_refused = None                  # why Numba's threads cannot be used, once that is known


cdef double now() noexcept nogil:
    """Return the nanoseconds since some time in the past."""
    return monotonic()


cdef void work(Region* region, Py_ssize_t worker) noexcept nogil:
    """Do one worker's part: its own share, then what is left of the others'."""
    cdef Py_ssize_t i, share, start, stop
    cdef Mode callers
    enter_standard(&callers)
    for i in range(region.workers):
        share = (worker + i) % region.workers
        stop = min((share + 1) * region.share, region.n)
        start = take(&region.next[share], region.grain)
        while start < stop:
            region.task(region.context, start, min(start + region.grain, stop))
            start = take(&region.next[share], region.grain)
    leave_standard(&callers)


cdef void prepare(task_t task, void* context, Py_ssize_t n, Py_ssize_t grain, int workers) noexcept nogil:
    """Fill in the region and cut range(n) into one share for each worker."""
    cdef Py_ssize_t i
    region.task, region.context, region.n, region.grain, region.error = task, context, n, grain, NULL
    region.workers = min(<Py_ssize_t>workers, (n + grain - 1) // grain)
    region.share = (n + region.workers - 1) // region.workers
    if n > SHARE_UNIT * region.workers:
        region.share = (region.share + SHARE_UNIT - 1) // SHARE_UNIT * SHARE_UNIT
    for i in range(region.workers):
        region.next[i] = i * region.share


cdef int default_workers() noexcept nogil:
    """Return the number of threads that the user wants, or that fit the cores."""
    return <int>load(&workers_wanted)


# --- fastact's own threads -------------------------------------------------------------------------------------------


cdef bint enter() noexcept nogil:
    """Go through the door; return False if it is shut."""
    cdef long inside = load(&door)
    while inside >= 0:
        if compare_exchange(&door, inside, inside + 1):
            return True
        inside = load(&door)
    return False


cdef void help(void* argument) noexcept nogil:
    """Live as a helper: wait for a region, work in it, wait for the next one."""
    cdef Py_ssize_t worker = <Py_ssize_t>argument
    cdef Helper* self = &helpers[worker]
    cdef long seen = 0
    cdef double time = now(), followed = time, begin
    arrive(&self.affinity)
    while True:
        begin = time = now()
        while True:
            if time > followed + FOLLOW:
                follow(&self.affinity, <ThreadId>load(&caller))
                followed = time
            if load(&number) != seen or time >= begin + PATIENT_LOOKOUT:
                break
            if time >= begin + LOOKOUT:
                give_way()
            else:
                for _ in range(16):
                    pause()
            time = now()
        if load(&number) == seen:
            self.affinity.core = current_core()
            exchange(&self.asleep, 1)
            # Whoever opened a region just now has seen that this helper sleeps, and rings; or the helper sees it here.
            if load(&number) == seen or not compare_exchange(&self.asleep, 1, 0):
                PyThread_acquire_lock(self.bell, 1)
        seen = load(&number)
        if enter():
            if worker < region.workers:
                work(&region, worker)
            fetch_add(&door, -1)


cdef bint worthwhile(double nanoseconds) noexcept nogil:
    """Say whether several threads do faster what takes one thread so long.

    The first of several short calls in close succession finds the helpers asleep, and leaves them so; the second wakes
    them.
    """
    if nanoseconds < from_awake or load(&workers_wanted) < 2:
        return False
    if nanoseconds >= from_asleep or (load(&started) > 0 and not load(&helpers[1].asleep)):
        return True
    return now() < load_time(&soon)


cdef void done_alone(double nanoseconds) noexcept nogil:
    """Note the end of a call that was not `worthwhile`."""
    if nanoseconds >= from_awake:
        store_time(&soon, now() + LOOKOUT)


cdef int start_helpers(int wanted) noexcept with gil:
    """Start helpers until `wanted` run, and return how many run now. The caller has the region."""
    cdef long worker = load(&started) + 1
    while worker <= wanted:
        helpers[worker].asleep = 0
        helpers[worker].bell = PyThread_allocate_lock()
        if helpers[worker].bell == NULL:
            break
        PyThread_acquire_lock(helpers[worker].bell, 1)
        if PyThread_start_new_thread(help, <void*><Py_ssize_t>worker) == PYTHREAD_INVALID_THREAD_ID:
            break
        exchange(&started, worker)
        worker += 1
    return <int>worker - 1


cdef void parallel_for(task_t task, void* context, Py_ssize_t n, Py_ssize_t grain, int workers) noexcept nogil:
    """Call task(context, start, stop) over blocks of `grain` that cover range(n), on up to `workers` threads."""
    cdef Py_ssize_t i
    cdef int looks = 0, core
    cdef void* python = NULL
    workers = min(workers, MOST_WORKERS)
    if workers < 2 or n <= grain or not open_region():
        task(context, 0, n)
        return
    exchange(&caller, this_thread())
    if load(&started) < 1 or load(&helpers[1].asleep):
        workers = within_cores(workers)
        if workers < 2:
            exchange(&occupied, 0)
            task(context, 0, n)
            return
    if load(&started) < workers - 1:
        workers = start_helpers(workers - 1) + 1
    prepare(task, context, n, grain, workers)
    exchange(&door, 0)
    fetch_add(&number, 1)
    core = current_core()
    for i in range(1, region.workers):
        if compare_exchange(&helpers[i].asleep, 1, 0):
            wake_elsewhere(&helpers[i].affinity, this_thread(), core)
            PyThread_release_lock(helpers[i].bell)
    work(&region, 0)
    fetch_add(&door, SHUT)
    while load(&door) != SHUT:
        looks += 1
        if looks < PATIENCE:
            pause()
            continue
        if python == NULL and PyGILState_Check():  # a helper may need Python to hand over what its formula raised
            python = PyEval_SaveThread()
        give_way()
    if python != NULL:
        PyEval_RestoreThread(python)
    raise_for_helpers()
    exchange(&occupied, 0)


cdef bint open_region() noexcept nogil:
    """Take the region; return False if this call must do without, because another thread has it or Python ends.

    A thread that asks for the GIL while Python ends would end too. A thread that Python does not know, one of Numba's
    in a `prange`, does without as well: its fellows keep the cores busy, and the thread that waits for it has the GIL.
    """
    return (
        not is_finalizing() and PyGILState_GetThisThreadState() != NULL and compare_exchange(&occupied, 0, 1)
    )


cdef int within_cores(int workers) noexcept nogil:
    """Limit the workers to the cores that the caller may run on now, unless the user wants more threads than cores."""
    cdef int cores = 0 if load(&overbooked) else cores_allowed()
    return min(workers, cores) if cores > 0 else workers


# --- what a thread raises --------------------------------------------------------------------------------------------


cdef size_t enter_python() noexcept nogil:
    """Attach the thread to Python for a kernel whose formula raises. The result is for `leave_python`."""
    cdef bint foreign = PyGILState_GetThisThreadState() == NULL
    return <size_t>PyGILState_Ensure() << 1 | foreign


cdef void leave_python(size_t entered, const char* name) noexcept nogil:
    """Name the formula in the pending exception, leave the exception to the caller, and detach from Python.

    Where Python did not start this thread, the exception goes to the caller by way of the region.
    """
    settle(name, entered & 1)
    PyGILState_Release(<GILState>(entered >> 1))


cdef long errors_raised() noexcept nogil:
    """Return how many times a formula has raised: who calls many loops asks once in a while."""
    return load(&raised)


cdef void settle(const char* name, bint foreign) noexcept with gil:
    """Add the formula's name to the pending exception and, in a foreign thread, move it to the region."""
    cdef PyObject* kind
    cdef PyObject* value
    cdef PyObject* traceback
    fetch_add(&raised, 1)
    PyErr_Fetch(&kind, &value, &traceback)
    PyErr_NormalizeException(&kind, &value, &traceback)
    if value != NULL:
        try:
            (<object>value).add_note(f"raised by the formula of {name.decode()}")
        except Exception:
            pass
    if not foreign:
        PyErr_Restore(kind, value, traceback)
        return
    if value != NULL and traceback != NULL:
        (<object>value).__traceback__ = <object>traceback
    Py_XDECREF(kind)
    Py_XDECREF(traceback)
    if not offer_pointer(&region.error, value):  # another thread's came first
        Py_XDECREF(value)


cdef void raise_for_helpers() noexcept nogil:
    """Raise in the calling thread what a helper's formula raised. No helper is at work any more."""
    if region.error != NULL:
        take_over()


cdef void take_over() noexcept with gil:
    """Set the exception of the region in the calling thread, as a formula that raised there would."""
    cdef PyObject* error = <PyObject*>region.error
    region.error = NULL
    if not PyErr_Occurred():
        PyErr_SetObject(type(<object>error), <object>error)
    Py_XDECREF(error)


def raising_functions():
    """Return the addresses of `size_t enter_python(void)` and `void leave_python(size_t, const char *name)`."""
    return <size_t>&enter_python, <size_t>&leave_python


# --- Python functions ------------------------------------------------------------------------------------------------


cdef class standard_mode:
    """A context in which this thread rounds to nearest and flushes nothing, as kernels do by arithmetic.pxi.

    Each `with` block needs an instance of its own.
    """

    cdef Mode callers

    def __enter__(self):
        enter_standard(&self.callers)

    def __exit__(self, *error):
        leave_standard(&self.callers)


cdef void call_slab(void* context, Py_ssize_t start, Py_ssize_t stop) noexcept with gil:
    """Call the Python function of `for_slabs` for one block; an exception waits at the end of the list."""
    cdef list slabs = <list>context
    try:
        slabs[1].copy().run(slabs[0], start, stop)
    except BaseException as error:
        slabs.append(error)


def for_slabs(function, Py_ssize_t n, Py_ssize_t grain, bint numba=False):
    """Call the Python function(start, stop) over blocks of `grain` that cover range(n). It should release the GIL.

    The calls run on fastact's own threads, or on Numba's, in the caller's context, which np.errstate is a part of.
    """
    cdef list slabs = [function, copy_context()]
    cdef void* context = <void*>slabs
    with nogil:
        if numba:
            numba_for(call_slab, context, n, grain, default_workers())
        else:
            parallel_for(call_slab, context, n, grain, default_workers())
    if len(slabs) > 2:
        raise slabs[2]


# --- Numba's threads -------------------------------------------------------------------------------------------------


cdef void find_launcher() noexcept:
    """Compile the launcher, which starts Numba's threads, or note why that fails."""
    global launcher, numba_refused
    try:
        launcher = <launcher_t><size_t>compile_launcher()
    except Exception as error:
        reason = " ".join(str(error).split())
        numba_refused = f"Numba's threads cannot be started ({reason}); let the backend be 'threads'"


cdef void numba_for(task_t task, void* context, Py_ssize_t n, Py_ssize_t grain, int workers) noexcept nogil:
    """Do what `parallel_for` does on Numba's threads, which `numba_refusal` has started.

    Never two calls at a time: that aborts under Numba's threading layer "workqueue".
    """
    cdef void* python
    workers = min(workers, MOST_WORKERS)
    if workers < 2 or n <= grain or launcher == NULL or not open_region():
        task(context, 0, n)
        return
    prepare(task, context, n, grain, workers)
    python = PyEval_SaveThread() if PyGILState_Check() else NULL  # as in `parallel_for`
    launcher(region.workers, <void*>&work, &region)
    if python != NULL:
        PyEval_RestoreThread(python)
    raise_for_helpers()
    exchange(&occupied, 0)


def set_num_threads(int n):
    """Let long calls use n threads."""
    exchange(&workers_wanted, n)
    exchange(&overbooked, n > cores_allowed() > 0)


def get_num_threads():
    """Return how many threads long calls use."""
    return default_workers()


def numba_refusal(bint start=False):
    """Say why this process cannot use Numba's threads; None if it can, or if only a `start` would show."""
    if start and numba_refused is None and launcher == NULL:
        find_launcher()
    return numba_refused


def _forget_threads():
    """Begin anew in a forked child, which has the calling thread alone."""
    global started, occupied, number, door, launcher, numba_refused
    started, occupied, number, door, launcher = 0, 0, 0, SHUT, NULL
    numba_refused = "Numba's threads do not survive a fork; let the backend be 'threads'"
    memset(helpers, 0, sizeof(helpers))
    forget_thread()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_threads)
