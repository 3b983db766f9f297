# The routes along rows: inner == 1, with the n numbers of a row one after the other; long rows are cut into blocks.
#
# The `row_` functions take n numbers, which need not fill the last vector.

cdef inline vec row_maxima(int stored, vec* x, Py_ssize_t n) noexcept nogil:
    """The maximum of every lane."""
    cdef Py_ssize_t whole = n // lanes[vec](x), part = n % lanes[vec](x)
    cdef vec low = lowest[vec](x)
    return column_maximum[vec](stored, x, whole, get_part[vec](stored, x, whole, part, low) if part else low)


cdef inline vec row_maximum(int stored, vec* x, Py_ssize_t n) noexcept nogil:
    """The maximum of n numbers, in every lane."""
    return across_maximum[vec](row_maxima[vec](stored, x, n))


cdef inline vec row_exps(int kind, int stored, vec* x, vec* out, Py_ssize_t n, vec m, vec* base, vec* total, vec* count,
                         Fetch fetch) noexcept nogil:
    """Sum scaled e^x in every lane; softmax leaves e^x in out, if there is one, and returns every lane's maximum."""
    cdef Py_ssize_t whole = n // lanes[vec](x), part = n % lanes[vec](x)
    cdef vec low = lowest[vec](x), end = get_part[vec](stored, x, whole, part, low) if part else low, top = end
    total[0] = total[1] = count[0] = count[1] = splat[vec](&m, 0)
    if kind == SOFTMAX:
        column_exp[vec](stored, x, out, whole, base, total, &top, fetch)
        if part:
            column_exp[vec](SAME, &end, &end, 1, base, total, &low, no_fetch())
            if out != NULL:
                store_part[vec](out + whole, part, end)
    else:
        column_exp_others[vec](stored, x, NULL, whole, m, base, total, count, fetch)
        if part:
            column_exp_others[vec](SAME, &end, NULL, 1, m, base, total, count, no_fetch())
    return top


cdef inline void row_scale(int stored, vec* e, vec* out, Py_ssize_t n, vec* factor) noexcept nogil:
    """out = softmax, from the e^x that `row_exps` left."""
    cdef Py_ssize_t whole = n // lanes[vec](e), part = n % lanes[vec](e)
    column_scale[vec](stored, e, out, whole, factor)
    if part:
        put_part[vec](stored, out, whole, part, times[vec](e[whole], factor))


cdef inline void row_log(int stored, vec* x, vec* out, Py_ssize_t n, vec m, vec rest, Fetch fetch) noexcept nogil:
    """out = log_softmax of x; out may be x."""
    cdef Py_ssize_t whole = n // lanes[vec](x), part = n % lanes[vec](x)
    column_log[vec](stored, x, out, whole, m, rest, fetch)
    if part:
        put_part[vec](stored, out, whole, part, (get_part[vec](stored, x, whole, part, m) - m) - rest)


cdef inline void row_exp_scale(int stored, vec* x, vec* out, Py_ssize_t n, vec* base, vec* factor,
                               Fetch fetch) noexcept nogil:
    """out = softmax of x, where `row_exps` left nothing."""
    cdef Py_ssize_t whole = n // lanes[vec](x), part = n % lanes[vec](x)
    cdef vec end
    column_exp_scale[vec](stored, x, out, whole, base, factor, fetch)
    if part:
        end = get_part[vec](stored, x, whole, part, base[0])
        put_part[vec](stored, out, whole, part, times[vec](exp_on[vec](base, end), factor))


cdef vec row_nan(int stored, vec* x, Py_ssize_t n) noexcept nogil:
    """NaN in every lane that holds one, else 0."""
    cdef Py_ssize_t whole = n // lanes[vec](x), part = n % lanes[vec](x)
    cdef vec low = lowest[vec](x), end = get_part[vec](stored, x, whole, part, low) if part else low
    return column_nan[vec](stored, x, whole) + column_nan[vec](SAME, &end, 1)


cdef Py_ssize_t first_equal(vec* x, Py_ssize_t n, vec m) noexcept nogil:
    """The index of the first of n numbers that is m; one is."""
    cdef vec zero = splat[vec](x, 0), one = splat[vec](x, 1), hits
    cdef Py_ssize_t i = 0, j
    while (i + 8) * lanes[vec](x) <= n:
        hits = zero
        for j in range(i, i + 8):
            hits = hits + where_equal[vec](x[j], m, one)
        if first[vec](across_maximum[vec](hits)) > 0:
            break
        i += 8
    i *= lanes[vec](x)
    while lane_of[vec](x, i) != first[vec](m):
        i += 1
    return i


cdef void row_hardmax(vec* x, vec* out, Py_ssize_t n) noexcept nogil:
    """out = 1 for the first maximum, else 0; NaN for a row that holds NaN, or nothing but -inf."""
    cdef Py_ssize_t place
    cdef vec m = row_maximum[vec](SAME, x, n)
    if any_nan[vec](row_nan[vec](SAME, x, n)) or first[vec](m) == -INFINITY:
        fill[vec](out, n, splat[vec](x, NAN))
        return
    place = first_equal[vec](x, n, m)
    fill[vec](out, n, splat[vec](x, 0))
    set_lane[vec](out, place, 1)


cdef inline char* mask_part(vec* tag, char* mask, Py_ssize_t i, Py_ssize_t n, char* bytes) noexcept nogil:
    """Copy the n bytes for vector i to 16 that may all be read; NULL without a mask."""
    if mask == NULL:
        return NULL
    memcpy(bytes, mask + i * lanes[vec](tag), n)
    return bytes


cdef inline void row_dots(int kind, int stored, vec* g, vec* y, char* mask, Py_ssize_t n, vec* total) noexcept nogil:
    """Sum the terms of the dot product, in every lane."""
    cdef Py_ssize_t whole = n // lanes[vec](y), part = n % lanes[vec](y)
    cdef vec zero = splat[vec](y, 0), g_end, y_end
    cdef char[16] bytes
    total[0] = total[1] = zero
    column_dot[vec](kind, stored, g, y, mask, whole, total)
    if part:
        g_end = get_part[vec](stored, g, whole, part, zero)
        y_end = get_part[vec](stored, y, whole, part, zero)
        column_dot[vec](kind, SAME, &g_end, &y_end, mask_part[vec](y, mask, whole, part, bytes), 1, total)


cdef inline void row_gradient(int kind, int stored, vec* g, vec* y, char* mask, vec* out, Py_ssize_t n,
                              vec dot) noexcept nogil:
    """out = the gradient, from the sum of the dot product."""
    cdef Py_ssize_t whole = n // lanes[vec](y), part = n % lanes[vec](y)
    cdef vec zero = splat[vec](&dot, 0), g_end, y_end
    cdef char[16] bytes
    column_gradient[vec](kind, stored, g, y, mask, out, whole, dot)
    if part:
        g_end = get_part[vec](stored, g, whole, part, zero)
        y_end = get_part[vec](stored, y, whole, part, zero)
        column_gradient[vec](
            kind, SAME, &g_end, &y_end, mask_part[vec](y, mask, whole, part, bytes), &y_end, 1, dot)
        put_part[vec](stored, out, whole, part, y_end)


# Rows are taken GROUP at a time. What a row needs once, the steps across its lanes and the division, takes long, but no
# longer for several rows; and one logarithm serves them all. Meanwhile the next rows and the places of the results come
# into the cache: left to itself, memory would rest while e^x is computed, and stores would wait for it.

cdef struct RowGroup:
    Py_ssize_t count
    Py_ssize_t[GROUP] n       # how many numbers of each row count
    void* g[GROUP]
    void* x[GROUP]
    char* mask[GROUP]         # backward: a byte for each number, 0 for those that do not count; or NULL
    void* buffer[GROUP]
    void* out[GROUP]          # LOG_SUM: the results follow each other from out[0] on
    Py_ssize_t first          # the index of the first row


cdef inline Fetch fetch_of(vec* tag, Job* job, Py_ssize_t read_block, Py_ssize_t read_offset,
                           Py_ssize_t write) noexcept nogil:
    """What to fetch: x from a number of a block on, and results from number `write` on, unless that is negative."""
    cdef Py_ssize_t item = stored_size[vec](tag, job.out_stored)
    cdef Fetch fetch
    fetch.read = source_at(&job.x, read_block, read_offset)
    fetch.read_step = lanes[vec](tag) * job.x.step
    fetch.write = <char*>job.out + item * write if write >= 0 else NULL
    fetch.write_step = lanes[vec](tag) * item
    return fetch


cdef inline void rows_forward(int kind, int stored, vec* tag, Job* job, RowGroup* group) noexcept nogil:
    """The forward pass of a group of rows, by way of the buffer, which is aligned: stores across cache lines are slow,
    and most stores to an array that begins anywhere are such.

    The maximum of a row's first numbers may scale e^x and its sum for softmax, with the same results, if no number of
    the row is more than GUESS above it. So a long row is read once, and a second time only where one is.
    """
    cdef vec[GROUP] m
    cdef vec[3 * GROUP] base
    cdef vec[2 * GROUP] total
    cdef vec[2 * GROUP] factor
    cdef vec[2 * GROUP] count
    cdef vec tops = splat[vec](tag, 0), others = tops, hits = splat[vec](tag, 1), rests
    cdef Py_ssize_t i, n, row
    cdef bint nan, guess
    cdef vec top
    guess = kind == SOFTMAX and group.n[0] > GROUPED and group.x[0] != group.buffer[0]    # such a row is alone
    for i in range(group.count):
        n = min(group.n[i], 4 * lanes[vec](tag)) if guess else group.n[i]
        m[i] = row_maximum[vec](stored, <vec*>group.x[i], n)
        set_row_base[vec](m[i], base + 3 * i)
    for i in range(group.count):
        row = group.first + i
        top = row_exps[vec](kind, stored, <vec*>group.x[i], <vec*>group.buffer[i], group.n[i], m[i], base + 3 * i,
                            total + 2 * i, count + 2 * i,
                            fetch_of[vec](tag, job, row + job.group, 0, -1 if kind == LOG_SUM else row * job.n))
        if guess:
            top = across_maximum[vec](top)
            if not first[vec](top) - first[vec](m[i]) <= GUESS:
                set_row_base[vec](top, base + 3 * i)
                row_exps[vec](kind, stored, <vec*>group.x[i], <vec*>group.buffer[i], group.n[i], top, base + 3 * i,
                              total + 2 * i, count + 2 * i, no_fetch())
    if kind == SOFTMAX:
        for i in range(group.count):
            across_reciprocal[vec](total + 2 * i, factor + 2 * i)
        for i in range(group.count):
            row_scale[vec](stored, <vec*>group.buffer[i], <vec*>group.out[i], group.n[i], factor + 2 * i)
        return
    for i in range(group.count):
        set_lane[vec](&tops, i, first[vec](m[i]))
        set_lane[vec](&others, i, lanes_sum[vec](total + 2 * i))
        set_lane[vec](&hits, i, lanes_sum[vec](count + 2 * i))
    rests = log_rest[vec](others, hits, tops)
    if kind == LOG_SOFTMAX:
        for i in range(group.count):
            row_log[vec](stored, <vec*>group.x[i], <vec*>group.out[i], group.n[i], m[i], lane[vec](&rests, i),
                         no_fetch())
        return
    rests = tops + rests
    for i in range(group.count):
        if lane_of[vec](&rests, i) != lane_of[vec](&rests, i):
            nan = any_nan[vec](row_nan[vec](stored, <vec*>group.x[i], group.n[i]))
            set_lane[vec](&rests, i, NAN if nan else first[vec](m[i]))
    store_part[vec](<vec*>group.out[0], group.count, rests)


cdef inline void rows_backward(int kind, int stored, bint masked, vec* tag, RowGroup* group) noexcept nogil:
    """The backward pass of a group of rows."""
    cdef vec[2 * GROUP] total
    cdef Py_ssize_t i
    for i in range(group.count):
        row_dots[vec](kind, stored, <vec*>group.g[i], <vec*>group.x[i], group.mask[i] if masked else NULL, group.n[i],
                      total + 2 * i)
    for i in range(group.count):
        row_gradient[vec](kind, stored, <vec*>group.g[i], <vec*>group.x[i], group.mask[i] if masked else NULL,
                          <vec*>group.out[i], group.n[i], splat[vec](tag, lanes_sum[vec](total + 2 * i)))


cdef inline void row_group(int stored, vec* tag, Job* job, RowGroup* group) noexcept nogil:
    """The job's operation on a group of rows."""
    if job.backward and job.kind == SOFTMAX:
        if group.mask[0] != NULL:
            rows_backward[vec](SOFTMAX, stored, True, tag, group)
        else:
            rows_backward[vec](SOFTMAX, stored, False, tag, group)
    elif job.backward and job.kind == LOG_SOFTMAX:
        if group.mask[0] != NULL:
            rows_backward[vec](LOG_SOFTMAX, stored, True, tag, group)
        else:
            rows_backward[vec](LOG_SOFTMAX, stored, False, tag, group)
    elif job.backward:
        rows_backward[vec](HARDMAX, stored, True, tag, group)
    elif job.kind == SOFTMAX:
        rows_forward[vec](SOFTMAX, stored, tag, job, group)
    elif job.kind == LOG_SOFTMAX:
        rows_forward[vec](LOG_SOFTMAX, stored, tag, job, group)
    else:
        rows_forward[vec](LOG_SUM, stored, tag, job, group)


ctypedef void (*row_group_t)(Job* job, RowGroup* group) noexcept nogil

cdef void row_group_float32(Job* job, RowGroup* group) noexcept nogil:
    row_group[vf](SAME, <vf*>job, job, group)


cdef void row_group_float16(Job* job, RowGroup* group) noexcept nogil:
    row_group[vf](FLOAT16, <vf*>job, job, group)


cdef void row_group_bfloat16(Job* job, RowGroup* group) noexcept nogil:
    row_group[vf](BFLOAT16, <vf*>job, job, group)


cdef void row_group_float64(Job* job, RowGroup* group) noexcept nogil:
    row_group[vd](SAME, <vd*>job, job, group)


cdef row_group_t[4] row_group_by_format = [
    row_group_float32, row_group_float16, row_group_bfloat16, row_group_float64]


cdef void rows(vec* tag, Job* job, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    """Groups start to stop of rows. Of a row whose first numbers alone count, only these are computed."""
    cdef char* scratch = claim_scratch(job)
    cdef row_group_t operation = row_group_by_format[format_of(job)]
    cdef RowGroup group
    cdef vec* buffer
    cdef Py_ssize_t i, j, row, size = job.n // lanes[vec](tag) + 1
    cdef char* pattern = scratch + (1 + job.backward) * job.group * size * sizeof(vec)    # n ones, then n zeros
    if masked_in_registers(job):
        memset(pattern, 1, job.n)
        memset(pattern + job.n, 0, job.n)
    for i in range(start, stop):
        row = i * job.group
        group.count = min(job.group, job.outer - row)
        group.first = row
        for j in range(group.count):
            buffer = <vec*>scratch + j * size
            group.buffer[j] = buffer
            group.mask[j] = NULL
            group.n[j] = kept(job, row + j)
            if masked_in_registers(job):
                group.mask[j] = pattern + job.n - group.n[j]
                if job.mask != NULL:
                    group.mask[j] = job.mask + place(&job.mask_at, row + j)
                group.n[j] = job.n
            group.x[j] = ready_x[vec](tag, job, row + j, 0, group.n[j], group.n[j], buffer)
            if job.backward:
                group.g[j] = ready_g[vec](tag, job, row + j, 0, group.n[j], group.n[j], buffer + job.group * size)
            if job.kind == LOG_SUM:
                group.out[j] = at[vec](<vec*>job.out, row + j)
            else:
                group.out[j] = target[vec](tag, job, (row + j) * job.n, buffer)
        if job.kind == HARDMAX and not job.backward:
            row_hardmax[vec](<vec*>group.x[0], <vec*>group.out[0], group.n[0])
        else:
            operation(job, &group)
        for j in range(group.count if job.general and job.kind != LOG_SUM else 0):
            finish_row[vec](<vec*>group.out[j], job, row + j, group.n[j])
    release_scratch(job, scratch)


cdef inline void finish_row(vec* y, Job* job, Py_ssize_t row, Py_ssize_t n) noexcept nogil:
    """Fill a row of which n results are there, and deliver it."""
    if n < job.n:
        fill[vec](at[vec](y, n), job.n - n, splat[vec](y, masked_result(job)))
    deliver[vec](y, job, row, 0, job.n)


cdef void rows_task(void* job, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    if (<Job*>job).is_double:
        rows[vd](<vd*>job, <Job*>job, start, stop)
    else:
        rows[vf](<vf*>job, <Job*>job, start, stop)


# Long rows are cut into blocks of a fixed size, so that every thread has work on a single row. The first pass takes the
# maximum and the sum of every block; the second computes e^x again, which costs less than writing and reading it.
# Long columns (inner > 1) are such rows side by side where a vector holds a whole number of them: every lane belongs to
# one column, and a block has as many numbers of each.

cdef inline Py_ssize_t block_numbers(Job* job, Py_ssize_t offset) noexcept nogil:
    """How many numbers the block from `offset` on has."""
    return min(BLOCK * job.inner, job.n * job.inner - offset)


cdef inline vec rotated(vec v, Py_ssize_t by) noexcept nogil:
    """v with its lanes moved round."""
    cdef vec[2] twice
    twice[0] = twice[1] = v
    return at[vec](twice, by)[0]


cdef inline vec columns_maximum(vec v, Py_ssize_t columns) noexcept nogil:
    """In every lane, the maximum of the lanes of its column."""
    cdef Py_ssize_t by = columns
    if columns == 1:
        return across_maximum[vec](v)
    while by < lanes[vec](&v):
        v = maximum[vec](v, rotated[vec](v, by))
        by *= 2
    return v


cdef inline void columns_sum(vec* total, Py_ssize_t columns) noexcept nogil:
    """`across_sum` of the lanes of each column."""
    cdef Py_ssize_t by = columns
    cdef vec other, sum
    if columns == 1:
        across_sum[vec](total)
        return
    while by < lanes[vec](total):
        other = rotated[vec](total[0], by)
        sum = total[0] + other
        total[1] = (total[1] + rotated[vec](total[1], by)) + excess[vec](sum, total[0], other)
        total[0] = sum
        by *= 2


cdef inline void blocks_sum(int stored, vec* tag, Job* job, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    """The first pass over blocks start to stop, to job.block."""
    cdef char* scratch = claim_scratch(job) if job.general else NULL
    cdef vec* buffer = <vec*>scratch
    cdef vec* x
    cdef vec* g
    cdef vec[2] total
    cdef vec[2] count
    cdef vec[2] nan
    cdef vec[3] base
    cdef vec m, unit, finite, zero = splat[vec](tag, 0)
    cdef Fetch fetch
    cdef Part* part
    cdef Py_ssize_t i, n, outer, offset, keep, column
    for i in range(start + job.first * job.blocks, stop + job.first * job.blocks):
        outer, offset = i // job.blocks, i % job.blocks * BLOCK * job.inner
        n = block_numbers(job, offset)
        keep = kept_of(job, outer, offset, n)
        x = ready_x[vec](tag, job, outer, offset, n, keep, buffer)
        fetch = fetch_of[vec](tag, job, outer, offset + n, -1)
        m = unit = nan[0] = nan[1] = zero
        if job.backward:
            g = ready_g[vec](tag, job, outer, offset, n, keep, at[vec](buffer, BLOCK * job.inner + 16))
            row_dots[vec](job.kind, stored, g, x, NULL, n, total)
            count[0] = zero
        else:
            m = columns_maximum[vec](row_maxima[vec](stored, x, n), job.inner)
            finite = where_differs[vec](m, lowest[vec](tag), m)
            set_base[vec](finite, base)
            unit = scaled_unit[vec](finite)
            row_exps[vec](job.kind, stored, x, NULL, n, finite, base, total, count, fetch)
            columns_sum[vec](count, job.inner)
        columns_sum[vec](total, job.inner)
        if job.kind == LOG_SUM and any_nan[vec](total[0]):
            nan[0] = row_nan[vec](stored, x, n)
            columns_sum[vec](nan, job.inner)
        for column in range(job.inner):
            part = &job.block[(outer * job.inner + column) * job.blocks + i % job.blocks]
            part.m, part.unit = lane_of[vec](&m, column), lane_of[vec](&unit, column)
            part.count = lane_of[vec](count, column)
            part.total = lane_of[vec](total, column) - lane_of[vec](total + 1, column)    # keeps all digits of float32
            part.nan = lane_of[vec](nan, column) != 0    # NaN is not 0
    if job.general:
        release_scratch(job, scratch)


cdef inline void blocks_finish(int stored, vec* tag, Job* job, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    """The second pass over blocks start to stop, from job.row to the results."""
    cdef char* scratch = claim_scratch(job) if job.general else NULL
    cdef vec* buffer = <vec*>scratch
    cdef vec* x
    cdef vec* g
    cdef vec* out
    cdef vec[2] factor
    cdef vec[3] base
    cdef vec m = splat[vec](tag, 0)
    cdef Fetch fetch
    cdef Part* part
    cdef Py_ssize_t i, j, n, outer, offset, keep, prepared = -1
    factor[0] = factor[1] = m
    for i in range(start + job.first * job.blocks, stop + job.first * job.blocks):
        outer, offset = i // job.blocks, i % job.blocks * BLOCK * job.inner
        n = block_numbers(job, offset)
        keep = kept_of(job, outer, offset, n)
        x = ready_x[vec](tag, job, outer, offset, n, keep, buffer)
        out = target[vec](tag, job, outer * job.n * job.inner + offset, buffer)
        fetch = fetch_of[vec](tag, job, outer, offset + n, outer * job.n * job.inner + offset + n)
        if outer != prepared:
            for j in range(lanes[vec](tag)):
                part = &job.row[outer * job.inner + j % job.inner]
                set_lane[vec](&m, j, part.m)
                set_lane[vec](factor, j, part.factor)
                set_lane[vec](factor + 1, j, part.rest)
            set_base[vec](m, base)
            prepared = outer
        if job.backward:
            g = ready_g[vec](tag, job, outer, offset, n, keep, at[vec](buffer, BLOCK * job.inner + 16))
            row_gradient[vec](job.kind, stored, g, x, NULL, out, n, factor[0])
        elif job.kind == SOFTMAX:
            row_exp_scale[vec](stored, x, out, n, base, factor, fetch)
        else:
            row_log[vec](stored, x, out, n, m, factor[0], fetch)
        if job.general:
            deliver[vec](out, job, outer, offset, n)
    if job.general:
        release_scratch(job, scratch)


cdef inline double rebase(vec* tag, double m, double top) noexcept nogil:
    """The factor that makes sums scaled for the maximum m sums scaled for the maximum `top`."""
    cdef double m_shift = first[vec](base_shift[vec](splat[vec](tag, m)))
    cdef double top_shift = first[vec](base_shift[vec](splat[vec](tag, top)))
    cdef double power = first[vec](exponent[vec](splat[vec](tag, m - m_shift)))
    power -= first[vec](exponent[vec](splat[vec](tag, top - top_shift)))
    if m_shift == top_shift:
        return ldexp(1, <int>power)
    return exp(((m_shift - top_shift) + power * 6.93147180369123816490e-01) + power * 1.90821492927058770002e-10)


cdef void combine(vec* tag, Job* job, Py_ssize_t rows) noexcept nogil:
    """Combine the blocks of each row: its maximum, and its factor as two numbers of the array's precision."""
    cdef vd[2] total
    cdef vd[2] factor
    cdef vec rest = splat[vec](tag, 0)
    cdef Part* row
    cdef Part* block
    cdef double sum
    cdef Py_ssize_t i, j
    for i in range(job.first * job.inner, (job.first + rows) * job.inner):
        row = &job.row[i]
        row.m, row.count, row.nan = -INFINITY, 0, False
        for j in range(i * job.blocks, (i + 1) * job.blocks):
            row.m = max(job.block[j].m, row.m)
            row.nan = row.nan or job.block[j].nan
        total[0] = total[1] = vd_splat(0)
        for j in range(i * job.blocks, (i + 1) * job.blocks):
            block = &job.block[j]
            sum = block.total
            if not job.backward:
                if job.kind != SOFTMAX and block.m == row.m:
                    row.count += block.count
                elif job.kind != SOFTMAX:
                    sum += block.count * block.unit
                if sum != 0 and block.m != row.m:
                    sum *= rebase[vec](tag, 0 if block.m == -INFINITY else block.m, row.m)
            add[vd](total, vd_splat(sum))
        if job.backward:
            row.factor = first[vd](settled[vd](total))
        elif job.kind == SOFTMAX:
            reciprocal[vd](total, factor)
            row.factor = first[vec](splat[vec](tag, first[vd](factor[0])))
            row.rest = (first[vd](factor[0]) - row.factor) + first[vd](factor[1])
        else:
            rest = log_rest[vec](
                splat[vec](tag, first[vd](settled[vd](total))), splat[vec](tag, row.count), splat[vec](tag, row.m))
            row.factor = first[vec](rest)
        if job.kind == LOG_SUM:
            rest = rest + splat[vec](tag, row.m)
            if isinf(row.m):
                rest = splat[vec](tag, NAN if row.nan else row.m)
            store_part[vec](at[vec](<vec*>job.out, i), 1, rest)


cdef void blocks_sum_float32(void* job, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    blocks_sum[vf](SAME, <vf*>job, <Job*>job, start, stop)


cdef void blocks_sum_float16(void* job, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    blocks_sum[vf](FLOAT16, <vf*>job, <Job*>job, start, stop)


cdef void blocks_sum_bfloat16(void* job, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    blocks_sum[vf](BFLOAT16, <vf*>job, <Job*>job, start, stop)


cdef void blocks_sum_float64(void* job, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    blocks_sum[vd](SAME, <vd*>job, <Job*>job, start, stop)


cdef task_t[4] blocks_sum_by_format = [
    blocks_sum_float32, blocks_sum_float16, blocks_sum_bfloat16, blocks_sum_float64]


cdef void blocks_finish_float32(void* job, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    blocks_finish[vf](SAME, <vf*>job, <Job*>job, start, stop)


cdef void blocks_finish_float16(void* job, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    blocks_finish[vf](FLOAT16, <vf*>job, <Job*>job, start, stop)


cdef void blocks_finish_bfloat16(void* job, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    blocks_finish[vf](BFLOAT16, <vf*>job, <Job*>job, start, stop)


cdef void blocks_finish_float64(void* job, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    blocks_finish[vd](SAME, <vd*>job, <Job*>job, start, stop)


cdef task_t[4] blocks_finish_by_format = [
    blocks_finish_float32, blocks_finish_float16, blocks_finish_bfloat16, blocks_finish_float64]


cdef void long_rows(Job* job, Py_ssize_t rows, int workers) noexcept nogil:
    """Do so many rows, or groups of columns, from job.first on, with their blocks shared among the workers."""
    cdef Py_ssize_t number = rows * job.blocks, grain = spread(number, BLOCK * job.inner, workers)
    parallel_for(blocks_sum_by_format[format_of(job)], job, number, grain, workers)
    if job.is_double:
        combine[vd](<vd*>job, job, rows)
    else:
        combine[vf](<vf*>job, job, rows)
    if job.kind != LOG_SUM:
        parallel_for(blocks_finish_by_format[format_of(job)], job, number, grain, workers)


cdef void long_rows_task(void* whole_job, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    """Do one row after the other, so that its second pass finds it in the cache."""
    cdef Job job = (<Job*>whole_job)[0]
    cdef Py_ssize_t i
    for i in range(start, stop):
        job.first = i
        long_rows(&job, 1, 1)
