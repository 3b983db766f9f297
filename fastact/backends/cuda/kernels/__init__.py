"""The kernels: plain Python, which Numba's simulator runs too, made by templates for dtypes, layouts and options."""
