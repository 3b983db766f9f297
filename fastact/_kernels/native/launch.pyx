# cython: freethreading_compatible=True
"""Calls of CUDA's driver by the addresses of its functions, so that a build needs neither its headers nor its library.

A launch packs the arguments as kernels take them, one after the other: an int is an address or an int64, and a number
of NumPy has its own width.
"""

from libc.stdint cimport int64_t
from libc.stdlib cimport free, malloc

cimport numpy as cnp

import numpy as np

cnp.import_array()

ctypedef unsigned int uint
ctypedef int (*LaunchKernel)(
    void* kernel, uint grid_x, uint grid_y, uint grid_z, uint block_x, uint block_y, uint block_z, uint shared_bytes,
    void* stream, void** arguments, void** extra,
) noexcept nogil
ctypedef int (*GetContext)(void** context) noexcept nogil

cdef tuple NUMBERS = (np.number, np.bool_)


cdef int pack(object value, int64_t* slot) except -1:
    """Store an argument's bytes in its slot."""
    if type(value) is int:
        slot[0] = value
    elif isinstance(value, NUMBERS) and value.itemsize <= sizeof(int64_t):
        cnp.PyArray_ScalarAsCtype(value, slot)
    else:
        raise TypeError(f"a kernel takes no argument of type {type(value).__name__}")
    return 0


def launch(
    size_t cuLaunchKernel, size_t kernel, unsigned int grid, unsigned int block, size_t stream, arguments
):
    """Launch a kernel in a stream, given their handles; return the driver's CUresult, which is 0 for success.

    Other threads run meanwhile: where too many launches are waiting, the driver waits for one to end, and what that one
    waits for may be a Python function.
    """
    cdef list given = list(arguments)
    cdef Py_ssize_t i, n = len(given)
    cdef int result
    # The driver copies the arguments before it returns.
    cdef int64_t* slots = <int64_t*>malloc(max(n, 1) * (sizeof(int64_t) + sizeof(void*)))
    if slots == NULL:
        raise MemoryError
    cdef void** pointers = <void**>(slots + n)
    try:
        for i in range(n):
            pack(given[i], slots + i)
            pointers[i] = slots + i
        with nogil:
            result = (<LaunchKernel>cuLaunchKernel)(
                <void*>kernel, grid, 1, 1, block, 1, 1, 0, <void*>stream, pointers, NULL
            )
    finally:
        free(slots)
    return result


def current_context(size_t cuCtxGetCurrent):
    """Return the handle of this thread's context; 0 if there is none."""
    cdef void* context = NULL
    if (<GetContext>cuCtxGetCurrent)(&context) != 0:
        return 0
    return <size_t>context
