# The memory of large results in users' compiled code: the last two blocks that were freed are kept for the next ones.
#
# Numba takes memory from the C library, which gives large blocks back to the system at once; each page must then be
# filled with zeros again (softmax(gelu(x)) of 8 MB: 28 ms instead of 1.5). Two blocks serve a result and what it was
# computed from. results.pxi does the same for the arrays of Python.

cdef extern from *:
    """
    #include <stdint.h>
    #include <stdlib.h>
    #if defined(__linux__)
    #include <sys/mman.h>
    #endif

    #define NUMBA_RESULTS_MOST (64 << 20)

    typedef struct { size_t size; void* memory; char padding[48]; } numba_results_block; /* in front of the bytes */
    static fastact_shared numba_results_kept[2] = {NULL, NULL};

    typedef struct { /* as numba/core/runtime/nrt_external.h has it */
      void* (*allocate)(size_t);
      void* (*allocate_external)(size_t, void*);
      void* (*manage_memory)(void* data, void (*release)(void*));
    } numba_results_api;

    static void numba_results_release(void* data) {
      numba_results_block* block = (numba_results_block*)data - 1;
      if (block->size <= NUMBA_RESULTS_MOST) {
        block = (numba_results_block*)fastact_exchange_pointer(&numba_results_kept[0], block);
        if (block) block = (numba_results_block*)fastact_exchange_pointer(&numba_results_kept[1], block);
      }
      if (block) free(block->memory);
    }

    static void* numba_results_claim(size_t size) {
      numba_results_block* block;
      char* memory;
      for (int i = 0; i < 2; i++) {
        block = (numba_results_block*)fastact_exchange_pointer(&numba_results_kept[i], NULL);
        if (block && block->size == size) return block + 1;
        if (block) free(block->memory);
      }
      memory = (char*)malloc(size + 2 * sizeof(numba_results_block));
      if (!memory) return NULL;
    #if defined(MADV_HUGEPAGE)
      if (size >= 4 << 20) { /* as NumPy does */
        uintptr_t page = ((uintptr_t)memory + 4095) & ~(uintptr_t)4095;
        madvise((void*)page, size - 4096, MADV_HUGEPAGE);
      }
    #endif
      block = (numba_results_block*)(((uintptr_t)memory + 63) & ~(uintptr_t)63);
      block->size = size;
      block->memory = memory;
      return block + 1;
    }

    /* Numba's owner of so many new bytes; NULL if there is no memory. */
    static void* numba_results_new(const numba_results_api* api, size_t size) {
      void* data = numba_results_claim(size);
      void* owner = data ? api->manage_memory(data, numba_results_release) : NULL;
      if (data && !owner) numba_results_release(data);
      return owner;
    }
    """
    ctypedef struct numba_results_api:
        pass
    void* numba_results_new(const numba_results_api* api, size_t size) noexcept nogil
