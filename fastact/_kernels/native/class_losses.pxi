# cross_entropy and nll_loss for users' compiled code: what backends/host.py and backends/cpu/cross_entropy.py prepare.

ctypedef void (*write_t)(
    bint is_double, void* x, Py_ssize_t outer, Py_ssize_t n, Py_ssize_t inner, Py_ssize_t* target, Py_ssize_t ignore,
    double hit, double* weight, void* dense, bint dense_rows, double scale, void* values, void* out
) noexcept nogil
ctypedef double (*sum_t)(void* values, Py_ssize_t n, bint is_double) noexcept nogil

cdef enum Reduction:
    MEAN = 0
    SUM = 1
    NONE = 2

cdef enum:
    COLUMN_LIMIT = 512  # of softmax/cross_entropy.pxi

cdef struct ClassLoss:    # as interop/numba/class_losses.py fills it
    Array x
    Array targets
    int is_double         # x, values and gradient
    int targets_kind      # `LABELS`, or the probabilities' dtype
    Py_ssize_t axis       # from 0 on
    Py_ssize_t ignore
    double smoothing
    int reduction
    double* weight        # of each class; or NULL
    void* values          # the losses, in C's order; or NULL where they are reduced
    Array* gradient       # or NULL
    double loss           # the result, where they are reduced
    Py_ssize_t wrong      # the first target that is no class

cdef enum TargetsKind:
    LABELS = 0            # intp
    FLOATS = 1
    DOUBLES = 2


cdef int begin_loss(ClassLoss* call, Rows* rows) noexcept nogil:
    """Check the shapes, and find (outer, n, inner)."""
    cdef Py_ssize_t axis, i = 0
    cdef bint dense = call.targets_kind != LABELS
    rows.ndim, rows.n = call.x.ndim, call.x.shape[call.axis]
    rows.outer = product(call.x.shape, call.axis)
    rows.inner = product(call.x.shape + call.axis + 1, rows.ndim - call.axis - 1)
    spread(&rows.x, &call.x, rows.ndim, call.x.shape)
    for axis in range(rows.ndim):
        rows.order[axis] = axis
        rows.shape[axis] = call.x.shape[axis]
        if dense or axis != call.axis:
            if call.targets.shape[i] != call.x.shape[axis]:
                return WRONG_TARGETS
            i += 1
    if rows.n == 0:
        return NO_CLASSES
    return DONE


cdef Py_ssize_t* labels_of(ClassLoss* call, Rows* rows, char** memory, int* status) noexcept nogil:
    """The targets without gaps, checked."""
    cdef View view
    cdef Py_ssize_t i, count = rows.outer * rows.inner
    cdef Py_ssize_t* labels
    spread(&view, &call.targets, call.targets.ndim, call.targets.shape)
    if count > 0 and not is_packed(&view, call.targets.ndim, call.targets.shape, sizeof(Py_ssize_t)):
        memory[0] = packed_copy(&view, call.targets.ndim, call.targets.shape, sizeof(Py_ssize_t))
        if memory[0] == NULL:
            status[0] = NO_MEMORY
            return NULL
    labels = <Py_ssize_t*>view.data
    for i in range(count):
        if labels[i] != call.ignore and <size_t>labels[i] >= <size_t>rows.n:
            status[0], call.wrong = NO_CLASS, labels[i]
            return NULL
    return labels


cdef double count_labels(ClassLoss* call, const Py_ssize_t* labels, Py_ssize_t size) noexcept nogil:
    """How many labels count, or what their classes weigh."""
    cdef double sum = 0, lost = 0, more, next
    cdef Py_ssize_t i, count = 0
    cdef Mode callers
    enter_standard(&callers)
    for i in range(size):
        if labels[i] != call.ignore:
            count += 1
            if call.weight != NULL:
                more = call.weight[labels[i]] - lost  # Kahan's sum
                next = sum + more
                lost = (next - sum) - more
                sum = next
    leave_standard(&callers)
    return sum if call.weight != NULL else <double>count


ctypedef fused share_t:  # as probabilities are given
    float
    double


cdef void weigh_shares(
    number* dense, const share_t* given, const ClassLoss* call, Py_ssize_t outer, Py_ssize_t n, Py_ssize_t inner
) noexcept nogil:
    """Smooth probabilities and weigh their classes, as wide as NumPy does, for the kernel's dtype."""
    cdef Py_ssize_t i, c, j
    cdef double hit = 1 - call.smoothing, even = call.smoothing / n
    cdef volatile double wide  # or else C compilers might fuse a product and a sum
    cdef volatile float narrow
    cdef Mode callers
    enter_standard(&callers)
    for i in range(outer):
        for c in range(n):
            for j in range(inner):
                if number is float and share_t is float:
                    narrow = given[0]
                    if call.smoothing != 0:
                        narrow = <float>hit * narrow
                        narrow = narrow + <float>even
                    wide = narrow
                else:
                    wide = given[0]
                    if call.smoothing != 0:
                        wide = hit * wide
                        wide = wide + even
                dense[0] = <number>(wide * call.weight[c] if call.weight != NULL else wide)
                dense += 1
                given += 1
    leave_standard(&callers)


cdef void even_shares(number* dense, const ClassLoss* call, Py_ssize_t n) noexcept nogil:
    """What smoothing gives to each class."""
    cdef Py_ssize_t c
    cdef double even = call.smoothing / n
    cdef Mode callers
    enter_standard(&callers)
    for c in range(n):
        dense[c] = <number>(even * call.weight[c] if call.weight != NULL else even)
    leave_standard(&callers)


cdef void* shares(ClassLoss* call, Rows* rows, bint last, char** memory, char** copied, int* status) noexcept nogil:
    """The weights of every class of every row, in the layout of the rows; `memory` and `copied` are to be freed."""
    cdef int item = 8 if call.is_double else 4, own = 4 if call.targets_kind == FLOATS else 8
    cdef Py_ssize_t outer = rows.outer * rows.inner if last else rows.outer, inner = 1 if last else rows.inner
    cdef View view
    spread(&view, &call.targets, rows.ndim, call.x.shape)
    permute(&view, rows.ndim, rows.order)
    memory[0] = <char*>malloc(rows.outer * rows.n * rows.inner * item + 1)
    if memory[0] != NULL and not is_packed(&view, rows.ndim, rows.shape, own):
        copied[0] = packed_copy(&view, rows.ndim, rows.shape, own)
        status[0] = DONE if copied[0] != NULL else NO_MEMORY
    if memory[0] == NULL or status[0] != DONE:
        status[0] = NO_MEMORY
    elif call.is_double and own == 8:
        weigh_shares[double, double](<double*>memory[0], <double*>view.data, call, outer, rows.n, inner)
    elif call.is_double:
        weigh_shares[double, float](<double*>memory[0], <float*>view.data, call, outer, rows.n, inner)
    elif own == 8:
        weigh_shares[float, double](<float*>memory[0], <double*>view.data, call, outer, rows.n, inner)
    else:
        weigh_shares[float, float](<float*>memory[0], <float*>view.data, call, outer, rows.n, inner)
    return memory[0]


cdef int cross_entropy(write_t write, sum_t sum, ClassLoss* call) noexcept nogil:
    """The loss, and its gradient if there is an array for that."""
    cdef Rows rows
    cdef int item = 8 if call.is_double else 4, i, status = begin_loss(call, &rows)
    cdef bint last, dense = call.targets_kind != LABELS
    cdef char* memory[6]
    cdef double count, scale = 1
    cdef Py_ssize_t size
    cdef Py_ssize_t* labels = NULL
    cdef void* every = NULL
    cdef View grad, target
    if status != DONE:
        return status
    size = rows.outer * rows.inner
    memset(memory, 0, sizeof(memory))
    last = call.axis != rows.ndim - 1 and rows.n > COLUMN_LIMIT  # so many columns have no kernel
    if last:
        for i in range(rows.ndim):
            rows.order[i] = i if i < call.axis else i + 1 if i < rows.ndim - 1 else call.axis
            rows.shape[i] = call.x.shape[rows.order[i]]
        permute(&rows.x, rows.ndim, rows.order)
    if call.gradient != NULL:
        spread(&grad, call.gradient, rows.ndim, call.x.shape)
        permute(&grad, rows.ndim, rows.order)
        target = grad
    if dense:
        count = <double>size
        every = shares(call, &rows, last, &memory[0], &memory[1], &status) if size else NULL
    else:
        labels = labels_of(call, &rows, &memory[1], &status)
        count = count_labels(call, labels, size) if status == DONE else 0
        if status == DONE and call.smoothing / rows.n != 0:
            every = memory[0] = <char*>malloc(rows.n * item)
            if every == NULL:
                status = NO_MEMORY
            elif call.is_double:
                even_shares[double](<double*>every, call, rows.n)
            else:
                even_shares[float](<float*>every, call, rows.n)
    if call.reduction == MEAN:
        scale = 1 / count if count != 0 else NAN
    if status == DONE and call.values == NULL:
        call.values = memory[2] = <char*>malloc(size * item + 1)
        status = DONE if memory[2] != NULL else NO_MEMORY
    if status == DONE and size:
        if not is_packed(&rows.x, rows.ndim, rows.shape, item):
            memory[3] = packed_copy(&rows.x, rows.ndim, rows.shape, item)
            status = DONE if memory[3] != NULL else NO_MEMORY
        if call.gradient != NULL and (
            not is_packed(&grad, rows.ndim, rows.shape, item)
            or overlaps(&rows.x, &grad, rows.ndim, rows.shape, item, item)
        ):
            memory[4] = <char*>malloc(product(rows.shape, rows.ndim) * item)
            status = DONE if status == DONE and memory[4] != NULL else NO_MEMORY
            pack(&target, memory[4], rows.ndim, rows.shape, item)
    if status == DONE and size:
        write(
            call.is_double, rows.x.data, size if last else rows.outer, rows.n, 1 if last else rows.inner, labels,
            call.ignore, 1 - call.smoothing, NULL if dense else call.weight, every, dense, scale, call.values,
            target.data if call.gradient != NULL else NULL)
        if memory[4] != NULL:
            copy(&grad, &target, rows.ndim, rows.shape, item)
    if status == DONE and call.reduction != NONE:
        call.loss = sum(call.values, size, call.is_double) * scale
    for i in range(6):
        free(memory[i])
    return status


cdef void pick(
    number* values, const ClassLoss* call, const Rows* rows, const Py_ssize_t* labels, const number* x
) noexcept nogil:
    """Minus the log-probability of each target that counts, for x without gaps."""
    cdef Py_ssize_t i, place
    for i in range(rows.outer * rows.inner):
        values[i] = 0
        if labels[i] != call.ignore:
            place = (i // rows.inner * rows.n + labels[i]) * rows.inner + i % rows.inner
            values[i] = -x[place]


cdef void pick_weighted(
    double* values, const ClassLoss* call, const Rows* rows, const Py_ssize_t* labels, const number* x
) noexcept nogil:
    """The same, times the weight of the target's class; in float64, as NumPy has it."""
    cdef Py_ssize_t i, place
    cdef Mode callers
    enter_standard(&callers)
    for i in range(rows.outer * rows.inner):
        values[i] = 0
        if labels[i] != call.ignore:
            place = (i // rows.inner * rows.n + labels[i]) * rows.inner + i % rows.inner
            values[i] = <double>x[place] * -call.weight[labels[i]]
    leave_standard(&callers)


cdef int nll_loss(sum_t sum, ClassLoss* call) noexcept nogil:
    """The loss."""
    cdef Rows rows
    cdef int item = 8 if call.is_double else 4, i, status = begin_loss(call, &rows)
    cdef bint wide = call.is_double or call.weight != NULL
    cdef char* memory[3]
    cdef Py_ssize_t size, j
    cdef Py_ssize_t* labels
    cdef Mode callers
    cdef volatile double total
    if status != DONE:
        return status
    size = rows.outer * rows.inner
    memset(memory, 0, sizeof(memory))
    labels = labels_of(call, &rows, &memory[0], &status)
    if status == DONE and size and not is_packed(&rows.x, rows.ndim, rows.shape, item):
        memory[1] = packed_copy(&rows.x, rows.ndim, rows.shape, item)
        status = DONE if memory[1] != NULL else NO_MEMORY
    if status == DONE:
        memory[2] = <char*>malloc(size * sizeof(double) + 1)
        status = DONE if memory[2] != NULL else NO_MEMORY
    if status == DONE:
        if call.weight != NULL and call.is_double:
            pick_weighted[double](<double*>memory[2], call, &rows, labels, <double*>rows.x.data)
        elif call.weight != NULL:
            pick_weighted[float](<double*>memory[2], call, &rows, labels, <float*>rows.x.data)
        elif call.is_double:
            pick[double](<double*>memory[2], call, &rows, labels, <double*>rows.x.data)
        else:
            pick[float](<float*>memory[2], call, &rows, labels, <float*>rows.x.data)
        if call.reduction != NONE:
            total = sum(memory[2], size, wide)
            enter_standard(&callers)
            if call.reduction == MEAN:
                total = total / count_labels(call, labels, size)
            leave_standard(&callers)
            call.loss = total
        elif wide and not call.is_double:
            for j in range(size):
                (<float*>call.values)[j] = <float>(<double*>memory[2])[j]
        else:
            memcpy(call.values, memory[2], size * item)
    for i in range(3):
        free(memory[i])
    return status
