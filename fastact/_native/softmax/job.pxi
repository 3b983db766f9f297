# A job: one call, what its arrays hold, and how numbers get from there into the kernels and back.
#
# Kernels compute on float32 or float64, without gaps. `ready` brings some numbers of a block (a row, or the n lines of
# `inner` numbers) into that form, where they are or in a buffer: gathered, half types converted, divided by the
# temperature, and what does not count replaced by what adds nothing. `deliver` takes the results back.
# Included by _softmax_kernels.pxi. A new option: its fields in `Job`, and its part in `limit`.

cdef enum:
    MOST_PLACES = 8

cdef struct Places:       # where the entry of a block is, in an array that broadcasts against the blocks
    int ndim              # of the blocks, the last first
    Py_ssize_t[MOST_PLACES] size
    Py_ssize_t[MOST_PLACES] stride

cdef struct Source:       # where the numbers of an array are, of which only rows (inner == 1) may have gaps
    char* base
    Py_ssize_t block      # bytes from one block to the next
    Py_ssize_t step       # and from one number to the next

cdef struct Part:         # a row, or a block of a long row
    double m              # the maximum
    double total          # the sum of scaled e^x, or the dot product
    double count          # log_softmax: how many x are m
    double unit           # log_softmax: the scaled e^m
    double factor         # 1 / total or the log of the sum of e^(x - m), as two numbers
    double rest
    bint nan              # whether there is one

cdef struct Job:
    int kind
    int backward
    int is_double
    int failed            # no memory for scratch
    int workers
    Source g              # backward: the incoming gradient; x is the forward's output then
    Source x
    void* out             # LOG_SUM: one number for n of x, stored as computed
    Py_ssize_t outer
    Py_ssize_t n
    Py_ssize_t inner
    int item              # bytes of a number of x and g
    int stored            # how x and g are
    int out_stored
    bint options          # whether there is one of those below
    bint general          # whether numbers are to be made ready or delivered in any way, by way of a buffer
    char* mask            # what counts, of the whole block; or NULL
    Places mask_at
    Py_ssize_t* lengths   # inner == 1: how many numbers of a row count; or NULL
    Places length_at
    Py_ssize_t causal     # inner == 1: row i counts i % causal + 1; or 0
    double divisor        # the temperature
    double* divisors      # or one for each block
    Places divisor_at
    Py_ssize_t first      # long rows: the first row
    Py_ssize_t blocks     # long rows: blocks per row
    Py_ssize_t group      # rows: how many are taken at once; strips: outer blocks side by side in a vector
    Py_ssize_t width      # strips: vectors side by side in a strip
    Py_ssize_t strips     # strips: how many cover `inner`
    Py_ssize_t scratch    # bytes of a worker's scratch
    char* memory          # the workers' scratch
    long* busy            # 1 for each that is in use
    Part* row
    Part* block


cdef inline Py_ssize_t place(Places* at, Py_ssize_t block) noexcept nogil:
    cdef Py_ssize_t offset = 0
    cdef int i
    for i in range(at.ndim - 1):
        offset += block % at.size[i] * at.stride[i]
        block //= at.size[i]
    return offset + block * at.stride[at.ndim - 1] if at.ndim else 0


cdef inline Py_ssize_t kept(Job* job, Py_ssize_t row) noexcept nogil:
    """How many numbers of a row count, from its first on."""
    cdef Py_ssize_t n = job.n
    if job.lengths != NULL:
        n = job.lengths[place(&job.length_at, row)]
    return min(n, row % job.causal + 1) if job.causal else n


cdef inline bint by_count(Job* job) noexcept nogil:
    return job.lengths != NULL or job.causal > 0


cdef inline Py_ssize_t kept_of(Job* job, Py_ssize_t block, Py_ssize_t offset, Py_ssize_t n) noexcept nogil:
    """How many of n numbers from `offset` on."""
    return max(<Py_ssize_t>0, min(n, kept(job, block) - offset)) if by_count(job) else n


cdef inline int stored_as(Job* job) noexcept nogil:
    """How the numbers are stored that `ready_x` points to."""
    return SAME if job.general else job.stored


cdef inline bint masked_in_registers(Job* job) noexcept nogil:
    """Whether gradients of rows need nothing but the mask, or a number of those that count, which is one too: then all
    rows have the same length, as branches like it."""
    return job.backward and job.options and not job.general


# Scratch.

cdef char* claim_scratch(Job* job) noexcept nogil:
    """A worker's scratch; there are as many as workers."""
    cdef int worker = 0
    while not compare_exchange(&job.busy[worker], 0, 1):
        worker = (worker + 1) % job.workers
    return job.memory + worker * job.scratch


cdef void release_scratch(Job* job, char* scratch) noexcept nogil:
    exchange(&job.busy[(scratch - job.memory) // job.scratch], 0)


cdef void* new_scratch(Job* job, Py_ssize_t workers, Py_ssize_t size) noexcept nogil:
    """Memory to be freed, for `size` bytes for each worker; NULL and job.failed if there is none."""
    cdef void* memory
    job.workers = <int>workers
    job.scratch = (size + 63) // 64 * 64
    memory = malloc(workers * (job.scratch + sizeof(long)) + 64)
    job.failed = memory == NULL
    if memory != NULL:
        job.memory = <char*>((<size_t>memory + 63) & ~<size_t>63)
        job.busy = <long*>(job.memory + workers * job.scratch)
        memset(job.busy, 0, workers * sizeof(long))
    return memory


# Numbers: as columns, but n of them in a row, not vectors.

cdef void divide(vec* x, vec* out, Py_ssize_t n, double divisor) noexcept nogil:
    """x / divisor; by a multiplication if that is the same."""
    cdef Py_ssize_t whole = n // lanes[vec](x), part = n % lanes[vec](x), i
    cdef vec d = splat[vec](x, divisor), factor = splat[vec](x, 1 / divisor), end = load_part[vec](x + whole, part, d)
    cdef int exponent
    if abs(frexp(divisor, &exponent)) == 0.5 and -120 < exponent < 120:
        for i in range(whole):
            out[i] = x[i] * factor
    else:
        for i in range(whole):
            out[i] = x[i] / d
    if part:
        store_part[vec](out + whole, part, end / d)


cdef inline void keep_set(vec* x, vec* out, Py_ssize_t n, char* mask, vec other) noexcept nogil:
    """x where the mask's byte is not 0, else the other."""
    cdef Py_ssize_t whole = n // lanes[vec](x), part = n % lanes[vec](x), i
    cdef char[16] bytes
    for i in range(whole):
        out[i] = where_set[vec](mask + i * lanes[vec](x), x[i], other)
    if part:
        memcpy(bytes, mask + whole * lanes[vec](x), part)
        store_part[vec](out + whole, part, where_set[vec](bytes, load_part[vec](x + whole, part, other), other))


cdef inline void fill(vec* out, Py_ssize_t n, vec v) noexcept nogil:
    cdef Py_ssize_t whole = n // lanes[vec](out), part = n % lanes[vec](out), i
    for i in range(whole):
        out[i] = v
    if part:
        store_part[vec](out + whole, part, v)


# In and out. Number `offset` of a block is number block * n * inner + offset of the results.

cdef inline char* source_at(Source* source, Py_ssize_t block, Py_ssize_t offset) noexcept nogil:
    return source.base + block * source.block + offset * source.step


cdef inline bint packed(Job* job, Source* source) noexcept nogil:
    """Whether blocks follow each other without gaps."""
    return source.step == job.item and source.block == job.n * job.inner * job.item


cdef inline void gather(vec* out, char* p, Py_ssize_t step, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        if vec is vf:
            (<float*>out)[i] = (<float*>(p + i * step))[0]
        else:
            (<double*>out)[i] = (<double*>(p + i * step))[0]


cdef inline vec* widen(vec* tag, Job* job, Source* source, Py_ssize_t block, Py_ssize_t offset, Py_ssize_t n,
                       vec* buffer) noexcept nogil:
    """n numbers of a block as they are computed: where they are, or in the buffer."""
    cdef char* p = source_at(source, block, offset)
    if source.step != job.item:
        gather[vec](buffer, p, source.step, n)
    elif job.stored != SAME:
        half_loops.from_half[job.stored](buffer, p, n)
    else:
        return <vec*>p
    return buffer


cdef vec* limit(vec* x, Job* job, Py_ssize_t block, Py_ssize_t offset, Py_ssize_t n, Py_ssize_t count, vec* buffer,
                bint scaled, double other) noexcept nogil:
    """Those of the first `count` that the mask lets count, divided by the temperature if `scaled`, and the others
    replaced: in the buffer, if need be."""
    cdef double divisor = job.divisor
    if scaled and job.divisors != NULL:
        divisor = job.divisors[place(&job.divisor_at, block)]
    if scaled and divisor != 1:
        divide[vec](x, buffer, n, divisor)
        x = buffer
    if job.mask != NULL:
        keep_set[vec](x, buffer, count, job.mask + place(&job.mask_at, block) + offset, splat[vec](x, other))
        x = buffer
    if count < n:
        if x != buffer:
            memcpy(buffer, x, count * sizeof(vec) // lanes[vec](x))
        fill[vec](at[vec](buffer, count), n - count, splat[vec](x, other))
        x = buffer
    return x


cdef inline vec* ready(vec* tag, Job* job, Source* source, Py_ssize_t block, Py_ssize_t offset, Py_ssize_t n,
                       Py_ssize_t count, vec* buffer, bint scaled, double other) noexcept nogil:
    """n numbers of a block, of which `kept_of` are `count`, ready to be computed with; in the buffer, if they are not so
    where they are."""
    cdef vec* x
    if not job.general:
        return <vec*>source_at(source, block, offset)
    x = widen[vec](tag, job, source, block, offset, n, buffer)
    return limit[vec](x, job, block, offset, n, count, buffer, scaled, other)


cdef inline vec* ready_x(vec* tag, Job* job, Py_ssize_t block, Py_ssize_t offset, Py_ssize_t n, Py_ssize_t count,
                         vec* buffer) noexcept nogil:
    """What the operation reads: x, or the forward's output y."""
    if job.backward:
        return ready[vec](tag, job, &job.x, block, offset, n, count, buffer, False, -INFINITY if job.kind == LOG_SOFTMAX else 0)
    return ready[vec](tag, job, &job.x, block, offset, n, count, buffer, True, -INFINITY)


cdef inline vec* ready_g(vec* tag, Job* job, Py_ssize_t block, Py_ssize_t offset, Py_ssize_t n, Py_ssize_t count,
                         vec* buffer) noexcept nogil:
    return ready[vec](tag, job, &job.g, block, offset, n, count, buffer, True, 0)


cdef inline double masked_result(Job* job) noexcept nogil:
    return -INFINITY if job.kind == LOG_SOFTMAX and not job.backward else 0


cdef inline vec* target(vec* tag, Job* job, Py_ssize_t i, vec* buffer) noexcept nogil:
    """Where results are to go: to their place from number i on, or to the buffer, from where `deliver` takes them."""
    if job.general and job.out_stored != SAME:
        return buffer
    return stored_at[vec](job.out_stored, job.out, i, tag)


cdef void clear(vec* y, Job* job, Py_ssize_t block, Py_ssize_t offset, Py_ssize_t n) noexcept nogil:
    """Results under the mask, where a row is not finite. In all other rows they are right already."""
    cdef Py_ssize_t count = kept_of(job, block, offset, n)
    cdef vec other = splat[vec](y, masked_result(job))
    if job.mask != NULL:
        keep_set[vec](y, y, count, job.mask + place(&job.mask_at, block) + offset, other)
    fill[vec](at[vec](y, count), n - count, other)


cdef inline double first_number(vec* p) noexcept nogil:
    return (<float*>p)[0] if vec is vf else (<double*>p)[0]


cdef inline void clean(vec* y, Job* job, Py_ssize_t block, Py_ssize_t offset, Py_ssize_t n) noexcept nogil:
    """Clear what the mask hides, if need be: a row whose factor is not finite shows it in its first number; a line of a
    strip has a factor for each."""
    if (job.mask != NULL or by_count(job)) and (job.inner > 1 or not isfinite(first_number[vec](y))):
        clear[vec](y, job, block, offset, n)


cdef inline void narrow(vec* y, Job* job, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    """n results to their place from number i on, unless they are there."""
    if job.out_stored != SAME:
        half_loops.to_half[job.out_stored](<unsigned short*>job.out + i, y, n)


cdef inline void deliver(vec* y, Job* job, Py_ssize_t block, Py_ssize_t offset, Py_ssize_t n) noexcept nogil:
    """n results of a block, cleaned, to their place."""
    clean[vec](y, job, block, offset, n)
    narrow[vec](y, job, block * job.n * job.inner + offset, n)
