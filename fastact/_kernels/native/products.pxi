# Matrix products: the loops around the register tile of fastact/_kernels/compile/products.py.
#
# A product is cut into columns as wide as a tile, and into DEPTH numbers of the inner dimension, so that what all rows
# read of B stays in the cache. A transposed B is copied into a panel in the order in which the tile reads it; a copy of
# all of it would not stay there. Tasks are whole tiles: the bits do not depend on the number of threads.

cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>
    /* Four rows of four numbers become four columns; `from` and `to` are the distances of the rows. */
    #if defined(__GNUC__) && !defined(__clang__)
      #define FASTACT_SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (fastact_int4){__VA_ARGS__})
    #elif defined(__clang__)
      #define FASTACT_SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
    #endif
    #if defined(__GNUC__)
    typedef int32_t fastact_int4 __attribute__((vector_size(16), aligned(4), may_alias));
    static inline void fastact_transpose_4(const int32_t* x, Py_ssize_t from, int32_t* y, Py_ssize_t to) {
      fastact_int4 a = *(fastact_int4*)x, b = *(fastact_int4*)(x + from);
      fastact_int4 c = *(fastact_int4*)(x + 2 * from), d = *(fastact_int4*)(x + 3 * from);
      fastact_int4 e = FASTACT_SHUFFLE(a, c, 0, 4, 1, 5), f = FASTACT_SHUFFLE(a, c, 2, 6, 3, 7);
      fastact_int4 g = FASTACT_SHUFFLE(b, d, 0, 4, 1, 5), h = FASTACT_SHUFFLE(b, d, 2, 6, 3, 7);
      *(fastact_int4*)y = FASTACT_SHUFFLE(e, g, 0, 4, 1, 5);
      *(fastact_int4*)(y + to) = FASTACT_SHUFFLE(e, g, 2, 6, 3, 7);
      *(fastact_int4*)(y + 2 * to) = FASTACT_SHUFFLE(f, h, 0, 4, 1, 5);
      *(fastact_int4*)(y + 3 * to) = FASTACT_SHUFFLE(f, h, 2, 6, 3, 7);
    }
    #else
    static __inline void fastact_transpose_4(const int32_t* x, Py_ssize_t from, int32_t* y, Py_ssize_t to) {
      int i, j;
      for (i = 0; i < 4; i++) for (j = 0; j < 4; j++) y[j * to + i] = x[i * from + j];
    }
    #endif
    #define FASTACT_TRANSPOSE(T, BLOCK) \\
      static void fastact_transpose_##T(const void* a, Py_ssize_t from, void* b, Py_ssize_t to, Py_ssize_t rows, \\
                                        Py_ssize_t columns) { \\
        const T* x = (const T*)a; T* y = (T*)b; \\
        Py_ssize_t i = 0, j, k; \\
        for (; i + 4 <= rows; i += 4) { \\
          for (j = 0; j + 4 <= columns; j += 4) BLOCK(x + i * from + j, from, y + j * to + i, to); \\
          for (; j < columns; j++) for (k = 0; k < 4; k++) y[j * to + i + k] = x[(i + k) * from + j]; \\
        } \\
        for (; i < rows; i++) for (j = 0; j < columns; j++) y[j * to + i] = x[i * from + j]; \\
      }
    static void fastact_transpose_8(const int64_t* x, Py_ssize_t from, int64_t* y, Py_ssize_t to) {
      int i, j;
      for (j = 0; j < 4; j++) for (i = 0; i < 4; i++) y[j * to + i] = x[i * from + j];
    }
    FASTACT_TRANSPOSE(int32_t, fastact_transpose_4)
    FASTACT_TRANSPOSE(int64_t, fastact_transpose_8)
    """
    ctypedef long long Int64 "int64_t"
    void transpose_4 "fastact_transpose_int32_t"(
        char* x, Py_ssize_t x_row, char* y, Py_ssize_t y_row, Py_ssize_t rows, Py_ssize_t columns) noexcept nogil
    void transpose_8 "fastact_transpose_int64_t"(
        char* x, Py_ssize_t x_row, char* y, Py_ssize_t y_row, Py_ssize_t rows, Py_ssize_t columns) noexcept nogil

ctypedef void (*tile_t)(Int64 rows, Int64 vectors, Int64 steps, char* a, Int64 a_row, Int64 a_step, char* b,
                        Int64 b_row, char* c, Int64 c_row, char* start, Int64 start_row, Int64 tail) noexcept nogil

cdef enum:
    DEPTH = 256
    PANEL = 3 * 64 * DEPTH  # bytes: the columns of the widest tile

cdef double MULTIPLY = 0.005  # nanoseconds of a multiplication and an addition, for each byte of a number

cdef struct Tile:
    tile_t compute
    Py_ssize_t rows         # of the largest tile
    Py_ssize_t vectors
    Py_ssize_t lanes
    Py_ssize_t size         # bytes of a number

cdef struct Product:        # c = start + a @ b; distances are in numbers
    Tile* tile
    Py_ssize_t rows
    Py_ssize_t columns
    Py_ssize_t depth
    char* a
    Py_ssize_t a_row
    Py_ssize_t a_step
    char* b
    Py_ssize_t b_row
    bint transposed         # b[p, j] is at j * b_row + p
    char* c
    char* start             # a row; or NULL, for zeros


cdef void multiply(Product* p, Py_ssize_t row, Py_ssize_t stop, Py_ssize_t column, Py_ssize_t end) noexcept nogil:
    """Compute rows row to stop of columns column to end."""
    cdef Tile* tile = p.tile
    cdef Py_ssize_t first, steps, left, vectors, width, i, height, size = tile.size
    cdef char* b
    cdef char* c
    cdef char* start
    cdef Py_ssize_t b_row
    cdef char panel[PANEL]
    while column < end:
        left = end - column
        vectors = min((left + tile.lanes - 1) // tile.lanes, tile.vectors)
        if tile.vectors * tile.lanes < left <= (tile.vectors + 1) * tile.lanes:
            vectors = (tile.vectors + 1) // 2  # two tiles of like width
        width = min(vectors * tile.lanes, left)
        first = 0
        while True:
            steps = min(p.depth - first, DEPTH)
            if not p.transposed:
                b, b_row = p.b + (first * p.b_row + column) * size, p.b_row
            else:
                b, b_row = panel, vectors * tile.lanes
                if size == 4:
                    transpose_4(p.b + (column * p.b_row + first) * size, p.b_row, panel, b_row, width, steps)
                else:
                    transpose_8(p.b + (column * p.b_row + first) * size, p.b_row, panel, b_row, width, steps)
            i = row
            while i < stop:
                height = tile.rows
                while height > stop - i:
                    height >>= 1
                c = p.c + (i * p.columns + column) * size
                start = c if first else NULL if p.start == NULL else p.start + column * size
                tile.compute(height, vectors, steps, p.a + (i * p.a_row + first * p.a_step) * size, p.a_row, p.a_step,
                             b, b_row, c, p.columns, start, p.columns if first else 0,
                             width - (vectors - 1) * tile.lanes)
                i += height
            first += DEPTH
            if first >= p.depth:
                break
        column += width


cdef void rows_task(void* product, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    cdef Product* p = <Product*>product
    multiply(p, start * p.tile.rows, min(stop * p.tile.rows, p.rows), 0, p.columns)


cdef void columns_task(void* product, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    cdef Product* p = <Product*>product
    multiply(p, 0, p.rows, start * p.tile.lanes, min(stop * p.tile.lanes, p.columns))


cdef double duration(Product* p) noexcept nogil:
    """Estimate the nanoseconds that one thread takes."""
    return MULTIPLY * p.rows * p.columns * p.depth * p.tile.size


cdef void run_product(Product* p, int workers) noexcept nogil:
    """Compute all of it. Threads share the rows or, where B is transposed, the columns, so that each is copied once."""
    cdef Py_ssize_t n, grain, vectors = p.tile.vectors
    if workers < 2 or duration(p) < WORTH_THREADS:
        multiply(p, 0, p.rows, 0, p.columns)
    elif p.transposed:
        n = (p.columns + p.tile.lanes - 1) // p.tile.lanes
        grain = (n + workers - 1) // workers
        if grain > 2 * vectors:
            grain = max(n // (4 * workers * vectors), 1) * vectors
        parallel_for(&columns_task, p, n, grain, workers)
    else:
        n = (p.rows + p.tile.rows - 1) // p.tile.rows
        parallel_for(&rows_task, p, n, max(n // (4 * workers), 1), workers)
