# The routes on which every lane is a softmax of its own: short rows, transposed; short columns; and strips of columns,
# copied side by side to a tile, or read in place as lines.

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
    """out = the tile, transposed back to `count` rows of n numbers."""
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
    """Make `count` rows of x ready, or of g if `gradient`. Half types are converted all at once, the rest by row."""
    cdef Source* source = &job.g if gradient else &job.x
    cdef double other = -INFINITY if not job.backward or (job.kind == LOG_SOFTMAX and not gradient) else 0
    cdef Py_ssize_t i, size = sizeof(vec) // lanes[vec](tag)
    cdef bint dense = packed(job, source)
    cdef vec* x
    if dense:
        x = widen[vec](tag, job, source, row, 0, count * job.n, buffer)
        if not job.options:
            return x
        if x != buffer:
            memcpy(buffer, x, count * job.n * size)
    for i in range(count):
        if not dense:
            x = widen[vec](tag, job, source, row + i, 0, job.n, at[vec](buffer, i * job.n))
            if x != at[vec](buffer, i * job.n):
                memcpy(at[vec](buffer, i * job.n), x, job.n * size)
        x = at[vec](buffer, i * job.n)
        if not job.options:
            continue
        limit[vec](x, job, row + i, 0, job.n, kept(job, row + i), x, gradient or not job.backward, other)
    return buffer


cdef void short_rows(vec* tag, Job* job, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    """Groups start to stop of as many rows as a vector has lanes."""
    cdef vec[SHORT + 16] x
    cdef vec[SHORT + 16] g
    cdef vec[SHORT + 1] buffer
    cdef vec* rows
    cdef Py_ssize_t i, j, row, count, width = lanes[vec](tag)
    for i in range(start, stop):
        row = i * width
        count = min(width, job.outer - row)
        rows = at[vec](<vec*>job.x.base, row * job.n)
        if job.general:
            rows = ready_rows[vec](tag, job, False, row, count, buffer)
        load_rows[vec](x, rows, job.n, count)
        if job.backward:
            rows = at[vec](<vec*>job.g.base, row * job.n)
            if job.general:
                rows = ready_rows[vec](tag, job, True, row, count, buffer)
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


# Short columns in place, forward: vectors of columns one after the other, through all blocks. A vector may begin with
# the last columns of one block and go on with the first of the next. (Backward, lines take less time.)

cdef inline void gather_columns(int stored, vec* tile, Job* job, Py_ssize_t start, Py_ssize_t first,
                                Py_ssize_t count) noexcept nogil:
    """Copy `count` columns to the tile: `first` from number `start` on, and the others from the next block."""
    # What is read of the next block begins with numbers before it, which are replaced: in place, they may change now.
    cdef Py_ssize_t i, next = start + (job.n - 1) * job.inner
    cdef vec pad = splat[vec](tile, 0)
    for i in range(job.n):
        if first == lanes[vec](tile):
            tile[i] = get[vec](stored, stored_at[vec](stored, job.x.base, start + i * job.inner, tile), 0)
            continue
        if first < count:
            pad = get[vec](stored, stored_at[vec](stored, job.x.base, next + i * job.inner, tile), 0)
        tile[i] = get_part[vec](stored, stored_at[vec](stored, job.x.base, start + i * job.inner, tile), 0, first, pad)


cdef inline void scatter_columns(int stored, vec* tile, Job* job, Py_ssize_t start, Py_ssize_t first,
                                 Py_ssize_t count) noexcept nogil:
    """Copy the tile to the results."""
    cdef Py_ssize_t i, rest = start + first + (job.n - 1) * job.inner
    cdef vec* line
    for i in range(job.n):
        line = stored_at[vec](stored, job.out, start + i * job.inner, tile)
        if first == lanes[vec](tile):
            put[vec](stored, line, 0, tile[i])
            continue
        put_part[vec](stored, line, 0, first, tile[i])
        if first < count:
            line = stored_at[vec](stored, job.out, rest + i * job.inner, tile)
            put_part[vec](stored, line, 0, count - first, at[vec](tile + i, first)[0])


cdef inline void short_columns(int stored, vec* tag, Job* job, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    """Vectors start to stop of columns."""
    cdef vec[SHORT + 1] x
    cdef Py_ssize_t width = lanes[vec](tag), i, column, count, first, begin
    for i in range(start, stop):
        column = i * width % job.inner
        begin = i * width // job.inner * job.n * job.inner + column
        count = min(width, job.outer * job.inner - i * width)
        first = min(count, job.inner - column)
        gather_columns[vec](stored, x, job, begin, first, count)
        tile_forward[vec](job.kind, x, job.n)
        if job.kind == LOG_SUM:
            store_part[vec](at[vec](<vec*>job.out, i * width), count, x[0])
        else:
            scatter_columns[vec](stored, x, job, begin, first, count)


cdef void short_columns_float32(void* job, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    short_columns[vf](SAME, <vf*>job, <Job*>job, start, stop)


cdef void short_columns_float16(void* job, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    short_columns[vf](FLOAT16, <vf*>job, <Job*>job, start, stop)


cdef void short_columns_bfloat16(void* job, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    short_columns[vf](BFLOAT16, <vf*>job, <Job*>job, start, stop)


cdef void short_columns_float64(void* job, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    short_columns[vd](SAME, <vd*>job, <Job*>job, start, stop)


cdef task_t[4] short_columns_by_format = [
    short_columns_float32, short_columns_float16, short_columns_bfloat16, short_columns_float64]


# Strips.

cdef inline void prefetch_line(vec* tag, int stored, void* base, Py_ssize_t i, Py_ssize_t n, int write) noexcept nogil:
    """Fetch n numbers from number i on into the cache."""
    cdef Py_ssize_t size = stored_size[vec](tag, stored), byte
    for byte in range(0, n * size, 64):
        prefetch(<char*>base + i * size + byte, write)


cdef inline vec* strip_line(vec* tag, Job* job, bint gradient, Py_ssize_t block, Py_ssize_t offset, Py_ssize_t n,
                            vec* buffer) noexcept nogil:
    """Make n numbers of a line of x ready or, if `gradient`, of g."""
    if gradient:
        return ready_g[vec](tag, job, block, offset, n, n, buffer)
    return ready_x[vec](tag, job, block, offset, n, n, buffer)


cdef inline void load_strip(vec* tile, Job* job, bint gradient, Py_ssize_t block, Py_ssize_t column,
                            Py_ssize_t columns, Py_ssize_t group, vec* m) noexcept nogil:
    """Copy vector j of line i to tile[j * n + i], and maxima to m. `group` blocks of few columns share a vector."""
    cdef Py_ssize_t width = lanes[vec](tile), whole = columns // width, part = columns % width, i, j
    cdef vec v, zero = splat[vec](tile, 0)
    cdef vec[STRIP_WIDTH + 1] buffer
    cdef vec* line
    for j in range(whole + 1):
        m[j] = lowest[vec](tile)
    for i in range(job.n):
        line = strip_line[vec](tile, job, gradient, block, i * job.inner + column, columns, buffer)
        prefetch_line[vec](tile, job.stored, job.g.base if gradient else job.x.base,
                           (block * job.n + i + AHEAD) * job.inner + column, columns, 0)
        for j in range(whole):
            v = line[j]
            tile[j * job.n + i] = v
            m[j] = maximum[vec](v, m[j])
        if part:
            v = load_part[vec](line + whole, part, zero)
            tile[whole * job.n + i] = v
            m[whole] = maximum[vec](v, m[whole])
            for j in range(1, group):    # left to right: each store overwrites the surplus lanes of the one before
                line = strip_line[vec](tile, job, gradient, block + j, i * job.inner, part, buffer)
                v = load_part[vec](line, part, zero)
                at[vec](tile + i, j * columns)[0] = v
    if group > 1:
        m[0] = column_maximum[vec](SAME, tile, job.n, lowest[vec](tile))


cdef inline vec last_step(int kind, vec v, vec m, vec* factor) noexcept nogil:
    """The result from what `tile_exp` left."""
    if kind == SOFTMAX:
        return times[vec](v, factor)
    if kind == LOG_SOFTMAX:
        return (v - m) - factor[0]
    return v


cdef inline void store_strip(int kind, vec* tile, Job* job, Py_ssize_t block, Py_ssize_t column, Py_ssize_t columns,
                             Py_ssize_t group, vec* m, vec* factor) noexcept nogil:
    """Copy the tile to the results, with the last step of the forward pass on the way, or with none for NEITHER."""
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


# Lines are strips of whole vectors, without options, which are read in place several times. Such strips are wide, so
# that memory is read in order: that takes less time than finding the lines of narrow strips in the cache again.

cdef enum:
    MAXIMA       # the passes over the lines
    SUMS
    NANS         # only where a TOTAL is NaN
    RESULTS
    FIRST = 0    # what is kept for each vector of columns: its maximum, then `base`, `total`, `count` and `factor`
    BASE = 1
    TOTAL = 4
    COUNT = 6
    FACTOR = 8
    COLUMN = 10  # the number of vectors of all this

cdef struct Lines:
    char* x
    char* g
    char* out
    Py_ssize_t stride    # bytes from one line to the next


cdef inline vec part_of(int stored, char* line, Py_ssize_t j, Py_ssize_t part, vec pad) noexcept nogil:
    """Vector j of a line, which has `part` numbers, or all if that is 0."""
    return get_part[vec](stored, <vec*>line, j, part, pad) if part else get[vec](stored, <vec*>line, j)


cdef inline void visit(int kind, bint backward, int step, int stored, Lines line, int number, Py_ssize_t j,
                       Py_ssize_t part, vec* sums) noexcept nogil:
    """Do a step of a pass: vector j of `number` lines, whose columns have these `sums`."""
    cdef vec pad = splat[vec](sums, 0) if backward else lowest[vec](sums), top = pad, v
    cdef vec[4] x, g
    cdef Py_ssize_t i
    for i in range(number):
        x[i] = part_of[vec](stored, line.x + i * line.stride, j, part, pad)
        if backward:
            g[i] = part_of[vec](stored, line.g + i * line.stride, j, part, pad)
    if step == MAXIMA:
        sums[FIRST] = column_maximum[vec](SAME, x, number, sums[FIRST])
    elif step == NANS:
        sums[TOTAL] = sums[TOTAL] + column_nan[vec](SAME, x, number)
    elif step == SUMS and backward:
        column_dot[vec](kind, SAME, g, x, NULL, number, sums + TOTAL)
    elif step == SUMS and kind == SOFTMAX:
        column_exp[vec](SAME, x, NULL, number, sums + BASE, sums + TOTAL, &top, no_fetch())
    elif step == SUMS:
        column_exp_others[vec](
            SAME, x, NULL, number, sums[FIRST], sums + BASE, sums + TOTAL, sums + COUNT, no_fetch())
    else:
        for i in range(number):
            if backward:
                v = gradient[vec](kind, g[i], x[i], sums[FACTOR])
            elif kind == SOFTMAX:
                v = times[vec](exp_on[vec](sums + BASE, x[i]), sums + FACTOR)
            else:
                v = last_step[vec](kind, x[i], sums[FIRST], sums + FACTOR)
            if part:
                put_part[vec](stored, <vec*>(line.out + i * line.stride), j, part, v)
            else:
                put[vec](stored, <vec*>(line.out + i * line.stride), j, v)


cdef inline void visit_all(int kind, bint backward, int step, int stored, Lines line, Py_ssize_t n, Py_ssize_t columns,
                           vec* sums) noexcept nogil:
    """Do a pass over all lines."""
    cdef Py_ssize_t whole = columns // lanes[vec](sums), part = columns % lanes[vec](sums), number, j
    while n > 0:
        if n >= 4:
            for j in range(whole):
                visit[vec](kind, backward, step, stored, line, 4, j, 0, sums + COLUMN * j)
            if part:
                visit[vec](kind, backward, step, stored, line, 4, whole, part, sums + COLUMN * whole)
        else:
            for j in range(whole):
                visit[vec](kind, backward, step, stored, line, 1, j, 0, sums + COLUMN * j)
            if part:
                visit[vec](kind, backward, step, stored, line, 1, whole, part, sums + COLUMN * whole)
        number = 4 if n >= 4 else 1
        n -= number
        line.x += number * line.stride
        line.g += number * line.stride
        line.out += number * line.stride


cdef inline void lines_log_sums(int stored, Lines line, Job* job, Py_ssize_t columns, vec* sums,
                                vec* out) noexcept nogil:
    """out = `log_sum` of all columns."""
    cdef Py_ssize_t width = lanes[vec](sums), j
    cdef bint nan = False
    cdef vec v, m
    for j in range(ceiling(columns, width)):
        nan = nan or any_nan[vec](sums[COLUMN * j + FIRST] + sums[COLUMN * j + FACTOR])
        sums[COLUMN * j + TOTAL] = splat[vec](sums, 0)
    if nan:
        visit_all[vec](LOG_SUM, False, NANS, stored, line, job.n, columns, sums)
    for j in range(ceiling(columns, width)):
        m = sums[COLUMN * j + FIRST]
        v = m + sums[COLUMN * j + FACTOR]
        if nan:
            v = where_equal[vec](v, v, v) + where_differs[vec](v, v, m + sums[COLUMN * j + TOTAL])
        store_part[vec](out + j, min(width, columns - j * width), v)


cdef inline void strip_lines(int stored, Job* job, Py_ssize_t block, Py_ssize_t column, Py_ssize_t columns,
                             vec* sums) noexcept nogil:
    """Do all passes over one strip. `kind` is known at compile time in passes that differ by it."""
    cdef Py_ssize_t start = block * job.n * job.inner + column, vectors = ceiling(columns, lanes[vec](sums)), j
    cdef vec low = lowest[vec](sums), zero = splat[vec](sums, 0)
    cdef vec* cell
    cdef Lines line
    line.x = <char*>stored_at[vec](stored, job.x.base, start, sums)
    line.g = <char*>stored_at[vec](stored, job.g.base, start, sums) if job.backward else NULL
    line.out = <char*>stored_at[vec](stored, job.out, start, sums)
    line.stride = job.inner * job.item
    for j in range(vectors):
        cell = sums + COLUMN * j
        cell[FIRST] = low
        cell[TOTAL] = cell[TOTAL + 1] = cell[COUNT] = zero
    if job.backward:
        if job.kind == SOFTMAX:
            visit_all[vec](SOFTMAX, True, SUMS, stored, line, job.n, columns, sums)
        elif job.kind == LOG_SOFTMAX:
            visit_all[vec](LOG_SOFTMAX, True, SUMS, stored, line, job.n, columns, sums)
        for j in range(vectors):
            sums[COLUMN * j + FACTOR] = settled[vec](sums + COLUMN * j + TOTAL)
        if job.kind == SOFTMAX:
            visit_all[vec](SOFTMAX, True, RESULTS, stored, line, job.n, columns, sums)
        elif job.kind == LOG_SOFTMAX:
            visit_all[vec](LOG_SOFTMAX, True, RESULTS, stored, line, job.n, columns, sums)
        else:
            visit_all[vec](HARDMAX, True, RESULTS, stored, line, job.n, columns, sums)
        return
    visit_all[vec](NEITHER, False, MAXIMA, stored, line, job.n, columns, sums)
    for j in range(vectors):
        set_base[vec](sums[COLUMN * j + FIRST], sums + COLUMN * j + BASE)
    if job.kind == SOFTMAX:
        visit_all[vec](SOFTMAX, False, SUMS, stored, line, job.n, columns, sums)
        for j in range(vectors):
            reciprocal[vec](sums + COLUMN * j + TOTAL, sums + COLUMN * j + FACTOR)
        visit_all[vec](SOFTMAX, False, RESULTS, stored, line, job.n, columns, sums)
        return
    visit_all[vec](LOG_SUM, False, SUMS, stored, line, job.n, columns, sums)
    for j in range(vectors):
        cell = sums + COLUMN * j
        cell[FACTOR] = log_rest[vec](settled[vec](cell + TOTAL), cell[COUNT], cell[FIRST])
    if job.kind == LOG_SUM:
        lines_log_sums[vec](stored, line, job, columns, sums, at[vec](<vec*>job.out, block * job.inner + column))
    else:
        visit_all[vec](LOG_SOFTMAX, False, RESULTS, stored, line, job.n, columns, sums)


cdef inline void lines(int stored, vec* tag, Job* job, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    """Strips start to stop, in place."""
    cdef char* scratch = claim_scratch(job)
    cdef vec* sums = <vec*>scratch
    cdef Py_ssize_t i, block, column, columns
    for i in range(start, stop):
        block, column = i // job.strips, i % job.strips * job.width * lanes[vec](tag)
        columns = min(job.width * lanes[vec](tag), job.inner - column)
        strip_lines[vec](stored, job, block, column, columns, sums)
    release_scratch(job, scratch)


cdef void lines_float32(void* job, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    lines[vf](SAME, <vf*>job, <Job*>job, start, stop)


cdef void lines_float16(void* job, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    lines[vf](FLOAT16, <vf*>job, <Job*>job, start, stop)


cdef void lines_bfloat16(void* job, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    lines[vf](BFLOAT16, <vf*>job, <Job*>job, start, stop)


cdef void lines_float64(void* job, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    lines[vd](SAME, <vd*>job, <Job*>job, start, stop)


cdef task_t[4] lines_by_format = [
    lines_float32, lines_float16, lines_bfloat16, lines_float64]


cdef void strips(vec* tag, Job* job, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    """Strips start to stop, by way of a tile."""
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
