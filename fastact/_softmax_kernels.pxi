# The softmax kernels: softmax and log_softmax, forward and backward, over one axis of C-contiguous arrays.
#
# Included by _softmax_baseline.pyx, _softmax_avx2.pyx and _softmax_avx512.pyx, which differ in compiler flags only.
# An array is seen as (outer, n, inner), and every shape is brought to columns of vectors, one softmax per lane:
#
#   rows        inner == 1: n numbers in a row are one column; its lanes are combined (`across`) at the end
#   long rows   the same in blocks, so that every thread has work on a single row: maximum, sum, result
#   short rows  inner == 1: as many rows as a vector has lanes, transposed
#   strips      inner > 1: neighbouring columns, or several outer blocks of few columns, copied next to each other
#
# Which of them runs depends on the shape alone, and blocks have fixed sizes, so results do not depend on the threads.
# To add an operation: its kind, its `column_` loops, and its branch in the `tile_` and `row_` functions.

cimport numpy as cnp
from libc.math cimport INFINITY
from libc.stdlib cimport free, malloc
from libc.string cimport memset

from fastact._threads cimport default_workers, parallel_for

cnp.import_array()

include "_softmax_simd.pxi"

cdef extern from *:
    """
    #if defined(_MSC_VER)
      #include <intrin.h>
      static __inline int fastact_claim(int* p) { return _InterlockedExchange((long*)p, 1) == 0; }
      static __inline void fastact_release(int* p) { _InterlockedExchange((long*)p, 0); }
    #else
      static inline int fastact_claim(int* p) { return __atomic_exchange_n(p, 1, __ATOMIC_ACQUIRE) == 0; }
      static inline void fastact_release(int* p) { __atomic_store_n(p, 0, __ATOMIC_RELEASE); }
    #endif
    """
    bint claim "fastact_claim"(int* p) noexcept nogil
    void release "fastact_release"(int* p) noexcept nogil

cdef enum:
    SOFTMAX = 0
    LOG_SOFTMAX = 1
    NEITHER = 2
    SHORT = 64           # rows of up to this many numbers are transposed
    LONG = 65536         # rows from here on are long
    BLOCK = 8192         # numbers of a long row per block
    STRIP_BYTES = 262144   # scratch of a strip, if one vector of columns does not need more: a part of the L2 cache
    STRIP_WIDTH = 16     # vectors side by side in a strip, at most
    AHEAD = 16           # lines of a strip to fetch ahead, as the hardware does not see the pattern: 1.04 -> 0.73 ns
    LONGEST_STRIP = 65536  # longer columns are not taken: their scratch would be 64 bytes a number
    SERIAL = 32768       # below this many numbers one thread does it all
    GRAIN = 8192         # numbers a thread takes at a time, at least
    CHUNKS = 8           # pieces per thread, at most


# ---------------------------------------------------------------------------------------------------------------
# Columns: n vectors one after the other.

cdef inline vec column_maximum(vec* x, Py_ssize_t n, vec m) noexcept nogil:
    """The larger of m and all of x, ignoring NaN."""
    cdef vec a = m, b = m, c = m, d = m
    cdef Py_ssize_t i = 0
    while i + 4 <= n:
        a = maximum[vec](x[i], a)
        b = maximum[vec](x[i + 1], b)
        c = maximum[vec](x[i + 2], c)
        d = maximum[vec](x[i + 3], d)
        i += 4
    while i < n:
        a = maximum[vec](x[i], a)
        i += 1
    return maximum[vec](maximum[vec](a, b), maximum[vec](c, d))


cdef inline void add(vec* total, vec v) noexcept nogil:
    """total[0] += v with total[1] keeping what is lost (Kahan): an error of 2 roundings for any number of terms."""
    cdef vec y = v - total[1], t = total[0] + y
    total[1] = (t - total[0]) - y
    total[0] = t


cdef inline void column_exp(vec* x, vec* out, Py_ssize_t n, vec shift, vec low, vec bias, vec* total) noexcept nogil:
    """out = scaled e^x, and its sum into total."""
    cdef vec a, b, c, d
    cdef Py_ssize_t i = 0
    while i + 4 <= n:
        a = exp_above[vec](x[i] - shift, low, bias)
        b = exp_above[vec](x[i + 1] - shift, low, bias)
        c = exp_above[vec](x[i + 2] - shift, low, bias)
        d = exp_above[vec](x[i + 3] - shift, low, bias)
        out[i] = a
        out[i + 1] = b
        out[i + 2] = c
        out[i + 3] = d
        add[vec](total, (a + b) + (c + d))
        i += 4
    while i < n:
        a = exp_above[vec](x[i] - shift, low, bias)
        out[i] = a
        add[vec](total, a)
        i += 1


cdef inline void column_exp_others(vec* x, Py_ssize_t n, vec m, vec shift, vec low, vec bias,
                                   vec* total, vec* count) noexcept nogil:
    """The sum of scaled e^x over x != m into total, and how many are m: log(1 + rest) then keeps all its digits."""
    cdef vec one = splat[vec](&m, 1)
    cdef Py_ssize_t i
    for i in range(n):
        add[vec](total, where_differs[vec](x[i], m, exp_above[vec](x[i] - shift, low, bias)))
        count[0] = count[0] + where_equal[vec](x[i], m, one)


cdef inline void column_scale(vec* x, vec* out, Py_ssize_t n, vec* factor) noexcept nogil:
    """Times a factor of two parts, as `reciprocal` gives it."""
    cdef Py_ssize_t i
    for i in range(n):
        out[i] = x[i] * factor[1] + x[i] * factor[0]


cdef inline void column_log(vec* x, vec* out, Py_ssize_t n, vec m, vec rest) noexcept nogil:
    """Two subtractions: m + rest would lose the digits of a small rest."""
    cdef Py_ssize_t i
    for i in range(n):
        out[i] = (x[i] - m) - rest


cdef inline void column_dot(int kind, vec* g, vec* y, Py_ssize_t n, vec* total) noexcept nogil:
    """The sum of g * y for softmax, of g for log_softmax."""
    cdef Py_ssize_t i = 0
    if kind == SOFTMAX:
        while i + 4 <= n:
            add[vec](total, (g[i] * y[i] + g[i + 1] * y[i + 1]) + (g[i + 2] * y[i + 2] + g[i + 3] * y[i + 3]))
            i += 4
        while i < n:
            add[vec](total, g[i] * y[i])
            i += 1
    else:
        while i + 4 <= n:
            add[vec](total, (g[i] + g[i + 1]) + (g[i + 2] + g[i + 3]))
            i += 4
        while i < n:
            add[vec](total, g[i])
            i += 1


cdef inline void column_gradient(int kind, vec* g, vec* y, vec* out, Py_ssize_t n, vec dot) noexcept nogil:
    cdef vec zero = splat[vec](&dot, 0), scale = headroom[vec](dot)
    cdef vec low = base_low[vec](zero), bias = base_bias[vec](zero)
    cdef Py_ssize_t i
    if kind == SOFTMAX:
        for i in range(n):
            out[i] = y[i] * (g[i] - dot)
    else:
        for i in range(n):
            out[i] = g[i] - exp_above[vec](y[i], low, bias) * scale * dot


cdef inline void across_sum(vec* total) noexcept nogil:
    """The sum of all lanes of a total, in every lane; total[1] keeps what is lost, as in `add`."""
    cdef vec a, b, sum, part
    cdef Py_ssize_t i = lanes[vec](total)
    while i > 1:
        a, b = zip_low[vec](total[0], total[0]), zip_high[vec](total[0], total[0])
        sum = a + b
        part = sum - a
        total[1] = zip_low[vec](total[1], total[1]) + zip_high[vec](total[1], total[1])
        total[1] = total[1] + (((sum - part) - a) + (part - b))
        total[0] = sum
        i >>= 1


cdef inline void reciprocal(vec* total, vec* factor) noexcept nogil:
    """factor[0] + factor[1] = 1 / (total[0] - total[1]), to one and a half times a vector's digits."""
    cdef vec one = splat[vec](total, 1), f = upper[vec](one / total[0]), t = upper[vec](total[0])
    cdef vec rest = ((one - t * f) - (total[0] - t) * f) + total[1] * f
    factor[0] = f
    factor[1] = f * (rest + rest * rest)


cdef inline vec across_maximum(vec v) noexcept nogil:
    cdef Py_ssize_t i = lanes[vec](&v)
    while i > 1:
        v = maximum[vec](zip_low[vec](v, v), zip_high[vec](v, v))
        i >>= 1
    return v


cdef inline vec lowest(vec* tag) noexcept nogil:
    return splat[vec](tag, -INFINITY)


# ---------------------------------------------------------------------------------------------------------------
# Tiles: every lane of n vectors is a softmax of its own.

cdef inline vec log_rest(vec others, vec count, vec m) noexcept nogil:
    """log of the sum of e^(x - m), from the sum of the scaled others and the number of x that are m."""
    cdef vec top = m - base_shift[vec](m), unit = exp_above[vec](top, base_low[vec](top), base_bias[vec](top))
    return log1p[vec](others / unit + (count - splat[vec](&m, 1)))


cdef inline void tile_exp(int kind, vec* x, Py_ssize_t n, vec m, vec* factor) noexcept nogil:
    """All but the last step: softmax leaves e^x in x; factor is 1 / their sum, or the log of the sum of e^(x - m)."""
    cdef vec shift = base_shift[vec](m), low = base_low[vec](m - shift), bias = base_bias[vec](m - shift)
    cdef vec[2] total
    cdef vec[2] count
    total[0] = total[1] = count[0] = splat[vec](&m, 0)
    if kind == SOFTMAX:
        column_exp[vec](x, x, n, shift, low, bias, total)
        reciprocal[vec](total, factor)
    else:
        column_exp_others[vec](x, n, m, shift, low, bias, total, count)
        factor[0] = log_rest[vec](total[0], count[0], m)


cdef inline void tile_forward(int kind, vec* x, Py_ssize_t n) noexcept nogil:
    cdef vec m = column_maximum[vec](x, n, lowest[vec](x))
    cdef vec[2] factor
    tile_exp[vec](kind, x, n, m, factor)
    if kind == SOFTMAX:
        column_scale[vec](x, x, n, factor)
    else:
        column_log[vec](x, x, n, m, factor[0])


cdef void tile_backward(int kind, vec* g, vec* y, Py_ssize_t n) noexcept nogil:
    cdef vec[2] total
    total[0] = splat[vec](g, 0)
    total[1] = total[0]
    column_dot[vec](kind, g, y, n, total)
    column_gradient[vec](kind, g, y, y, n, total[0])


# ---------------------------------------------------------------------------------------------------------------
# The shapes. A job is one call; a task function does a range of its pieces, on whichever thread.

cdef struct Part:         # a row, or a block of a long row
    double m              # the maximum
    double total          # the sum of scaled e^x, or the dot product
    double count          # log_softmax: how many x are m
    double factor         # 1 / total or the log of the sum of e^(x - m), as two numbers
    double rest

cdef struct Job:
    int kind
    int backward
    int is_double
    int failed            # no memory for scratch
    int workers
    void* g               # backward: the incoming gradient; x is the forward's output then
    void* x
    void* out
    Py_ssize_t outer
    Py_ssize_t n
    Py_ssize_t inner
    Py_ssize_t blocks     # long rows: blocks per row
    Py_ssize_t group      # strips: outer blocks side by side in a vector
    Py_ssize_t width      # strips: vectors side by side in a strip
    Py_ssize_t strips     # strips: how many cover `inner`
    Py_ssize_t scratch    # strips: bytes of a worker's scratch
    char* memory          # strips: the workers' scratch
    int* busy             # strips: which of them is in use
    Part* row
    Part* block


cdef inline Py_ssize_t ceiling(Py_ssize_t a, Py_ssize_t b) noexcept nogil:
    return (a + b - 1) // b


cdef inline Py_ssize_t spread(Py_ssize_t pieces, Py_ssize_t size, int workers) noexcept nogil:
    """How many pieces of so many numbers a thread takes at a time: in long runs, since threads that touch new memory
    close to each other wait for the same page."""
    return max(ceiling(GRAIN, size), pieces // (workers * CHUNKS))


cdef inline double first(vec v) noexcept nogil:
    if vec is vf:
        return (<float*>&v)[0]
    else:
        return (<double*>&v)[0]


cdef inline vec row_maximum(vec* x, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t whole = n // lanes[vec](x), part = n % lanes[vec](x)
    return across_maximum[vec](column_maximum[vec](x, whole, load_part[vec](x + whole, part, lowest[vec](x))))


cdef inline void row_exp(int kind, vec* x, vec* out, Py_ssize_t n, vec m, vec* total, vec* count) noexcept nogil:
    """The sum of scaled e^x, which softmax leaves in out."""
    cdef Py_ssize_t whole = n // lanes[vec](x), part = n % lanes[vec](x)
    cdef vec shift = base_shift[vec](m), low = base_low[vec](m - shift), bias = base_bias[vec](m - shift)
    cdef vec end = load_part[vec](x + whole, part, lowest[vec](x))
    total[0] = total[1] = count[0] = count[1] = splat[vec](&m, 0)
    if kind == SOFTMAX:
        column_exp[vec](x, out, whole, shift, low, bias, total)
        if part:
            column_exp[vec](&end, &end, 1, shift, low, bias, total)
            store_part[vec](out + whole, part, end)
    else:
        column_exp_others[vec](x, whole, m, shift, low, bias, total, count)
        if part:
            column_exp_others[vec](&end, 1, m, shift, low, bias, total, count)
        across_sum[vec](count)
    across_sum[vec](total)


cdef inline void row_finish(int kind, vec* x, vec* out, Py_ssize_t n, vec m, vec* factor) noexcept nogil:
    cdef Py_ssize_t whole = n // lanes[vec](x), part = n % lanes[vec](x)
    cdef vec end
    if kind == SOFTMAX:
        end = load_part[vec](out + whole, part, m)
        column_scale[vec](out, out, whole, factor)
        column_scale[vec](&end, &end, 1, factor)
    else:
        end = load_part[vec](x + whole, part, m)
        column_log[vec](x, out, whole, m, factor[0])
        column_log[vec](&end, &end, 1, m, factor[0])
    if part:
        store_part[vec](out + whole, part, end)


cdef inline void row_forward(int kind, vec* x, vec* out, Py_ssize_t n) noexcept nogil:
    cdef vec m = row_maximum[vec](x, n)
    cdef vec[2] total
    cdef vec[2] count
    cdef vec[2] factor
    row_exp[vec](kind, x, out, n, m, total, count)
    if kind == SOFTMAX:
        reciprocal[vec](total, factor)
    else:
        factor[0] = log_rest[vec](total[0], count[0], m)
    row_finish[vec](kind, x, out, n, m, factor)


cdef inline vec row_dot(int kind, vec* g, vec* y, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t whole = n // lanes[vec](y), part = n % lanes[vec](y)
    cdef vec zero = splat[vec](y, 0), g_end, y_end
    cdef vec[2] total
    total[0] = zero
    total[1] = zero
    column_dot[vec](kind, g, y, whole, total)
    if part:
        g_end = load_part[vec](at[vec](g, n - part), part, zero)
        y_end = load_part[vec](at[vec](y, n - part), part, zero)
        column_dot[vec](kind, &g_end, &y_end, 1, total)
    across_sum[vec](total)
    return total[0]


cdef inline void row_gradient(int kind, vec* g, vec* y, vec* out, Py_ssize_t n, vec dot) noexcept nogil:
    cdef Py_ssize_t whole = n // lanes[vec](y), part = n % lanes[vec](y)
    cdef vec zero = splat[vec](&dot, 0), g_end, y_end
    column_gradient[vec](kind, g, y, out, whole, dot)
    if part:
        g_end = load_part[vec](at[vec](g, n - part), part, zero)
        y_end = load_part[vec](at[vec](y, n - part), part, zero)
        column_gradient[vec](kind, &g_end, &y_end, &y_end, 1, dot)
        store_part[vec](at[vec](out, n - part), part, y_end)


cdef void rows(vec* tag, Job* job, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    cdef vec* x
    cdef vec* g
    cdef vec* out
    cdef Py_ssize_t i
    for i in range(start, stop):
        x = at[vec](<vec*>job.x, i * job.n)
        out = at[vec](<vec*>job.out, i * job.n)
        if job.backward:
            g = at[vec](<vec*>job.g, i * job.n)
            row_gradient[vec](job.kind, g, x, out, job.n, row_dot[vec](job.kind, g, x, job.n))
        else:
            row_forward[vec](job.kind, x, out, job.n)


cdef void rows_task(void* job, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    if (<Job*>job).is_double:
        rows[vd](<vd*>job, <Job*>job, start, stop)
    else:
        rows[vf](<vf*>job, <Job*>job, start, stop)


# Long rows.

cdef inline Py_ssize_t block_size(Job* job, Py_ssize_t i) noexcept nogil:
    return min(<Py_ssize_t>BLOCK, job.n - i % job.blocks * BLOCK)


cdef inline vec* block_at(vec* p, Job* job, Py_ssize_t i) noexcept nogil:
    return at[vec](p, i // job.blocks * job.n + i % job.blocks * BLOCK)


cdef void blocks_maximum(vec* tag, Job* job, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(start, stop):
        job.block[i].m = first[vec](row_maximum[vec](block_at[vec](<vec*>job.x, job, i), block_size(job, i)))


cdef void blocks_sum(vec* tag, Job* job, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    cdef vec* x
    cdef vec[2] total
    cdef vec[2] count
    cdef vec m
    cdef Py_ssize_t i, n
    for i in range(start, stop):
        n = block_size(job, i)
        x = block_at[vec](<vec*>job.x, job, i)
        if job.backward:
            job.block[i].total = first[vec](row_dot[vec](job.kind, block_at[vec](<vec*>job.g, job, i), x, n))
        else:
            m = splat[vec](x, job.row[i // job.blocks].m)
            row_exp[vec](job.kind, x, block_at[vec](<vec*>job.out, job, i), n, m, total, count)
            job.block[i].total = first[vec](total[0]) - first[vec](total[1])
            job.block[i].count = first[vec](count[0])


cdef void blocks_finish(vec* tag, Job* job, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    cdef vec* x
    cdef vec* out
    cdef vec[2] factor
    cdef vec m
    cdef Py_ssize_t i, n
    for i in range(start, stop):
        n = block_size(job, i)
        x = block_at[vec](<vec*>job.x, job, i)
        out = block_at[vec](<vec*>job.out, job, i)
        m = splat[vec](x, job.row[i // job.blocks].m)
        factor[0] = splat[vec](&m, job.row[i // job.blocks].factor)
        factor[1] = splat[vec](&m, job.row[i // job.blocks].rest)
        if job.backward:
            row_gradient[vec](job.kind, block_at[vec](<vec*>job.g, job, i), x, out, n, factor[0])
        else:
            row_finish[vec](job.kind, x, out, n, m, factor)


cdef void combine_maximum(Job* job, Py_ssize_t rows) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(rows):
        job.row[i].m = -INFINITY
    for i in range(rows * job.blocks):
        job.row[i // job.blocks].m = max(job.block[i].m, job.row[i // job.blocks].m)


cdef void combine_sum(vec* tag, Job* job, Py_ssize_t rows) noexcept nogil:
    """The factors of the rows, in double, and as two numbers of the array's precision."""
    cdef vd[2] total
    cdef vd[2] factor
    cdef Part* row
    cdef Py_ssize_t i, j
    for i in range(rows):
        row = &job.row[i]
        row.count = 0
        total[0] = total[1] = vd_splat(0)
        for j in range(i * job.blocks, (i + 1) * job.blocks):
            add[vd](total, vd_splat(job.block[j].total))
            row.count += job.block[j].count
        if job.backward:
            row.factor = first[vd](total[0])
        elif job.kind == SOFTMAX:
            reciprocal[vd](total, factor)
            row.factor = first[vec](splat[vec](tag, first[vd](factor[0])))
            row.rest = (first[vd](factor[0]) - row.factor) + first[vd](factor[1])
        else:
            row.factor = first[vec](log_rest[vec](
                splat[vec](tag, first[vd](total[0])), splat[vec](tag, row.count), splat[vec](tag, row.m)))


cdef void blocks_maximum_task(void* job, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    if (<Job*>job).is_double:
        blocks_maximum[vd](<vd*>job, <Job*>job, start, stop)
    else:
        blocks_maximum[vf](<vf*>job, <Job*>job, start, stop)


cdef void blocks_sum_task(void* job, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    if (<Job*>job).is_double:
        blocks_sum[vd](<vd*>job, <Job*>job, start, stop)
    else:
        blocks_sum[vf](<vf*>job, <Job*>job, start, stop)


cdef void blocks_finish_task(void* job, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    if (<Job*>job).is_double:
        blocks_finish[vd](<vd*>job, <Job*>job, start, stop)
    else:
        blocks_finish[vf](<vf*>job, <Job*>job, start, stop)


cdef void long_rows(Job* job, Py_ssize_t rows, int workers) noexcept nogil:
    """`rows` rows, their blocks over the workers."""
    cdef Py_ssize_t number = rows * job.blocks, grain = spread(number, BLOCK, workers)
    if not job.backward:
        parallel_for(&blocks_maximum_task, job, number, grain, workers)
        combine_maximum(job, rows)
    parallel_for(&blocks_sum_task, job, number, grain, workers)
    if job.is_double:
        combine_sum[vd](<vd*>job.x, job, rows)
    else:
        combine_sum[vf](<vf*>job.x, job, rows)
    parallel_for(&blocks_finish_task, job, number, grain, workers)


cdef void long_rows_task(void* whole_job, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    """One row after the other, so that its second and third pass find it in the cache."""
    cdef Job job
    cdef Py_ssize_t i, offset
    for i in range(start, stop):
        job = (<Job*>whole_job)[0]
        offset = i * job.n * (8 if job.is_double else 4)
        job.x = <char*>job.x + offset
        job.g = <char*>job.g + offset if job.backward else NULL
        job.out = <char*>job.out + offset
        job.row += i
        job.block += i * job.blocks
        long_rows(&job, 1, 1)


# Short rows.

cdef inline void transpose(vec* a) noexcept nogil:
    """As many vectors as each has lanes: log2(lanes) perfect shuffles."""
    cdef vec[16] b
    cdef Py_ssize_t i, half = lanes[vec](a) // 2, stage = half
    while stage:
        for i in range(half):
            b[2 * i] = zip_low[vec](a[i], a[i + half])
            b[2 * i + 1] = zip_high[vec](a[i], a[i + half])
        for i in range(2 * half):
            a[i] = b[i]
        stage >>= 1


cdef inline void load_rows(vec* tile, vec* x, Py_ssize_t n, Py_ssize_t count) noexcept nogil:
    """tile = `count` rows of n numbers, transposed; the lanes beyond repeat the last row."""
    cdef vec[16] a
    cdef vec zero = splat[vec](x, 0)
    cdef vec* row
    cdef Py_ssize_t width = lanes[vec](x), column = 0, i, part
    while column < n:
        part = min(width, n - column)
        row = at[vec](x, column)
        for i in range(width):
            a[i] = load_part[vec](row, part, zero)
            row = at[vec](row, n if i + 1 < count else 0)
        transpose[vec](a)
        for i in range(width):
            tile[column + i] = a[i]
        column += width


cdef inline void store_rows(vec* tile, vec* out, Py_ssize_t n, Py_ssize_t count) noexcept nogil:
    cdef vec[16] a
    cdef Py_ssize_t width = lanes[vec](out), column = 0, i, part
    while column < n:
        part = min(width, n - column)
        for i in range(width):
            a[i] = tile[column + i]
        transpose[vec](a)
        for i in range(count):
            store_part[vec](at[vec](out, i * n + column), part, a[i])
        column += width


cdef void short_rows(vec* tag, Job* job, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    cdef vec[SHORT + 16] x
    cdef vec[SHORT + 16] g
    cdef Py_ssize_t i, row, count, width = lanes[vec](tag)
    for i in range(start, stop):
        row = i * width
        count = min(width, job.outer - row)
        load_rows[vec](x, at[vec](<vec*>job.x, row * job.n), job.n, count)
        if job.backward:
            load_rows[vec](g, at[vec](<vec*>job.g, row * job.n), job.n, count)
            tile_backward[vec](job.kind, g, x, job.n)
        else:
            tile_forward[vec](job.kind, x, job.n)
        store_rows[vec](x, at[vec](<vec*>job.out, row * job.n), job.n, count)


cdef void short_rows_task(void* job, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    if (<Job*>job).is_double:
        short_rows[vd](<vd*>job, <Job*>job, start, stop)
    else:
        short_rows[vf](<vf*>job, <Job*>job, start, stop)


# Strips.

cdef inline void load_strip(vec* tile, vec* x, Job* job, Py_ssize_t columns, Py_ssize_t group, vec* m) noexcept nogil:
    """Vector j of line i to tile[j * n + i], maxima to m; `group` outer blocks to one vector where columns are few."""
    cdef Py_ssize_t width = lanes[vec](x), whole = columns // width, part = columns % width, i, j
    cdef vec v, zero = splat[vec](x, 0)
    cdef vec* line
    for j in range(whole + 1):
        m[j] = lowest[vec](x)
    for i in range(job.n):
        line = at[vec](x, i * job.inner)
        for j in range(whole):
            prefetch(at[vec](line + j, AHEAD * job.inner), 0)
            v = line[j]
            tile[j * job.n + i] = v
            m[j] = maximum[vec](v, m[j])
        if part:
            v = load_part[vec](line + whole, part, zero)
            tile[whole * job.n + i] = v
            m[whole] = maximum[vec](v, m[whole])
            for j in range(1, group):    # left to right: each store's surplus lanes are overwritten by the next
                v = load_part[vec](at[vec](line, j * job.n * job.inner), part, zero)
                at[vec](tile + i, j * columns)[0] = v
    if group > 1:
        m[0] = column_maximum[vec](tile, job.n, lowest[vec](x))


cdef inline vec last_step(int kind, vec v, vec m, vec* factor) noexcept nogil:
    if kind == SOFTMAX:
        return v * factor[1] + v * factor[0]
    if kind == LOG_SOFTMAX:
        return (v - m) - factor[0]
    return v


cdef inline void store_strip(int kind, vec* tile, vec* out, Job* job, Py_ssize_t columns, Py_ssize_t group,
                             vec* m, vec* factor) noexcept nogil:
    """The last step of the forward pass on the way out; with kind NEITHER the tile as it is."""
    cdef Py_ssize_t width = lanes[vec](out), whole = columns // width, part = columns % width, i, j
    cdef vec* line
    cdef vec* end = tile + whole * job.n
    if part:
        for i in range(job.n):
            end[i] = last_step[vec](kind, end[i], m[whole], factor + 2 * whole)
    for i in range(job.n):
        line = at[vec](out, i * job.inner)
        for j in range(whole):
            prefetch(at[vec](line + j, AHEAD * job.inner), 1)
            line[j] = last_step[vec](kind, tile[j * job.n + i], m[j], factor + 2 * j)
        for j in range(group if part else 0):
            store_part[vec](at[vec](line + whole, j * job.n * job.inner), part, at[vec](end + i, j * columns)[0])


cdef void strips(vec* tag, Job* job, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    cdef Py_ssize_t width = lanes[vec](tag), i, j, block, column, columns, group, offset
    cdef int worker = 0
    cdef vec* tile
    cdef vec* g
    cdef vec[STRIP_WIDTH + 1] m
    cdef vec[2 * STRIP_WIDTH + 2] factor
    while not claim(&job.busy[worker]):      # there are as many as workers
        worker = (worker + 1) % job.workers
    tile = <vec*>(job.memory + worker * job.scratch)
    g = tile + job.width * job.n + 1
    for i in range(start, stop):
        block = i // job.strips * job.group
        column = i % job.strips * job.width * width
        columns = min(job.width * width, job.inner - column)
        group = min(job.group, job.outer - block)
        offset = block * job.n * job.inner + column
        load_strip[vec](tile, at[vec](<vec*>job.x, offset), job, columns, group, m)
        if job.backward:
            load_strip[vec](g, at[vec](<vec*>job.g, offset), job, columns, group, m)
        for j in range(ceiling(columns, width)):
            if job.backward:
                tile_backward[vec](job.kind, g + j * job.n, tile + j * job.n, job.n)
            else:
                tile_exp[vec](job.kind, tile + j * job.n, job.n, m[j], factor + 2 * j)
        if job.backward:
            store_strip[vec](NEITHER, tile, at[vec](<vec*>job.out, offset), job, columns, group, m, factor)
        elif job.kind == SOFTMAX:
            store_strip[vec](SOFTMAX, tile, at[vec](<vec*>job.out, offset), job, columns, group, m, factor)
        else:
            store_strip[vec](LOG_SOFTMAX, tile, at[vec](<vec*>job.out, offset), job, columns, group, m, factor)
    release(&job.busy[worker])


cdef void strips_task(void* job, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    if (<Job*>job).is_double:
        strips[vd](<vd*>job, <Job*>job, start, stop)
    else:
        strips[vf](<vf*>job, <Job*>job, start, stop)


# ---------------------------------------------------------------------------------------------------------------
# A call.

cdef enum Loop:
    SHORT_ROWS
    ROWS
    LONG_ROWS
    STRIPS


cdef inline Loop choose(Py_ssize_t n, Py_ssize_t inner) noexcept nogil:
    if inner > 1:
        return STRIPS
    return SHORT_ROWS if n <= SHORT else ROWS if n < LONG else LONG_ROWS


def explain(Py_ssize_t outer, Py_ssize_t n, Py_ssize_t inner):
    """The loop that takes this shape, and on how many threads."""
    loop = {SHORT_ROWS: "short rows", ROWS: "rows", LONG_ROWS: "long rows", STRIPS: "strips"}[choose(n, inner)]
    threads = 1 if outer * n * inner < SERIAL else default_workers()
    return f"{loop} of ({outer}, {n}, {inner}), {threads} thread{'s' * (threads > 1)}"


cdef void run_job(Job* job, int workers) noexcept nogil:
    cdef Py_ssize_t width = vd_lanes if job.is_double else vf_lanes, vectors, number, size
    cdef Loop loop = choose(job.n, job.inner)
    cdef void* memory
    if loop == SHORT_ROWS:
        number = ceiling(job.outer, width)
        parallel_for(&short_rows_task, job, number, spread(number, width * job.n, workers), workers)
    elif loop == ROWS:
        parallel_for(&rows_task, job, job.outer, spread(job.outer, job.n, workers), workers)
    elif loop == LONG_ROWS:
        job.blocks = ceiling(job.n, BLOCK)
        job.row = <Part*>malloc(job.outer * (1 + job.blocks) * sizeof(Part))
        if job.row == NULL:
            job.failed = 1
            return
        job.block = job.row + job.outer
        if workers == 1 or job.outer >= 2 * workers:
            parallel_for(&long_rows_task, job, job.outer, 1, workers)
        else:
            long_rows(job, job.outer, workers)
        free(job.row)
    else:
        vectors = ceiling(job.inner, width)
        size = width * (8 if job.is_double else 4)
        number = min(<Py_ssize_t>STRIP_WIDTH, max(STRIP_BYTES // (job.n * size), <Py_ssize_t>1))
        job.width = ceiling(vectors, ceiling(vectors, number))
        job.strips = ceiling(vectors, job.width)
        job.group = max(width // job.inner, <Py_ssize_t>1)
        number = ceiling(job.outer, job.group) * job.strips
        job.workers = min(<Py_ssize_t>workers, number)
        job.scratch = ceiling((1 + job.backward) * (job.width * job.n + 1) * size, 64) * 64
        memory = malloc(job.workers * (job.scratch + sizeof(int)) + 64)
        if memory == NULL:
            job.failed = 1
            return
        job.memory = <char*>((<size_t>memory + 63) & ~<size_t>63)
        job.busy = <int*>(job.memory + job.workers * job.scratch)
        memset(job.busy, 0, job.workers * sizeof(int))
        parallel_for(&strips_task, job, number, spread(number, job.width * width * job.n, workers), job.workers)
        free(memory)


STRIP_LIMIT = LONGEST_STRIP


def run(int kind, cnp.ndarray grad, cnp.ndarray x not None, cnp.ndarray out, int axis):
    """Softmax of x (or, with `grad`, the gradient from the output x) over one axis; None if that is not a plain case.

    Plain are C-contiguous float32 or float64 arrays of one shape and dtype that overlap either wholly or not at all,
    and columns (softmax not over the last axis) of up to STRIP_LIMIT. The axis is not checked.
    """
    cdef Job job
    cdef int type_number = cnp.PyArray_TYPE(x), i, ndim = cnp.PyArray_NDIM(x)
    cdef Py_ssize_t size = cnp.PyArray_SIZE(x)
    if (type_number != cnp.NPY_FLOAT32 and type_number != cnp.NPY_FLOAT64) or not plain(x, x):
        return None
    if (grad is not None and not plain(grad, x)) or (out is not None and not plain(out, x)):
        return None
    job.outer = job.inner = 1
    for i in range(axis):
        job.outer *= cnp.PyArray_DIM(x, i)
    job.n = cnp.PyArray_DIM(x, axis)
    for i in range(axis + 1, ndim):
        job.inner *= cnp.PyArray_DIM(x, i)
    if job.inner > 1 and job.n > LONGEST_STRIP:
        return None
    if out is None:
        out = cnp.PyArray_EMPTY(ndim, cnp.PyArray_DIMS(x), type_number, 0)
    elif not cnp.PyArray_ISWRITEABLE(out) or overlap(out, x) or (grad is not None and overlap(out, grad)):
        return None
    if size == 0:
        return out
    job.kind = kind
    job.backward = grad is not None
    job.is_double = type_number == cnp.NPY_FLOAT64
    job.failed = 0
    job.g = NULL if grad is None else cnp.PyArray_DATA(grad)
    job.x = cnp.PyArray_DATA(x)
    job.out = cnp.PyArray_DATA(out)
    if size < SERIAL:
        run_job(&job, 1)
    else:
        with nogil:
            run_job(&job, default_workers())
    if job.failed:
        raise MemoryError(f"no memory for the scratch of a softmax over {job.n} numbers")
    return out


cdef inline bint plain(cnp.ndarray a, cnp.ndarray like) noexcept:
    cdef int i
    if cnp.PyArray_TYPE(a) != cnp.PyArray_TYPE(like) or cnp.PyArray_NDIM(a) != cnp.PyArray_NDIM(like):
        return False
    for i in range(cnp.PyArray_NDIM(a)):
        if cnp.PyArray_DIM(a, i) != cnp.PyArray_DIM(like, i):
            return False
    return cnp.PyArray_IS_C_CONTIGUOUS(a) and cnp.PyArray_ISALIGNED(a) and cnp.PyArray_ISNOTSWAPPED(a)


cdef inline bint overlap(cnp.ndarray a, cnp.ndarray b) noexcept:
    """Whether two plain arrays of one size share memory without being the same."""
    cdef size_t p = <size_t>cnp.PyArray_DATA(a), q = <size_t>cnp.PyArray_DATA(b), size = cnp.PyArray_NBYTES(a)
    return p != q and p < q + size and q < p + size
