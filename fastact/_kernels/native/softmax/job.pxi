# A job is one call: its arrays, its options, and the way of the numbers into the kernels and back.
#
# Kernels compute on float32 or float64 numbers that lie side by side. `ready` brings numbers of a block (a row, or n
# lines of `inner` numbers) into that form: it gathers them, converts half types, divides by the temperature, and
# replaces what does not count by a number that adds nothing. Numbers that need nothing of this stay in place; the
# others go to a buffer. `deliver` takes the results back. To add an option, write its fields in `Job`, and its part in
# `limit`.

cdef enum:
    MOST_PLACES = 8

cdef struct Places:       # where an array that broadcasts against the blocks has the entry of each block
    int ndim              # the number of axes of the blocks; below, the last axis comes first
    Py_ssize_t[MOST_PLACES] size
    Py_ssize_t[MOST_PLACES] stride

cdef struct Source:       # where an array has its numbers; only rows (inner == 1) may have gaps
    char* base
    Py_ssize_t block      # bytes from one block to the next
    Py_ssize_t step       # bytes from one number to the next

cdef struct Part:         # a row, or a block of a long row
    double m              # the maximum
    double total          # the sum of scaled e^x, or the dot product
    double count          # log_softmax: how many numbers are m
    double unit           # log_softmax: the scaled e^m
    double factor         # 1 / total or the log of the sum of e^(x - m), as two numbers
    double rest
    bint nan              # whether a number is NaN

cdef struct Job:
    int kind
    int backward
    int is_double
    int failed            # whether there was no memory for scratch
    int workers
    Source g              # backward: the incoming gradient
    Source x              # backward: the output of the forward pass
    void* out             # LOG_SUM: one number for n of x, stored as computed
    Py_ssize_t outer
    Py_ssize_t n
    Py_ssize_t inner
    int item              # bytes of a number of x and g
    int stored            # the `Format` of x and g
    int out_stored        # the `Format` of out
    bint options          # whether there is any of the options below
    bint general          # whether numbers must be made ready or delivered, by way of a buffer
    char* mask            # a byte for each number of a block, 0 for those that do not count; or NULL
    Places mask_at
    Py_ssize_t* lengths   # inner == 1: how many numbers of a row count; or NULL
    Places length_at
    Py_ssize_t causal     # inner == 1: row i counts i % causal + 1; or 0
    double divisor        # the temperature,
    double* divisors      # or one for each block; or NULL
    Places divisor_at
    Py_ssize_t first      # long rows: the first row
    Py_ssize_t blocks     # long rows: blocks per row
    Py_ssize_t group      # rows: how many are taken at once; strips: how many outer blocks share a vector
    Py_ssize_t width      # strips: vectors side by side in a strip
    Py_ssize_t strips     # strips: how many cover `inner`
    Py_ssize_t scratch    # bytes of a worker's scratch
    char* memory          # the workers' scratch
    long* busy            # 1 for each that is in use
    Part* row
    Part* block


cdef inline Py_ssize_t place(Places* at, Py_ssize_t block) noexcept nogil:
    """The index of a block's entry."""
    cdef Py_ssize_t offset = 0
    cdef int i
    for i in range(at.ndim - 1):
        offset += block % at.size[i] * at.stride[i]
        block //= at.size[i]
    return offset + block * at.stride[at.ndim - 1] if at.ndim else 0


cdef inline Py_ssize_t kept(Job* job, Py_ssize_t row) noexcept nogil:
    """How many numbers of a row count, by its length and by causality: the first ones."""
    cdef Py_ssize_t n = job.n
    if job.lengths != NULL:
        n = job.lengths[place(&job.length_at, row)]
    return min(n, row % job.causal + 1) if job.causal else n


cdef inline bint by_count(Job* job) noexcept nogil:
    """Whether rows have a number of entries that count."""
    return job.lengths != NULL or job.causal > 0


cdef inline Py_ssize_t kept_of(Job* job, Py_ssize_t block, Py_ssize_t offset, Py_ssize_t n) noexcept nogil:
    """How many of a block's n numbers from `offset` on count, by length and causality."""
    return max(<Py_ssize_t>0, min(n, kept(job, block) - offset)) if by_count(job) else n


cdef inline int format_of(Job* job) noexcept nogil:
    """The `Format` of the numbers that `ready_x` points to.

    Each has a function of its own, found in a table `..._by_format`: one for all takes compilers a fifth longer.
    """
    return DOUBLE if job.is_double else SAME if job.general else job.stored


cdef inline bint masked_in_registers(Job* job) noexcept nogil:
    """Whether gradients of rows need the mask alone.

    Lengths are made masks, too: then all rows are equally long, which suits branch prediction.
    """
    return job.backward and job.options and not job.general


# Scratch.

cdef char* claim_scratch(Job* job) noexcept nogil:
    """Claim a scratch for the calling worker; there are as many as workers."""
    cdef int worker = 0
    while not compare_exchange(&job.busy[worker], 0, 1):
        worker = (worker + 1) % job.workers
    return job.memory + worker * job.scratch


cdef void release_scratch(Job* job, char* scratch) noexcept nogil:
    """Give back what `claim_scratch` gave."""
    exchange(&job.busy[(scratch - job.memory) // job.scratch], 0)


cdef void* new_scratch(Job* job, Py_ssize_t workers, Py_ssize_t size) noexcept nogil:
    """Allocate `size` bytes for each worker, which the caller frees; NULL and job.failed if there is no memory."""
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


# What columns.pxi does to n vectors, these functions do to n numbers.

cdef void divide(vec* x, vec* out, Py_ssize_t n, double divisor) noexcept nogil:
    """out = x / divisor, by a multiplication where that gives the same."""
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
    """out = x where the mask's byte is not 0, else `other`."""
    cdef Py_ssize_t whole = n // lanes[vec](x), part = n % lanes[vec](x), i
    cdef char[16] bytes
    for i in range(whole):
        out[i] = where_set[vec](mask + i * lanes[vec](x), x[i], other)
    if part:
        memcpy(bytes, mask + whole * lanes[vec](x), part)
        store_part[vec](out + whole, part, where_set[vec](bytes, load_part[vec](x + whole, part, other), other))


cdef inline void fill(vec* out, Py_ssize_t n, vec v) noexcept nogil:
    """out = v, whose lanes are all the same."""
    cdef Py_ssize_t whole = n // lanes[vec](out), part = n % lanes[vec](out), i
    for i in range(whole):
        out[i] = v
    if part:
        store_part[vec](out + whole, part, v)


# Ways in and out. Number `offset` of a block is number block * n * inner + offset of the results.

cdef inline char* source_at(Source* source, Py_ssize_t block, Py_ssize_t offset) noexcept nogil:
    """The address of a block's number."""
    return source.base + block * source.block + offset * source.step


cdef inline bint packed(Job* job, Source* source) noexcept nogil:
    """Whether blocks follow each other without gaps."""
    return source.step == job.item and source.block == job.n * job.inner * job.item


cdef inline void gather(vec* out, char* p, Py_ssize_t step, Py_ssize_t n) noexcept nogil:
    """Copy n numbers, `step` bytes apart, to out."""
    cdef Py_ssize_t i
    for i in range(n):
        if vec is vf:
            (<float*>out)[i] = (<float*>(p + i * step))[0]
        else:
            (<double*>out)[i] = (<double*>(p + i * step))[0]


cdef inline vec* widen(vec* tag, Job* job, Source* source, Py_ssize_t block, Py_ssize_t offset, Py_ssize_t n,
                       vec* buffer) noexcept nogil:
    """Bring n numbers of a block into the kernel's dtype, without gaps: in place, or in the buffer."""
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
    """Apply the options to n numbers, in the buffer if need be: divide by the temperature, if `scaled`, and put `other`
    for what the mask hides and for what comes after the first `count`."""
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
    """Make n numbers of a block ready to compute with: in place, or in the buffer. The first `count` of them count."""
    cdef vec* x
    if not job.general:
        return <vec*>source_at(source, block, offset)
    x = widen[vec](tag, job, source, block, offset, n, buffer)
    return limit[vec](x, job, block, offset, n, count, buffer, scaled, other)


cdef inline vec* ready_x(vec* tag, Job* job, Py_ssize_t block, Py_ssize_t offset, Py_ssize_t n, Py_ssize_t count,
                         vec* buffer) noexcept nogil:
    """Make ready what the operation reads: x, or the output y of the forward pass."""
    cdef double nothing
    if job.backward:
        nothing = -INFINITY if job.kind == LOG_SOFTMAX else 0
        return ready[vec](tag, job, &job.x, block, offset, n, count, buffer, False, nothing)
    return ready[vec](tag, job, &job.x, block, offset, n, count, buffer, True, -INFINITY)


cdef inline vec* ready_g(vec* tag, Job* job, Py_ssize_t block, Py_ssize_t offset, Py_ssize_t n, Py_ssize_t count,
                         vec* buffer) noexcept nogil:
    """Make the incoming gradient ready."""
    return ready[vec](tag, job, &job.g, block, offset, n, count, buffer, True, 0)


cdef inline double masked_result(Job* job) noexcept nogil:
    """The result for what does not count."""
    return -INFINITY if job.kind == LOG_SOFTMAX and not job.backward else 0


cdef inline vec* target(vec* tag, Job* job, Py_ssize_t i, vec* buffer) noexcept nogil:
    """Where the kernel puts results from number i on: at their place, or in the buffer, for `deliver` to take."""
    if job.general and job.out_stored != SAME:
        return buffer
    return stored_at[vec](job.out_stored, job.out, i, tag)


cdef void clear(vec* y, Job* job, Py_ssize_t block, Py_ssize_t offset, Py_ssize_t n) noexcept nogil:
    """Set the results for what does not count, in rows that are not finite: in others they are right already."""
    cdef Py_ssize_t count = kept_of(job, block, offset, n)
    cdef vec other = splat[vec](y, masked_result(job))
    if job.mask != NULL:
        keep_set[vec](y, y, count, job.mask + place(&job.mask_at, block) + offset, other)
    fill[vec](at[vec](y, count), n - count, other)


cdef inline double first_number(vec* p) noexcept nogil:
    """The number at p."""
    return (<float*>p)[0] if vec is vf else (<double*>p)[0]


cdef inline void clean(vec* y, Job* job, Py_ssize_t block, Py_ssize_t offset, Py_ssize_t n) noexcept nogil:
    """Call `clear` if need be: a row whose factor is not finite shows that in its first number; in a line of a strip
    every number has a factor of its own."""
    if (job.mask != NULL or by_count(job)) and (job.inner > 1 or not isfinite(first_number[vec](y))):
        clear[vec](y, job, block, offset, n)


cdef inline void narrow(vec* y, Job* job, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    """Convert n results to a half type, at their place from number i on. Others are there already."""
    if job.out_stored != SAME:
        half_loops.to_half[job.out_stored](<unsigned short*>job.out + i, y, n)


cdef inline void deliver(vec* y, Job* job, Py_ssize_t block, Py_ssize_t offset, Py_ssize_t n) noexcept nogil:
    """Clean n results of a block and bring them to their place."""
    clean[vec](y, job, block, offset, n)
    narrow[vec](y, job, block * job.n * job.inner + offset, n)
