# cython: cdivision=True, freethreading_compatible=True
"""Entries for users' compiled code: C functions of arrays of any layout, which need neither Python nor its lock.

`elementwise` applies a loop of ufunc.pyx, `over_axes` the kernels of softmax/kernels.pyx, and `over_rows` a loop of
compile/row_loops.py, with the bits that the public functions give. Each returns a `Status`. What they call they are
given as pointers, so that this file is compiled once, whatever the instruction set.
"""

from libc.math cimport INFINITY, NAN
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from fastact._kernels.native.pool cimport default_workers, parallel_for

include "arithmetic.pxi"
include "atomics.pxi"
include "numba_results.pxi"

cdef enum:
    MOST_AXES = 64
    MOST_OPERANDS = 12
    SOFTMAX = 0         # the numbers of these kernels
    LOG_SUM = 2
    DOUBLE = 3          # `Format` of half.pxi
    GRAIN = 32768       # numbers that a thread takes at a time, at least; as in backends/cpu/over_rows.py

cdef enum Status:
    DONE = 0
    RAISED = 1          # a Python error is set
    NO_MEMORY = 2
    NO_BROADCAST = 3    # an operand does not broadcast to the shape
    WRONG_OUT = 4       # the shape of `out` is not the result's
    WRONG_TARGETS = 5   # the shape of the targets does not go with x's
    NO_CLASSES = 6
    NO_CLASS = 7        # a target is none

cdef struct Array:      # as Numba has it
    char* data
    Py_ssize_t ndim
    Py_ssize_t* shape
    Py_ssize_t* strides

cdef struct View:       # an array that is spread over the axes of a call
    char* data
    Py_ssize_t[MOST_AXES] strides

ctypedef int (*loop_t)(
    void* loop, char** pointers, Py_ssize_t n, const Py_ssize_t* strides, Py_ssize_t period, const bint* repeats
) noexcept nogil
ctypedef int (*kernel_t)(
    int kind, int stored, void* grad, void* x, void* out, Py_ssize_t outer, Py_ssize_t n, Py_ssize_t inner, char* mask,
    double divisor
) noexcept nogil
ctypedef bint (*takes_t)(int kind, bint backward, bint is_double, Py_ssize_t n, Py_ssize_t inner) noexcept nogil
ctypedef void (*forward_t)(
    void* x, void* out, double* scratch, Py_ssize_t size, Py_ssize_t count, Py_ssize_t n, Py_ssize_t out_n
) noexcept nogil
ctypedef void (*backward_t)(
    void* grad, void* y, void* out, double* scratch, Py_ssize_t size, Py_ssize_t count, Py_ssize_t n, Py_ssize_t out_n
) noexcept nogil


# --- views ------------------------------------------------------------------------------------------------------------


cdef bint spread(View* view, const Array* array, Py_ssize_t ndim, const Py_ssize_t* shape) noexcept nogil:
    """Broadcast an array to a shape; False if it does not fit."""
    cdef Py_ssize_t axis, more = ndim - array.ndim
    if more < 0:
        return False
    view.data = array.data
    for axis in range(ndim):
        view.strides[axis] = 0
        if axis >= more and array.shape[axis - more] != 1:
            if array.shape[axis - more] != shape[axis]:
                return False
            view.strides[axis] = array.strides[axis - more]
    return True


cdef void permute(View* view, Py_ssize_t ndim, const Py_ssize_t* order) noexcept nogil:
    """Put the axes into this order."""
    cdef Py_ssize_t[MOST_AXES] strides
    cdef Py_ssize_t i
    memcpy(strides, view.strides, sizeof(strides))
    for i in range(ndim):
        view.strides[i] = strides[order[i]]


cdef void order_by_stride(Py_ssize_t* order, const View* view, Py_ssize_t ndim) noexcept nogil:
    """The axes in the order in which they lie in memory, the outermost first."""
    cdef Py_ssize_t axis, place, stride
    for axis in range(ndim):
        place, stride = axis, view.strides[axis]
        stride = -stride if stride < 0 else stride
        while place > 0 and -stride < view.strides[order[place - 1]] < stride:
            order[place] = order[place - 1]
            place -= 1
        order[place] = axis


cdef Py_ssize_t product(const Py_ssize_t* sizes, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i, result = 1
    for i in range(n):
        result *= sizes[i]
    return result


cdef void pack(View* view, char* data, Py_ssize_t ndim, const Py_ssize_t* shape, int item) noexcept nogil:
    """Make the view one without gaps."""
    cdef Py_ssize_t axis, stride = item
    view.data = data
    for axis in range(ndim - 1, -1, -1):
        view.strides[axis] = stride
        stride *= shape[axis]


cdef bint is_packed(const View* view, Py_ssize_t ndim, const Py_ssize_t* shape, int item) noexcept nogil:
    """Whether there are no gaps, in C's order."""
    cdef Py_ssize_t axis, stride = item
    for axis in range(ndim - 1, -1, -1):
        if shape[axis] != 1 and view.strides[axis] != stride:
            return False
        stride *= shape[axis]
    return True


cdef void bounds(
    const View* view, Py_ssize_t ndim, const Py_ssize_t* shape, int item, char** low, char** high
) noexcept nogil:
    """The first byte, and the one after the last; no axis is empty."""
    cdef Py_ssize_t axis, length
    low[0], high[0] = view.data, view.data + item
    for axis in range(ndim):
        length = (shape[axis] - 1) * view.strides[axis]
        if length < 0:
            low[0] += length
        else:
            high[0] += length


cdef bint overlaps(
    const View* a, const View* b, Py_ssize_t ndim, const Py_ssize_t* shape, int a_item, int b_item
) noexcept nogil:
    """Whether two views may share memory other than element by element."""
    cdef char* a_low
    cdef char* a_high
    cdef char* b_low
    cdef char* b_high
    cdef Py_ssize_t axis
    cdef bint same = a.data == b.data and a_item == b_item
    for axis in range(ndim):
        same &= shape[axis] == 1 or a.strides[axis] == b.strides[axis]
    if same:
        return False
    bounds(a, ndim, shape, a_item, &a_low, &a_high)
    bounds(b, ndim, shape, b_item, &b_low, &b_high)
    return a_low < b_high and b_low < a_high


cdef inline void copy_line(
    char* target, Py_ssize_t to_stride, const char* source, Py_ssize_t from_stride, Py_ssize_t n, int item
) noexcept nogil:
    cdef Py_ssize_t i
    if to_stride == item and from_stride == item:
        memcpy(target, source, n * item)
    elif item == 8:
        for i in range(n):
            (<double*>(target + i * to_stride))[0] = (<double*>(source + i * from_stride))[0]
    elif item == 4:
        for i in range(n):
            (<float*>(target + i * to_stride))[0] = (<float*>(source + i * from_stride))[0]
    elif item == 2:
        for i in range(n):
            (<short*>(target + i * to_stride))[0] = (<short*>(source + i * from_stride))[0]
    else:
        for i in range(n):
            (target + i * to_stride)[0] = (source + i * from_stride)[0]


cdef void copy(
    const View* target, const View* source, Py_ssize_t ndim, const Py_ssize_t* shape, int item
) noexcept nogil:
    """target[...] = source; no axis is empty."""
    cdef Py_ssize_t[MOST_AXES] index
    cdef Py_ssize_t axis, to = 0, place = 0
    memset(index, 0, sizeof(index))
    if ndim == 0:
        memcpy(target.data, source.data, item)
        return
    while True:
        copy_line(target.data + to, target.strides[ndim - 1], source.data + place, source.strides[ndim - 1],
                  shape[ndim - 1], item)
        axis = ndim - 2
        while axis >= 0:
            index[axis] += 1
            to += target.strides[axis]
            place += source.strides[axis]
            if index[axis] < shape[axis]:
                break
            to -= shape[axis] * target.strides[axis]
            place -= shape[axis] * source.strides[axis]
            index[axis] = 0
            axis -= 1
        if axis < 0:
            return


cdef char* packed_copy(View* view, Py_ssize_t ndim, const Py_ssize_t* shape, int item) noexcept nogil:
    """Let the view be one of a copy without gaps, which the caller frees; NULL if there is no memory for it."""
    cdef char* memory = <char*>malloc(product(shape, ndim) * item)
    cdef View source = view[0]
    if memory != NULL:
        pack(view, memory, ndim, shape, item)
        copy(view, &source, ndim, shape, item)
    return memory


# --- elementwise ------------------------------------------------------------------------------------------------------


cdef int elementwise(
    loop_t run, void* loop, const Array* arrays, int inputs, int parameters, int outputs, int item
) noexcept nogil:
    """Apply a loop to inputs, parameters, and then outputs, all of one shape, to which the others broadcast.

    `item` is the size of an item of the inputs and outputs. Parameters are of the loop's own type.
    """
    cdef View[MOST_OPERANDS] views
    cdef Py_ssize_t[MOST_AXES] shape
    cdef Py_ssize_t[MOST_AXES] order
    cdef char* memory[MOST_OPERANDS]
    cdef int i, j, first = inputs + parameters, operands = inputs + parameters + outputs, status = DONE
    cdef Py_ssize_t ndim = arrays[first].ndim, axis
    for i in range(first + 1, operands):
        if arrays[i].ndim != ndim:
            return WRONG_OUT
        for axis in range(ndim):
            if arrays[i].shape[axis] != arrays[first].shape[axis]:
                return WRONG_OUT
    for i in range(operands):
        if not spread(&views[i], &arrays[i], ndim, arrays[first].shape):
            return NO_BROADCAST
    if product(arrays[first].shape, ndim) == 0:
        return DONE
    order_by_stride(order, &views[first], ndim)
    for axis in range(ndim):
        shape[axis] = arrays[first].shape[order[axis]]
    memset(memory, 0, sizeof(memory))
    for i in range(operands):
        permute(&views[i], ndim, order)
    for i in range(first):
        for j in range(first, operands):
            if status == DONE and memory[i] == NULL and arrays[i].ndim and overlaps(
                &views[i], &views[j], ndim, shape, item, item
            ):
                memory[i] = packed_copy(&views[i], ndim, shape, item)
                status = DONE if memory[i] != NULL else NO_MEMORY
    if status == DONE:
        ndim = merged(views, operands, ndim, shape)
        status = by_lines(run, loop, views, operands, ndim, shape, item, inputs)
    for i in range(first):
        free(memory[i])
    return status


cdef Py_ssize_t merged(View* views, int operands, Py_ssize_t ndim, Py_ssize_t* shape) noexcept nogil:
    """Merge axes that follow each other without gaps in all views; return how many are left, one at least."""
    cdef Py_ssize_t axis, length, left = 0
    cdef int i
    cdef bint fits
    for axis in range(ndim):
        length = shape[axis]
        if length == 1:
            continue
        fits = left > 0
        for i in range(operands):
            fits = fits and views[i].strides[left - 1] == views[i].strides[axis] * length
        if not fits:
            left += 1
            shape[left - 1] = 1
        shape[left - 1] *= length
        for i in range(operands):
            views[i].strides[left - 1] = views[i].strides[axis]
    if left == 0:
        shape[0] = 1
        for i in range(operands):
            views[i].strides[0] = 0
    return max(left, <Py_ssize_t>1)


cdef int by_lines(
    loop_t run, void* loop, const View* views, int operands, Py_ssize_t ndim, const Py_ssize_t* shape, int item,
    int inputs
) noexcept nogil:
    """Run the loop along the last axis for each place of the others, or over two axes at once where lines repeat."""
    cdef char* pointers[MOST_OPERANDS]
    cdef char* line[MOST_OPERANDS]
    cdef Py_ssize_t[MOST_OPERANDS] strides
    cdef bint[MOST_OPERANDS] repeats
    cdef Py_ssize_t[MOST_AXES] index
    cdef Py_ssize_t axis, n = shape[ndim - 1]
    cdef int i, repeated = 0
    cdef bint all_lines = ndim == 2
    memset(index, 0, sizeof(index))
    memset(repeats, 0, sizeof(repeats))
    for i in range(operands):
        pointers[i] = views[i].data
        strides[i] = views[i].strides[ndim - 1]
        if ndim == 2 and (strides[i] != 0 or views[i].strides[0] != 0):
            repeats[i] = views[i].strides[0] == 0
            repeated += repeats[i]
            all_lines = all_lines and strides[i] == item and (
                i < inputs if repeats[i] else views[i].strides[0] == n * item
            )
        elif ndim == 2:
            all_lines = all_lines and i >= inputs
    if all_lines and repeated <= 2:  # as ufunc.pyx takes them
        return RAISED if run(loop, pointers, n * shape[0], strides, n, repeats) else DONE
    while True:
        memcpy(line, pointers, sizeof(pointers))
        if run(loop, line, n, strides, 0, NULL):
            return RAISED
        axis = ndim - 2
        while axis >= 0:
            index[axis] += 1
            for i in range(operands):
                pointers[i] += views[i].strides[axis]
            if index[axis] < shape[axis]:
                break
            for i in range(operands):
                pointers[i] -= shape[axis] * views[i].strides[axis]
            index[axis] = 0
            axis -= 1
        if axis < 0:
            return DONE


# --- the softmax family -----------------------------------------------------------------------------------------------


cdef struct Rows:       # a call over axes, in the order of the axes in memory
    View grad
    View x
    View out
    View mask
    bint backward
    bint masked
    Py_ssize_t ndim
    Py_ssize_t[MOST_AXES] shape
    Py_ssize_t[MOST_AXES] order
    Py_ssize_t outer
    Py_ssize_t n
    Py_ssize_t inner


cdef int begin(
    Rows* rows, const char* reduced, const Array* grad, const Array* x, const Array* out, const Array* mask
) noexcept nogil:
    """Spread the arrays over x's axes. `out` may lack the reduced axes; grad and mask may be NULL."""
    cdef Py_ssize_t axis, place = 0
    rows.ndim = x.ndim
    rows.backward, rows.masked = grad != NULL, mask != NULL
    memcpy(rows.shape, x.shape, x.ndim * sizeof(Py_ssize_t))
    spread(&rows.x, x, x.ndim, x.shape)
    rows.n = 1
    rows.out.data = out.data
    for axis in range(x.ndim):
        rows.order[axis] = axis
        if reduced[axis]:
            rows.n *= x.shape[axis]
        if x.shape[axis] == 1:
            rows.x.strides[axis] = x.strides[axis]  # by which axes are ordered
        rows.out.strides[axis] = 0
        if out.ndim == x.ndim or not reduced[axis]:
            rows.out.strides[axis] = out.strides[place]
            if out.shape[place] != x.shape[axis] and not (reduced[axis] and out.shape[place] == 1):
                return WRONG_OUT
            place += 1
    if place != out.ndim:
        return WRONG_OUT
    if mask != NULL and not spread(&rows.mask, mask, x.ndim, x.shape):
        return NO_BROADCAST
    if grad != NULL:
        if grad.ndim != x.ndim or not spread(&rows.grad, grad, x.ndim, x.shape):
            return NO_BROADCAST
        for axis in range(x.ndim):
            if grad.shape[axis] != x.shape[axis]:
                return NO_BROADCAST
    return DONE


cdef void put_last(Rows* rows, const char* reduced) noexcept nogil:
    """Order the axes as `reduced` has them, those at the end."""
    cdef Py_ssize_t i, place = 0
    cdef int last
    cdef Py_ssize_t[MOST_AXES] before
    memcpy(before, rows.order, sizeof(before))
    for last in range(2):
        for i in range(rows.ndim):
            if (reduced[before[i]] != 0) == last:
                rows.order[place] = before[i]
                place += 1


cdef void arrange(Rows* rows, const char* reduced, const Py_ssize_t* shape) noexcept nogil:
    """Put all views into the order, and find (outer, n, inner)."""
    cdef Py_ssize_t i, first = -1
    permute(&rows.x, rows.ndim, rows.order)
    permute(&rows.out, rows.ndim, rows.order)
    if rows.backward:
        permute(&rows.grad, rows.ndim, rows.order)
    if rows.masked:
        permute(&rows.mask, rows.ndim, rows.order)
    rows.outer = rows.inner = 1
    for i in range(rows.ndim):
        rows.shape[i] = shape[rows.order[i]]
        if reduced[rows.order[i]]:
            first = i
        elif first < 0:
            rows.outer *= rows.shape[i]
        else:
            rows.inner *= rows.shape[i]


cdef void order_axes(
    Rows* rows, const char* reduced, const Py_ssize_t* shape, takes_t takes, int kind, bint is_double
) noexcept nogil:
    """The order of `_three_axes` in backends/cpu/cython.py: that in memory, or the reduced axes at the end."""
    cdef Py_ssize_t i, axes = 0, low = -1, high = -1, inner = 1
    order_by_stride(rows.order, &rows.x, rows.ndim)
    for i in range(rows.ndim):
        if reduced[rows.order[i]]:
            low = i if low < 0 else low
            high = i
            axes += 1
    for i in range(high + 1, rows.ndim if axes else 0):
        inner *= shape[rows.order[i]]
    if (axes and high - low >= axes) or not takes(kind, rows.backward, is_double, rows.n, inner):
        put_last(rows, reduced)


cdef int over_axes(
    kernel_t kernel, takes_t takes, int kind, int stored, const char* reduced, const Array* grad, const Array* x,
    const Array* out, const Array* mask, double divisor
) noexcept nogil:
    """Compute a softmax kernel over the axes for which `reduced` is not 0, as backends/cpu/cython.py does.

    All numbers are of one `Format`. grad is NULL for the forward pass; mask is NULL, or an array of bytes.
    """
    cdef Rows rows
    cdef int status = begin(&rows, reduced, grad, x, out, mask), item = 8 if stored == DOUBLE else 4 >> stored
    cdef bint is_double = stored == DOUBLE, plain
    cdef Py_ssize_t i, count, axes = 0, inner = 1
    cdef Py_ssize_t[MOST_AXES] results
    cdef char* memory[4]
    cdef View target
    if status != DONE:
        return status
    if product(x.shape, x.ndim) == 0:
        if kind == LOG_SUM:
            fill_out(out, -INFINITY, is_double)
        return DONE
    for i in range(x.ndim):
        inner = 1 if reduced[i] else inner * x.shape[i]
        axes += reduced[i]
    plain = axes == 1 and is_packed(&rows.x, x.ndim, x.shape, item)
    plain = plain and (not rows.backward or is_packed(&rows.grad, x.ndim, x.shape, item))
    if not (plain and takes(kind, rows.backward, is_double, rows.n, inner)):
        order_axes(&rows, reduced, x.shape, takes, kind, is_double)
    arrange(&rows, reduced, x.shape)
    for i in range(rows.ndim):
        results[i] = 1 if kind == LOG_SUM and reduced[rows.order[i]] else rows.shape[i]
    memset(memory, 0, sizeof(memory))
    target = rows.out
    if not is_packed(&rows.out, rows.ndim, results, item):
        memory[0] = <char*>malloc(product(results, rows.ndim) * item)
        status = DONE if memory[0] != NULL else NO_MEMORY
        pack(&target, memory[0], rows.ndim, results, item)
    if status == DONE:
        memory[1] = made_ready(&rows.x, &rows, item, &target, kind != LOG_SUM, &status)
    if status == DONE and rows.backward:
        memory[2] = made_ready(&rows.grad, &rows, item, &target, True, &status)
    if status == DONE and rows.masked and not is_packed(&rows.mask, rows.ndim, rows.shape, 1):
        memory[3] = packed_copy(&rows.mask, rows.ndim, rows.shape, 1)
        status = DONE if memory[3] != NULL else NO_MEMORY
    if status == DONE and kernel(
        kind, stored, rows.grad.data if rows.backward else NULL, rows.x.data, target.data, rows.outer, rows.n,
        rows.inner, rows.mask.data if rows.masked else NULL, divisor
    ):
        status = NO_MEMORY
    if status == DONE and target.data != rows.out.data:
        copy(&rows.out, &target, rows.ndim, results, item)
    for count in range(4):
        free(memory[count])
    return status


cdef char* made_ready(
    View* view, const Rows* rows, int item, const View* target, bint like, int* status
) noexcept nogil:
    """Copy an array that has gaps, or that overlaps the results, shaped `like` it; return the memory to free."""
    cdef char* memory = NULL
    if not is_packed(view, rows.ndim, rows.shape, item) or (
        like and overlaps(view, target, rows.ndim, rows.shape, item, item)
    ):
        memory = packed_copy(view, rows.ndim, rows.shape, item)
        if memory == NULL:
            status[0] = NO_MEMORY
    return memory


cdef void fill_out(const Array* out, double value, bint is_double) noexcept nogil:
    """out[...] = value."""
    cdef View view, source
    cdef float narrow = <float>value
    if product(out.shape, out.ndim) == 0:
        return
    spread(&view, out, out.ndim, out.shape)
    memset(&source, 0, sizeof(source))
    source.data = <char*>&value if is_double else <char*>&narrow
    copy(&view, &source, out.ndim, out.shape, 8 if is_double else 4)


cdef int weighted_softmax(
    kernel_t kernel, takes_t takes, int stored, const char* reduced, const Array* grad, const Array* x,
    const Array* out, const Array* mask, double divisor
) noexcept nogil:
    """out = softmax(x / divisor) * (grad / divisor), the gradient of logsumexp; grad may lack the reduced axes."""
    cdef int item = 8 if stored == DOUBLE else 4, status
    cdef Py_ssize_t axis, place = 0
    cdef View weight, hides, result
    cdef char* memory
    if out.ndim != x.ndim:
        return WRONG_OUT
    spread(&weight, grad, grad.ndim, grad.shape)
    memory = packed_copy(&weight, grad.ndim, grad.shape, item)  # `out` may be written over it
    if memory == NULL:
        return NO_MEMORY
    result.data = weight.data
    for axis in range(x.ndim):
        result.strides[axis] = 0
        if grad.ndim == x.ndim or not reduced[axis]:
            if place == grad.ndim or grad.shape[place] != (1 if reduced[axis] else x.shape[axis]):
                free(memory)
                return NO_BROADCAST
            result.strides[axis] = weight.strides[place] if grad.shape[place] != 1 else 0
            place += 1
    if place != grad.ndim:
        free(memory)
        return NO_BROADCAST
    weight = result
    status = over_axes(kernel, takes, SOFTMAX, stored, reduced, NULL, x, out, mask, divisor)
    if status == DONE and product(x.shape, x.ndim) > 0:
        spread(&result, out, x.ndim, x.shape)
        hides = result
        if mask != NULL:
            spread(&hides, mask, x.ndim, x.shape)
        else:
            hides.data = NULL
        if stored == DOUBLE:
            weigh[double](0, &result, &weight, &hides, x.ndim, x.shape, divisor)
        else:
            weigh[float](0, &result, &weight, &hides, x.ndim, x.shape, divisor)
    free(memory)
    return status


ctypedef fused number:
    float
    double


cdef void weigh(
    number tag, const View* out, const View* weight, const View* mask, Py_ssize_t ndim, const Py_ssize_t* shape,
    double divisor
) noexcept nogil:
    """out *= weight / divisor, where the mask is not 0."""
    cdef Py_ssize_t[MOST_AXES] index
    cdef Py_ssize_t axis, i, to = 0, place = 0, hidden = 0
    cdef number d = <number>divisor
    cdef number* each
    cdef Mode callers
    memset(index, 0, sizeof(index))
    enter_standard(&callers)
    while True:
        for i in range(shape[ndim - 1]):
            if mask.data == NULL or (mask.data + hidden + i * mask.strides[ndim - 1])[0]:
                each = <number*>(out.data + to + i * out.strides[ndim - 1])
                each[0] *= (<number*>(weight.data + place + i * weight.strides[ndim - 1]))[0] / d
        axis = ndim - 2
        while axis >= 0:
            index[axis] += 1
            to += out.strides[axis]
            place += weight.strides[axis]
            hidden += mask.strides[axis]
            if index[axis] < shape[axis]:
                break
            to -= shape[axis] * out.strides[axis]
            place -= shape[axis] * weight.strides[axis]
            hidden -= shape[axis] * mask.strides[axis]
            index[axis] = 0
            axis -= 1
        if axis < 0:
            break
    leave_standard(&callers)


# --- loops of rows ----------------------------------------------------------------------------------------------------


cdef struct RowCall:
    void* function
    bint backward
    char* grad
    char* x
    char* out
    Py_ssize_t n
    Py_ssize_t item
    Py_ssize_t scratch
    long failed


cdef void run_rows(void* context, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    """Rows start to stop."""
    cdef RowCall* call = <RowCall*>context
    cdef Py_ssize_t offset = start * call.n * call.item
    cdef double* scratch = <double*>malloc(call.scratch * sizeof(double))
    cdef Mode callers
    if scratch == NULL:
        call.failed = 1
        return
    enter_standard(&callers)
    if call.backward:
        (<backward_t>call.function)(
            call.grad + offset, call.x + offset, call.out + offset, scratch, call.scratch, stop - start, call.n, call.n)
    else:
        (<forward_t>call.function)(
            call.x + offset, call.out + offset, scratch, call.scratch, stop - start, call.n, call.n)
    leave_standard(&callers)
    free(scratch)


cdef void divide(number* x, Py_ssize_t size, double divisor) noexcept nogil:
    cdef number d = <number>divisor
    cdef Mode callers
    cdef Py_ssize_t i
    enter_standard(&callers)
    for i in range(size):
        x[i] = x[i] / d
    leave_standard(&callers)


cdef void put(number* x, Py_ssize_t size, const char* mask, double other) noexcept nogil:
    """Put `other` where the mask's byte is 0."""
    cdef Py_ssize_t i
    for i in range(size):
        if not mask[i]:
            x[i] = <number>other


cdef void limit(
    char* x, Py_ssize_t size, bint is_double, double divisor, const char* mask, double other
) noexcept nogil:
    """Divide numbers, and put `other` where the mask says so."""
    if divisor != 1:
        if is_double:
            divide[double](<double*>x, size, divisor)
        else:
            divide[float](<float*>x, size, divisor)
    if mask != NULL:
        if is_double:
            put[double](<double*>x, size, mask, other)
        else:
            put[float](<float*>x, size, mask, other)


cdef int over_rows(
    void* function, Py_ssize_t scratch, bint is_double, const char* reduced, const Array* grad, const Array* x,
    const Array* out, const Array* mask, double divisor, double hidden
) noexcept nogil:
    """Apply a loop of rows over the axes for which `reduced` is not 0, as backends/cpu/over_rows.py does.

    `scratch` is how many float64 numbers the function needs beside those of a row. What the mask hides is `hidden` in
    x, and 0 in the gradient and in the result.
    """
    cdef Rows rows
    cdef RowCall call
    cdef int item = 8 if is_double else 4, status = begin(&rows, reduced, grad, x, out, mask)
    cdef Py_ssize_t size = product(x.shape, x.ndim), i
    cdef bint changed = mask != NULL or divisor != 1
    cdef char* memory[4]
    cdef char* hides
    cdef View target
    if status != DONE or size == 0:
        return status
    put_last(&rows, reduced)
    arrange(&rows, reduced, x.shape)
    memset(memory, 0, sizeof(memory))
    target = rows.out
    if not is_packed(&rows.out, rows.ndim, rows.shape, item):
        memory[0] = <char*>malloc(size * item)
        status = DONE if memory[0] != NULL else NO_MEMORY
        pack(&target, memory[0], rows.ndim, rows.shape, item)
    if status == DONE:
        memory[1] = made_ready(&rows.x, &rows, item, &target, True, &status)
    if status == DONE and rows.backward:
        memory[2] = made_ready(&rows.grad, &rows, item, &target, True, &status)
    if status == DONE and rows.masked and not is_packed(&rows.mask, rows.ndim, rows.shape, 1):
        memory[3] = packed_copy(&rows.mask, rows.ndim, rows.shape, 1)
        status = DONE if memory[3] != NULL else NO_MEMORY
    if status == DONE and changed and memory[1] == NULL:
        memory[1] = packed_copy(&rows.x, rows.ndim, rows.shape, item)
        status = DONE if memory[1] != NULL else NO_MEMORY
    if status == DONE and rows.masked and rows.backward and memory[2] == NULL:
        memory[2] = packed_copy(&rows.grad, rows.ndim, rows.shape, item)
        status = DONE if memory[2] != NULL else NO_MEMORY
    if status == DONE:
        hides = rows.mask.data if rows.masked else NULL
        if changed:
            limit(rows.x.data, size, is_double, 1 if rows.backward else divisor, hides, hidden)
            if rows.masked and rows.backward:
                limit(rows.grad.data, size, is_double, 1, rows.mask.data, 0)
        call.function, call.backward, call.failed = function, rows.backward, 0
        call.grad, call.x, call.out = rows.grad.data if rows.backward else NULL, rows.x.data, target.data
        call.n, call.item, call.scratch = rows.n, item, scratch + rows.n
        parallel_for(run_rows, &call, rows.outer, max(GRAIN * rows.outer // size, <Py_ssize_t>1), default_workers())
        status = NO_MEMORY if call.failed else DONE
        if changed:
            limit(target.data, size, is_double, divisor if rows.backward else 1, hides, 0)
        if target.data != rows.out.data:
            copy(&rows.out, &target, rows.ndim, rows.shape, item)
    for i in range(4):
        free(memory[i])
    return status


include "class_losses.pxi"


def entries():
    """Return the addresses of the functions, by name."""
    return {
        "elementwise": <size_t>&elementwise, "over_axes": <size_t>&over_axes, "over_rows": <size_t>&over_rows,
        "cross_entropy": <size_t>&cross_entropy, "nll_loss": <size_t>&nll_loss,
        "new_memory": <size_t>&numba_results_new,
        "weighted_softmax": <size_t>&weighted_softmax,
    }
