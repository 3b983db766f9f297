# The memory of large results: the last block that was freed is kept for the next result of the same size.
#
# C libraries give large blocks back to the system at once, which must then fill every page with zeros again: for a
# result of 40 MB that takes three times as long as the result itself. One block is kept, of at most KEEP_MOST bytes; a
# large result of another size frees it first. This is a memory handler of NumPy's, so arrays remember who frees them.
# Where another handler than NumPy's own is in force, results come from that one.
# Free threading: whoever takes the kept block, or puts one in its place, does so by one atomic exchange.

cdef extern from *:
    """
    #include <string.h>

    #define KEEP_LEAST (32 << 20) /* what is smaller, the GNU C library keeps itself */
    #define KEEP_MOST (128 << 20)

    typedef struct { size_t size; char padding[56]; } results_block; /* in front of the array's bytes */
    static fastact_shared results_kept = NULL; /* a results_block */

    static PyDataMemAllocator* results_numpy(void) {
      return &((PyDataMem_Handler*)PyCapsule_GetPointer(PyDataMem_DefaultHandler, "mem_handler"))->allocator;
    }

    static void results_release(results_block* block) {
      PyDataMemAllocator* numpy = results_numpy();
      if (block != NULL) numpy->free(numpy->ctx, block, block->size + sizeof(results_block));
    }

    static void* results_malloc(void* ctx, size_t size) {
      PyDataMemAllocator* numpy = results_numpy();
      results_block* block = (results_block*)fastact_exchange_pointer(&results_kept, NULL);
      if (block == NULL || block->size != size) {
        results_release(block);
        block = (results_block*)numpy->malloc(numpy->ctx, size + sizeof(results_block));
        if (block == NULL) return NULL;
        block->size = size;
      }
      return block + 1;
    }

    static void results_free(void* ctx, void* bytes, size_t size) {
      results_block* block = (results_block*)bytes - 1;
      if (bytes == NULL) return;
      if (block->size <= KEEP_MOST) block = (results_block*)fastact_exchange_pointer(&results_kept, block);
      results_release(block);
    }

    static void* results_calloc(void* ctx, size_t items, size_t size) {
      void* bytes = size && items > (size_t)-1 / size ? NULL : results_malloc(ctx, items * size);
      return bytes ? memset(bytes, 0, items * size) : NULL;
    }

    static void* results_realloc(void* ctx, void* bytes, size_t size) {
      size_t old = bytes ? ((results_block*)bytes - 1)->size : 0;
      void* moved = results_malloc(ctx, size);
      if (moved && bytes) {
        memcpy(moved, bytes, old < size ? old : size);
        results_free(ctx, bytes, old);
      }
      return moved;
    }

    static PyDataMem_Handler results_handler = {
      "fastact", 1, {NULL, results_malloc, results_calloc, results_realloc, results_free}
    };
    static PyObject* results_capsule = NULL;

    /* To be called once, at import. */
    static int results_prepare(void) {
      results_capsule = PyCapsule_New(&results_handler, "mem_handler", NULL);
      return results_capsule ? 0 : -1;
    }

    /* A new array, in C's or Fortran's order. */
    static PyObject* results_array(int ndim, npy_intp* shape, int type, int fortran, size_t bytes) {
      PyObject *array, *before;
      if (bytes < KEEP_LEAST) return PyArray_EMPTY(ndim, shape, type, fortran);
      before = PyDataMem_GetHandler();
      if (before != PyDataMem_DefaultHandler) {
        Py_XDECREF(before);
        return before ? PyArray_EMPTY(ndim, shape, type, fortran) : NULL;
      }
      Py_XDECREF(PyDataMem_SetHandler(results_capsule));
      array = PyArray_EMPTY(ndim, shape, type, fortran);
      Py_XDECREF(PyDataMem_SetHandler(before));
      Py_DECREF(before);
      return array;
    }
    """
    object new_array "results_array"(int ndim, cnp.npy_intp* shape, int type, bint fortran, size_t bytes)
    int prepare_results "results_prepare"() except -1

prepare_results()
