# Tiles: short rows, transposed, and strips of columns, copied next to each other, where every lane is a softmax.
#
# Included by _softmax_kernels.pxi.

# Short rows.

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


cdef inline vec* ready_rows(vec* tag, Job* job, bint gradient, Py_ssize_t row, Py_ssize_t count,
                            vec* buffer) noexcept nogil:
    """`count` rows of x or, if `gradient`, of g: half types are converted all at once, the rest is done row by row."""
    cdef Py_ssize_t i, size = count * job.n
    cdef void* base = job.g if gradient else job.x
    cdef double other = -INFINITY if not job.backward or (job.kind == LOG_SOFTMAX and not gradient) else 0
    cdef vec* x = widen[vec](tag, job, base, row * job.n, size, buffer)
    if job.mask == NULL and not by_count(job) and job.divisor == 1 and job.divisors == NULL:
        return x
    if x != buffer:
        memcpy(buffer, x, size * sizeof(vec) // lanes[vec](tag))
    for i in range(count):
        x = at[vec](buffer, i * job.n)
        limit[vec](x, job, row + i, 0, job.n, kept(job, row + i), x, gradient or not job.backward, other)
    return buffer


cdef void short_rows(vec* tag, Job* job, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    cdef vec[SHORT + 16] x
    cdef vec[SHORT + 16] g
    cdef vec[SHORT + 1] buffer
    cdef vec* rows
    cdef Py_ssize_t i, j, row, count, width = lanes[vec](tag)
    for i in range(start, stop):
        row = i * width
        count = min(width, job.outer - row)
        rows = ready_rows[vec](tag, job, False, row, count, buffer) if job.general else at[vec](<vec*>job.x, row * job.n)
        load_rows[vec](x, rows, job.n, count)
        if job.backward:
            rows = ready_rows[vec](tag, job, True, row, count, buffer) if job.general else at[vec](<vec*>job.g, row * job.n)
            load_rows[vec](g, rows, job.n, count)
            tile_backward[vec](job.kind, g, x, job.n)
        else:
            tile_forward[vec](job.kind, x, job.n)
        if job.kind == LOG_SUM:
            store_part[vec](at[vec](<vec*>job.out, row), count, x[0])
            continue
        rows = target[vec](tag, job, row * job.n, buffer)
        store_rows[vec](x, rows, job.n, count)
        if job.general:
            for j in range(count):
                clean[vec](at[vec](rows, j * job.n), job, row + j, 0, job.n)
            narrow[vec](rows, job, row * job.n, count * job.n)


cdef void short_rows_task(void* job, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    if (<Job*>job).is_double:
        short_rows[vd](<vd*>job, <Job*>job, start, stop)
    else:
        short_rows[vf](<vf*>job, <Job*>job, start, stop)


# Strips.

cdef inline void prefetch_line(vec* tag, int stored, void* base, Py_ssize_t i, Py_ssize_t n, int write) noexcept nogil:
    """Fetch n numbers from i on."""
    cdef Py_ssize_t size = sizeof(vec) // lanes[vec](tag) if stored == SAME else 2, byte
    for byte in range(0, n * size, 64):
        prefetch(<char*>base + i * size + byte, write)


cdef inline vec* strip_line(vec* tag, Job* job, bint gradient, Py_ssize_t block, Py_ssize_t offset, Py_ssize_t n,
                            vec* buffer) noexcept nogil:
    if gradient:
        return ready_g[vec](tag, job, block, offset, n, n, buffer)
    return ready_x[vec](tag, job, block, offset, n, n, buffer)


cdef inline void load_strip(vec* tile, Job* job, bint gradient, Py_ssize_t block, Py_ssize_t column,
                            Py_ssize_t columns, Py_ssize_t group, vec* m) noexcept nogil:
    """Vector j of line i to tile[j * n + i], maxima to m; `group` outer blocks to one vector where columns are few."""
    cdef Py_ssize_t width = lanes[vec](tile), whole = columns // width, part = columns % width, i, j
    cdef vec v, zero = splat[vec](tile, 0)
    cdef vec[STRIP_WIDTH + 1] buffer
    cdef vec* line
    for j in range(whole + 1):
        m[j] = lowest[vec](tile)
    for i in range(job.n):
        line = strip_line[vec](tile, job, gradient, block, i * job.inner + column, columns, buffer)
        prefetch_line[vec](tile, job.stored, job.g if gradient else job.x,
                           (block * job.n + i + AHEAD) * job.inner + column, columns, 0)
        for j in range(whole):
            v = line[j]
            tile[j * job.n + i] = v
            m[j] = maximum[vec](v, m[j])
        if part:
            v = load_part[vec](line + whole, part, zero)
            tile[whole * job.n + i] = v
            m[whole] = maximum[vec](v, m[whole])
            for j in range(1, group):    # left to right: each store's surplus lanes are overwritten by the next
                line = strip_line[vec](tile, job, gradient, block + j, i * job.inner, part, buffer)
                v = load_part[vec](line, part, zero)
                at[vec](tile + i, j * columns)[0] = v
    if group > 1:
        m[0] = column_maximum[vec](tile, job.n, lowest[vec](tile))


cdef inline vec last_step(int kind, vec v, vec m, vec* factor) noexcept nogil:
    if kind == SOFTMAX:
        return times[vec](v, factor)
    if kind == LOG_SOFTMAX:
        return (v - m) - factor[0]
    return v


cdef inline void store_strip(int kind, vec* tile, Job* job, Py_ssize_t block, Py_ssize_t column, Py_ssize_t columns,
                             Py_ssize_t group, vec* m, vec* factor) noexcept nogil:
    """The last step of the forward pass on the way out; with kind NEITHER the tile as it is."""
    cdef Py_ssize_t width = lanes[vec](tile), whole = columns // width, part = columns % width, i, j, start
    cdef vec[STRIP_WIDTH + 1] buffer
    cdef vec* line
    cdef vec* end = tile + whole * job.n
    if part:
        for i in range(job.n):
            end[i] = last_step[vec](kind, end[i], m[whole], factor + 2 * whole)
    for i in range(job.n):
        start = block * job.n * job.inner + i * job.inner + column
        line = target[vec](tile, job, start, buffer)
        prefetch_line[vec](tile, job.out_stored, job.out, start + AHEAD * job.inner, columns, 1)
        for j in range(whole):
            line[j] = last_step[vec](kind, tile[j * job.n + i], m[j], factor + 2 * j)
        if part:
            store_part[vec](line + whole, part, end[i])
        if job.general:
            deliver[vec](line, job, block, i * job.inner + column, columns)
        for j in range(1, group if part else 0):
            line = target[vec](tile, job, start + j * job.n * job.inner, buffer)
            store_part[vec](line, part, at[vec](end + i, j * columns)[0])
            if job.general:
                deliver[vec](line, job, block + j, i * job.inner, columns)


cdef inline bint gradient_in_place(Job* job, Py_ssize_t item) noexcept nogil:
    """Whether `gradient_strip` takes it: not if every line is to be converted, or all would meet in a part of the cache."""
    return job.backward and job.group == 1 and not job.general and job.inner * item % 4096 != 0


cdef inline void gradient_strip(int kind, vec* tag, Job* job, Py_ssize_t block, Py_ssize_t column,
                                Py_ssize_t columns) noexcept nogil:
    """The gradient in two passes over the lines where they are: nothing has to be next to each other."""
    cdef Py_ssize_t width = lanes[vec](tag), whole = columns // width, part = columns % width, start, lines
    cdef Py_ssize_t i = 0, j, k
    cdef vec[2 * STRIP_WIDTH + 2] total
    cdef vec[STRIP_WIDTH + 1] dot
    cdef vec[4] ys, gs
    cdef vec y_end, g_end, zero = splat[vec](tag, 0)
    cdef vec* y
    cdef vec* g
    cdef vec* out
    for j in range(2 * whole + 2):
        total[j] = zero
    while i < job.n:
        lines = 4 if i + 4 <= job.n else 1    # as column_dot takes them
        for k in range(lines):
            start = (block * job.n + i + k + AHEAD) * job.inner + column
            prefetch_line[vec](tag, SAME, job.x, start, columns, 0)
            prefetch_line[vec](tag, SAME, job.g, start, columns, 0)
        start = (block * job.n + i) * job.inner + column
        for j in range(whole + (part > 0)):
            for k in range(lines):
                y = at[vec](<vec*>job.x, start + k * job.inner) + j
                g = at[vec](<vec*>job.g, start + k * job.inner) + j
                ys[k] = y[0] if j < whole else load_part[vec](y, part, zero)
                gs[k] = g[0] if j < whole else load_part[vec](g, part, zero)
            if lines == 4:
                column_dot[vec](kind, gs, ys, 4, total + 2 * j)
            else:
                column_dot[vec](kind, gs, ys, 1, total + 2 * j)
        i += lines
    for j in range(whole + 1):
        dot[j] = settled[vec](total + 2 * j)
    for i in range(job.n):
        start = (block * job.n + i) * job.inner + column
        y, g, out = at[vec](<vec*>job.x, start), at[vec](<vec*>job.g, start), at[vec](<vec*>job.out, start)
        prefetch_line[vec](tag, SAME, job.out, start + AHEAD * job.inner, columns, 1)
        if part:
            y_end, g_end = load_part[vec](y + whole, part, zero), load_part[vec](g + whole, part, zero)
            column_gradient[vec](kind, &g_end, &y_end, &y_end, 1, dot[whole])
        for j in range(whole):
            column_gradient[vec](kind, g + j, y + j, out + j, 1, dot[j])
        if part:
            store_part[vec](out + whole, part, y_end)


cdef void strips(vec* tag, Job* job, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    cdef Py_ssize_t width = lanes[vec](tag), i, j, block, column, columns, group
    cdef char* scratch = claim_scratch(job)
    cdef vec* tile = <vec*>scratch
    cdef vec* g = tile + job.width * job.n + 1
    cdef vec[STRIP_WIDTH + 1] m
    cdef vec[2 * STRIP_WIDTH + 2] factor
    for i in range(start, stop):
        block = i // job.strips * job.group
        column = i % job.strips * job.width * width
        columns = min(job.width * width, job.inner - column)
        group = min(job.group, job.outer - block)
        if gradient_in_place(job, sizeof(vec) // width):
            if job.kind == SOFTMAX:
                gradient_strip[vec](SOFTMAX, tag, job, block, column, columns)
            elif job.kind == LOG_SOFTMAX:
                gradient_strip[vec](LOG_SOFTMAX, tag, job, block, column, columns)
            else:
                gradient_strip[vec](HARDMAX, tag, job, block, column, columns)
            continue
        load_strip[vec](tile, job, False, block, column, columns, group, m)
        if job.backward:
            load_strip[vec](g, job, True, block, column, columns, group, factor)
        for j in range(ceiling(columns, width)):
            if job.backward:
                tile_backward[vec](job.kind, g + j * job.n, tile + j * job.n, job.n)
            elif job.kind == HARDMAX:
                tile_hardmax[vec](tile + j * job.n, job.n, m[j])
            else:
                tile_exp[vec](job.kind, tile + j * job.n, job.n, m[j], factor + 2 * j)
                if job.kind == LOG_SUM:
                    store_part[vec](
                        at[vec](<vec*>job.out, block * job.inner + column + j * width),
                        min(width, group * columns - j * width),
                        log_sum[vec](tile + j * job.n, job.n, m[j], factor[2 * j]))
        if job.backward or job.kind == HARDMAX:
            store_strip[vec](NEITHER, tile, job, block, column, columns, group, m, factor)
        elif job.kind == SOFTMAX:
            store_strip[vec](SOFTMAX, tile, job, block, column, columns, group, m, factor)
        elif job.kind == LOG_SOFTMAX:
            store_strip[vec](LOG_SOFTMAX, tile, job, block, column, columns, group, m, factor)
    release_scratch(job, scratch)


cdef void strips_task(void* job, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    if (<Job*>job).is_double:
        strips[vd](<vd*>job, <Job*>job, start, stop)
    else:
        strips[vf](<vf*>job, <Job*>job, start, stop)
