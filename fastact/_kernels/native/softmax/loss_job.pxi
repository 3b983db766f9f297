# One call of the cross-entropy kernels. The recorded step of the trainer makes such calls too.

cdef struct LossJob:
    int is_double
    bint gradient
    void* x
    void* out               # the gradient
    void* value             # the losses, one for each row
    Py_ssize_t outer
    Py_ssize_t n
    Py_ssize_t inner
    Py_ssize_t* target      # the class of each row; or NULL
    Py_ssize_t ignore       # the class of rows that do not count
    double hit              # the weight of a target,
    double* weight          # times the weight of its class; or NULL
    void* dense             # or NULL
    bint dense_rows         # whether `dense` has weights for each row, in the layout of x
    double scale
