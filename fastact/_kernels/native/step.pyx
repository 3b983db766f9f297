# cython: cdivision=True, freethreading_compatible=True
"""A training step written down as a list of nodes, and replayed batch by batch without Python and without the GIL.

A node is a function with its operands: pointers into arrays that stay where they are. `Step` has a method for each kind
of node, in the order in which they run; fastact/mlp/recorder.py calls them. `Step.run` goes through epochs: it shuffles
the samples, replays the nodes for each batch, and keeps what the epoch began with, to go back to it where an epoch is
not ended. Once every millisecond it lets Python look for Ctrl-C.

The functions at the end do the same as some nodes, for arrays of one call: the same numbers to the bit.
"""

import numpy as np

cimport numpy as cnp
from cpython.exc cimport PyErr_Occurred
from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.math cimport sqrt
from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memset

from fastact._kernels.native.pool cimport default_workers, errors_raised, now, parallel_for, task_t

cnp.import_array()

include "arithmetic.pxi"
include "products.pxi"
include "softmax/loss_job.pxi"

cdef extern from "Python.h":
    int PyErr_CheckSignals()  # Cython's own declaration would raise here what is for the caller

cdef extern from "numpy/random/bitgen.h":
    ctypedef struct bitgen_t:
        void* state
        uint64_t (*next_uint64)(void* state) noexcept nogil
        uint32_t (*next_uint32)(void* state) noexcept nogil

ctypedef void (*loop_t)(char** operands, Py_ssize_t n) noexcept nogil
ctypedef void (*losses_t)(LossJob* job, int workers) noexcept nogil

cdef enum:
    MOST_OPERANDS = 16
    WORTH_THREADS = 5000      # threads share a node that takes at least so many nanoseconds, if the whole step takes
    WORTH_STEP = 60000        # so many: in a shorter one, reading what another core has written costs more
    LOOK = 1000000            # nanoseconds between two looks for Ctrl-C; a look may have to wait for the GIL,
    GIL_SHARE = 20            # and the next one comes after so many times that wait,
    LATEST_LOOK = 100000000   # but no later than this

cdef struct Operand:
    char* start
    Py_ssize_t row            # bytes from one row to the next; 0 for what all rows share
    Py_ssize_t item           # bytes from one number to the next; 0 for a number

cdef struct State:
    Py_ssize_t rows           # of this batch
    Py_ssize_t* samples       # their numbers
    Py_ssize_t size           # bytes of a number: 4 or 8
    Py_ssize_t step           # the number of this step; the model's first one is 1
    Py_ssize_t ahead          # how many steps of this run came before
    int workers
    double batch_loss
    double loss               # of the batches so far, each times its rows
    double right

cdef struct Node:
    void (*run)(Node* node, State* state) noexcept nogil
    double work               # nanoseconds, for a row if `by_rows`
    bint by_rows
    Operand operands[MOST_OPERANDS]
    int count                 # of operands
    Py_ssize_t units          # numbers in a row, or altogether
    bint joined               # rows follow each other in all operands, so that one call of the loop does them
    loop_t loop
    Product product
    losses_t losses
    double number
    uint64_t key
    uint64_t layer

ctypedef struct Task:
    Node* node
    State* state


cdef double read(char* p, Py_ssize_t size) noexcept nogil:
    return (<float*>p)[0] if size == 4 else (<double*>p)[0]


cdef void write(char* p, Py_ssize_t size, double value) noexcept nogil:
    if size == 4:
        (<float*>p)[0] = <float>value
    else:
        (<double*>p)[0] = value


# --- nodes ------------------------------------------------------------------------------------------------------------


cdef void gather_rows(void* task, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    cdef Node* node = (<Task*>task).node
    cdef State* state = (<Task*>task).state
    cdef Operand source = node.operands[0], target = node.operands[1]
    cdef Py_ssize_t i, j, row = target.row
    cdef char* x
    cdef char* y
    for i in range(start, stop):
        x, y = source.start + state.samples[i] * source.row, target.start + i * row
        if row <= 32 and row % 4 == 0:  # a call of memcpy takes longer
            for j in range(row // 4):
                (<uint32_t*>y)[j] = (<uint32_t*>x)[j]
        else:
            memcpy(y, x, row)


cdef void for_rows(Node* node, State* state, task_t task, Py_ssize_t rows, double work) noexcept nogil:
    """Call task(&(node, state), start, stop) over all rows, shared out if there is work enough."""
    cdef Task context = Task(node, state)
    if state.workers < 2 or work < WORTH_THREADS:
        task(&context, 0, rows)
    else:
        parallel_for(task, &context, rows, max(rows // (4 * state.workers), 1), state.workers)


cdef void run_gather(Node* node, State* state) noexcept nogil:
    """Copy the batch's samples."""
    for_rows(node, state, &gather_rows, state.rows, node.work * state.rows)


cdef void run_affine(Node* node, State* state) noexcept nogil:
    node.product.rows = state.rows
    run_product(&node.product, state.workers)


cdef void run_weights_gradient(Node* node, State* state) noexcept nogil:
    node.product.depth = state.rows
    run_product(&node.product, state.workers)


cdef void loop_part(void* task, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    """Apply the loop to rows start to stop; without rows to so many numbers."""
    cdef Node* node = (<Task*>task).node
    cdef char* places[MOST_OPERANDS]
    cdef Py_ssize_t i
    cdef int k
    if node.joined:
        for k in range(node.count):
            places[k] = node.operands[k].start + start * node.operands[k].row
        node.loop(places, (stop - start) * node.units)
        return
    for i in range(start, stop):
        for k in range(node.count):
            places[k] = node.operands[k].start + i * node.operands[k].row
        node.loop(places, node.units)


cdef void run_loop(Node* node, State* state) noexcept nogil:
    if node.by_rows:
        for_rows(node, state, &loop_part, state.rows, node.work * state.rows)
    else:
        for_rows(node, state, &flat_part, (node.units + 1023) // 1024, node.work)


cdef void flat_part(void* task, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    """Apply the loop to blocks of 1024 numbers; bits do not depend on where a loop is cut."""
    cdef Node* node = (<Task*>task).node
    cdef char* places[MOST_OPERANDS]
    cdef int k
    start *= 1024
    stop = min(stop * 1024, node.units)
    for k in range(node.count):
        places[k] = node.operands[k].start + start * node.operands[k].item
    node.loop(places, stop - start)


cdef void column_sums(char* a, char* out, Py_ssize_t rows, Py_ssize_t n, Py_ssize_t size) noexcept nogil:
    """out = the sums over the rows, added in order."""
    if size == 4:
        add_rows[float](<float*>a, <float*>out, rows, n)
    else:
        add_rows[double](<double*>a, <double*>out, rows, n)


ctypedef fused number_t:
    float
    double


cdef extern from *:
    """
    #if defined(_MSC_VER)
    #define FASTACT_RESTRICT __restrict
    #else
    #define FASTACT_RESTRICT __restrict__
    #endif
    #define FASTACT_ADD(T) static inline void fastact_add_##T(T* FASTACT_RESTRICT out, const T* FASTACT_RESTRICT a, \\
        Py_ssize_t n) { Py_ssize_t j; for (j = 0; j < n; j++) out[j] += a[j]; }
    FASTACT_ADD(float)
    FASTACT_ADD(double)
    /* Whether a number is infinite or NaN, by the exponent's bits: a loop over integers becomes one over vectors. */
    #define FASTACT_NOT_FINITE(T, MASK) static int fastact_not_finite_##T(const void* p, Py_ssize_t n) { \\
        const T* x = (const T*)p; Py_ssize_t i; T bad = 0; \\
        for (i = 0; i < n; i++) bad |= (T)((x[i] & MASK) == MASK); \\
        return (int)bad; }
    FASTACT_NOT_FINITE(uint32_t, 0x7f800000u)
    FASTACT_NOT_FINITE(uint64_t, 0x7ff0000000000000u)
    """
    void add_float "fastact_add_float"(float* out, float* a, Py_ssize_t n) noexcept nogil
    void add_double "fastact_add_double"(double* out, double* a, Py_ssize_t n) noexcept nogil
    bint not_finite_4 "fastact_not_finite_uint32_t"(char* x, Py_ssize_t n) noexcept nogil
    bint not_finite_8 "fastact_not_finite_uint64_t"(char* x, Py_ssize_t n) noexcept nogil


cdef void add_rows(number_t* a, number_t* out, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    cdef number_t sum
    if n == 1:
        sum = 0
        for i in range(rows):
            sum += a[i]
        out[0] = sum
        return
    memcpy(out, a, n * sizeof(number_t))
    for i in range(1, rows):
        if number_t is float:
            add_float(out, a + i * n, n)
        else:
            add_double(out, a + i * n, n)


cdef void run_column_sums(Node* node, State* state) noexcept nogil:
    column_sums(node.operands[0].start, node.operands[1].start, state.rows, node.units, state.size)


cdef void run_share(Node* node, State* state) noexcept nogil:
    """Write 1 / (parts * what the batch's rows weigh together), or 0 where they weigh nothing."""
    cdef Py_ssize_t i
    cdef double weight = state.rows
    if node.count > 1:
        weight = 0
        for i in range(state.rows):
            weight += read(node.operands[1].start + i * node.operands[1].row, state.size)
    write(node.operands[0].start, state.size, 1 / (node.number * weight) if weight else 0)


cdef void cross_entropy_rows(void* task, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    cdef Node* node = (<Task*>task).node
    cdef State* state = (<Task*>task).state
    cdef LossJob job
    memset(&job, 0, sizeof(job))
    job.is_double, job.gradient = state.size == 8, True
    job.x = node.operands[0].start + start * node.operands[0].row
    job.out = node.operands[1].start + start * node.operands[1].row
    job.value = node.operands[2].start + start * node.operands[2].row
    job.outer, job.n, job.inner = stop - start, node.units, 1
    if node.key & 1:
        job.dense, job.dense_rows = node.operands[3].start + start * node.operands[3].row, True
    else:
        job.target, job.hit, job.ignore = <Py_ssize_t*>node.operands[3].start + start, 1, -1
    job.scale = 1 if node.key & 2 else 1 / <double>state.rows
    node.losses(&job, 1)


cdef void run_cross_entropy(Node* node, State* state) noexcept nogil:
    for_rows(node, state, &cross_entropy_rows, state.rows, node.work * state.rows)


cdef double sum_of(char* x, Py_ssize_t n, Py_ssize_t size) noexcept nogil:
    """Add n numbers in order, in float64."""
    cdef double sum = 0
    cdef Py_ssize_t i
    for i in range(n):
        sum += (<float*>x)[i] if size == 4 else (<double*>x)[i]
    return sum


cdef void run_add_loss(Node* node, State* state) noexcept nogil:
    cdef Py_ssize_t n = node.units * (state.rows if node.by_rows else 1)
    cdef double sum = sum_of(node.operands[0].start, n, state.size)
    if node.count > 1:
        state.batch_loss += sum * read(node.operands[1].start, state.size)
    else:
        state.batch_loss += sum / state.rows


cdef Py_ssize_t count_all(number_t* z, Py_ssize_t* labels, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    """Count the rows whose units are all above 0 where their label is 1, and nowhere else."""
    cdef Py_ssize_t i, j, right = 0
    for i in range(rows):
        for j in range(n):
            if (z[i * n + j] > 0) != labels[i * n + j]:
                break
        else:
            right += 1
    return right


cdef Py_ssize_t count_rows(number_t* z, Py_ssize_t* labels, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    """Count the rows whose first maximum is the label's; of one unit, those that are above 0 where the label is 1."""
    cdef Py_ssize_t i, j, best, right = 0
    for i in range(rows):
        best = 0
        if n == 1:
            best = z[i] > 0
        for j in range(1, n):
            if z[i * n + j] > z[i * n + best]:
                best = j
        right += best == labels[i]
    return right


cdef void run_count_right(Node* node, State* state) noexcept nogil:
    cdef Py_ssize_t* labels = <Py_ssize_t*>node.operands[1].start
    if node.key and state.size == 4:
        state.right += count_all[float](<float*>node.operands[0].start, labels, state.rows, node.units)
    elif node.key:
        state.right += count_all[double](<double*>node.operands[0].start, labels, state.rows, node.units)
    elif state.size == 4:
        state.right += count_rows[float](<float*>node.operands[0].start, labels, state.rows, node.units)
    else:
        state.right += count_rows[double](<double*>node.operands[0].start, labels, state.rows, node.units)


cdef extern from *:
    """
    /* A start of 64 bits for each key, step and layer (the finaliser of splitmix64), and a hash of 32 bits for each
       place after it (two rounds of multiplying and shifting, as in Wellons's lowbias32). */
    static uint64_t fastact_mixed(uint64_t x) {
      x = (x ^ x >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
      x = (x ^ x >> 27) * UINT64_C(0x94D049BB133111EB);
      return x ^ x >> 31;
    }
    static uint64_t fastact_start(uint64_t key, uint64_t step, uint64_t layer) {
      const uint64_t odd = UINT64_C(0x9E3779B97F4A7C15);
      return fastact_mixed(fastact_mixed(key + odd * (step + 1)) + odd * (layer + 1));
    }
    static inline uint32_t fastact_hash(uint64_t start, uint32_t place) {
      uint32_t h = place * 0x9E3779B9u + (uint32_t)start;
      h = (h ^ h >> 16) * 0x7FEB352Du;
      h = (h ^ (uint32_t)(start >> 32) ^ h >> 15) * 0x846CA68Bu;
      return h ^ h >> 16;
    }
    #define FASTACT_MASK(T) static void fastact_mask_##T(void* p, Py_ssize_t i, Py_ssize_t n, uint64_t start, \\
                                                        uint32_t below, double kept) { \\
        T* mask = (T*)p; const T value = (T)kept; \\
        for (; i < n; i++) mask[i] = fastact_hash(start, (uint32_t)i) >= below ? value : 0; }
    FASTACT_MASK(float)
    FASTACT_MASK(double)
    """
    uint64_t start_of "fastact_start"(uint64_t key, uint64_t step, uint64_t layer) noexcept nogil
    void mask_4 "fastact_mask_float"(
        char* mask, Py_ssize_t i, Py_ssize_t n, uint64_t start, uint32_t below, double kept) noexcept nogil
    void mask_8 "fastact_mask_double"(
        char* mask, Py_ssize_t i, Py_ssize_t n, uint64_t start, uint32_t below, double kept) noexcept nogil


cdef void fill_mask(
    char* mask, Py_ssize_t i, Py_ssize_t n, double rate, uint64_t start, Py_ssize_t size
) noexcept nogil:
    """Fill in items i to n: 0 with the probability `rate`, else 1 / (1 - rate)."""
    cdef uint32_t below = <uint32_t>(rate * 4294967296.0)
    if size == 4:
        mask_4(mask, i, n, start, below, 1 / (1 - rate))
    else:
        mask_8(mask, i, n, start, below, 1 / (1 - rate))


cdef void mask_rows(void* task, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    cdef Node* node = (<Task*>task).node
    cdef State* state = (<Task*>task).state
    fill_mask(node.operands[0].start, start * node.units, stop * node.units, node.number,
              start_of(node.key, state.step, node.layer), state.size)


cdef void run_mask(Node* node, State* state) noexcept nogil:
    for_rows(node, state, &mask_rows, state.rows, node.work * state.rows)


cdef double factor_within(char* x, Py_ssize_t n, double limit, Py_ssize_t size) noexcept nogil:
    """Return what takes the Euclidean norm of x down to the limit; 1 if it is below."""
    cdef double sum = 0, each
    cdef Py_ssize_t i
    for i in range(n):
        each = read(x + i * size, size)
        sum += each * each
    return limit / sqrt(sum) if sum > limit * limit else 1


cdef void run_clip_factor(Node* node, State* state) noexcept nogil:
    write(node.operands[1].start, state.size,
          factor_within(node.operands[0].start, node.units, node.number, state.size))


cdef void run_numbers(Node* node, State* state) noexcept nogil:
    """Copy the numbers of this step from the table of all steps of the run."""
    cdef Operand table = node.operands[0]
    memcpy(node.operands[1].start, table.start + state.ahead * table.row, table.row)


# --- the step ---------------------------------------------------------------------------------------------------------


cdef class Step:
    """The nodes of one step for batches of at most `rows` samples.

    Arrays are contiguous, of the step's dtype unless said otherwise, and have `rows` rows where they differ from sample
    to sample. A number is an array of one.
    """

    cdef Node* nodes
    cdef Py_ssize_t count
    cdef readonly Py_ssize_t rows
    cdef State state
    cdef Tile tile
    cdef list arrays                # keeps alive what nodes point to
    cdef readonly Py_ssize_t ended  # epochs of the last run
    cdef double patience            # nanoseconds until the next look for Ctrl-C

    def __cinit__(self, dtype, Py_ssize_t rows, tile):
        self.rows, self.arrays, self.patience = rows, [], LOOK
        self.state.size = np.dtype(dtype).itemsize
        self.tile = make_tile(tile, self.state.size)

    def __dealloc__(self):
        free(self.nodes)

    cdef Node* add(self, arrays) except NULL:
        """Append a node with these operands."""
        cdef Node* grown = <Node*>realloc(self.nodes, (self.count + 1) * sizeof(Node))
        cdef Node* node
        cdef cnp.ndarray array
        cdef Operand* operand
        if grown == NULL:
            raise MemoryError()
        self.nodes = grown
        node = grown + self.count
        memset(node, 0, sizeof(Node))
        if len(arrays) > MOST_OPERANDS:
            raise ValueError(f"a node takes {MOST_OPERANDS} arrays, got {len(arrays)}")
        node.by_rows = True
        for array in arrays:
            operand = &node.operands[node.count]
            operand.start = <char*>cnp.PyArray_DATA(array)
            operand.item = cnp.PyArray_ITEMSIZE(array)
            if cnp.PyArray_NDIM(array) > 0:
                operand.row = operand.item * (cnp.PyArray_SIZE(array) // max(cnp.PyArray_DIM(array, 0), 1))
            node.count += 1
        self.arrays.append(arrays)
        self.count += 1
        return node

    def gather(self, source, target):
        """Copy the batch's rows of `source`, which has all samples, to `target`; of any dtype."""
        cdef Node* node = self.add((source, target))
        node.run, node.work = &run_gather, 10 + 0.05 * node.operands[0].row

    def affine(self, x, weights, bias, out):
        """out = x @ weights + bias"""
        cdef Node* node = self.add((x, weights, bias, out))
        node.run = &run_affine
        node.product = Product(
            &self.tile, 0, out.shape[1], x.shape[1], node.operands[0].start, x.shape[1], 1, node.operands[1].start,
            weights.shape[1], False, node.operands[3].start, node.operands[2].start)
        node.work = MULTIPLY * x.shape[1] * out.shape[1] * self.state.size

    def weights_gradient(self, x, grad, out):
        """out = x.T @ grad"""
        cdef Node* node = self.add((x, grad, out))
        node.run = &run_weights_gradient
        node.product = Product(
            &self.tile, x.shape[1], grad.shape[1], 0, node.operands[0].start, 1, x.shape[1], node.operands[1].start,
            grad.shape[1], False, node.operands[2].start, NULL)
        node.work = MULTIPLY * x.shape[1] * grad.shape[1] * self.state.size

    def input_gradient(self, grad, weights, out):
        """out = grad @ weights.T"""
        cdef Node* node = self.add((grad, weights, out))
        node.run = &run_affine
        node.product = Product(
            &self.tile, 0, weights.shape[0], grad.shape[1], node.operands[0].start, grad.shape[1], 1,
            node.operands[1].start, weights.shape[1], True, node.operands[2].start, NULL)
        node.work = MULTIPLY * grad.shape[1] * weights.shape[0] * self.state.size

    def loop(self, size_t address, arrays, Py_ssize_t units, int shared, double nanoseconds):
        """A compiled loop over rows of `units` numbers.

        Bit k of `shared` says that all rows have the same array k. Numbers are shared too. `nanoseconds` is what the
        loop takes for one of the `units`.
        """
        cdef Node* node = self.add(arrays)
        cdef int k
        node.run, node.loop, node.units, node.work = &run_loop, <loop_t>address, units, nanoseconds * units + 0.1
        node.joined = True
        for k in range(node.count):
            if cnp.PyArray_SIZE(arrays[k]) == 1 and cnp.PyArray_NDIM(arrays[k]) == 0:
                node.operands[k].row = 0
            elif shared >> k & 1:
                node.operands[k].row = 0
                node.joined = False
        if not node.joined:
            node.work += 5

    def flat_loop(self, size_t address, arrays, Py_ssize_t size, double nanoseconds):
        """A compiled loop over arrays of `size` numbers that know no rows, and over numbers."""
        cdef Node* node = self.add(arrays)
        cdef int k
        node.run, node.loop, node.units, node.work = &run_loop, <loop_t>address, size, nanoseconds * size
        node.by_rows = False
        for k in range(node.count):
            if cnp.PyArray_NDIM(arrays[k]) == 0:
                node.operands[k].item = 0

    def column_sums(self, a, out):
        """out = a.sum(axis=0)"""
        cdef Node* node = self.add((a, out))
        node.run, node.units, node.work = &run_column_sums, a.shape[1], 0.1 * a.shape[1]

    def share(self, out, double parts, weights=None):
        """out = 1 / (parts * rows), or 1 / (parts * the sum of the weights' first column)"""
        cdef Node* node = self.add((out,) if weights is None else (out, weights))
        node.run, node.number, node.work = &run_share, parts, 0 if weights is None else 1

    def cross_entropy(self, size_t function, z, gradient, values, target, bint weighted):
        """The losses of logits, and the gradient of their mean or, if `weighted`, of their sum.

        `target` has intp labels, or weights of all classes in a table. `function` is the address that the softmax
        kernels tell.
        """
        cdef Node* node = self.add((z, gradient, values, target))
        node.run, node.losses, node.units, node.work = &run_cross_entropy, <losses_t>function, z.shape[1], z.shape[1]
        node.key = (target.ndim == 2) | 2 * weighted

    def add_loss(self, values, scale, bint by_rows):
        """Add scale * the sum of `values` to the loss of the batch; `scale` may be None, for 1 / rows."""
        cdef Node* node = self.add((values,) if scale is None else (values, scale))
        node.run, node.by_rows, node.units = &run_add_loss, by_rows, values[0].size if by_rows else values.size
        node.work = node.units

    def count_right(self, z, labels):
        """Count the rows that predict their intp label: by the first maximum, or of one unit by the sign.

        Labels for each unit are right where all signs are.
        """
        cdef Node* node = self.add((z, labels))
        node.run, node.units, node.work, node.key = &run_count_right, z.shape[1], z.shape[1], labels.ndim == 2

    def mask(self, out, double rate, uint64_t key, uint64_t layer):
        """out = 0 with the probability `rate`, else 1 / (1 - rate), by a hash of key, step, layer and place"""
        cdef Node* node = self.add((out,))
        node.run, node.units, node.number, node.key, node.work = &run_mask, out.shape[1], rate, key, out.shape[1]
        node.layer = layer

    def clip_factor(self, x, double limit, out):
        """out = min(1, limit / the Euclidean norm of x)"""
        cdef Node* node = self.add((x, out))
        node.run, node.units, node.number, node.by_rows = &run_clip_factor, x.size, limit, False
        node.work = x.size

    def numbers(self, table, out):
        """out = the row of the table for this step of the run"""
        cdef Node* node = self.add((table, out))
        node.run, node.by_rows = &run_numbers, False

    cdef double work(self) noexcept:
        """The nanoseconds that a whole batch takes one thread."""
        cdef double sum = 0
        cdef Py_ssize_t i
        for i in range(self.count):
            sum += self.nodes[i].work * (self.rows if self.nodes[i].by_rows else 1)
        return sum

    def run(self, generator, cnp.ndarray order, cnp.ndarray chosen, Py_ssize_t epochs, Py_ssize_t step, kept, backup,
            cnp.ndarray history):
        """Train for so many epochs; `ended` says how many came to their end.

        Parameters
        ----------
        generator : the capsule of NumPy's bit generator that shuffles the samples; or None, for their order
        order : intp, room for the numbers of all samples that are taken
        chosen : intp, the numbers of the samples; or None, for the first ones
        step : the number of updates before
        kept : arrays that an epoch that is not ended leaves as they were; none has an infinite number after one
        backup : as many arrays of the same size
        history : float64 (epochs, 3): loss, share of right rows, seconds

        Notes
        -----
        Not all come to their end where a number becomes infinite or NaN, or where Ctrl-C or a formula raises.
        """
        cdef Course course
        cdef Mode callers
        cdef list pairs = [*zip(kept, backup)]
        if len(pairs) > MOST_OPERANDS:
            raise ValueError(f"a step keeps {MOST_OPERANDS} arrays, got {len(pairs)}")
        memset(&course, 0, sizeof(course))
        for now_array, before in pairs:
            course.kept[course.arrays].now = <char*>cnp.PyArray_DATA(now_array)
            course.kept[course.arrays].before = <char*>cnp.PyArray_DATA(before)
            course.kept[course.arrays].bytes = cnp.PyArray_NBYTES(now_array)
            course.arrays += 1
        if generator is not None:
            course.bits = <bitgen_t*>PyCapsule_GetPointer(generator, "BitGenerator")
        if chosen is not None:
            course.chosen = <Py_ssize_t*>cnp.PyArray_DATA(chosen)
        course.nodes, course.count, course.state, course.batch = self.nodes, self.count, &self.state, self.rows
        course.order, course.samples, course.epochs = <Py_ssize_t*>cnp.PyArray_DATA(order), order.shape[0], epochs
        course.records = <double*>cnp.PyArray_DATA(history)
        course.patience = self.patience
        self.state.step, self.state.ahead = step, 0
        self.state.workers = default_workers() if self.work() > WORTH_STEP else 1
        course.steps = course.left = 1
        enter_standard(&callers)
        with nogil:
            go(&course)
        leave_standard(&callers)
        self.ended, self.patience = course.epoch, course.patience
        raise_pending()


# --- epochs -----------------------------------------------------------------------------------------------------------


cdef struct Kept:
    char* now
    char* before
    Py_ssize_t bytes

cdef struct Course:
    Node* nodes
    Py_ssize_t count
    State* state
    Py_ssize_t batch
    bitgen_t* bits
    Py_ssize_t* order
    Py_ssize_t* chosen
    Py_ssize_t samples
    Py_ssize_t epochs
    Kept kept[MOST_OPERANDS]
    Py_ssize_t arrays
    double* records
    Py_ssize_t epoch          # how many are ended
    Py_ssize_t start          # samples that this one has taken
    double begun              # when it did
    double looked             # when Python last looked for Ctrl-C
    double patience           # nanoseconds from then to the next look
    Py_ssize_t steps          # from one look at the clock to the next
    Py_ssize_t left           # of them


cdef void go(Course* course) noexcept nogil:
    """Go through the epochs, and let Python look for Ctrl-C."""
    cdef State* state = course.state
    cdef long errors = errors_raised()
    cdef Py_ssize_t i
    course.begun = course.looked = now()
    while course.epoch < course.epochs:
        begin_epoch(course)
        while course.start < course.samples:
            state.samples, state.rows = course.order + course.start, min(course.batch, course.samples - course.start)
            state.step += 1
            state.batch_loss = 0
            for i in range(course.count):
                course.nodes[i].run(&course.nodes[i], state)
            state.loss += state.batch_loss * state.rows
            state.ahead += 1
            course.start += course.batch
            course.left -= 1
            if course.left == 0 and time_to_look(course) and interrupted(course):
                undo(course)
                return
            if errors_raised() != errors:
                if exception_pending():
                    undo(course)
                    return
                errors = errors_raised()  # another thread's formula raised
        if not end_epoch(course):
            undo(course)
            return


cdef bint time_to_look(Course* course) noexcept nogil:
    """Look at the clock, and set when to do so again, so that it takes no time and is often enough."""
    cdef double time = now(), passed = time - course.looked
    cdef bint due = passed >= course.patience
    if due:
        course.steps = max(<Py_ssize_t>(course.steps * LOOK / passed), 1)
    else:
        course.steps *= 2
    course.left = course.steps
    return due


cdef void begin_epoch(Course* course) noexcept nogil:
    cdef Py_ssize_t k
    for k in range(course.arrays):
        memcpy(course.kept[k].before, course.kept[k].now, course.kept[k].bytes)
    arrange(course.bits, course.order, course.samples, course.chosen)
    course.state.loss = course.state.right = course.start = 0


cdef bint end_epoch(Course* course) noexcept nogil:
    """Write down what the epoch found; return False where a number is no longer finite."""
    cdef double* record = course.records + 3 * course.epoch
    cdef double time
    cdef Py_ssize_t k
    record[0], record[1] = course.state.loss / course.samples, course.state.right / course.samples
    if record[0] - record[0] != 0:
        return False
    for k in range(course.arrays):
        if not all_finite(course.kept[k].now, course.kept[k].bytes, course.state.size):
            return False
    time = now()
    record[2] = 1e-9 * (time - course.begun)
    course.begun = time
    course.epoch += 1
    return True


cdef void undo(Course* course) noexcept nogil:
    """Go back to the beginning of the epoch."""
    cdef Py_ssize_t k
    for k in range(course.arrays):
        memcpy(course.kept[k].now, course.kept[k].before, course.kept[k].bytes)


cdef int raise_pending() except -1:
    """Raise what Ctrl-C or a formula left in this thread."""
    return -1 if PyErr_Occurred() != NULL else 0


cdef bint interrupted(Course* course) noexcept nogil:
    """Let Python run the handlers of signals; say whether one raised.

    Another thread that computes in Python hands over the GIL after 5 ms only. Waiting for that each millisecond would
    take most of the time.
    """
    cdef double before = now()
    cdef bint raised = handlers_raised()
    course.looked = now()
    course.patience = min(max(<double>LOOK, GIL_SHARE * (course.looked - before)), <double>LATEST_LOOK)
    return raised


cdef bint handlers_raised() noexcept with gil:
    return PyErr_CheckSignals() != 0


cdef bint exception_pending() noexcept with gil:
    """Say whether a formula has raised in this thread."""
    return PyErr_Occurred() != NULL


cdef bint all_finite(char* x, Py_ssize_t bytes, Py_ssize_t size) noexcept nogil:
    return not (not_finite_4(x, bytes // 4) if size == 4 else not_finite_8(x, bytes // 8))


cdef void arrange(bitgen_t* bits, Py_ssize_t* order, Py_ssize_t n, Py_ssize_t* chosen) noexcept nogil:
    """Write down the order in which an epoch takes the samples."""
    cdef Py_ssize_t i
    for i in range(n):
        order[i] = i
    if bits != NULL:
        shuffle(bits, order, n)
    if chosen != NULL:
        for i in range(n):
            order[i] = chosen[order[i]]


cdef void shuffle(bitgen_t* bits, Py_ssize_t* order, Py_ssize_t n) noexcept nogil:
    """Do what numpy.random.Generator.permutation(n) does to these numbers, with the same bits."""
    cdef Py_ssize_t i, other
    cdef uint64_t mask, value
    for i in range(n - 1, 0, -1):
        mask = i
        mask |= mask >> 1
        mask |= mask >> 2
        mask |= mask >> 4
        mask |= mask >> 8
        mask |= mask >> 16
        mask |= mask >> 32
        if i <= 0xffffffffU:
            value = bits.next_uint32(bits.state) & mask
            while value > <uint64_t>i:
                value = bits.next_uint32(bits.state) & mask
        else:
            value = bits.next_uint64(bits.state) & mask
            while value > <uint64_t>i:
                value = bits.next_uint64(bits.state) & mask
        other = order[value]
        order[value] = order[i]
        order[i] = other


# --- single calls -----------------------------------------------------------------------------------------------------


cdef Tile make_tile(tile, Py_ssize_t size):
    return Tile(<tile_t><size_t>tile.address, tile.rows, tile.vectors, tile.lanes, size)


def product(
    tile, cnp.ndarray x, cnp.ndarray weights, cnp.ndarray bias, cnp.ndarray out, bint x_transposed=False,
    bint weights_transposed=False
):
    """out = x @ weights + bias, or with x.T, or with weights.T; bias may be None."""
    cdef Tile made = make_tile(tile, cnp.PyArray_ITEMSIZE(out))
    cdef Py_ssize_t columns = x.shape[1]
    cdef Product p
    cdef Mode callers
    p.tile, p.rows, p.columns, p.depth = &made, out.shape[0], out.shape[1], columns
    p.a, p.a_row, p.a_step = <char*>cnp.PyArray_DATA(x), columns, 1
    if x_transposed:
        p.depth, p.a_row, p.a_step = x.shape[0], 1, columns
    p.b, p.b_row, p.transposed = <char*>cnp.PyArray_DATA(weights), weights.shape[1], weights_transposed
    p.c, p.start = <char*>cnp.PyArray_DATA(out), NULL
    if bias is not None:
        p.start = <char*>cnp.PyArray_DATA(bias)
    enter_standard(&callers)
    with nogil:
        run_product(&p, default_workers() if duration(&p) > WORTH_STEP else 1)
    leave_standard(&callers)


def sums(cnp.ndarray a, cnp.ndarray out):
    """out = a.sum(axis=0)"""
    cdef Py_ssize_t size = cnp.PyArray_ITEMSIZE(a)
    column_sums(<char*>cnp.PyArray_DATA(a), <char*>cnp.PyArray_DATA(out), a.shape[0], a.shape[1], size)


def mask(cnp.ndarray out, double rate, uint64_t key, uint64_t step, uint64_t layer):
    """What `Step.mask` writes in this step."""
    fill_mask(<char*>cnp.PyArray_DATA(out), 0, cnp.PyArray_SIZE(out), rate, start_of(key, step, layer),
              cnp.PyArray_ITEMSIZE(out))


def clip_factor(cnp.ndarray x, double limit):
    """What `Step.clip_factor` writes."""
    return factor_within(<char*>cnp.PyArray_DATA(x), cnp.PyArray_SIZE(x), limit, cnp.PyArray_ITEMSIZE(x))


def total(cnp.ndarray values):
    """The sum of all numbers, added in order in float64, as `Step.add_loss` adds them."""
    return sum_of(<char*>cnp.PyArray_DATA(values), cnp.PyArray_SIZE(values), cnp.PyArray_ITEMSIZE(values))
