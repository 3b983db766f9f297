# cython: cdivision=True, freethreading_compatible=True
# The softmax kernels: softmax, log_softmax, the log of the sum, hardmax and their gradients, over one axis of
# C-contiguous arrays.
#
# This file is translated to C once, and compiled for each instruction set: baseline.c, avx2.c and avx512.c include the
# translation, and setup.py has their flags. The kernels see an array as (outer, n, inner), and bring every shape to
# columns of vectors, with one softmax per lane. There are six routes:
#
#   rows           inner == 1: the n numbers of a row are one column, whose lanes are combined (`across`) at the end
#   long rows      rows in blocks, so that every thread has work on a single row; also few columns of the same length
#   short rows     inner == 1: as many rows as a vector has lanes, transposed
#   short columns  inner > 1, forward, small blocks: one vector of columns after the other, in place
#   lines          inner > 1: neighbouring columns, read in place several times
#   strips         inner > 1, with options or few columns: columns of one or several outer blocks, copied side by side
#
# The shape alone decides on the route, and blocks have fixed sizes, so results do not depend on the threads. The parts
# are simd.pxi (vectors), columns.pxi (what is done to columns), job.pxi (masks and half types), along_rows.pxi and
# strips.pxi (the routes), and cross_entropy.pxi (losses); the call is here. To add an operation, write its number, its
# name in `KERNELS`, its `column_` loops, and its branch in the `tile_` and `row_` functions. Free threading: a call
# keeps its state in a `Job` on its own stack, and workers claim their scratch atomically. Threads share nothing else
# but `bfloat16` and the half types' loops, which tests alone change.

cimport numpy as cnp
from libc.math cimport INFINITY, NAN, exp, frexp, isfinite, isinf, ldexp
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from fastact._kernels.native.pool cimport default_workers, parallel_for, task_t

cnp.import_array()

include "../arithmetic.pxi"
include "../atomics.pxi"
include "../half.pxi"
include "simd.pxi"

cdef enum:
    SOFTMAX = 0
    LOG_SOFTMAX = 1
    LOG_SUM = 2
    HARDMAX = 3
    NEITHER = 4

#: The numbers of the kernels, by name: the argument `kind` of the functions below.
KERNELS = {"softmax": SOFTMAX, "log_softmax": LOG_SOFTMAX, "logsumexp": LOG_SUM, "hardmax": HARDMAX}

cdef enum:
    SHORT = 64             # rows of up to this many numbers are transposed
    GUESS = 60             # numbers may exceed the maximum that scales e^x by this much: 97 bits, without the headroom
    GROUP = 4              # rows taken at once
    GROUPED = 256          # rows of up to this many numbers are; the results of longer ones would leave the L1 cache
    LONG = 65536           # rows of this many numbers or more are long
    BLOCK = 1024           # numbers of a long row per block, which with its results takes a part of the L1 cache
    STRIP_BYTES = 262144   # scratch of a strip, unless one vector of columns needs more: a part of the L2 cache
    STRIP_WIDTH = 16       # vectors side by side in a strip, at most
    LINE_WIDTH = 128       # the same where lines are read in place
    SMALL = 4096           # blocks of up to this many numbers are computed one vector of columns after the other
    AHEAD = 16             # lines of a strip to fetch ahead, a pattern that the hardware does not see: 1.04 -> 0.73 ns
    LONGEST_STRIP = 65536  # strips take no longer columns, whose scratch would be 64 bytes per number
    SERIAL_BELOW = 32768   # one thread does all of fewer numbers
    LEAST_GRAIN = 8192     # numbers that a thread takes at a time, at least
    CHUNKS = 8             # pieces per thread, at most


cdef inline Py_ssize_t ceiling(Py_ssize_t a, Py_ssize_t b) noexcept nogil:
    """a / b, rounded up."""
    return (a + b - 1) // b


cdef inline Py_ssize_t spread(Py_ssize_t pieces, Py_ssize_t size, int workers) noexcept nogil:
    """How many pieces of `size` numbers a thread takes at a time.

    Runs are long, since threads that touch new memory close to each other wait for the same page.
    """
    return max(ceiling(LEAST_GRAIN, size), pieces // (workers * CHUNKS))


include "columns.pxi"
include "job.pxi"
include "along_rows.pxi"
include "strips.pxi"


# ---------------------------------------------------------------------------------------------------------------
# A call.

cdef enum Route:
    SHORT_ROWS
    ROWS
    LONG_ROWS
    SHORT_COLUMNS
    LINES
    STRIPS


cdef inline Route choose(int kind, bint backward, int width, Py_ssize_t n, Py_ssize_t inner, bint plain) noexcept nogil:
    """The route for a shape; width is a vector's. plain: results are stored as x is, and there are no options."""
    if inner > 1 and width % inner == 0 and n * inner >= LONG and kind != HARDMAX:
        return LONG_ROWS
    if inner > 1:
        if not plain or inner < width or (kind == HARDMAX and not backward):
            return STRIPS
        return SHORT_COLUMNS if n <= SHORT and n * inner <= SMALL and not backward else LINES
    return SHORT_ROWS if n <= SHORT else ROWS if n < LONG or kind == HARDMAX else LONG_ROWS


def explain(int kind, bint is_double, Py_ssize_t outer, Py_ssize_t n, Py_ssize_t inner):
    """Say which route the forward pass takes for this shape, without options, and on how many threads."""
    names = {
        SHORT_ROWS: "short rows", ROWS: "rows", LONG_ROWS: "long rows", SHORT_COLUMNS: "short columns", LINES: "lines",
        STRIPS: "strips"}
    route = names[choose(kind, False, vd_lanes if is_double else vf_lanes, n, inner, True)]
    threads = 1 if outer * n * inner < SERIAL_BELOW else default_workers()
    return f"{route} of ({outer}, {n}, {inner}), {threads} thread{'s' * (threads > 1)}"


cdef void run_job(Job* job, int workers) noexcept nogil:
    """Take the job's route, with scratch for each worker; set job.failed if there is no memory for it."""
    cdef Py_ssize_t width = vd_lanes if job.is_double else vf_lanes, item = 8 if job.is_double else 4
    cdef Py_ssize_t vectors, number, size
    cdef bint plain = not job.options and (job.stored == job.out_stored or job.kind == LOG_SUM)
    cdef Route route = choose(job.kind, job.backward, <int>width, job.n, job.inner, plain)
    cdef bint hard = job.kind == HARDMAX and not job.backward
    cdef void* memory = NULL
    cdef bint in_registers = (
        route == ROWS and job.backward and job.divisor == 1 and job.divisors == NULL
        and not (job.mask != NULL and by_count(job)))    # a mask, or a count that `rows` makes a mask of
    job.failed = 0
    job.general = (
        (job.options and not in_registers) or job.x.step != job.item or (job.backward and job.g.step != job.item)
        or (job.stored != job.out_stored and job.kind != LOG_SUM)
        or (job.stored != SAME and (hard or route == SHORT_ROWS or route == STRIPS))
        or (route == SHORT_ROWS and not (packed(job, &job.x) and (not job.backward or packed(job, &job.g)))))
    if route == SHORT_ROWS:
        number = ceiling(job.outer, width)
        parallel_for(&short_rows_task, job, number, spread(number, width * job.n, workers), workers)
    elif route == ROWS:
        job.group = 1 if job.n > GROUPED or hard else min(<Py_ssize_t>GROUP, width)
        number = ceiling(job.outer, job.group)
        memory = new_scratch(
            job, workers, (1 + job.backward) * job.group * (job.n // width + 1) * width * item + 2 * job.n)
        if not job.failed:
            parallel_for(&rows_task, job, number, spread(number, job.group * job.n, workers), workers)
    elif route == LONG_ROWS:
        job.blocks = ceiling(job.n, BLOCK)
        job.first = 0
        job.row = <Part*>malloc(job.outer * job.inner * (1 + job.blocks) * sizeof(Part))
        job.failed = job.row == NULL
        job.block = job.row + job.outer * job.inner
        if job.general and not job.failed:
            memory = new_scratch(job, workers, (1 + job.backward) * (BLOCK * job.inner + 16) * item)
        if not job.failed:
            if workers == 1 or job.outer >= 2 * workers:
                parallel_for(&long_rows_task, job, job.outer, 1, workers)
            else:
                long_rows(job, job.outer, workers)
        free(job.row)
    elif route == SHORT_COLUMNS:
        number = ceiling(job.outer * job.inner, width)
        parallel_for(
            short_columns_by_format[format_of(job)], job, number, spread(number, width * job.n, workers), workers)
    elif route == LINES:
        vectors = ceiling(job.inner, width)
        number = max(ceiling(vectors, LINE_WIDTH), min(ceiling(workers, job.outer), ceiling(vectors, STRIP_WIDTH)))
        job.width = ceiling(vectors, number)
        job.strips = ceiling(vectors, job.width)
        memory = new_scratch(job, workers, COLUMN * (job.width + 1) * width * item)
        if not job.failed:
            number = job.outer * job.strips
            parallel_for(
                lines_by_format[format_of(job)], job, number, spread(number, job.width * width * job.n, workers),
                workers)
    else:
        vectors = ceiling(job.inner, width)
        size = width * item
        number = min(<Py_ssize_t>STRIP_WIDTH, max(STRIP_BYTES // (job.n * size), <Py_ssize_t>1))
        job.width = ceiling(vectors, ceiling(vectors, number))
        job.strips = ceiling(vectors, job.width)
        job.group = max(width // job.inner, <Py_ssize_t>1)
        number = ceiling(job.outer, job.group) * job.strips
        workers = <int>min(<Py_ssize_t>workers, number)
        memory = new_scratch(job, workers, (1 + job.backward) * (job.width * job.n + 1) * size)
        if not job.failed:
            parallel_for(&strips_task, job, number, spread(number, job.width * width * job.n, workers), workers)
    free(memory)


cdef bint takes_shape(int kind, bint backward, bint is_double, Py_ssize_t n, Py_ssize_t inner) noexcept nogil:
    """`takes` for compiled code."""
    return n <= LONGEST_STRIP or choose(kind, backward, vd_lanes if is_double else vf_lanes, n, inner, False) != STRIPS


cpdef bint takes(int kind, bint backward, bint is_double, Py_ssize_t n, Py_ssize_t inner) noexcept:
    """Say whether there is a route for this shape. Only columns that are both long and many have none."""
    return takes_shape(kind, backward, is_double, n, inner)


def run(int kind, cnp.ndarray grad, cnp.ndarray x not None, cnp.ndarray out, int axis, cnp.ndarray mask=None,
        cnp.ndarray lengths=None, bint causal=False, divisor=1.0):
    """Compute the kernel `kind` over one axis of x, or with `grad` the gradient from its output x; None if not plain.

    A case is plain if `takes` is true of the shape, which all arrays share; if the arrays are C-contiguous or, but for
    `out`, rows with gaps (see `set_source`); and if they overlap either wholly or not at all. All are float64, or each
    is float32 or a half type; then `out` may have another dtype than x and grad, which share one. A new `out` has x's
    dtype; that of LOG_SUM is float32 or float64, and has size 1 along the axis. The axis is not checked.

    mask: True for the numbers that count; it has as many axes as x, and those before `axis` may have size 1. lengths:
    how many numbers of each row count; intp, with size 1 at `axis`, which must be the last. causal: row i counts its
    first i + 1 numbers; `axis` must be the last. divisor: the temperature, a number, or a float64 array that has size 1
    from `axis` on.
    """
    cdef Job job
    cdef Mode callers
    cdef int stored = storage(x), i, ndim = cnp.PyArray_NDIM(x)
    cdef Py_ssize_t size = cnp.PyArray_SIZE(x)
    cdef cnp.npy_intp[64] shape
    if stored < 0 or (grad is not None and storage(grad) != stored):
        return None
    job.outer = job.inner = 1
    for i in range(ndim):
        shape[i] = 1 if i == axis and kind == LOG_SUM else cnp.PyArray_DIM(x, i)
    for i in range(axis):
        job.outer *= cnp.PyArray_DIM(x, i)
    job.n = cnp.PyArray_DIM(x, axis)
    for i in range(axis + 1, ndim):
        job.inner *= cnp.PyArray_DIM(x, i)
    if not takes(kind, grad is not None, stored == DOUBLE, job.n, job.inner):
        return None
    if not set_source(&job.x, x, x, axis) or (grad is not None and not set_source(&job.g, grad, x, axis)):
        return None
    if kind == LOG_SUM:
        out = cnp.PyArray_EMPTY(ndim, shape, cnp.NPY_FLOAT64 if stored == DOUBLE else cnp.NPY_FLOAT32, 0)
    elif out is None:
        out = cnp.PyArray_EMPTY(ndim, shape, cnp.PyArray_TYPE(x), 0)
    elif not plain(out, x) or not cnp.PyArray_ISWRITEABLE(out) or overlap(out, x, &job.x, job.outer, job.n * job.inner):
        return None
    elif grad is not None and overlap(out, grad, &job.g, job.outer, job.n * job.inner):
        return None
    job.out_stored = storage(out)
    if job.out_stored < 0 or (stored == DOUBLE) != (job.out_stored == DOUBLE):
        return None
    if size == 0:
        return None if kind == LOG_SUM else out
    job.kind = kind
    job.backward = grad is not None
    job.is_double = stored == DOUBLE
    job.stored = SAME if job.is_double else stored
    job.out_stored = SAME if job.is_double else job.out_stored
    job.item = cnp.PyArray_ITEMSIZE(x)
    job.out = cnp.PyArray_DATA(out)
    job.mask = NULL
    job.lengths = NULL
    job.divisors = NULL
    job.causal = cnp.PyArray_DIM(x, ndim - 2) if causal else 0
    job.divisor = 1
    if type(divisor) is float:
        job.divisor = divisor
    elif not set_places(&job.divisor_at, divisor, x, axis, 1):
        return None
    else:
        job.divisors = <double*>cnp.PyArray_DATA(divisor)
    if mask is not None:
        if not set_places(&job.mask_at, mask, x, axis, job.n * job.inner):
            return None
        job.mask = <char*>cnp.PyArray_DATA(mask)
    if lengths is not None:
        if not set_places(&job.length_at, lengths, x, axis, 1):
            return None
        job.lengths = <Py_ssize_t*>cnp.PyArray_DATA(lengths)
    job.options = mask is not None or by_count(&job) or job.divisor != 1 or job.divisors != NULL
    enter_standard(&callers)
    if size < SERIAL_BELOW:
        run_job(&job, 1)
    else:
        with nogil:
            run_job(&job, default_workers())
    leave_standard(&callers)
    if job.failed:
        raise MemoryError(f"no memory for the scratch of a softmax over {job.n} numbers")
    return out


cdef int compute(
    int kind, int stored, void* grad, void* x, void* out, Py_ssize_t outer, Py_ssize_t n, Py_ssize_t inner, char* mask,
    double divisor
) noexcept nogil:
    """`run` for compiled code: of arrays of shape (outer, n, inner) without gaps, of one `Format`; 1 if memory fails.

    grad and mask may be NULL. The shape is one that `takes` takes, and not empty.
    """
    cdef Job job
    cdef Mode callers
    job.kind, job.backward, job.is_double = kind, grad != NULL, stored == DOUBLE
    job.outer, job.n, job.inner = outer, n, inner
    job.stored = job.out_stored = SAME if job.is_double else stored
    job.item = 8 if job.is_double else 4 if stored == SAME else 2
    job.x.base, job.x.step, job.x.block = <char*>x, job.item, n * inner * job.item
    job.g = job.x
    job.g.base = <char*>grad
    job.out = out
    job.mask, job.lengths, job.divisors, job.causal, job.divisor = mask, NULL, NULL, 0, divisor
    job.mask_at.ndim = 1
    job.mask_at.size[0], job.mask_at.stride[0] = outer, n * inner
    job.options = mask != NULL or divisor != 1
    enter_standard(&callers)
    run_job(&job, 1 if outer * n * inner < SERIAL_BELOW else default_workers())
    leave_standard(&callers)
    return job.failed


def common(int kind, grad, x, axis, out):
    """Call `run` without options; None if it does not take the arguments as they are.

    kind: one of `KERNELS`. grad: the gradient of the result, an array like x, or None for the forward pass. x: what the
    forward pass takes, or its result. axis: from -ndim on. out: an array for the result, or None. Anything may be given
    for the last four: what is no array of x's dtype, no integer in range or no plain case is left to the caller, right
    or wrong.
    """
    cdef int ndim, number
    if type(x) is not cnp.ndarray or type(axis) is not int:
        return None
    ndim = cnp.PyArray_NDIM(x)
    number = cnp.PyArray_TYPE(x)
    if not -ndim <= axis < ndim:
        return None
    if out is not None and (type(out) is not cnp.ndarray or cnp.PyArray_TYPE(out) != number):
        return None
    if grad is not None and (type(grad) is not cnp.ndarray or cnp.PyArray_TYPE(grad) != number):
        return None
    return run(kind, grad, x, out, axis % ndim)


cdef volatile long bfloat16 = -1    # the number of ml_dtypes' dtype, once an array of it was seen


cdef int storage(cnp.ndarray a):
    """Return how an array stores its numbers: SAME for float32, a half type, or DOUBLE; -1 for anything else."""
    cdef int number = cnp.PyArray_TYPE(a)
    if number == cnp.NPY_FLOAT32:
        return SAME
    if number == cnp.NPY_FLOAT64:
        return DOUBLE
    if number == cnp.NPY_FLOAT16:
        return FLOAT16
    if load(&bfloat16) < 0 and a.dtype.name == "bfloat16":
        exchange(&bfloat16, number)
    return BFLOAT16 if number == load(&bfloat16) else -1


cdef inline bint plain(cnp.ndarray a, cnp.ndarray like) noexcept:
    """Say whether an array has the shape of another, no gaps, and the byte order of the machine."""
    cdef int i
    if cnp.PyArray_NDIM(a) != cnp.PyArray_NDIM(like):
        return False
    for i in range(cnp.PyArray_NDIM(a)):
        if cnp.PyArray_DIM(a, i) != cnp.PyArray_DIM(like, i):
            return False
    return cnp.PyArray_IS_C_CONTIGUOUS(a) and cnp.PyArray_ISALIGNED(a) and cnp.PyArray_ISNOTSWAPPED(a)


cdef bint set_source(Source* source, cnp.ndarray a, cnp.ndarray like, int axis) noexcept:
    """Find the numbers of an array. False if its shape is not that of `like`, or its memory is in another order.

    An array of rows with gaps is taken if the axes before the rows merge into one, and if its items are no half types.
    """
    cdef Py_ssize_t item = cnp.PyArray_ITEMSIZE(a), size = 1
    cdef int i
    source.base = <char*>cnp.PyArray_DATA(a)
    source.step = item
    source.block = cnp.PyArray_DIM(like, axis) * item
    if plain(a, like):
        for i in range(axis + 1, cnp.PyArray_NDIM(a)):
            source.block *= cnp.PyArray_DIM(a, i)
        return True
    if axis != cnp.PyArray_NDIM(a) - 1 or not cnp.PyArray_ISALIGNED(a) or not cnp.PyArray_ISNOTSWAPPED(a):
        return False
    if cnp.PyArray_NDIM(like) != axis + 1 or cnp.PyArray_DIM(a, axis) != cnp.PyArray_DIM(like, axis):
        return False
    if cnp.PyArray_DIM(a, axis) > 1:
        source.step = cnp.PyArray_STRIDE(a, axis)
    for i in range(axis - 1, -1, -1):
        if cnp.PyArray_DIM(a, i) != cnp.PyArray_DIM(like, i):
            return False
        if cnp.PyArray_DIM(a, i) == 1:
            continue
        if size == 1:
            source.block = cnp.PyArray_STRIDE(a, i)
        elif cnp.PyArray_STRIDE(a, i) != source.block * size:
            return False
        size *= cnp.PyArray_DIM(a, i)
    return (source.step == item or (source.step > item and item >= 4)) and (size == 1 or source.block >= source.step)


cdef inline bint overlap(cnp.ndarray out, cnp.ndarray a, Source* source, Py_ssize_t blocks, Py_ssize_t n) noexcept:
    """Say whether an array shares memory with the results without being the same memory."""
    cdef char* end = source.base + (blocks - 1) * source.block + (n - 1) * source.step + cnp.PyArray_ITEMSIZE(a)
    cdef char* results = <char*>cnp.PyArray_DATA(out)
    cdef Py_ssize_t size = cnp.PyArray_NBYTES(out)
    return (results != source.base or size != end - source.base) and results < end and source.base < results + size


cdef bint set_places(Places* at, cnp.ndarray a, cnp.ndarray x, int axis, Py_ssize_t entry):
    """Find the entries for x's blocks in an array without gaps, merging axes. False if too many axes remain."""
    cdef Py_ssize_t stride = entry
    cdef int i
    at.ndim = 0
    for i in range(axis - 1, -1, -1):
        if cnp.PyArray_DIM(x, i) == 1:
            continue
        if at.ndim and (at.stride[at.ndim - 1] == 0) == (cnp.PyArray_DIM(a, i) == 1):
            at.size[at.ndim - 1] *= cnp.PyArray_DIM(x, i)
        elif at.ndim == MOST_PLACES:
            return False
        else:
            at.size[at.ndim] = cnp.PyArray_DIM(x, i)
            at.stride[at.ndim] = 0 if cnp.PyArray_DIM(a, i) == 1 else stride
            at.ndim += 1
        stride *= cnp.PyArray_DIM(a, i)
    return True


include "cross_entropy.pxi"


# What this processor can run.

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
