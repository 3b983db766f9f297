"""Genuine NumPy ufuncs out of compiled loops, and the front object that users call.

A ufunc's inner loop here is one C function, `inner_loop`, for every activation and dtype. NumPy hands it pointers,
strides and a `Loop`; it compiles the kernel on first use (through the `compile` callback, so importing compiles nothing),
feeds operands of any layout to a kernel that knows contiguous ones only, and spreads long calls over threads.
float16 and bfloat16 have no kernels: blocks of them are converted to float32, and the results rounded back (_half.pxi).
_activation.py builds `Operation`s; a new dtype is a character of its `FLOATS`, and nothing here unless its items are not
1, 2, 4 or 8 bytes. Imports only _threads.
"""

from cpython.exc cimport PyErr_SetObject
from cpython.object cimport PyObject_Call
from cpython.ref cimport Py_DECREF, PyObject
from libc.stdlib cimport calloc
from libc.string cimport memcpy, memset
cimport numpy as cnp

from fastact._native.pool cimport default_workers, done_alone, numba_for, parallel_for, worthwhile

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
    int PyContextVar_Get(object, PyObject* default, PyObject** value) except -1
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
    int NPY_NUMUSERTYPES  # how many dtypes NumPy learnt from other libraries; their numbers begin at NPY_USERDEF
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
        object, int, const cnp.npy_intp*, int, const cnp.npy_intp*, void*, int, int, PyObject*)
    bint PyArray_CompareLists(const cnp.npy_intp*, const cnp.npy_intp*, int) noexcept
    int NPY_ARRAY_C_CONTIGUOUS, NPY_ARRAY_F_CONTIGUOUS
    ctypedef struct PyArrayObject:
        pass

cdef extern from "<fenv.h>":
    int FE_ALL_EXCEPT
    int feclearexcept(int) noexcept nogil

cdef extern from *:
    """
    /* Where Operation keeps its vectorcall function: after the object header and Cython's method table, if any. */
    #define fastact_offset_of_vectorcall offsetof(struct __pyx_obj_7fastact_7_native_5ufunc_Operation, vectorcall)
    """
    Py_ssize_t fastact_offset_of_vectorcall

include "arithmetic.pxi"
include "half.pxi"
include "results.pxi"

ctypedef void (*kernel_t)(char** operands, Py_ssize_t n) noexcept nogil

DEF MAX_OPERANDS = 8
DEF ALIGNMENT = 64  # of block buffers: a cache line and the longest vector; up to a third of the time
# Of each operand at a time where something goes through buffers or past the caches: with twice as many, memory waits
# for the kernel (relu.backward of 1,000,000 strided float64 1.94 -> 1.35 ns per element); half as many is no better.
DEF BLOCK_BYTES = 4096
DEF STREAM_FROM = 24 << 20  # bytes of operands from which results do not fit the caches anyway
DEF CHEAP = 0.03  # nanoseconds for a byte of output: what takes longer hides what the memory takes
DEF ALIGN_FROM = 4096  # elements from which it pays to begin with a cache line
DEF REPEATED_BYTES = 16384  # of an operand that repeats, copied out one behind the other, where it is shorter
DEF MOST_REPEATED = 2
DEF GIL_FROM = 500  # elements from which a call lets other Python threads run, as in NumPy
DEF BYTE = 1 / 150  # nanoseconds that a core takes to move a byte between the second cache or the third and a kernel
DEF GRAIN = 3000  # nanoseconds of work that a thread takes at a time

cpdef enum Threads:
    AUTO = 0      # fastact's own threads for a long call
    SERIAL = 1
    OWN = 2       # fastact's own
    NUMBA = 3     # Numba's
    PYTHON = 4    # this one, where plain NumPy computes

cdef enum Format:
    # How an operand's items become the kernel's. The first two are indices of half_loops_t.
    FLOAT16 = 0
    BFLOAT16 = 1
    NUMBER = 2    # float64 to float32; parameters only
    PLAIN = 3

cdef struct Loop:
    kernel_t scalar_parameters   # parameters are read once
    kernel_t array_parameters    # parameters are read for each element
    int operands                 # inputs, parameters, outputs
    int parameters
    int outputs
    int itemsize                 # in the kernel
    Format array_format          # of inputs and outputs
    Format parameter_format
    int threads                  # of `Threads`
    int row                      # index of the kernel's dtype, for `compile`
    PyObject* compile            # (row, array_parameters) -> address, nanoseconds an element takes
    int types[MAX_OPERANDS]      # dtype numbers of the operands
    double nanoseconds           # that an element takes
    Py_ssize_t grain             # elements that a thread takes at a time

cdef struct Call:
    kernel_t kernel
    char* pointers[MAX_OPERANDS]
    cnp.npy_intp strides[MAX_OPERANDS]
    Format formats[MAX_OPERANDS]
    double numbers[MAX_OPERANDS]  # parameters that are read once and had to be converted
    int operands
    int first_output
    int itemsize
    Py_ssize_t period            # after how many elements the operands that repeat begin again; 0 if none does
    bint repeats[MAX_OPERANDS]
    bint direct                  # the kernel may run on the operands themselves
    bint streamed                # results go past the caches
    bint aligned                 # the kernel is to write whole cache lines of its first output
    bint buffered[MAX_OPERANDS]  # operands that go through a block buffer

def nanoseconds_per_element(size_t address, int operands, int parameters, dtype):
    """What a kernel needs for an element where the operands are in the nearest cache, 20 us to find out, or the least
    that its arrays need from farther ones, if that is more."""
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
        for i in range(8):
            memcpy(copies, pointers, sizeof(pointers))
            kernel(copies, n)
        best = min(best, perf_counter_ns() - start)
    leave_standard(&callers)
    return max(best / (8.0 * n), BYTE * dtype.itemsize * (operands - parameters))


cdef int find_kernel(Loop* loop, bint array_parameters) noexcept with gil:
    """Compile the kernel; on failure return 0 with the Python error set, which NumPy's caller turns into a SystemError."""
    cdef size_t address
    cdef double nanoseconds
    try:
        address, nanoseconds = (<object>loop.compile)(loop.row, array_parameters)
    except BaseException as error:
        PyErr_SetObject(type(error), error)
        return 0
    loop.nanoseconds = nanoseconds
    loop.grain = max(1, <Py_ssize_t>(GRAIN / nanoseconds) // ALIGNMENT) * ALIGNMENT
    if array_parameters:
        loop.array_parameters = <kernel_t>address
    else:
        loop.scalar_parameters = <kernel_t>address
    return 1


cdef extern from *:
    """
    /* Items that lie apart to where they lie side by side, and back. Every second item and items in reverse are common,
       and have loops of their own, which compilers vectorise. */
    #define FASTACT_MOVE(T)                                                                                          \\
      static inline void fastact_gather_##T(char* target, const char* source, Py_ssize_t stride, Py_ssize_t n) {     \\
        T* to = (T*)target;                                                                                          \\
        const T* from = (const T*)source;                                                                            \\
        Py_ssize_t i, size = (Py_ssize_t)sizeof(T);                                                                  \\
        if (stride == 2 * size) for (i = 0; i < n; i++) to[i] = from[2 * i];                                         \\
        else if (stride == -size) for (i = 0; i < n; i++) to[i] = from[-i];                                          \\
        else for (i = 0; i < n; i++) to[i] = *(const T*)(source + i * stride);                                       \\
      }                                                                                                              \\
      static inline void fastact_scatter_##T(char* target, Py_ssize_t stride, const char* source, Py_ssize_t n) {    \\
        const T* from = (const T*)source;                                                                            \\
        for (Py_ssize_t i = 0; i < n; i++) *(T*)(target + i * stride) = from[i];                                     \\
      }
    FASTACT_MOVE(int8_t)
    FASTACT_MOVE(int16_t)
    FASTACT_MOVE(int32_t)
    FASTACT_MOVE(int64_t)

    static void fastact_gather(char* target, const char* source, Py_ssize_t stride, Py_ssize_t n, int size) {
      if (size == 4) fastact_gather_int32_t(target, source, stride, n);
      else if (size == 8) fastact_gather_int64_t(target, source, stride, n);
      else if (size == 2) fastact_gather_int16_t(target, source, stride, n);
      else fastact_gather_int8_t(target, source, stride, n);
    }
    static void fastact_scatter(char* target, Py_ssize_t stride, const char* source, Py_ssize_t n, int size) {
      if (stride == size) memcpy(target, source, (size_t)(n * size));
      else if (size == 4) fastact_scatter_int32_t(target, stride, source, n);
      else if (size == 8) fastact_scatter_int64_t(target, stride, source, n);
      else if (size == 2) fastact_scatter_int16_t(target, stride, source, n);
      else fastact_scatter_int8_t(target, stride, source, n);
    }
    """
    void gather_plain "fastact_gather"(char* target, const char* source, Py_ssize_t stride, Py_ssize_t n, int size) noexcept nogil
    void scatter_plain "fastact_scatter"(char* target, Py_ssize_t stride, const char* source, Py_ssize_t n, int size) noexcept nogil


cdef inline void gather(char* target, const char* source, cnp.npy_intp stride, Py_ssize_t n, int itemsize, Format format) noexcept nogil:
    """A block of an operand, in the kernel's type."""
    cdef char halves[BLOCK_BYTES >> 1]
    cdef Py_ssize_t i
    if format == PLAIN:
        gather_plain(target, source, stride, n, itemsize)
    elif format == NUMBER:
        for i in range(n):
            (<float*>target)[i] = <float>(<double*>(source + i * stride))[0]
    elif stride == 2:
        half_loops.from_half[<int>format](target, source, n)
    else:
        gather_plain(halves, source, stride, n, 2)
        half_loops.from_half[<int>format](target, halves, n)


cdef inline void scatter(char* target, cnp.npy_intp stride, const char* source, Py_ssize_t n, int itemsize, Format format) noexcept nogil:
    cdef char halves[BLOCK_BYTES >> 1]
    if format == PLAIN:
        scatter_plain(target, stride, source, n, itemsize)
    elif stride == 2:
        half_loops.to_half[<int>format](target, source, n)
    else:
        half_loops.to_half[<int>format](halves, source, n)
        scatter_plain(target, stride, halves, n, 2)


cdef extern from *:
    """
    /* Results that are not soon read again: to memory, without reading the lines they overwrite, and not through the
       caches. A third of a long call's memory traffic. Both addresses are multiples of 16 bytes. */
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
    static inline void fastact_stream(char* target, const char* source, Py_ssize_t bytes) { memcpy(target, source, bytes); }
    static inline void fastact_end_stream(void) {}
    #endif
    """
    bint STREAMS "FASTACT_STREAMS"
    void stream "fastact_stream"(char* target, const char* source, Py_ssize_t bytes) noexcept nogil
    void end_stream "fastact_end_stream"() noexcept nogil


cdef void run(void* context, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    """Elements start to stop of a call: straight from the operands, or block by block through buffers."""
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
            n = place(call, start, stop, pointers)
            if call.aligned and n >= ALIGN_FROM:
                lead = (ALIGNMENT - <size_t>pointers[first] % ALIGNMENT) % ALIGNMENT // call.itemsize
                n = lead if lead > 0 else n
            call.kernel(pointers, n)
            start += n
        return
    block = BLOCK_BYTES // call.itemsize
    while start < stop:
        n = place(call, start, min(start + block, stop), pointers)
        if call.streamed:  # the next block begins with a cache line
            n = min(n, block - (<size_t>pointers[first] % ALIGNMENT) // call.itemsize)
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


cdef inline Py_ssize_t place(Call* call, Py_ssize_t start, Py_ssize_t stop, char** pointers) noexcept nogil:
    """Where the operands of element `start` are, and for how many elements, up to `stop`, they follow each other."""
    cdef Py_ssize_t again = start % call.period if call.period else start
    cdef int i
    for i in range(call.operands):
        pointers[i] = call.pointers[i] + (again if call.repeats[i] else start) * call.strides[i]
    return min(stop - start, call.period - again) if call.period else stop - start


cdef inline bint overlap(char* a, cnp.npy_intp a_stride, char* b, cnp.npy_intp b_stride, Py_ssize_t n) noexcept nogil:
    """Whether the ranges in which two operands lie may have a byte in common."""
    cdef Py_ssize_t a_length = (n - 1) * a_stride, b_length = (n - 1) * b_stride
    if a_length < 0:
        a, a_length, a_stride = a + a_length, -a_length, -a_stride
    if b_length < 0:
        b, b_length, b_stride = b + b_length, -b_length, -b_stride
    return a < b + b_length + b_stride and b < a + a_length + a_stride


cdef void inner_loop(char** pointers, const cnp.npy_intp* dimensions, const cnp.npy_intp* strides, void* data) noexcept nogil:
    """What NumPy calls."""
    cdef Call call
    cdef Loop* loop = <Loop*>data
    if loop.threads == PYTHON:
        run_plain(loop, pointers, dimensions[0], strides)
        return
    call.period = 0
    memset(call.repeats, 0, sizeof(call.repeats))
    run_loop(loop, &call, pointers, dimensions[0], strides)


cdef void run_plain(Loop* loop, char** pointers, cnp.npy_intp n, const cnp.npy_intp* strides) noexcept with gil:
    """Hand the operands to Python as arrays; an error is left to NumPy's caller, as in `find_kernel`."""
    cdef int i, flags
    cdef list arrays = []
    try:
        for i in range(loop.operands):
            flags = cnp.NPY_ARRAY_ALIGNED if i < loop.operands - loop.outputs else cnp.NPY_ARRAY_BEHAVED
            arrays.append(array_at(np.ndarray, 1, &n, loop.types[i], &strides[i], pointers[i], 0, flags, NULL))
        (<object>loop.compile)(loop.row, arrays)
    except BaseException as error:
        PyErr_SetObject(type(error), error)
    feclearexcept(FE_ALL_EXCEPT)  # NumPy would warn of what is still noted


cdef void run_loop(Loop* loop, Call* call, char** pointers, Py_ssize_t n, const cnp.npy_intp* strides) noexcept nogil:
    """The loop over n elements; `call` holds which operands repeat, and gets the rest here."""
    cdef Mode callers
    cdef int i, j, first = loop.operands - loop.outputs, first_parameter = first - loop.parameters, arrays = 0
    cdef Py_ssize_t offset, step, element
    cdef bint array_parameters = False, is_parameter, cheap
    # How outputs overlap inputs. NumPy copies most operands that do at another offset, but not an input that keeps
    # ahead of the output: then blocks must come in order.
    cdef bint in_place = False, chained = False, shifted = False, streamed
    if n > 1:
        for i in range(first_parameter, first):
            array_parameters |= strides[i] != 0
    call.kernel = loop.array_parameters if array_parameters else loop.scalar_parameters
    if call.kernel == NULL:
        if not find_kernel(loop, array_parameters):
            return
        call.kernel = loop.array_parameters if array_parameters else loop.scalar_parameters
    enter_standard(&callers)
    call.operands, call.first_output, call.itemsize = loop.operands, first, loop.itemsize
    call.direct = True
    for i in range(loop.operands):
        is_parameter = first_parameter <= i < first
        call.pointers[i], call.strides[i] = pointers[i], strides[i]
        call.formats[i] = loop.parameter_format if is_parameter else loop.array_format
        if array_parameters or not is_parameter:
            call.buffered[i] = call.formats[i] != PLAIN or (n > 1 and strides[i] != loop.itemsize)
            arrays += not call.repeats[i]
        else:
            call.buffered[i], call.strides[i] = False, 0
            if call.formats[i] != PLAIN:
                call.pointers[i] = <char*>&call.numbers[i]
                gather(call.pointers[i], pointers[i], 0, 1, loop.itemsize, call.formats[i])
    cheap = loop.nanoseconds < CHEAP * loop.itemsize
    streamed = (
        STREAMS and cheap and n * loop.itemsize * arrays >= STREAM_FROM and call.period * loop.itemsize % 16 == 0
    )
    for j in range(first, loop.operands):
        step = strides[j]
        for i in range(first):
            offset = pointers[j] - pointers[i]
            # An operand that stands still is read before the loop, wherever it stands; those that repeat stand apart.
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
            run(call, element, element + 1)
    elif shifted or loop.threads == SERIAL:
        run(call, 0, n)
    elif loop.threads == AUTO and not worthwhile(n * loop.nanoseconds):
        run(call, 0, n)
        done_alone(n * loop.nanoseconds)
    elif loop.threads == NUMBA:
        numba_for(run, call, n, min(loop.grain, (n + 1) // 2), default_workers())
    else:
        parallel_for(run, call, n, min(loop.grain, (n + 1) // 2), default_workers())
    leave_standard(&callers)


cdef list immortal = []  # what the ufuncs' C structures point to


cdef Loop* new_loop(
    int inputs, int parameters, int outputs, dtype, Format format, int row, compile, int threads, bint numbers
) except NULL:
    """What inner_loop is to know; dtype and row are the kernel's, format is the arrays'."""
    cdef Loop* loop = <Loop*>calloc(1, sizeof(Loop))
    if loop == NULL:
        raise MemoryError()
    loop.operands, loop.parameters, loop.outputs = inputs + parameters + outputs, parameters, outputs
    loop.itemsize = dtype.itemsize
    loop.array_format = loop.parameter_format = format
    if numbers:
        loop.parameter_format = NUMBER if dtype.itemsize == 4 else PLAIN
    loop.threads, loop.row, loop.compile = threads, row, <PyObject*>compile
    immortal.append(compile)
    return loop


cdef int type_of(int operand, int inputs, int parameters, int arrays, bint numbers) noexcept:
    """The dtype number of an operand of a loop for arrays of one dtype."""
    return cnp.NPY_DOUBLE if numbers and inputs <= operand < inputs + parameters else arrays


def make_ufunc(str name, int inputs, int parameters, int outputs, str rows, compile, int threads, bint numbers):
    """A NumPy ufunc of `inputs` array operands and then `parameters`, with `outputs` results, all of one dtype.

    rows: the NumPy dtype characters it has kernels for, in NumPy's order of casting preference. With float32 comes float16.
    compile: (row, array_parameters) -> address of the kernel and the nanoseconds that it takes for an element; called at
        most once for each, when first needed. Where threads is PYTHON it is (row, operands) instead, and computes.
    threads: of `Threads`.
    numbers: parameters are float64 whatever the arrays are, and there are loops for floats only. Calls whose parameters
        are Python numbers take this ufunc: such numbers leave the result's dtype alone, and are rounded for the kernel once.
    """
    table = []  # dtype character of the arrays, format, row
    for row, kind in enumerate(rows):
        if kind == "f":
            table.append(("e", FLOAT16, row))
        if not numbers or np.dtype(kind).kind == "f":
            table.append((kind, PLAIN, row))
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
    """Give a ufunc of make_ufunc a loop for the dtype bfloat16, which NumPy knows only once ml_dtypes is imported.

    Returns where it is, for `Operation.set_common_bfloat16`.
    """
    cdef int types[MAX_OPERANDS]
    cdef int j, row = rows.index("f")
    cdef Loop* loop = new_loop(inputs, parameters, outputs, np.dtype("f"), BFLOAT16, row, compile, threads, numbers)
    for j in range(inputs + parameters + outputs):
        loop.types[j] = types[j] = type_of(j, inputs, parameters, dtype.num, numbers)
    cnp.PyUFunc_RegisterLoopForType(ufunc, dtype.num, <cnp.PyUFuncGenericFunction>inner_loop, types, loop)
    return <size_t>loop


#: Elements from which it pays to cut arrays into slabs (_slabs.py), which takes some 20 us.
SLABS_FROM = 1 << 17
cdef Py_ssize_t slabs_from = SLABS_FROM

cdef object override = None  # the context variable of the backend in force, once one was asked for other than per call
cdef bint always_overridden = False
cdef str OUT = sys.intern("out")  # as keywords are in the code of a call
cdef tuple ONLY_OUT = (OUT,)


def note_override(variable=None):
    """From now on calls ask the dispatcher for the backend: where this context variable is not None, or always."""
    global override, always_overridden
    override = variable
    always_overridden |= variable is None


cdef inline bint overridden() except -1:
    cdef PyObject* name = NULL
    cdef bint asked
    if override is None:
        return always_overridden
    PyContextVar_Get(override, NULL, &name)
    asked = always_overridden or name is not <PyObject*>None
    Py_DECREF(<object>name)
    return asked


cdef inline bint is_plain(PyObject* operand, bint knows_bfloat16) noexcept:
    """Whether an operand is nothing that a dispatcher need look at: a NumPy array or scalar, a number or a list of them.

    The dispatcher adds the loop for bfloat16; until it has, anything that may hold such items goes there.
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
    """A Python number as the array that it stands for: NumPy then has nothing to convert and no dtype to look for.

    None for an int that no float64 can hold.
    """
    cdef double value = PyFloat_AsDouble(number)
    if value == -1 and PyErr_Occurred() != NULL:
        PyErr_Clear()
        return None
    operand = cnp.PyArray_SimpleNew(0, NULL, cnp.NPY_DOUBLE)
    (<double*>cnp.PyArray_DATA(operand))[0] = value
    return operand


cdef class Operation:
    """A compiled elementwise function: the forward pass, the derivative or the backward pass of an activation.

    It is called by CPython's vectorcall protocol, and hands the arguments of a common call on as they came, to the loop
    itself or to the ufunc: that costs about 30 ns, where building a tuple and a dict would cost 100 to 300.
    """

    cdef vectorcallfunc vectorcall
    cdef readonly str name
    cdef readonly object common_ufunc    # takes calls whose parameters are Python numbers
    cdef Loop* loops[4]                  # its loops for float32, float64, float16 and bfloat16
    cdef int bfloat16                    # the number of that dtype
    cdef readonly bint knows_bfloat16    # whether there is one
    cdef public bint keeps_integers      # whether there are loops for integers
    cdef readonly int inputs
    cdef readonly int outputs            # results; where there are several, they are given and returned as a tuple
    cdef readonly tuple parameter_names
    cdef readonly tuple defaults
    cdef tuple default_operands          # the defaults as `number_operand` makes them
    cdef object dispatch
    cdef dict __dict__

    def __init__(self, str name, int inputs, dict parameters, dispatch, int outputs=1):
        self.vectorcall = <vectorcallfunc>call_operation
        self.name = name
        self.inputs, self.outputs = inputs, outputs
        self.bfloat16 = -1
        self.parameter_names, self.defaults = tuple(parameters), tuple(parameters.values())
        self.default_operands = tuple([number_operand(<PyObject*>default) for default in self.defaults])
        self.dispatch = dispatch

    def set_common_ufunc(self, ufunc):
        """Let the common calls go to this ufunc of make_ufunc."""
        cdef UFunc* common = <UFunc*><PyObject*>ufunc
        cdef int i
        self.common_ufunc = ufunc
        for i in range(common.ntypes):
            if common.types[i * common.nargs] == cnp.NPY_FLOAT:
                self.loops[0] = <Loop*>common.data[i]
            elif common.types[i * common.nargs] == cnp.NPY_DOUBLE:
                self.loops[1] = <Loop*>common.data[i]
            elif common.types[i * common.nargs] == NPY_HALF:
                self.loops[2] = <Loop*>common.data[i]

    def set_common_bfloat16(self, int number, size_t loop):
        """What `add_bfloat16` has given to that ufunc, and the number of the dtype."""
        self.loops[3], self.bfloat16, self.knows_bfloat16 = <Loop*>loop, number, True

    def are_numbers(self, tuple operands, Py_ssize_t start):
        """Whether there are operands from `start` on, and all are Python numbers: floats, or ints if no loop is for these."""
        cdef Py_ssize_t i
        for i in range(start, len(operands)):
            if not stands_beside_arrays(self, PyTuple_GET_ITEM(operands, i)):
                return False
        return start < len(operands)

    def __call__(self, *args, **kwargs):
        return self.dispatch(self, args, kwargs)


cdef inline bint stands_beside_arrays(Operation self, PyObject* operand) noexcept:
    """Whether an operand is a Python number that leaves the arrays' dtype alone: a float, or an int if no loop is for these."""
    cdef PyTypeObject* kind = Py_TYPE(operand)
    return kind is &PyFloat_Type or (kind is &PyLong_Type and not self.keeps_integers)


cdef object call_operation(PyObject* callable, PyObject** arguments, size_t flags, PyObject* names):
    """Operation.__call__: the common calls go straight to the ufunc, anything else is the dispatcher's.

    Common are inputs by position, of NumPy or Python, parameters that are Python numbers, and an array for `out` (or a
    tuple of them, one for each result).
    """
    cdef Operation self = <Operation>callable
    cdef Py_ssize_t i, place, count = PyVectorcall_NARGS(flags), named = 0 if names == NULL else len(<tuple>names)
    cdef Py_ssize_t parameters = len(self.defaults), total = self.inputs + parameters
    cdef PyObject* operands[MAX_OPERANDS + 1]  # outputs are the last
    cdef PyObject* out = NULL
    cdef PyTypeObject* kind
    cdef bint is_number, numbers = True  # all inputs are Python numbers: parameters then stay such
    cdef bint common = self.inputs <= count <= total and not overridden()
    cdef int orders = NPY_ARRAY_C_CONTIGUOUS | NPY_ARRAY_F_CONTIGUOUS  # that all arrays have
    cdef Py_ssize_t largest = 0  # of the arrays from the one on that has no order in common with those before
    cdef list made = None
    if common:
        memset(operands + total, 0, self.outputs * sizeof(void*))
        for i in range(self.inputs):
            kind = Py_TYPE(arguments[i])
            is_number = kind is &PyFloat_Type or kind is &PyLong_Type
            numbers = numbers and is_number
            # NumPy would give float32 for bfloat16 and a Python number; the dispatcher gives bfloat16.
            common = common and is_plain(arguments[i], self.knows_bfloat16) and not (
                self.knows_bfloat16 and self.inputs > 1 and is_number
            )
            operands[i] = arguments[i]
        for i in range(parameters):
            operands[self.inputs + i] = PyTuple_GET_ITEM(self.defaults if numbers else self.default_operands, i)
        for i in range(self.inputs, count + named):
            place = i if i < count else place_of(self, PyTuple_GET_ITEM(<tuple>names, i - count), total)
            if place == total:
                out = arguments[i]
                common = common and unpack(out, self.outputs, operands + total)
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
        for i in range(total + self.outputs):
            if operands[i] != NULL and Py_TYPE(operands[i]) is ndarray_type:
                orders &= flags_of(<PyArrayObject*>operands[i])
                if orders == 0:
                    largest = max(largest, size_of(<PyArrayObject*>operands[i]))
    if not common or (orders == 0 and largest >= slabs_from):  # the dispatcher cuts large arrays without a common order
        args = tuple([<object>arguments[i] for i in range(count)])
        return self.dispatch(self, args, {(<tuple>names)[i]: <object>arguments[count + i] for i in range(named)})
    if orders and not numbers:
        result = call_loop(self, operands, total, orders, out)
        if result is not None:
            return result
    operands[total] = out
    try:
        return PyObject_Vectorcall(self.common_ufunc, operands, total, NULL if out == NULL else <PyObject*>ONLY_OUT)
    except SystemError as error:
        raise error.__cause__ or error


cdef bint unpack(PyObject* out, int outputs, PyObject** arrays) noexcept:
    """Whether `out` is an array, or a tuple of as many as there are `outputs`, which are noted."""
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


cdef object call_loop(Operation self, PyObject** operands, Py_ssize_t total, int orders, PyObject* out):
    """A call with arrays of one dtype and order in memory alone, without NumPy's ufunc machinery: a third of the time for
    one element. All are of one shape, but for inputs after the first that repeat along its leading axes, as a bias does.
    None for any other call. `orders` are C's, Fortran's or both."""
    cdef PyArrayObject* x = <PyArrayObject*>operands[0]
    cdef PyArrayObject* each
    cdef Loop* loop
    cdef Call call
    cdef char* pointers[MAX_OPERANDS]
    cdef cnp.npy_intp strides[MAX_OPERANDS]
    cdef Py_ssize_t i, j, n, bytes, itemsize, operand_bytes, last = total + self.outputs
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
    elif number == self.bfloat16:
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
        if i < self.inputs or (i >= total and each != NULL):
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
        for i in range(j):  # NumPy copies what overlaps
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
    return results[0] if self.outputs == 1 else tuple(results)


cdef inline bint ends_alike(PyArrayObject* x, PyArrayObject* each) noexcept:
    """Whether the shape of `each` is the end of the shape of x: all of it or, for one axis or more, less."""
    cdef int more = ndim_of(x) - ndim_of(each)
    return 0 <= more < ndim_of(x) and PyArray_CompareLists(dims_of(each), dims_of(x) + more, ndim_of(each))


cdef void start_loop(Loop* loop, Call* call, char** pointers, Py_ssize_t n, const cnp.npy_intp* strides) noexcept nogil:
    """run_loop, after short operands that repeat have been copied out: kernels want long runs that begin with a cache
    line."""
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
    """Raise the error of a kernel that could not be compiled."""
    return -1 if PyErr_Occurred() != NULL else 0


cdef Py_ssize_t place_of(Operation self, PyObject* name, Py_ssize_t total) noexcept:
    """Which operand a keyword names, `total` for out, -1 for any other keyword."""
    cdef Py_ssize_t i
    if name is <PyObject*>OUT:
        return total
    for i in range(total - self.inputs):
        if name is PyTuple_GET_ITEM(self.parameter_names, i):
            return self.inputs + i
    return -1


def enable_vectorcall(type kind):
    """Let instances of a subclass of Operation be called by vectorcall; Python 3.11 does not inherit that by itself."""
    (<PyTypeObject*>kind).tp_vectorcall_offset = (<PyTypeObject*>Operation).tp_vectorcall_offset
    (<PyTypeObject*>kind).tp_call = PyVectorcall_Call
    (<PyTypeObject*>kind).tp_flags |= Py_TPFLAGS_HAVE_VECTORCALL
    PyType_Modified(kind)


cdef PyTypeObject* ndarray_type = <PyTypeObject*>np.ndarray
# Cython has no syntax for vectorcall: give the type the slot by hand.
(<PyTypeObject*>Operation).tp_vectorcall_offset = fastact_offset_of_vectorcall
enable_vectorcall(Operation)


cpdef object call(ufunc, tuple operands, dict kwargs):
    """ufunc(*operands, **kwargs); the error of a kernel that cannot be compiled is raised as itself."""
    try:
        return PyObject_Call(ufunc, operands, kwargs)
    except SystemError as error:
        raise error.__cause__ or error
