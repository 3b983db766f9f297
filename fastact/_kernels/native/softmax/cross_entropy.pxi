# The cross-entropy kernels: the loss of every row and, if wanted, its gradient, in one pass over the logits.
#
# They are made of the columns, rows and tiles of the softmax kernels. A row's targets are weights q_c of its classes,
# and its loss is the sum of q_c * -log_softmax(x)_c. Targets come in two parts, and either may be missing: a class with
# a weight, and `dense`, a weight for every class. The gradient is scale * (sum(q) * softmax(x)_c - q_c).

cdef enum:
    COLUMN_LIMIT = 512   # classes of columns (inner > 1), at most: their tiles are on the stack

include "loss_job.pxi"


cdef inline bint counts(LossJob* job, Py_ssize_t row) noexcept nogil:
    """Whether a row counts."""
    return job.target == NULL or job.target[row] != job.ignore


cdef inline double target_weight(LossJob* job, Py_ssize_t row) noexcept nogil:
    """The weight of the target of a row that counts."""
    if job.target == NULL:
        return 0
    return job.hit if job.weight == NULL else job.hit * job.weight[job.target[row]]


# Columns.

cdef inline void column_dense(vec* x, vec* q, Py_ssize_t n, vec m, vec* sum, vec* distance) noexcept nogil:
    """Add q to sum, and q * (m - x) to distance; where q is 0, x does not count."""
    cdef vec zero = splat[vec](&m, 0)
    cdef Py_ssize_t i
    for i in range(n):
        add[vec](sum, q[i])
        add[vec](distance, where_differs[vec](q[i], zero, q[i] * (m - x[i])))
    distance[1] = where_equal[vec](distance[1], distance[1], distance[1])  # an infinite sum has no error, but NaN


cdef inline vec distance_of(vec* distance) noexcept nogil:
    """The sum of the distances, infinite where a class with a weight has the logit -inf."""
    cdef vec sum = settled[vec](distance)
    return where_equal[vec](sum, sum, sum) + where_differs[vec](sum, sum, distance[0])


cdef inline void column_finish(vec* e, vec* q, vec* out, Py_ssize_t n, vec factor, vec scale) noexcept nogil:
    """out = the gradient, from the scaled e^x and the dense weights."""
    cdef Py_ssize_t i
    if q == NULL:
        for i in range(n):
            out[i] = e[i] * factor
    else:
        for i in range(n):
            out[i] = e[i] * factor - q[i] * scale


cdef inline void finish(vec m, vec* total, vec count, vec x, vec q, vec weight, vec dense_sum, vec distance,
                        vec scale, vec* loss, vec* factor, vec* gradient) noexcept nogil:
    """Find the loss; the factor of e^x in the gradient; and the gradient by x, the target, whose dense weight is q.

    The classes beside the target are summed without it: 1 - softmax would lose the digits of a small rest.
    """
    cdef vec shift = base_shift[vec](m), low = base_low[vec](m - shift), bias = base_bias[vec](m - shift)
    cdef vec zero = splat[vec](&m, 0), one = splat[vec](&m, 1), others = total[0] - total[1], unit = scaled_unit[vec](m)
    cdef vec rest = log1p[vec](others / unit + (count - one)), sum = others + count * unit
    cdef vec e = exp_above[vec](x - shift, low, bias)
    others = others + (where_equal[vec](x, m, (count - one) * unit) + where_differs[vec](x, m, count * unit - e))
    loss[0] = where_differs[vec](weight, zero, weight * ((m - x) + rest)) + (distance + dense_sum * rest)
    factor[0] = scale * ((weight + dense_sum) / sum)
    gradient[0] = scale * ((dense_sum * e - weight * others) / sum - q)


# Rows.

cdef void loss_rows(vec* tag, LossJob* job, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    """Rows start to stop."""
    cdef Py_ssize_t n = job.n, whole = n // lanes[vec](tag), part = n % lanes[vec](tag), i, y
    cdef vec zero = splat[vec](tag, 0), scale = splat[vec](tag, job.scale)
    cdef vec m, loss, factor, gradient, end, q_end, e, at_y
    cdef vec[3] base
    cdef vec[2] total
    cdef vec[2] count
    cdef vec[2] sum
    cdef vec[2] distance
    cdef vec* x
    cdef vec* q = NULL
    cdef vec* out = NULL
    for i in range(start, stop):
        if job.gradient:
            out = at[vec](<vec*>job.out, i * n)
        if not counts(job, i):
            store_part[vec](at[vec](<vec*>job.value, i), 1, zero)
            if job.gradient:
                fill[vec](out, n, zero)
            continue
        x = at[vec](<vec*>job.x, i * n)
        m = row_maximum[vec](SAME, x, n)
        end = load_part[vec](x + whole, part, lowest[vec](tag))
        total[0] = total[1] = count[0] = count[1] = sum[0] = sum[1] = distance[0] = distance[1] = q_end = zero
        if job.dense != NULL:
            q = at[vec](<vec*>job.dense, i * n if job.dense_rows else 0)
            q_end = load_part[vec](q + whole, part, zero)
            column_dense[vec](x, q, whole, m, sum, distance)
            column_dense[vec](&end, &q_end, 1, m, sum, distance)
            across_sum[vec](sum)
            across_sum[vec](distance)
        y = job.target[i] if job.target != NULL else 0
        at_y = splat[vec](tag, lane_of[vec](x, y)) if job.target != NULL else m
        set_base[vec](m, base)
        column_exp_others[vec](SAME, x, out, whole, m, base, total, count, no_fetch())
        if part:
            column_exp_others[vec](SAME, &end, &e, 1, m, base, total, count, no_fetch())
        across_sum[vec](total)
        across_sum[vec](count)
        finish[vec](
            m, total, count[0], at_y, splat[vec](tag, lane_of[vec](q, y)) if q != NULL else zero,
            splat[vec](tag, target_weight(job, i)), settled[vec](sum), distance_of[vec](distance), scale,
            &loss, &factor, &gradient)
        store_part[vec](at[vec](<vec*>job.value, i), 1, loss)
        if job.gradient:
            column_finish[vec](out, q, out, whole, factor, scale)
            if part:
                column_finish[vec](&e, NULL if q == NULL else &q_end, &e, 1, factor, scale)
                store_part[vec](out + whole, part, e)
            if job.target != NULL:
                set_lane[vec](out, y, first[vec](gradient))


# Tiles: every lane is a row.

cdef void loss_tile(vec* x, vec* q, LossJob* job, Py_ssize_t row, Py_ssize_t count) noexcept nogil:
    """The losses of `count` rows from `row` on, and gradients in place of x. q: the tile of dense weights, or NULL."""
    cdef Py_ssize_t[16] class_of
    cdef vec zero = splat[vec](x, 0), one = splat[vec](x, 1), scale = splat[vec](x, job.scale)
    cdef vec m = column_maximum[vec](SAME, x, job.n, lowest[vec](x)), at_y = m, weight = zero, keep = zero, q_y = zero
    cdef vec loss, factor, gradient, maxima
    cdef vec[3] base
    cdef vec[2] total
    cdef vec[2] sum
    cdef vec[2] distance
    cdef Py_ssize_t i
    total[0] = total[1] = maxima = sum[0] = sum[1] = distance[0] = distance[1] = zero
    for i in range(count):
        class_of[i] = -1
        if counts(job, row + i):
            set_lane[vec](&keep, i, 1)
            if job.target != NULL:
                class_of[i] = job.target[row + i]
                set_lane[vec](&at_y, i, lane_of[vec](x + class_of[i], i))
                set_lane[vec](&weight, i, target_weight(job, row + i))
                if q != NULL:
                    set_lane[vec](&q_y, i, lane_of[vec](q + class_of[i], i))
    if q != NULL:
        column_dense[vec](x, q, job.n, m, sum, distance)
    set_base[vec](m, base)
    column_exp_others[vec](SAME, x, x, job.n, m, base, total, &maxima, no_fetch())
    finish[vec](m, total, maxima, at_y, q_y, weight, settled[vec](sum), distance_of[vec](distance), scale,
                &loss, &factor, &gradient)
    store_part[vec](at[vec](<vec*>job.value, row), count, where_equal[vec](keep, one, loss))
    if not job.gradient:
        return
    column_finish[vec](x, q, x, job.n, factor, scale)
    for i in range(count):
        if class_of[i] >= 0:
            set_lane[vec](x + class_of[i], i, lane_of[vec](&gradient, i))
    if lanes[vec](x) > count or job.target != NULL:
        for i in range(job.n):
            x[i] = where_equal[vec](keep, one, x[i])


cdef inline void fill_tile(vec* tile, vec* numbers, Py_ssize_t n) noexcept nogil:
    """Set every lane of vector i to number i."""
    cdef Py_ssize_t i
    for i in range(n):
        tile[i] = splat[vec](tile, lane_of[vec](numbers, i))


cdef void short_loss_rows(vec* tag, LossJob* job, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    """Groups start to stop of as many rows as a vector has lanes, transposed."""
    cdef vec[SHORT + 16] x
    cdef vec[SHORT + 16] q
    cdef Py_ssize_t i, row, count, width = lanes[vec](tag)
    if job.dense != NULL and not job.dense_rows:
        fill_tile[vec](q, <vec*>job.dense, job.n)
    for i in range(start, stop):
        row = i * width
        count = min(width, job.outer - row)
        load_rows[vec](x, at[vec](<vec*>job.x, row * job.n), job.n, count)
        if job.dense_rows:
            load_rows[vec](q, at[vec](<vec*>job.dense, row * job.n), job.n, count)
        loss_tile[vec](x, q if job.dense != NULL else NULL, job, row, count)
        if job.gradient:
            store_rows[vec](x, at[vec](<vec*>job.out, row * job.n), job.n, count)


cdef inline void load_columns(vec* tile, vec* x, LossJob* job, Py_ssize_t count) noexcept nogil:
    """tile = `count` neighbouring columns."""
    cdef vec zero = splat[vec](tile, 0)
    cdef Py_ssize_t i
    for i in range(job.n):
        tile[i] = load_part[vec](at[vec](x, i * job.inner), count, zero)


cdef void loss_columns(vec* tag, LossJob* job, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    """Strips start to stop of neighbouring columns (inner > 1)."""
    cdef vec[COLUMN_LIMIT] x
    cdef vec[COLUMN_LIMIT] q
    cdef Py_ssize_t i, j, block, column, count, offset, width = lanes[vec](tag), strips = ceiling(job.inner, width)
    if job.dense != NULL and not job.dense_rows:
        fill_tile[vec](q, <vec*>job.dense, job.n)
    for i in range(start, stop):
        block, column = i // strips, i % strips * width
        count = min(width, job.inner - column)
        offset = block * job.n * job.inner + column
        load_columns[vec](x, at[vec](<vec*>job.x, offset), job, count)
        if job.dense_rows:
            load_columns[vec](q, at[vec](<vec*>job.dense, offset), job, count)
        loss_tile[vec](x, q if job.dense != NULL else NULL, job, block * job.inner + column, count)
        if job.gradient:
            for j in range(job.n):
                store_part[vec](at[vec](<vec*>job.out, offset + j * job.inner), count, x[j])


cdef void loss_rows_task(void* job, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    if (<LossJob*>job).is_double:
        loss_rows[vd](<vd*>job, <LossJob*>job, start, stop)
    else:
        loss_rows[vf](<vf*>job, <LossJob*>job, start, stop)


cdef void short_loss_rows_task(void* job, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    if (<LossJob*>job).is_double:
        short_loss_rows[vd](<vd*>job, <LossJob*>job, start, stop)
    else:
        short_loss_rows[vf](<vf*>job, <LossJob*>job, start, stop)


cdef void loss_columns_task(void* job, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    if (<LossJob*>job).is_double:
        loss_columns[vd](<vd*>job, <LossJob*>job, start, stop)
    else:
        loss_columns[vf](<vf*>job, <LossJob*>job, start, stop)


cdef void run_losses(LossJob* job, int workers) noexcept nogil:
    """Take the route of the job's shape."""
    cdef Py_ssize_t width = vd_lanes if job.is_double else vf_lanes, number
    if job.inner > 1:
        number = job.outer * ceiling(job.inner, width)
        parallel_for(&loss_columns_task, job, number, spread(number, width * job.n, workers), workers)
    elif job.n <= SHORT:
        number = ceiling(job.outer, width)
        parallel_for(&short_loss_rows_task, job, number, spread(number, width * job.n, workers), workers)
    else:
        parallel_for(&loss_rows_task, job, job.outer, spread(job.outer, job.n, workers), workers)


# A call.

#: The most classes that `cross_entropy` takes where inner > 1.
LOSS_COLUMN_LIMIT = COLUMN_LIMIT


cdef double sum_of(void* values, Py_ssize_t n, bint is_double) noexcept nogil:
    """The sum of n numbers, computed in float64."""
    cdef vd[2] sum
    cdef vd each, zero = vd_splat(0)
    cdef Py_ssize_t width = vd_lanes, i, j
    cdef float* narrow = <float*>values
    cdef vd* wide = <vd*>values
    cdef volatile double result  # or else C compilers would subtract after `leave_standard`
    cdef Mode callers
    sum[0] = sum[1] = each = zero
    enter_standard(&callers)
    for i in range(n // width):
        if is_double:
            add[vd](sum, wide[i])
        else:
            for j in range(width):
                (<double*>&each)[j] = narrow[i * width + j]
            sum[0] = sum[0] + each
    i = n // width * width
    if is_double:
        add[vd](sum, load_part[vd](wide + n // width, n % width, zero))
    else:
        for j in range(i, n):
            (<double*>sum)[0] += narrow[j]
    across_sum[vd](sum)
    result = first[vd](sum[0]) - first[vd](sum[1])
    leave_standard(&callers)
    return result


def total(cnp.ndarray values not None):
    """Return the sum of a contiguous float32 or float64 array, computed in float64."""
    cdef double sum
    with nogil:
        sum = sum_of(cnp.PyArray_DATA(values), cnp.PyArray_SIZE(values), cnp.PyArray_TYPE(values) == cnp.NPY_FLOAT64)
    return sum


def count_targets(cnp.ndarray targets not None, Py_ssize_t n, Py_ssize_t ignore, cnp.ndarray weight):
    """Return how many targets count or, with `weight`, what their classes weigh together.

    None if a target is neither a class nor `ignore`. The arrays are contiguous, of intp and float64.
    """
    cdef Py_ssize_t* target = <Py_ssize_t*>cnp.PyArray_DATA(targets)
    cdef double* weights = NULL if weight is None else <double*>cnp.PyArray_DATA(weight)
    cdef double sum = 0, lost = 0, more, next
    cdef Py_ssize_t i, count = 0, wrong = 0
    cdef Mode callers
    enter_standard(&callers)
    for i in range(cnp.PyArray_SIZE(targets)):
        if target[i] != ignore:
            if <size_t>target[i] >= <size_t>n:
                wrong = 1
                break
            count += 1
            if weights != NULL:
                more = weights[target[i]] - lost  # Kahan's sum
                next = sum + more
                lost = (next - sum) - more
                sum = next
    leave_standard(&callers)
    return None if wrong else sum if weights != NULL else count


cdef void write_losses(
    bint is_double, void* x, Py_ssize_t outer, Py_ssize_t n, Py_ssize_t inner, Py_ssize_t* target, Py_ssize_t ignore,
    double hit, double* weight, void* dense, bint dense_rows, double scale, void* values, void* out
) noexcept nogil:
    """`cross_entropy` for compiled code; target, weight, dense and out may be NULL."""
    cdef LossJob job
    cdef Mode callers
    job.is_double, job.x, job.outer, job.n, job.inner = is_double, x, outer, n, inner
    job.target, job.ignore, job.hit, job.weight, job.scale = target, ignore, hit, weight, scale
    job.dense, job.dense_rows = dense, dense_rows
    job.value, job.gradient, job.out = values, out != NULL, out
    enter_standard(&callers)
    run_losses(&job, 1 if outer * n * inner < SERIAL_BELOW else default_workers())
    leave_standard(&callers)


def cross_entropy(
    cnp.ndarray x not None, cnp.ndarray targets, Py_ssize_t ignore, double hit, cnp.ndarray weight, cnp.ndarray dense,
    double scale, cnp.ndarray values not None, cnp.ndarray out
):
    """Write the losses of x, of shape (outer, n, inner), to values, and the gradient of scale times their sum to out.

    All arrays are contiguous. x, dense, values and out are all float32 or all float64; targets has outer * inner items
    of intp, weight has n of float64, dense has n or as many as x. The caller has checked targets and shapes. `out` may
    be x, or None for no gradient. If inner > 1, n is at most LOSS_COLUMN_LIMIT.
    """
    cdef LossJob job
    cdef Mode callers
    job.is_double = cnp.PyArray_TYPE(x) == cnp.NPY_FLOAT64
    job.outer, job.n, job.inner = cnp.PyArray_DIM(x, 0), cnp.PyArray_DIM(x, 1), cnp.PyArray_DIM(x, 2)
    job.x, job.value = cnp.PyArray_DATA(x), cnp.PyArray_DATA(values)
    job.gradient = out is not None
    job.out = cnp.PyArray_DATA(out) if job.gradient else NULL
    job.target = NULL if targets is None else <Py_ssize_t*>cnp.PyArray_DATA(targets)
    job.ignore, job.hit, job.scale = ignore, hit, scale
    job.weight = NULL if weight is None else <double*>cnp.PyArray_DATA(weight)
    job.dense = NULL if dense is None else cnp.PyArray_DATA(dense)
    job.dense_rows = dense is not None and cnp.PyArray_NDIM(dense) > 1
    enter_standard(&callers)
    if cnp.PyArray_SIZE(x) < SERIAL_BELOW:
        run_losses(&job, 1)
    else:
        with nogil:
            run_losses(&job, default_workers())
    leave_standard(&callers)


def losses_function():
    """Return the address of `void run_losses(LossJob *job, int workers)`."""
    return <size_t>&run_losses


def entries():
    """Return the addresses of what compiled code calls: `compute`, `takes`, `write_losses` and `sum_of`, by name."""
    return {
        "compute": <size_t>&compute, "takes": <size_t>&takes_shape,
        "write_losses": <size_t>&write_losses, "sum_of": <size_t>&sum_of,
    }
