# Rows: inner == 1, and the n numbers of a row one after the other; and long rows, in blocks.
#
# Included by _softmax_kernels.pxi. The `row_` functions take n numbers, which need not fill vectors.

cdef inline vec row_maxima(vec* x, Py_ssize_t n) noexcept nogil:
    """Of every lane."""
    cdef Py_ssize_t whole = n // lanes[vec](x), part = n % lanes[vec](x)
    return column_maximum[vec](x, whole, load_part[vec](x + whole, part, lowest[vec](x)) if part else lowest[vec](x))


cdef inline vec row_maximum(vec* x, Py_ssize_t n) noexcept nogil:
    return across_maximum[vec](row_maxima[vec](x, n))


cdef inline void row_exps(int kind, vec* x, vec* out, Py_ssize_t n, vec m, vec* base, vec* total,
                          vec* count) noexcept nogil:
    """The sums of scaled e^x of every lane; softmax leaves e^x in out, if there is one."""
    cdef Py_ssize_t whole = n // lanes[vec](x), part = n % lanes[vec](x)
    cdef vec end = load_part[vec](x + whole, part, lowest[vec](x)) if part else m
    total[0] = total[1] = count[0] = count[1] = splat[vec](&m, 0)
    if kind == SOFTMAX:
        column_exp[vec](x, out, whole, base, total)
        if part:
            column_exp[vec](&end, &end, 1, base, total)
            if out != NULL:
                store_part[vec](out + whole, part, end)
    else:
        column_exp_others[vec](x, NULL, whole, m, base, total, count)
        if part:
            column_exp_others[vec](&end, NULL, 1, m, base, total, count)


cdef inline void row_finish(int kind, vec* x, vec* out, Py_ssize_t n, vec m, vec* factor) noexcept nogil:
    """The last step: for softmax from the e^x that row_exps left, for log_softmax from x."""
    cdef Py_ssize_t whole = n // lanes[vec](x), part = n % lanes[vec](x)
    cdef vec end = load_part[vec](x + whole, part, m) if part else m    # before out is written, which may be x
    if kind == SOFTMAX:
        column_scale[vec](x, out, whole, factor)
        column_scale[vec](&end, &end, 1, factor)
    else:
        column_log[vec](x, out, whole, m, factor[0])
        column_log[vec](&end, &end, 1, m, factor[0])
    if part:
        store_part[vec](out + whole, part, end)


cdef inline void row_exp_scale(vec* x, vec* out, Py_ssize_t n, vec* base, vec* factor) noexcept nogil:
    """softmax of x, without what row_exps left."""
    cdef Py_ssize_t whole = n // lanes[vec](x), part = n % lanes[vec](x)
    cdef vec end
    column_exp_scale[vec](x, out, whole, base, factor)
    if part:
        end = load_part[vec](x + whole, part, base[0])
        column_exp_scale[vec](&end, &end, 1, base, factor)
        store_part[vec](out + whole, part, end)


cdef vec row_nan(vec* x, Py_ssize_t n) noexcept nogil:
    """NaN in every lane that holds one, else 0."""
    cdef Py_ssize_t whole = n // lanes[vec](x), part = n % lanes[vec](x)
    cdef vec end = load_part[vec](x + whole, part, lowest[vec](x)) if part else lowest[vec](x)
    return column_nan[vec](x, whole) + column_nan[vec](&end, 1)


cdef inline vec row_log_sum(vec* x, Py_ssize_t n, vec m, vec rest) noexcept nogil:
    cdef vec sum = m + rest
    if any_nan[vec](sum):
        sum = m + (splat[vec](x, NAN) if any_nan[vec](row_nan[vec](x, n)) else splat[vec](x, 0))
    return sum


cdef inline void row_forward(int kind, vec* x, vec* buffer, vec* out, Py_ssize_t n) noexcept nogil:
    """To out, by way of the buffer: stores across cache lines, as most are where arrays begin anywhere, are slow, and so
    the rows' e^x go where they are aligned. The log of the sum to out's first number."""
    cdef vec m = row_maximum[vec](x, n)
    cdef vec[2] total
    cdef vec[2] count
    cdef vec[2] factor
    cdef vec[3] base
    set_row_base[vec](m, base)
    row_exps[vec](kind, x, buffer, n, m, base, total, count)
    if kind == SOFTMAX:
        across_reciprocal[vec](total, factor)
    else:
        across_sum[vec](total)
        across_sum[vec](count)
        factor[0] = log_rest[vec](settled[vec](total), count[0], m)
    if kind == LOG_SUM:
        store_part[vec](out, 1, row_log_sum[vec](x, n, m, factor[0]))
    else:
        row_finish[vec](kind, buffer if kind == SOFTMAX else x, out, n, m, factor)


cdef Py_ssize_t first_equal(vec* x, Py_ssize_t n, vec m) noexcept nogil:
    """The place of the first of n numbers that is m; one is."""
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
    cdef Py_ssize_t place
    cdef vec m = row_maximum[vec](x, n)
    if any_nan[vec](row_nan[vec](x, n)) or first[vec](m) == -INFINITY:
        fill[vec](out, n, splat[vec](x, NAN))
        return
    place = first_equal[vec](x, n, m)
    fill[vec](out, n, splat[vec](x, 0))
    set_lane[vec](out, place, 1)


cdef inline void row_dots(int kind, vec* g, vec* y, Py_ssize_t n, vec* total) noexcept nogil:
    """The sums of every lane."""
    cdef Py_ssize_t whole = n // lanes[vec](y), part = n % lanes[vec](y)
    cdef vec zero = splat[vec](y, 0), g_end, y_end
    total[0] = total[1] = zero
    column_dot[vec](kind, g, y, whole, total)
    if part:
        g_end = load_part[vec](at[vec](g, n - part), part, zero)
        y_end = load_part[vec](at[vec](y, n - part), part, zero)
        column_dot[vec](kind, &g_end, &y_end, 1, total)


cdef inline vec row_dot(int kind, vec* g, vec* y, Py_ssize_t n) noexcept nogil:
    cdef vec[2] total
    row_dots[vec](kind, g, y, n, total)
    across_sum[vec](total)
    return settled[vec](total)


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
    """Of a row, only the first numbers up to the last that counts are computed."""
    cdef char* scratch = claim_scratch(job)
    cdef vec* buffer = <vec*>scratch
    cdef vec* x
    cdef vec* g
    cdef vec* out
    cdef Py_ssize_t i, n
    for i in range(start, stop):
        n = kept(job, i)
        x = ready_x[vec](tag, job, i, 0, n, n, buffer)
        if job.kind == LOG_SUM:
            row_forward[vec](LOG_SUM, x, NULL, at[vec](<vec*>job.out, i), n)
            continue
        out = target[vec](tag, job, i * job.n, buffer)
        if job.backward:
            g = ready_g[vec](tag, job, i, 0, n, n, buffer + job.n // lanes[vec](tag) + 1)
            row_gradient[vec](job.kind, g, x, out, n, row_dot[vec](job.kind, g, x, n))
        elif job.kind == HARDMAX:
            row_hardmax[vec](x, out, n)
        else:
            row_forward[vec](job.kind, x, buffer, out, n)
        if job.general:
            finish_row[vec](out, job, i, n)
    release_scratch(job, scratch)


cdef inline void finish_row(vec* y, Job* job, Py_ssize_t row, Py_ssize_t n) noexcept nogil:
    """A row of which n results are there."""
    if n < job.n:
        fill[vec](at[vec](y, n), job.n - n, splat[vec](y, masked_result(job)))
    deliver[vec](y, job, row, 0, job.n)


cdef void rows_task(void* job, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    if (<Job*>job).is_double:
        rows[vd](<vd*>job, <Job*>job, start, stop)
    else:
        rows[vf](<vf*>job, <Job*>job, start, stop)


# Several rows of a few vectors at once, as many as a vector has lanes: what a row needs once, the step across its lanes and
# the division, takes longer than the row itself. Here the lanes of all rows are transposed for that step.

cdef inline vec across_rows_maximum(vec* m) noexcept nogil:
    """The maximum of row i in lane i."""
    transpose[vec](m)
    return column_maximum[vec](m + 1, lanes[vec](m) - 1, m[0])


cdef inline void across_rows_sum(vec* total, vec* lost, vec* sum) noexcept nogil:
    """The sum of row i in lane i, for totals and what they lost, as in `add`."""
    cdef Py_ssize_t i, half = lanes[vec](total) // 2
    cdef vec a, b
    transpose[vec](total)
    transpose[vec](lost)
    while half:
        for i in range(half):
            a, b = total[i], total[i + half]
            total[i] = a + b
            lost[i] = (lost[i] + lost[i + half]) + excess[vec](total[i], a, b)
        half >>= 1
    sum[0], sum[1] = total[0], lost[0]


cdef void rows_forward(int kind, vec** x, vec** buffer, vec** out, Py_ssize_t* n, Py_ssize_t rows) noexcept nogil:
    """row_forward for up to as many rows as lanes; with LOG_SUM to the first numbers of out[0]."""
    cdef vec* tag = x[0]
    cdef vec[16] each, lost, counts
    cdef vec[3] bases, base
    cdef vec[2] total, factors, factor, count
    cdef vec m
    cdef Py_ssize_t i
    for i in range(lanes[vec](tag)):
        each[i] = row_maxima[vec](x[i], n[i]) if i < rows else splat[vec](tag, 0)
    m = across_rows_maximum[vec](each)
    set_base[vec](m, bases)
    for i in range(lanes[vec](tag)):
        total[0] = total[1] = count[0] = splat[vec](tag, 1)
        if i < rows:
            base[0], base[1], base[2] = lane[vec](bases, i), lane[vec](bases + 1, i), lane[vec](bases + 2, i)
            row_exps[vec](kind, x[i], buffer[i], n[i], lane[vec](&m, i), base, total, count)
        each[i], lost[i], counts[i] = total[0], total[1], count[0]
    across_rows_sum[vec](each, lost, total)
    if kind == SOFTMAX:
        reciprocal[vec](total, factors)
    else:
        transpose[vec](counts)
        count[0] = counts[0]
        for i in range(1, lanes[vec](tag)):
            count[0] = count[0] + counts[i]
        factors[0] = log_rest[vec](settled[vec](total), count[0], m)
    if kind == LOG_SUM:
        m = m + factors[0]
        if any_nan[vec](m):
            for i in range(rows):
                row_forward[vec](kind, x[i], NULL, at[vec](out[0], i), n[i])
        else:
            store_part[vec](out[0], rows, m)
        return
    for i in range(rows):
        factor[0] = lane[vec](factors, i)
        if kind == SOFTMAX:
            factor[1] = lane[vec](factors + 1, i)
        row_finish[vec](kind, buffer[i] if kind == SOFTMAX else x[i], out[i], n[i], lane[vec](&m, i), factor)


cdef void rows_backward(int kind, vec** g, vec** y, vec** out, Py_ssize_t* n, Py_ssize_t rows) noexcept nogil:
    cdef vec[16] each, lost
    cdef vec[2] total
    cdef vec dot
    cdef Py_ssize_t i
    for i in range(lanes[vec](g[0])):
        total[0] = total[1] = splat[vec](g[0], 0)
        if i < rows:
            row_dots[vec](kind, g[i], y[i], n[i], total)
        each[i], lost[i] = total[0], total[1]
    across_rows_sum[vec](each, lost, total)
    dot = settled[vec](total)
    for i in range(rows):
        row_gradient[vec](kind, g[i], y[i], out[i], n[i], lane[vec](&dot, i))


cdef void row_blocks(vec* tag, Job* job, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    cdef char* scratch = claim_scratch(job)
    cdef vec* x[16]
    cdef vec* g[16]
    cdef vec* buffer[16]
    cdef vec* out[16]
    cdef Py_ssize_t[16] n
    cdef Py_ssize_t i, j, row, rows, width = lanes[vec](tag), size = job.n // width + 1
    for i in range(start, stop):
        row = i * width
        rows = min(width, job.outer - row)
        for j in range(rows):
            buffer[j] = <vec*>scratch + j * size
            n[j] = kept(job, row + j)
            x[j] = ready_x[vec](tag, job, row + j, 0, n[j], n[j], buffer[j])
            if job.backward:
                g[j] = ready_g[vec](tag, job, row + j, 0, n[j], n[j], buffer[j] + width * size)
            if job.kind == LOG_SUM:
                out[j] = at[vec](<vec*>job.out, row + j)
            else:
                out[j] = target[vec](tag, job, (row + j) * job.n, buffer[j])
        if job.backward:
            rows_backward[vec](job.kind, g, x, out, n, rows)
        elif job.kind == SOFTMAX:
            rows_forward[vec](SOFTMAX, x, buffer, out, n, rows)
        elif job.kind == LOG_SOFTMAX:
            rows_forward[vec](LOG_SOFTMAX, x, buffer, out, n, rows)
        else:
            rows_forward[vec](LOG_SUM, x, buffer, out, n, rows)
        for j in range(rows if job.general and job.kind != LOG_SUM else 0):
            finish_row[vec](out[j], job, row + j, n[j])
    release_scratch(job, scratch)


cdef void row_blocks_task(void* job, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    if (<Job*>job).is_double:
        row_blocks[vd](<vd*>job, <Job*>job, start, stop)
    else:
        row_blocks[vf](<vf*>job, <Job*>job, start, stop)


# Long rows, in blocks of a fixed size, so that every thread has work on a single row. The first pass takes the maximum
# and the sum of every block; the second computes e^x again, which costs less than to write it and to read it.
# Long columns of which a whole number fits into a vector (inner > 1) are such rows side by side: every lane is one of
# its column, and a block has as many numbers of each.

cdef inline Py_ssize_t block_numbers(Job* job, Py_ssize_t offset) noexcept nogil:
    """How many numbers the block from `offset` on has."""
    return min(BLOCK * job.inner, job.n * job.inner - offset)


cdef inline vec rotated(vec v, Py_ssize_t by) noexcept nogil:
    cdef vec[2] twice
    twice[0] = twice[1] = v
    return at[vec](twice, by)[0]


cdef inline vec columns_maximum(vec v, Py_ssize_t columns) noexcept nogil:
    """In every lane, the maximum of those of its column."""
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


cdef void blocks_sum(vec* tag, Job* job, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    cdef char* scratch = claim_scratch(job) if job.general else NULL
    cdef vec* buffer = <vec*>scratch
    cdef vec* x
    cdef vec* g
    cdef vec[2] total
    cdef vec[2] count
    cdef vec[2] nan
    cdef vec[3] base
    cdef vec m, unit, finite, zero = splat[vec](tag, 0)
    cdef Part* part
    cdef Py_ssize_t i, n, outer, offset, keep, column
    for i in range(start + job.first * job.blocks, stop + job.first * job.blocks):
        outer, offset = i // job.blocks, i % job.blocks * BLOCK * job.inner
        n = block_numbers(job, offset)
        keep = kept_of(job, outer, offset, n)
        x = ready_x[vec](tag, job, outer, offset, n, keep, buffer)
        m = unit = nan[0] = nan[1] = zero
        if job.backward:
            g = ready_g[vec](tag, job, outer, offset, n, keep, at[vec](buffer, BLOCK * job.inner + 16))
            row_dots[vec](job.kind, g, x, n, total)
            count[0] = zero
        else:
            m = columns_maximum[vec](row_maxima[vec](x, n), job.inner)
            finite = where_differs[vec](m, lowest[vec](tag), m)
            set_base[vec](finite, base)
            unit = scaled_unit[vec](finite)
            row_exps[vec](job.kind, x, NULL, n, finite, base, total, count)
            columns_sum[vec](count, job.inner)
        columns_sum[vec](total, job.inner)
        if job.kind == LOG_SUM and any_nan[vec](total[0]):
            nan[0] = row_nan[vec](x, n)
            columns_sum[vec](nan, job.inner)
        for column in range(job.inner):
            part = &job.block[(outer * job.inner + column) * job.blocks + i % job.blocks]
            part.m, part.unit, part.count = lane_of[vec](&m, column), lane_of[vec](&unit, column), lane_of[vec](count, column)
            part.total = lane_of[vec](total, column) - lane_of[vec](total + 1, column)    # all digits, if of float32
            part.nan = lane_of[vec](nan, column) != 0    # NaN is not 0
    if job.general:
        release_scratch(job, scratch)


cdef void blocks_finish(vec* tag, Job* job, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    cdef char* scratch = claim_scratch(job) if job.general else NULL
    cdef vec* buffer = <vec*>scratch
    cdef vec* x
    cdef vec* g
    cdef vec* out
    cdef vec[2] factor
    cdef vec[3] base
    cdef vec m = splat[vec](tag, 0)
    cdef Part* part
    cdef Py_ssize_t i, j, n, outer, offset, keep, ready = -1
    factor[0] = factor[1] = m
    for i in range(start + job.first * job.blocks, stop + job.first * job.blocks):
        outer, offset = i // job.blocks, i % job.blocks * BLOCK * job.inner
        n = block_numbers(job, offset)
        keep = kept_of(job, outer, offset, n)
        x = ready_x[vec](tag, job, outer, offset, n, keep, buffer)
        out = target[vec](tag, job, outer * job.n * job.inner + offset, buffer)
        if outer != ready:
            for j in range(lanes[vec](tag)):
                part = &job.row[outer * job.inner + j % job.inner]
                set_lane[vec](&m, j, part.m)
                set_lane[vec](factor, j, part.factor)
                set_lane[vec](factor + 1, j, part.rest)
            set_base[vec](m, base)
            ready = outer
        if job.backward:
            g = ready_g[vec](tag, job, outer, offset, n, keep, at[vec](buffer, BLOCK * job.inner + 16))
            row_gradient[vec](job.kind, g, x, out, n, factor[0])
        elif job.kind == SOFTMAX:
            row_exp_scale[vec](x, out, n, base, factor)
        else:
            row_finish[vec](job.kind, x, out, n, m, factor)
        deliver[vec](out, job, outer, offset, n)
    if job.general:
        release_scratch(job, scratch)


cdef inline double rebase(vec* tag, double m, double top) noexcept nogil:
    """What sums scaled for the maximum m are to be multiplied with to be scaled for `top`."""
    cdef double m_shift = first[vec](base_shift[vec](splat[vec](tag, m)))
    cdef double top_shift = first[vec](base_shift[vec](splat[vec](tag, top)))
    cdef double power = first[vec](exponent[vec](splat[vec](tag, m - m_shift)))
    power -= first[vec](exponent[vec](splat[vec](tag, top - top_shift)))
    if m_shift == top_shift:
        return ldexp(1, <int>power)
    return exp(((m_shift - top_shift) + power * 6.93147180369123816490e-01) + power * 1.90821492927058770002e-10)


cdef void combine(vec* tag, Job* job, Py_ssize_t rows) noexcept nogil:
    """The factors of the rows, in double, and as two numbers of the array's precision."""
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
    """`rows` rows, or groups of columns, from job.first on, their blocks over the workers."""
    cdef Py_ssize_t number = rows * job.blocks, grain = spread(number, BLOCK * job.inner, workers)
    parallel_for(&blocks_sum_task, job, number, grain, workers)
    if job.is_double:
        combine[vd](<vd*>job.x, job, rows)
    else:
        combine[vf](<vf*>job.x, job, rows)
    if job.kind != LOG_SUM:
        parallel_for(&blocks_finish_task, job, number, grain, workers)


cdef void long_rows_task(void* whole_job, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    """One row after the other, so that its second pass finds it in the cache."""
    cdef Job job = (<Job*>whole_job)[0]
    cdef Py_ssize_t i
    for i in range(start, stop):
        job.first = i
        long_rows(&job, 1, 1)
