# What is done to columns, n vectors one after the other. Their lanes are combined later, or are softmaxes of their own.
#
# `kind` is SOFTMAX, LOG_SOFTMAX, LOG_SUM or HARDMAX. `stored` is the `Format` of the numbers that are read and, in the
# last step, of those that are written. Both are known at compile time, where these functions are inlined.

cdef struct Fetch:    # what to fetch into the cache, vector by vector, while other numbers are computed
    char* read        # or NULL
    char* write       # or NULL
    Py_ssize_t read_step    # bytes of a vector's numbers
    Py_ssize_t write_step


cdef inline Fetch no_fetch() noexcept nogil:
    """Nothing to fetch."""
    cdef Fetch fetch
    fetch.read = fetch.write = NULL
    fetch.read_step = fetch.write_step = 0
    return fetch


cdef inline void fetch_ahead(Fetch fetch, Py_ssize_t i) noexcept nogil:
    """Fetch what belongs to vector i."""
    if fetch.read != NULL:
        prefetch(fetch.read + i * fetch.read_step, 0)
    if fetch.write != NULL:
        prefetch(fetch.write + i * fetch.write_step, 1)


cdef inline vec column_maximum(int stored, vec* x, Py_ssize_t n, vec m) noexcept nogil:
    """The largest of m and all of x, ignoring NaN."""
    cdef vec a = m, b = m, c = m, d = m
    cdef Py_ssize_t i = 0
    while i + 4 <= n:
        a = maximum[vec](get[vec](stored, x, i), a)
        b = maximum[vec](get[vec](stored, x, i + 1), b)
        c = maximum[vec](get[vec](stored, x, i + 2), c)
        d = maximum[vec](get[vec](stored, x, i + 3), d)
        i += 4
    while i < n:
        a = maximum[vec](get[vec](stored, x, i), a)
        i += 1
    return maximum[vec](maximum[vec](a, b), maximum[vec](c, d))


cdef inline vec excess(vec sum, vec a, vec b) noexcept nogil:
    """sum - (a + b), exactly, for a sum that was rounded (Knuth's two-sum)."""
    cdef vec part = sum - a
    return ((sum - part) - a) + (part - b)


cdef inline void add(vec* total, vec v) noexcept nogil:
    """total[0] - total[1] += v.

    Kahan's sum has three operations fewer, but is off by up to 1.4 ULP where terms grow, and each of its terms waits
    for four operations of the one before.
    """
    cdef vec sum = total[0] + v
    total[1] = total[1] + excess[vec](sum, total[0], v)
    total[0] = sum


cdef inline vec settled(vec* total) noexcept nogil:
    """The sum as one vector."""
    return total[0] - total[1]


cdef inline vec exp_on(vec* base, vec x) noexcept nogil:
    """Scaled e^x, with the `base` of the row's maximum."""
    return exp_above[vec](x - base[0], base[1], base[2])


cdef inline void column_exp(int stored, vec* x, vec* out, Py_ssize_t n, vec* base, vec* total,
                            vec* top, Fetch fetch) noexcept nogil:
    """out = scaled e^x, unless out is NULL; add it to total, and take the maximum into top, ignoring NaN."""
    cdef vec a, b, c, d
    cdef Py_ssize_t i = 0, j
    while i + 4 <= n:
        for j in range(4):
            fetch_ahead(fetch, i + j)
        a, b = get[vec](stored, x, i), get[vec](stored, x, i + 1)
        c, d = get[vec](stored, x, i + 2), get[vec](stored, x, i + 3)
        top[0] = maximum[vec](maximum[vec](maximum[vec](a, b), maximum[vec](c, d)), top[0])
        a, b, c, d = exp_on[vec](base, a), exp_on[vec](base, b), exp_on[vec](base, c), exp_on[vec](base, d)
        if out != NULL:
            out[i] = a
            out[i + 1] = b
            out[i + 2] = c
            out[i + 3] = d
        add[vec](total, a + b)
        add[vec](total, c + d)
        i += 4
    while i < n:
        fetch_ahead(fetch, i)
        a = get[vec](stored, x, i)
        top[0] = maximum[vec](a, top[0])
        a = exp_on[vec](base, a)
        if out != NULL:
            out[i] = a
        add[vec](total, a)
        i += 1


cdef inline vec times(vec e, vec* factor) noexcept nogil:
    """e times a factor in two parts, as `reciprocal` gives it, rounded once."""
    cdef vec high
    if FUSED:
        return fused[vec](e, factor[0], e * factor[1])
    high = upper[vec](e)
    return high * factor[0] + ((e - high) * factor[0] + e * factor[1])


cdef inline void column_exp_scale(int stored, vec* x, vec* out, Py_ssize_t n, vec* base, vec* factor,
                                  Fetch fetch) noexcept nogil:
    """out = scaled e^x times a factor in two parts."""
    cdef Py_ssize_t i
    for i in range(n):
        fetch_ahead(fetch, i)
        put[vec](stored, out, i, times[vec](exp_on[vec](base, get[vec](stored, x, i)), factor))


cdef inline void column_exp_others(int stored, vec* x, vec* out, Py_ssize_t n, vec m, vec* base, vec* total,
                                   vec* count, Fetch fetch) noexcept nogil:
    """Do `column_exp`, but sum only those x that are not m, and count the others: log(1 + rest) keeps its digits so."""
    cdef vec one = splat[vec](&m, 1), x_a, x_b, a, b
    cdef Py_ssize_t i = 0
    while i + 2 <= n:
        fetch_ahead(fetch, i)
        fetch_ahead(fetch, i + 1)
        x_a, x_b = get[vec](stored, x, i), get[vec](stored, x, i + 1)
        a, b = exp_on[vec](base, x_a), exp_on[vec](base, x_b)
        if out != NULL:
            out[i] = a
            out[i + 1] = b
        add[vec](total, where_differs[vec](x_a, m, a) + where_differs[vec](x_b, m, b))
        count[0] = count[0] + (where_equal[vec](x_a, m, one) + where_equal[vec](x_b, m, one))
        i += 2
    if i < n:
        fetch_ahead(fetch, i)
        x_a = get[vec](stored, x, i)
        a = exp_on[vec](base, x_a)
        if out != NULL:
            out[i] = a
        add[vec](total, where_differs[vec](x_a, m, a))
        count[0] = count[0] + where_equal[vec](x_a, m, one)


cdef inline void column_scale(int stored, vec* x, vec* out, Py_ssize_t n, vec* factor) noexcept nogil:
    """out = x, which is not stored as a half type, times a factor in two parts."""
    cdef Py_ssize_t i
    for i in range(n):
        put[vec](stored, out, i, times[vec](x[i], factor))


cdef inline void column_log(int stored, vec* x, vec* out, Py_ssize_t n, vec m, vec rest, Fetch fetch) noexcept nogil:
    """out = x - m - rest, by two subtractions: m + rest would lose the digits of a small rest."""
    cdef Py_ssize_t i
    for i in range(n):
        fetch_ahead(fetch, i)
        put[vec](stored, out, i, (get[vec](stored, x, i) - m) - rest)


cdef inline vec column_nan(int stored, vec* x, Py_ssize_t n) noexcept nogil:
    """NaN where x holds one, else 0."""
    cdef vec total = splat[vec](x, 0), v
    cdef Py_ssize_t i
    for i in range(n):
        v = get[vec](stored, x, i)
        total = total + where_differs[vec](v, v, v)
    return total


cdef inline vec keep(char* mask, Py_ssize_t i, vec v) noexcept nogil:
    """v where the mask's bytes for vector i are not 0, else 0; all of v without a mask."""
    return v if mask == NULL else where_set[vec](mask + i * lanes[vec](&v), v, splat[vec](&v, 0))


cdef inline vec dot_term(int kind, int stored, vec* g, vec* y, char* mask, Py_ssize_t i) noexcept nogil:
    """g * y for softmax, g for log_softmax."""
    cdef vec v = get[vec](stored, g, i)
    return keep[vec](mask, i, v * get[vec](stored, y, i) if kind == SOFTMAX else v)


cdef inline void column_dot(int kind, int stored, vec* g, vec* y, char* mask, Py_ssize_t n, vec* total) noexcept nogil:
    """Add the terms of the dot product to total."""
    cdef Py_ssize_t i = 0
    if kind == HARDMAX:
        return
    while i + 4 <= n:
        add[vec](total, (dot_term[vec](kind, stored, g, y, mask, i) + dot_term[vec](kind, stored, g, y, mask, i + 1))
                 + (dot_term[vec](kind, stored, g, y, mask, i + 2) + dot_term[vec](kind, stored, g, y, mask, i + 3)))
        i += 4
    while i < n:
        add[vec](total, dot_term[vec](kind, stored, g, y, mask, i))
        i += 1


cdef inline vec gradient(int kind, vec g, vec y, vec dot) noexcept nogil:
    """The gradient with respect to x, from the output y and the sum of the dot product."""
    cdef vec zero
    if kind == SOFTMAX:
        return y * (g - dot)
    if kind == HARDMAX:
        return y - y
    zero = splat[vec](&dot, 0)
    return g - exp_above[vec](y, base_low[vec](zero), base_bias[vec](zero)) * headroom[vec](dot) * dot


cdef inline void column_gradient(int kind, int stored, vec* g, vec* y, char* mask, vec* out, Py_ssize_t n,
                                 vec dot) noexcept nogil:
    """out = the gradient where the mask lets numbers count, else 0."""
    cdef Py_ssize_t i
    for i in range(n):
        put[vec](stored, out, i, keep[vec](
            mask, i, gradient[vec](kind, get[vec](stored, g, i), get[vec](stored, y, i), dot)))


cdef inline void across_sum(vec* total) noexcept nogil:
    """Sum all lanes of a total, into every lane; total[1] keeps what rounding loses, as in `add`."""
    cdef vec a, b, sum
    cdef Py_ssize_t i = lanes[vec](total)
    cdef double exact
    if vec is vf:
        exact = vf_sum(total[0]) - vf_sum(total[1])
        total[0] = vf_splat(exact)
        total[1] = vf_splat(first[vec](total[0]) - exact)
    else:
        while i > 1:
            a, b = zip_low[vec](total[0], total[0]), zip_high[vec](total[0], total[0])
            sum = a + b
            total[1] = zip_low[vec](total[1], total[1]) + zip_high[vec](total[1], total[1])
            total[1] = total[1] + excess[vec](sum, a, b)
            total[0] = sum
            i >>= 1


cdef inline double lanes_sum(vec* total) noexcept nogil:
    """The sum of all lanes, as a single number."""
    if vec is vf:
        return vf_sum(total[0]) - vf_sum(total[1])
    else:
        across_sum[vec](total)
        return first[vec](settled[vec](total))


cdef inline void reciprocal(vec* total, vec* factor) noexcept nogil:
    """factor[0] + factor[1] = 1 / (total[0] - total[1]), to one and a half times the digits of a number."""
    cdef vec one = splat[vec](total, 1), f = upper[vec](one / total[0]), t = upper[vec](total[0])
    cdef vec rest = ((one - t * f) - (total[0] - t) * f) + total[1] * f
    factor[0] = f
    factor[1] = f * (rest + rest * rest)


cdef inline void across_reciprocal(vec* total, vec* factor) noexcept nogil:
    """`reciprocal` of the sum of all lanes; for float32, one float64 has the digits of both parts."""
    cdef double inverse
    if vec is vf:
        inverse = 1 / (vf_sum(total[0]) - vf_sum(total[1]))
        factor[0] = upper[vec](vf_splat(inverse))
        factor[1] = vf_splat(inverse - first[vec](factor[0]))
    else:
        across_sum[vec](total)
        reciprocal[vec](total, factor)


cdef inline vec across_maximum(vec v) noexcept nogil:
    """The maximum of all lanes, in every lane."""
    cdef Py_ssize_t i = lanes[vec](&v)
    if vec is vf:
        return vf_splat(vf_highest(v))
    else:
        while i > 1:
            v = maximum[vec](zip_low[vec](v, v), zip_high[vec](v, v))
            i >>= 1
        return v


cdef inline void transpose(vec* a) noexcept nogil:
    """Transpose as many vectors as each has lanes, by log2(lanes) perfect shuffles."""
    cdef vec[16] b
    cdef Py_ssize_t i, half = lanes[vec](a) // 2, stage = half
    while stage:
        for i in range(half):
            b[2 * i] = zip_low[vec](a[i], a[i + half])
            b[2 * i + 1] = zip_high[vec](a[i], a[i + half])
        for i in range(2 * half):
            a[i] = b[i]
        stage >>= 1


cdef inline vec lowest(vec* tag) noexcept nogil:
    """-inf in every lane."""
    return splat[vec](tag, -INFINITY)


cdef inline double first(vec v) noexcept nogil:
    """The first lane."""
    if vec is vf:
        return (<float*>&v)[0]
    else:
        return (<double*>&v)[0]


cdef inline double lane_of(vec* v, Py_ssize_t lane) noexcept nogil:
    """Number `lane` from v on."""
    if vec is vf:
        return (<float*>v)[lane]
    else:
        return (<double*>v)[lane]


cdef inline void set_lane(vec* v, Py_ssize_t lane, double value) noexcept nogil:
    """Set number `lane` from v on."""
    if vec is vf:
        (<float*>v)[lane] = <float>value
    else:
        (<double*>v)[lane] = value


cdef inline bint any_nan(vec v) noexcept nogil:
    """Whether any lane is NaN."""
    return first[vec](across_maximum[vec](where_differs[vec](v, v, splat[vec](&v, 1)))) > 0


# ---------------------------------------------------------------------------------------------------------------
# Tiles: every lane of n vectors is a softmax of its own.

cdef inline vec scaled_unit(vec m) noexcept nogil:
    """The scaled e^m, for the maximum m."""
    cdef vec top = m - base_shift[vec](m)
    return exp_above[vec](top, base_low[vec](top), base_bias[vec](top))


cdef inline vec log_rest(vec others, vec count, vec m) noexcept nogil:
    """log of the sum of e^(x - m), from the scaled sum of those x that are not m, and the count of those that are."""
    return log1p[vec](others / scaled_unit[vec](m) + (count - splat[vec](&m, 1)))


cdef inline void tile_exp(int kind, vec* x, Py_ssize_t n, vec m, vec* factor) noexcept nogil:
    """Do all but the last step: softmax leaves e^x in x, and 1 / their sum in factor; the others, log of their sum."""
    cdef vec[3] base
    cdef vec[2] total
    cdef vec[2] count
    cdef vec top = m
    set_base[vec](m, base)
    total[0] = total[1] = count[0] = splat[vec](&m, 0)
    if kind == SOFTMAX:
        column_exp[vec](SAME, x, x, n, base, total, &top, no_fetch())
        reciprocal[vec](total, factor)
    else:
        column_exp_others[vec](SAME, x, NULL, n, m, base, total, count, no_fetch())
        factor[0] = log_rest[vec](settled[vec](total), count[0], m)


cdef inline vec log_sum(vec* x, Py_ssize_t n, vec m, vec rest) noexcept nogil:
    """m + rest; where that is NaN, m if it is infinite and no x is NaN."""
    cdef vec sum = m + rest
    if any_nan[vec](sum):
        sum = where_equal[vec](sum, sum, sum) + where_differs[vec](sum, sum, m + column_nan[vec](SAME, x, n))
    return sum


cdef inline void tile_hardmax(vec* x, Py_ssize_t n, vec m) noexcept nogil:
    """In place, 1 for the first number that is m, else 0; NaN for a column that holds NaN, or nothing but -inf."""
    cdef vec zero = splat[vec](x, 0), one = splat[vec](x, 1), hits = zero, hit
    cdef vec bad = column_nan[vec](SAME, x, n) + where_equal[vec](m, lowest[vec](x), splat[vec](x, NAN))
    cdef Py_ssize_t i
    for i in range(n):
        hit = where_equal[vec](x[i], m, one)
        x[i] = where_equal[vec](hits, zero, hit) + bad
        hits = hits + hit


cdef inline void tile_forward(int kind, vec* x, Py_ssize_t n) noexcept nogil:
    """The forward pass in place; the log of the sum goes to x[0]."""
    cdef vec m = column_maximum[vec](SAME, x, n, lowest[vec](x))
    cdef vec[2] factor
    if kind == HARDMAX:
        tile_hardmax[vec](x, n, m)
        return
    tile_exp[vec](kind, x, n, m, factor)
    if kind == SOFTMAX:
        column_scale[vec](SAME, x, x, n, factor)
    elif kind == LOG_SOFTMAX:
        column_log[vec](SAME, x, x, n, m, factor[0], no_fetch())
    else:
        x[0] = log_sum[vec](x, n, m, factor[0])


cdef void tile_backward(int kind, vec* g, vec* y, Py_ssize_t n) noexcept nogil:
    """The backward pass, in place of y."""
    cdef vec[2] total
    total[0] = splat[vec](g, 0)
    total[1] = total[0]
    column_dot[vec](kind, SAME, g, y, NULL, n, total)
    column_gradient[vec](kind, SAME, g, y, NULL, y, n, settled[vec](total))
