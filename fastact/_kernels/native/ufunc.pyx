# cython: freethreading_compatible=True
"""Genuine NumPy ufuncs made of compiled loops, and `QuickCall`, the front of every function that users call.

All these ufuncs have the same inner loop, the C function `inner_loop`. NumPy hands it pointers, strides and a `Loop`.
It compiles the kernel on first use by the `compile` callback, so that importing compiles nothing; it feeds operands of
any layout to a kernel that knows contiguous ones only; and it spreads long calls over threads. float16 and bfloat16
have no kernels: blocks of them are converted to float32, and the results rounded back (half.pxi). A new dtype whose
items have 1, 2, 4 or 8 bytes needs nothing here, only its character where operations say which dtypes they have kernels
for.

Free threading: a call works on its own stack. Threads share loops, whose kernels are published when they are complete,
the context variable `override`, which is set once, and QuickCalls, which are written while they are made and once more
when bfloat16 appears.
"""

cimport cython
from cpython.exc cimport PyErr_SetObject
from cpython.object cimport PyObject_Call
from cpython.ref cimport Py_DECREF, Py_INCREF, PyObject
from libc.stdlib cimport calloc
from libc.string cimport memcpy, memset
cimport numpy as cnp

from fastact._kernels.native.pool cimport (
    default_workers, done_alone, errors_raised, numba_for, parallel_for, worthwhile,
)

import sys
from time import perf_counter_ns

import numpy as np

cnp.import_array()
cnp.import_ufunc()

cdef extern from "Python.h":
    ctypedef PyObject* (*vectorcallfunc)(PyObject*, PyObject**, size_t, PyObject*)
    ctypedef struct PyTypeObject:
        Py_ssize_t tp_vectorcall_offset
        void* tp_call
        unsigned long tp_flags
    unsigned long Py_TPFLAGS_HAVE_VECTORCALL
    PyTypeObject PyFloat_Type, PyLong_Type, PyList_Type, PyTuple_Type
    PyTypeObject* Py_TYPE(PyObject*) noexcept
    bint PyObject_TypeCheck(object, PyTypeObject*) noexcept
    Py_ssize_t PyVectorcall_NARGS(size_t) noexcept
    object PyObject_Vectorcall(object, PyObject**, size_t, PyObject*)
    void* PyVectorcall_Call
    int PyContextVar_Get(PyObject*, PyObject* default, PyObject** value) except -1
    void PyType_Modified(type)
    double PyFloat_AsDouble(PyObject*) noexcept
    PyObject* PyErr_Occurred()
    void PyErr_Clear()
    PyObject* PyTuple_GET_ITEM(tuple, Py_ssize_t) noexcept
    PyObject* PyList_GET_ITEM(list, Py_ssize_t) noexcept

cdef extern from "numpy/ufuncobject.h":
    ctypedef struct UFunc "PyUFuncObject":  # NumPy 2.5's own declaration for Cython gives Python lists
        int nargs
        int ntypes
        const char* types
        void** data

cdef extern from "numpy/arrayobject.h":
    PyTypeObject PyGenericArrType_Type
    int NPY_NUMUSERTYPES  # the number of dtypes that NumPy has from other libraries; theirs begin at NPY_USERDEF
    int NPY_USERDEF, NPY_HALF
    int type_number "PyArray_TYPE"(PyArrayObject*) noexcept
    int flags_of "PyArray_FLAGS"(PyArrayObject*) noexcept
    Py_ssize_t size_of "PyArray_SIZE"(PyArrayObject*) noexcept
    int ndim_of "PyArray_NDIM"(PyArrayObject*) noexcept
    cnp.npy_intp* dims_of "PyArray_DIMS"(PyArrayObject*) noexcept
    char* data_of "PyArray_BYTES"(PyArrayObject*) noexcept
    bint is_behaved "PyArray_ISBEHAVED_RO"(PyArrayObject*) noexcept
    bint is_writeable "PyArray_ISWRITEABLE"(PyArrayObject*) noexcept
    object array_at "PyArray_New"(
        PyTypeObject*, int, const cnp.npy_intp*, int, const cnp.npy_intp*, void*, int, int, PyObject*)
    bint PyArray_CompareLists(const cnp.npy_intp*, const cnp.npy_intp*, int) noexcept
    int NPY_ARRAY_C_CONTIGUOUS, NPY_ARRAY_F_CONTIGUOUS
    ctypedef struct PyArrayObject:
        pass

cdef extern from "<fenv.h>":
    int FE_ALL_EXCEPT
    int feclearexcept(int) noexcept nogil

cdef extern from *:
    """
    /* Where QuickCall keeps its vectorcall function: after the object header and Cython's method table, if any. */
    #define fastact_offset_of_vectorcall \\
        offsetof(struct __pyx_obj_7fastact_8_kernels_6native_5ufunc_QuickCall, vectorcall)
    """
    Py_ssize_t fastact_offset_of_vectorcall

include "arithmetic.pxi"
include "atomics.pxi"
include "half.pxi"
include "items.pxi"
include "results.pxi"

ctypedef void (*kernel_t)(char** operands, Py_ssize_t n) noexcept nogil

DEF MAX_OPERANDS = 12
DEF ALIGNMENT = 64  # bytes of a cache line and of the longest vector; unaligned buffers take up to a third more time
# Bytes of each operand in a block, where anything goes through buffers or past the caches. With twice as many, memory
# waits for the kernel (relu.backward of 1,000,000 strided float64: 1.94 instead of 1.35 ns per element); half as many
# are no better.
DEF BLOCK_BYTES = 4096
DEF STREAM_FROM = 24 << 20  # bytes of all operands from which the caches do not hold the results anyway
DEF CHEAP = 0.03  # nanoseconds for a byte of output; the time of slower kernels hides the time of memory
DEF ALIGN_FROM = 4096  # elements from which it pays to begin with a cache line
DEF REPEATED_BYTES = 16384  # an operand that repeats and is shorter is copied out, end to end, to this length
DEF MOST_REPEATED = 2
DEF GIL_FROM = 500  # elements from which a call lets other Python threads run, as in NumPy
DEF BYTE = 1 / 150  # nanoseconds that a core takes to move a byte between a kernel and the second or third cache
DEF GRAIN_NANOSECONDS = 3000  # of work that a thread takes at a time

cpdef enum Threads:
    AUTO = 0      # fastact's own for a long call, otherwise the calling one
    SERIAL = 1    # the calling one
    OWN = 2       # fastact's own
    NUMBA = 3     # Numba's
    PYTHON = 4    # the calling one, which lets plain NumPy compute

cdef struct Kernel:              # compiled when a call first needs it
    Shared address               # of a kernel_t; set last, when the rest is there
    double nanoseconds           # that an element takes
    Py_ssize_t grain             # elements that a thread takes at a time

cdef struct Loop:
    Kernel kernels[2]            # the first reads parameters once, the second for each element
    int operands                 # the number of inputs, parameters and outputs
    int parameters
    int outputs
    int itemsize                 # in the kernel
    Format array_format          # of inputs and outputs
    Format parameter_format
    int threads                  # of `Threads`
    int row                      # index of the kernel's dtype, for `compile`
    PyObject* compile            # (row, array_parameters) -> address, nanoseconds that an element takes
    int types[MAX_OPERANDS]      # dtype numbers of the operands

cdef struct Call:
    kernel_t kernel
    char* pointers[MAX_OPERANDS]
    cnp.npy_intp strides[MAX_OPERANDS]
    Format formats[MAX_OPERANDS]
    double numbers[MAX_OPERANDS]  # parameters that are read once and must be converted
    int operands
    int first_output
    int itemsize
    Py_ssize_t period            # elements after which the operands that repeat begin again; 0 if none repeats
    bint repeats[MAX_OPERANDS]
    bint direct                  # the kernel can run on the operands themselves
    bint streamed                # results go past the caches
    bint aligned                 # the kernel should write whole cache lines of its first output
    bint buffered[MAX_OPERANDS]  # operands that go through a block buffer


def nanoseconds_per_element(size_t address, int operands, int parameters, dtype):
    """Time one element of a kernel whose operands are in the nearest cache; takes 20 us.

    The result is at least the time in which farther caches deliver the element's bytes.
    """
    cdef kernel_t kernel = <kernel_t>address
    cdef char* pointers[MAX_OPERANDS]
    cdef char* copies[MAX_OPERANDS]
    cdef Mode callers
    cdef int i, n = BLOCK_BYTES // dtype.itemsize
    space = np.ones((operands, n), dtype)
    for i in range(operands):
        pointers[i] = cnp.PyArray_BYTES(space[i])
    enter_standard(&callers)
    best = float("inf")
    for _ in range(5):
        start = perf_counter_ns()
        for _ in range(8):
            memcpy(copies, pointers, sizeof(pointers))
            kernel(copies, n)
        best = min(best, perf_counter_ns() - start)
    leave_standard(&callers)
    return max(best / (8.0 * n), BYTE * dtype.itemsize * (operands - parameters))


cdef int find_kernel(Loop* loop, bint array_parameters) noexcept with gil:
    """Compile a kernel and publish it. On failure return 0 and set the Python error, which NumPy's caller turns into a
    SystemError. Where two threads compile the same kernel, the first to finish publishes it.
    """
    cdef Kernel* kernel = &loop.kernels[array_parameters]
    cdef size_t address
    cdef double nanoseconds
    try:
        address, nanoseconds = (<object>loop.compile)(loop.row, array_parameters)
    except BaseException as error:
        PyErr_SetObject(type(error), error)
        return 0
    with cython.critical_section(<object>loop.compile):
        if load_pointer(&kernel.address) == NULL:
            kernel.nanoseconds = nanoseconds
            kernel.grain = max(1, <Py_ssize_t>(GRAIN_NANOSECONDS / nanoseconds) // ALIGNMENT) * ALIGNMENT
            exchange_pointer(&kernel.address, <void*>address)
    return 1


cdef inline void gather(
    char* target, const char* source, cnp.npy_intp stride, Py_ssize_t n, int itemsize, Format format
) noexcept nogil:
    """Copy a block of an operand, and convert it to the kernel's type."""
    cdef char halves[BLOCK_BYTES >> 1]
    cdef Py_ssize_t i
    if format == SAME:
        gather_items(target, source, stride, n, itemsize)
    elif format == DOUBLE:
        for i in range(n):
            (<float*>target)[i] = <float>(<double*>(source + i * stride))[0]
    elif stride == 2:
        half_loops.from_half[<int>format](target, source, n)
    else:
        gather_items(halves, source, stride, n, 2)
        half_loops.from_half[<int>format](target, halves, n)


cdef inline void scatter(
    char* target, cnp.npy_intp stride, const char* source, Py_ssize_t n, int itemsize, Format format
) noexcept nogil:
    """Copy a block of results to an operand, and convert it to the operand's type."""
    cdef char halves[BLOCK_BYTES >> 1]
    if format == SAME:
        scatter_items(target, stride, source, n, itemsize)
    elif stride == 2:
        half_loops.to_half[<int>format](target, source, n)
    else:
        half_loops.to_half[<int>format](halves, source, n)
        scatter_items(target, stride, halves, n, 2)


cdef extern from *:
    """
    /* Write results that nobody reads again soon: straight to memory, past the caches and without reading the lines
    that
       they overwrite. That saves a third of a long call's memory traffic. Both addresses are multiples of 16 bytes. */
    #if defined(__SSE2__) || defined(_M_X64)
    #include <emmintrin.h>
    #define FASTACT_STREAMS 1
    static inline void fastact_stream(char* target, const char* source, Py_ssize_t bytes) {
      Py_ssize_t i = 0;
      for (; i + 64 <= bytes; i += 64)
        for (int j = 0; j < 64; j += 16)
          _mm_stream_si128((__m128i*)(target + i + j), _mm_load_si128((const __m128i*)(source + i + j)));
      memcpy(target + i, source + i, bytes - i);
    }
    static inline void fastact_end_stream(void) { _mm_sfence(); }
    #else
    #define FASTACT_STREAMS 0
    static inline void fastact_stream(char* target, const char* source, Py_ssize_t bytes) {
      memcpy(target, source, bytes);
    }
    static inline void fastact_end_stream(void) {}
    #endif
    """
    bint STREAMS "FASTACT_STREAMS"
    void stream "fastact_stream"(char* target, const char* source, Py_ssize_t bytes) noexcept nogil
    void end_stream "fastact_end_stream"() noexcept nogil


cdef void run_elements(void* context, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    """Compute elements start to stop of a call: straight from the operands, or block by block through buffers."""
    cdef Call* call = <Call*>context
    cdef char* pointers[MAX_OPERANDS]
    cdef char space[MAX_OPERANDS * BLOCK_BYTES + ALIGNMENT]
    cdef char* buffers = space + ALIGNMENT - <size_t>space % ALIGNMENT
    cdef char* buffer
    cdef char* target
    cdef Py_ssize_t block, n, lead
    cdef int i, first = call.first_output
    if call.direct:
        while start < stop:
            n = locate(call, start, stop, pointers)
            if call.aligned and n >= ALIGN_FROM:
                lead = (ALIGNMENT - <size_t>pointers[first] % ALIGNMENT) % ALIGNMENT // call.itemsize
                n = lead if lead > 0 else n
            call.kernel(pointers, n)
            start += n
        return
    block = BLOCK_BYTES // call.itemsize
    while start < stop:
        n = locate(call, start, min(start + block, stop), pointers)
        if call.streamed:  # the next block begins with a cache line
            n = min(n, block - <Py_ssize_t>(<size_t>pointers[first] % ALIGNMENT) // call.itemsize)
        for i in range(call.operands):
            if call.buffered[i]:
                buffer = buffers + i * BLOCK_BYTES
                if i < first:
                    gather(buffer, pointers[i], call.strides[i], n, call.itemsize, call.formats[i])
                pointers[i] = buffer
        call.kernel(pointers, n)
        for i in range(first, call.operands):
            target = call.pointers[i] + start * call.strides[i]
            if call.streamed:
                stream(target, pointers[i], n * call.itemsize)
            elif call.buffered[i]:
                scatter(target, call.strides[i], pointers[i], n, call.itemsize, call.formats[i])
        start += n
    if call.streamed:
        end_stream()


cdef inline Py_ssize_t locate(Call* call, Py_ssize_t start, Py_ssize_t stop, char** pointers) noexcept nogil:
    """Find the operands of element `start`; return for how many elements, up to `stop`, they follow each other."""
    cdef Py_ssize_t again = start % call.period if call.period else start
    cdef int i
    for i in range(call.operands):
        pointers[i] = call.pointers[i] + (again if call.repeats[i] else start) * call.strides[i]
    return min(stop - start, call.period - again) if call.period else stop - start


cdef inline bint overlap(char* a, cnp.npy_intp a_stride, char* b, cnp.npy_intp b_stride, Py_ssize_t n) noexcept nogil:
    """Say whether the ranges in which two operands lie may have a byte in common."""
    cdef Py_ssize_t a_length = (n - 1) * a_stride, b_length = (n - 1) * b_stride
    if a_length < 0:
        a, a_length, a_stride = a + a_length, -a_length, -a_stride
    if b_length < 0:
        b, b_length, b_stride = b + b_length, -b_length, -b_stride
    return a < b + b_length + b_stride and b < a + a_length + a_stride


cdef void inner_loop(
    char** pointers, const cnp.npy_intp* dimensions, const cnp.npy_intp* strides, void* data
) noexcept nogil:
    """Run a ufunc's loop: the function that NumPy calls."""
    cdef Call call
    cdef Loop* loop = <Loop*>data
    if loop.threads == PYTHON:
        run_plain(loop, pointers, dimensions[0], strides)
        return
    call.period = 0
    memset(call.repeats, 0, sizeof(call.repeats))
    run_loop(loop, &call, pointers, dimensions[0], strides)


cdef void run_plain(Loop* loop, char** pointers, cnp.npy_intp n, const cnp.npy_intp* strides) noexcept with gil:
    """Hand the operands to Python as arrays. An error is left to NumPy's caller, as in `find_kernel`."""
    cdef int i, flags
    cdef list arrays = []
    try:
        for i in range(loop.operands):
            flags = cnp.NPY_ARRAY_ALIGNED if i < loop.operands - loop.outputs else cnp.NPY_ARRAY_BEHAVED
            arrays.append(array_at(ndarray_type, 1, &n, loop.types[i], &strides[i], pointers[i], 0, flags, NULL))
        (<object>loop.compile)(loop.row, arrays)
    except BaseException as error:
        PyErr_SetObject(type(error), error)
    feclearexcept(FE_ALL_EXCEPT)  # NumPy would warn of any flag that is still set


cdef void run_loop(Loop* loop, Call* call, char** pointers, Py_ssize_t n, const cnp.npy_intp* strides) noexcept nogil:
    """Run the loop over n elements. `call` says which operands repeat; the rest of it is filled in here."""
    cdef Mode callers
    cdef int i, j, first = loop.operands - loop.outputs, first_parameter = first - loop.parameters, arrays = 0
    cdef Py_ssize_t offset, step, element, grain
    cdef double nanoseconds
    cdef bint array_parameters = False, is_parameter, cheap
    # How outputs overlap inputs. NumPy copies most inputs that an output overlaps at another offset, but not one that
    # the output never catches up with: then blocks must come in order.
    cdef bint in_place = False, chained = False, shifted = False, streamed
    if n > 1:
        for i in range(first_parameter, first):
            array_parameters |= strides[i] != 0
    call.kernel = <kernel_t>load_pointer(&loop.kernels[array_parameters].address)
    if call.kernel == NULL:
        if not find_kernel(loop, array_parameters):
            return
        call.kernel = <kernel_t>load_pointer(&loop.kernels[array_parameters].address)
    nanoseconds, grain = loop.kernels[array_parameters].nanoseconds, loop.kernels[array_parameters].grain
    enter_standard(&callers)
    call.operands, call.first_output, call.itemsize = loop.operands, first, loop.itemsize
    call.direct = True
    for i in range(loop.operands):
        is_parameter = first_parameter <= i < first
        call.pointers[i], call.strides[i] = pointers[i], strides[i]
        call.formats[i] = loop.parameter_format if is_parameter else loop.array_format
        if array_parameters or not is_parameter:
            call.buffered[i] = call.formats[i] != SAME or (n > 1 and strides[i] != loop.itemsize)
            arrays += not call.repeats[i]
        else:
            call.buffered[i], call.strides[i] = False, 0
            if call.formats[i] != SAME:
                call.pointers[i] = <char*>&call.numbers[i]
                gather(call.pointers[i], pointers[i], 0, 1, loop.itemsize, call.formats[i])
    cheap = nanoseconds < CHEAP * loop.itemsize
    streamed = (
        STREAMS and cheap and n * loop.itemsize * arrays >= STREAM_FROM and call.period * loop.itemsize % 16 == 0
    )
    for j in range(first, loop.operands):
        step = strides[j]
        for i in range(first):
            offset = pointers[j] - pointers[i]
            # An operand of stride 0 is read before the loop, wherever it is; those that repeat lie apart from outputs.
            if n == 1 or strides[i] == 0 or call.repeats[i]:
                continue
            if offset == 0 and strides[i] == step:
                in_place = True
            elif step == 0:  # ufunc.reduce
                chained = True
            elif strides[i] == step:
                if offset % step == 0 and -n < offset // step < n:
                    chained |= offset // step > 0  # ufunc.accumulate
                    shifted = True
            else:
                shifted |= overlap(pointers[i], strides[i], pointers[j], step, n)
        streamed &= not call.buffered[j] and <size_t>pointers[j] % 16 == 0
    call.aligned = cheap
    call.streamed = streamed and not in_place and not chained
    for i in range(loop.operands):
        call.buffered[i] |= call.streamed and i >= first
        call.direct &= not call.buffered[i]
    if chained:  # each output may be a later input
        for element in range(n):
            run_elements(call, element, element + 1)
    elif shifted or loop.threads == SERIAL:
        run_elements(call, 0, n)
    elif loop.threads == AUTO and not worthwhile(n * nanoseconds):
        run_elements(call, 0, n)
        done_alone(n * nanoseconds)
    elif loop.threads == NUMBA:
        numba_for(run_elements, call, n, min(grain, (n + 1) // 2), default_workers())
    else:
        parallel_for(run_elements, call, n, min(grain, (n + 1) // 2), default_workers())
    leave_standard(&callers)


cdef int run_for_compiled(
    void* loop, char** pointers, Py_ssize_t n, const cnp.npy_intp* strides, Py_ssize_t period, const bint* repeats
) noexcept nogil:
    """Run a loop for compiled code; 1 if a Python error is set. `repeats` says which operands repeat after `period`."""
    cdef Call call
    cdef long before = errors_raised()
    call.period = period
    memset(call.repeats, 0, sizeof(call.repeats))
    if period:
        memcpy(call.repeats, repeats, (<Loop*>loop).operands * sizeof(bint))
        start_loop(<Loop*>loop, &call, pointers, n, strides)
    else:
        run_loop(<Loop*>loop, &call, pointers, n, strides)
    return 1 if errors_raised() != before and is_error_set() else 0


cdef bint is_error_set() noexcept with gil:
    """Say whether this thread is to raise a Python error."""
    return PyErr_Occurred() != NULL


def entry():
    """Return the address of `run_for_compiled`."""
    return <size_t>&run_for_compiled


def ready_loop(ufunc, dtype, bint array_parameters):
    """Return the address of a ufunc's loop for arrays of this dtype, and compile its kernel, so that no call has to."""
    cdef UFunc* made = <UFunc*><PyObject*>ufunc
    cdef Loop* loop
    cdef int i
    for i in range(made.ntypes):
        if made.types[i * made.nargs] == dtype.num:
            loop = <Loop*>made.data[i]
            if load_pointer(&loop.kernels[array_parameters].address) == NULL:
                find_kernel(loop, array_parameters)
                raise_pending()
            return <size_t>loop
    raise TypeError(f"{ufunc.__name__} has no loop for {dtype}")


cdef list immortal = []  # what the ufuncs' C structures point to


cdef Loop* new_loop(
    int inputs, int parameters, int outputs, dtype, Format format, int row, compile, int threads, bint numbers
) except NULL:
    """Make what `inner_loop` must know; dtype and row are the kernel's, format is the arrays'. It is never freed."""
    cdef Loop* loop = <Loop*>calloc(1, sizeof(Loop))
    if loop == NULL:
        raise MemoryError()
    loop.operands, loop.parameters, loop.outputs = inputs + parameters + outputs, parameters, outputs
    loop.itemsize = dtype.itemsize
    loop.array_format = loop.parameter_format = format
    if numbers:
        loop.parameter_format = DOUBLE if dtype.itemsize == 4 else SAME
    loop.threads, loop.row, loop.compile = threads, row, <PyObject*>compile
    immortal.append(compile)
    return loop


cdef int type_of(int operand, int inputs, int parameters, int arrays, bint numbers) noexcept:
    """Return the dtype number of an operand, in a loop for arrays of one dtype."""
    return cnp.NPY_DOUBLE if numbers and inputs <= operand < inputs + parameters else arrays


def make_ufunc(str name, int inputs, int parameters, int outputs, str rows, compile, int threads, bint numbers):
    """Make a NumPy ufunc of `inputs` array operands and then `parameters`, with `outputs` results, all of one dtype.

    rows: the NumPy dtype characters that there are kernels for, in NumPy's order of casting preference. float32 brings
        float16 with it.
    compile: (row, array_parameters) -> the kernel's address, and the nanoseconds that it takes for an element; called
        when a kernel is first needed. Where threads is PYTHON, compile(row, operands) computes instead.
    threads: one of `Threads`.
    numbers: parameters are float64 whatever the arrays are, and there are loops for floats only. Calls whose parameters
        are Python numbers take such a ufunc: the numbers leave the result's dtype alone, and are rounded for the kernel
        once.
    """
    table = []  # dtype character of the arrays, format, row
    for row, kind in enumerate(rows):
        if kind == "f":
            table.append(("e", FLOAT16, row))
        if not numbers or np.dtype(kind).kind == "f":
            table.append((kind, SAME, row))
    cdef int operands = inputs + parameters + outputs, count = len(table), i, j
    if operands > MAX_OPERANDS:
        raise ValueError(f"{name}: an activation takes at most {MAX_OPERANDS - inputs - outputs} parameters")
    cdef cnp.PyUFuncGenericFunction* functions = <cnp.PyUFuncGenericFunction*>calloc(count, sizeof(void*))
    cdef void** data = <void**>calloc(count, sizeof(void*))
    cdef char* types = <char*>calloc(count * operands, 1)
    if functions == NULL or data == NULL or types == NULL:
        raise MemoryError()
    cdef bytes c_name = name.encode()
    immortal.append(c_name)
    for i, (kind, format, row) in enumerate(table):
        functions[i] = <cnp.PyUFuncGenericFunction>inner_loop
        data[i] = new_loop(inputs, parameters, outputs, np.dtype(rows[row]), format, row, compile, threads, numbers)
        for j in range(operands):
            types[i * operands + j] = type_of(j, inputs, parameters, np.dtype(kind).num, numbers)
            (<Loop*>data[i]).types[j] = types[i * operands + j]
    return cnp.PyUFunc_FromFuncAndData(
        functions, data, types, count, inputs + parameters, outputs, cnp.PyUFunc_None, c_name, b"", 0
    )


def add_bfloat16(ufunc, dtype, int inputs, int parameters, int outputs, str rows, compile, int threads, bint numbers):
    """Give a ufunc of `make_ufunc` a loop for bfloat16, a dtype that NumPy knows only once ml_dtypes is imported.

    Returns the loop's address, for `QuickCall._set_common_bfloat16`.
    """
    cdef int types[MAX_OPERANDS]
    cdef int j, row = rows.index("f")
    cdef Loop* loop = new_loop(inputs, parameters, outputs, np.dtype("f"), BFLOAT16, row, compile, threads, numbers)
    for j in range(inputs + parameters + outputs):
        loop.types[j] = types[j] = type_of(j, inputs, parameters, dtype.num, numbers)
    cnp.PyUFunc_RegisterLoopForType(ufunc, dtype.num, <cnp.PyUFuncGenericFunction>inner_loop, types, loop)
    return <size_t>loop


#: Elements from which it pays to cut arrays into slabs, which takes some 20 us.
SLABS_FROM = 1 << 17
cdef Py_ssize_t slabs_from = SLABS_FROM

cdef Shared override = NULL  # the context variable of the backend in force; set once, and never freed
cdef volatile long always_overridden = 0
cdef str OUT = sys.intern("out")  # interned, as keywords in the code of a call are
cdef tuple ONLY_OUT = (OUT,)


def note_override(variable=None):
    """Let calls ask the dispatcher for the backend from now on: where this context variable is not None, or always."""
    if variable is None:
        exchange(&always_overridden, 1)
    elif offer_pointer(&override, <void*>variable):
        Py_INCREF(variable)


cdef inline bint overridden() except -1:
    """Say whether a backend is asked for by other means than the call's arguments."""
    cdef PyObject* variable = <PyObject*>load_pointer(&override)
    cdef PyObject* name = NULL
    cdef bint asked
    if variable == NULL or load(&always_overridden):
        return load(&always_overridden)
    PyContextVar_Get(variable, NULL, &name)
    asked = name is not <PyObject*>None
    Py_DECREF(<object>name)
    return asked


cdef inline bint is_plain(PyObject* operand, bint knows_bfloat16) noexcept:
    """Say whether a dispatcher need not look at an operand: a NumPy array or scalar, a number, or a list of numbers.

    The dispatcher adds the loop for bfloat16. Until it has, anything that may hold such items goes there.
    """
    cdef PyTypeObject* kind = Py_TYPE(operand)
    if kind is ndarray_type:
        return knows_bfloat16 or type_number(<PyArrayObject*>operand) < NPY_USERDEF
    if kind is &PyFloat_Type or kind is &PyLong_Type:
        return True
    return (knows_bfloat16 or NPY_NUMUSERTYPES == 0) and (
        kind is &PyList_Type or PyObject_TypeCheck(<object>operand, &PyGenericArrType_Type)
    )


cdef object number_operand(PyObject* number):
    """Make a Python number the array that it stands for, so that NumPy has nothing to convert and no dtype to find.

    None for an int that no float64 can hold.
    """
    cdef double value = PyFloat_AsDouble(number)
    if value == -1 and PyErr_Occurred() != NULL:
        PyErr_Clear()
        return None
    operand = cnp.PyArray_SimpleNew(0, NULL, cnp.NPY_DOUBLE)
    (<double*>cnp.PyArray_DATA(operand))[0] = value
    return operand


cdef class QuickCall:
    """The quick way into a compiled elementwise function; base class of all such functions.

    It is called by CPython's vectorcall protocol, and hands the arguments of a common call on as they came, to the loop
    itself or to the ufunc. That costs about 30 ns; building a tuple and a dict would cost 100 to 300.
    """

    cdef vectorcallfunc vectorcall
    cdef readonly str name
    cdef readonly object _common_ufunc   # takes calls whose parameters are Python numbers
    cdef Loop* loops[4]                  # its loops for float32, float64, float16 and bfloat16
    cdef volatile long bfloat16          # the number of that dtype once there is a loop for it; -1 before
    cdef public bint _keeps_integers     # whether there are loops for integers
    cdef readonly int _inputs
    cdef readonly int _outputs           # the number of results; several are given and returned as a tuple
    cdef readonly tuple _parameter_names
    cdef readonly tuple _defaults
    cdef tuple default_operands          # the defaults, as `number_operand` makes them
    cdef object dispatch
    cdef dict __dict__

    def __init__(self, str name, int inputs, dict parameters, dispatch, int outputs=1):
        self.vectorcall = <vectorcallfunc>quick_call
        self.name = name
        self._inputs, self._outputs = inputs, outputs
        self.bfloat16 = -1
        self._parameter_names, self._defaults = tuple(parameters), tuple(parameters.values())
        self.default_operands = tuple([number_operand(<PyObject*>default) for default in self._defaults])
        self.dispatch = dispatch

    def _set_common_ufunc(self, ufunc):
        """Let the common calls go to this ufunc of `make_ufunc`. To be called before others know the function."""
        cdef UFunc* common = <UFunc*><PyObject*>ufunc
        cdef int i
        self._common_ufunc = ufunc
        for i in range(common.ntypes):
            if common.types[i * common.nargs] == cnp.NPY_FLOAT:
                self.loops[0] = <Loop*>common.data[i]
            elif common.types[i * common.nargs] == cnp.NPY_DOUBLE:
                self.loops[1] = <Loop*>common.data[i]
            elif common.types[i * common.nargs] == NPY_HALF:
                self.loops[2] = <Loop*>common.data[i]

    def _set_common_bfloat16(self, int number, size_t loop):
        """Take over the loop that `add_bfloat16` gave to that ufunc, for the dtype of this number."""
        self.loops[3] = <Loop*>loop
        exchange(&self.bfloat16, number)  # last: calls of other threads may be under way

    @property
    def _knows_bfloat16(self):
        """Whether there is a loop for bfloat16."""
        return load(&self.bfloat16) >= 0

    def _are_numbers(self, tuple operands, Py_ssize_t start):
        """Say whether there are operands from `start` on, all Python numbers that leave the arrays' dtype alone."""
        cdef Py_ssize_t i
        for i in range(start, len(operands)):
            if not stands_beside_arrays(self, PyTuple_GET_ITEM(operands, i)):
                return False
        return start < len(operands)

    def __call__(self, *args, **kwargs):
        return self.dispatch(self, args, kwargs)


cdef inline bint stands_beside_arrays(QuickCall self, PyObject* operand) noexcept:
    """Say whether an operand is a Python number that leaves the arrays' dtype alone.

    That is a float, or an int where no loop is for integers.
    """
    cdef PyTypeObject* kind = Py_TYPE(operand)
    return kind is &PyFloat_Type or (kind is &PyLong_Type and not self._keeps_integers)


cdef object quick_call(PyObject* callable, PyObject** arguments, size_t flags, PyObject* names):
    """QuickCall.__call__: pass a common call straight to the loop or the ufunc, and any other to the dispatcher.

    A call is common if its inputs are given by position and are NumPy's or Python's, its parameters are Python numbers,
    and `out` is an array (or a tuple with an array for each result).
    """
    cdef QuickCall self = <QuickCall>callable
    cdef Py_ssize_t i, place, count = PyVectorcall_NARGS(flags), named = 0 if names == NULL else len(<tuple>names)
    cdef Py_ssize_t parameters = len(self._defaults), total = self._inputs + parameters
    cdef PyObject* operands[MAX_OPERANDS + 1]  # outputs are the last
    cdef PyObject* out = NULL
    cdef PyTypeObject* kind
    cdef bint is_number, numbers = True  # whether all inputs are Python numbers; parameters then stay such, too
    cdef bint common = self._inputs <= count <= total and not overridden()
    cdef bint knows_bfloat16 = load(&self.bfloat16) >= 0
    cdef int orders = NPY_ARRAY_C_CONTIGUOUS | NPY_ARRAY_F_CONTIGUOUS  # that all arrays have
    cdef Py_ssize_t largest = 0  # size of an array, from the first on that shares no order with those before it
    cdef list made = None
    if common:
        memset(operands + total, 0, self._outputs * sizeof(void*))
        for i in range(self._inputs):
            kind = Py_TYPE(arguments[i])
            is_number = kind is &PyFloat_Type or kind is &PyLong_Type
            numbers = numbers and is_number
            # NumPy would give float32 for bfloat16 and a Python number; the dispatcher gives bfloat16.
            common = common and is_plain(arguments[i], knows_bfloat16) and not (
                knows_bfloat16 and self._inputs > 1 and is_number
            )
            operands[i] = arguments[i]
        for i in range(parameters):
            operands[self._inputs + i] = PyTuple_GET_ITEM(self._defaults if numbers else self.default_operands, i)
        for i in range(self._inputs, count + named):
            place = i if i < count else index_of(self, PyTuple_GET_ITEM(<tuple>names, i - count), total)
            if place == total:
                out = arguments[i]
                common = common and unpack(out, self._outputs, operands + total)
            elif place >= (0 if i < count else count) and stands_beside_arrays(self, arguments[i]):
                if numbers:
                    operands[place] = arguments[i]
                else:
                    made = made or []
                    made.append(number_operand(arguments[i]))
                    common = common and made[-1] is not None
                    operands[place] = PyList_GET_ITEM(made, len(made) - 1)
            else:
                common = False
        for i in range(total + self._outputs):
            if operands[i] != NULL and Py_TYPE(operands[i]) is ndarray_type:
                orders &= flags_of(<PyArrayObject*>operands[i])
                if orders == 0:
                    largest = max(largest, size_of(<PyArrayObject*>operands[i]))
    if not common or (orders == 0 and largest >= slabs_from):  # the dispatcher cuts large arrays of different orders
        args = tuple([<object>arguments[i] for i in range(count)])
        return self.dispatch(self, args, {(<tuple>names)[i]: <object>arguments[count + i] for i in range(named)})
    if orders and not numbers:
        result = call_loop(self, operands, total, orders, out)
        if result is not None:
            return result
    operands[total] = out
    try:
        return PyObject_Vectorcall(self._common_ufunc, operands, total, NULL if out == NULL else <PyObject*>ONLY_OUT)
    except SystemError as error:
        raise error.__cause__ or error


cdef bint unpack(PyObject* out, int outputs, PyObject** arrays) noexcept:
    """Note the arrays of `out`. Say whether it is an array or, for several outputs, a tuple with an array for each."""
    cdef Py_ssize_t i
    if outputs == 1:
        arrays[0] = out
        return Py_TYPE(out) is ndarray_type
    if Py_TYPE(out) is not &PyTuple_Type or len(<tuple>out) != outputs:
        return False
    for i in range(outputs):
        arrays[i] = PyTuple_GET_ITEM(<tuple>out, i)
        if Py_TYPE(arrays[i]) is not ndarray_type:
            return False
    return True


cdef object call_loop(QuickCall self, PyObject** operands, Py_ssize_t total, int orders, PyObject* out):
    """Run the loop without NumPy's ufunc machinery, which takes three times as long for one element.

    All arrays must have one dtype, one order in memory and one shape; but inputs after the first may repeat along its
    leading axes, as a bias does. None for any other call. `orders` are C's, Fortran's or both.
    """
    cdef PyArrayObject* x = <PyArrayObject*>operands[0]
    cdef PyArrayObject* each
    cdef Loop* loop
    cdef Call call
    cdef char* pointers[MAX_OPERANDS]
    cdef cnp.npy_intp strides[MAX_OPERANDS]
    cdef Py_ssize_t i, j, n, bytes, itemsize, operand_bytes, last = total + self._outputs
    cdef int number, repeated = 0
    cdef list results = None
    if Py_TYPE(operands[0]) is not ndarray_type or ndim_of(x) == 0:
        return None
    number = type_number(x)
    if number == cnp.NPY_FLOAT:
        loop, itemsize = self.loops[0], 4
    elif number == cnp.NPY_DOUBLE:
        loop, itemsize = self.loops[1], 8
    elif number == NPY_HALF:
        loop, itemsize = self.loops[2], 2
    elif number == load(&self.bfloat16):
        loop, itemsize = self.loops[3], 2
    else:
        return None
    n = size_of(x)
    if n == 0:
        return None
    bytes = n * itemsize
    call.period = 0
    memset(call.repeats, 0, sizeof(call.repeats))
    for i in range(last):
        each = <PyArrayObject*>operands[i]
        strides[i] = itemsize
        if i < self._inputs or (i >= total and each != NULL):
            if Py_TYPE(operands[i]) is not ndarray_type or type_number(each) != number or not is_behaved(each):
                return None
            if not ends_alike(x, each):
                return None
            if ndim_of(each) != ndim_of(x):
                repeated += 1
                if i >= total or repeated > MOST_REPEATED or (repeated > 1 and call.period != size_of(each)):
                    return None
                call.period, call.repeats[i] = size_of(each), True
        else:
            strides[i] *= i >= total
        if each != NULL:
            pointers[i] = data_of(each)
    if repeated and not orders & NPY_ARRAY_C_CONTIGUOUS:
        return None
    for j in range(total, last if out != NULL else total):
        if not is_writeable(<PyArrayObject*>operands[j]):
            return None
        for i in range(j):  # a call whose arrays overlap is NumPy's, which copies them
            if strides[i] == 0 or (pointers[i] == pointers[j] and i < total and not call.repeats[i]):
                continue
            operand_bytes = call.period * itemsize if call.repeats[i] else bytes
            if pointers[i] - bytes < pointers[j] < pointers[i] + operand_bytes:
                return None
    if out == NULL:
        results = []
        for j in range(total, last):
            results.append(new_array(ndim_of(x), dims_of(x), number, not orders & NPY_ARRAY_C_CONTIGUOUS, bytes))
            pointers[j] = data_of(<PyArrayObject*>PyList_GET_ITEM(results, j - total))
    if n > GIL_FROM:
        with nogil:
            start_loop(loop, &call, pointers, n, strides)
    else:
        start_loop(loop, &call, pointers, n, strides)
    raise_pending()
    if out != NULL:
        return <object>out
    return results[0] if self._outputs == 1 else tuple(results)


cdef inline bint ends_alike(PyArrayObject* x, PyArrayObject* each) noexcept:
    """Say whether the shape of `each` is the whole shape of x or its end, of at least one axis."""
    cdef int more = ndim_of(x) - ndim_of(each)
    return 0 <= more < ndim_of(x) and PyArray_CompareLists(dims_of(each), dims_of(x) + more, ndim_of(each))


cdef void start_loop(Loop* loop, Call* call, char** pointers, Py_ssize_t n, const cnp.npy_intp* strides) noexcept nogil:
    """Call `run_loop` after copying out short operands that repeat: kernels want long runs that begin a cache line."""
    cdef char space[MOST_REPEATED][REPEATED_BYTES + ALIGNMENT]
    cdef char* target
    cdef Py_ssize_t i, done, bytes = call.period * strides[0], copies, used = 0
    if 0 < bytes <= REPEATED_BYTES:
        copies = min(<Py_ssize_t>REPEATED_BYTES // bytes, n // call.period)
        for i in range(loop.operands):
            if call.repeats[i]:
                target = space[used] + ALIGNMENT - <size_t>space[used] % ALIGNMENT
                used += 1
                for done in range(copies):
                    memcpy(target + done * bytes, pointers[i], bytes)
                pointers[i] = target
        call.period *= copies
    run_loop(loop, call, pointers, n, strides)


cdef int raise_pending() except -1:
    """Raise the error of a kernel that could not be compiled, if there is one."""
    return -1 if PyErr_Occurred() != NULL else 0


cdef Py_ssize_t index_of(QuickCall self, PyObject* name, Py_ssize_t total) noexcept:
    """Return the place of the operand that a keyword names: `total` for out, -1 for an unknown keyword."""
    cdef Py_ssize_t i
    if name is <PyObject*>OUT:
        return total
    for i in range(total - self._inputs):
        if name is PyTuple_GET_ITEM(self._parameter_names, i):
            return self._inputs + i
    return -1


def enable_vectorcall(type kind):
    """Let instances of a subclass of QuickCall be called by vectorcall, which Python 3.11 does not inherit."""
    (<PyTypeObject*>kind).tp_vectorcall_offset = (<PyTypeObject*>QuickCall).tp_vectorcall_offset
    (<PyTypeObject*>kind).tp_call = PyVectorcall_Call
    (<PyTypeObject*>kind).tp_flags |= Py_TPFLAGS_HAVE_VECTORCALL
    PyType_Modified(kind)


cdef PyTypeObject* ndarray_type = <PyTypeObject*>np.ndarray
# Cython has no syntax for vectorcall: give the type the slot by hand.
(<PyTypeObject*>QuickCall).tp_vectorcall_offset = fastact_offset_of_vectorcall
enable_vectorcall(QuickCall)


cpdef object call(ufunc, tuple operands, dict kwargs):
    """Return ufunc(*operands, **kwargs), and raise the error of a kernel that cannot be compiled as itself."""
    try:
        return PyObject_Call(ufunc, operands, kwargs)
    except SystemError as error:
        raise error.__cause__ or error
