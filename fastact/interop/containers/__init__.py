"""Containers of other libraries as arguments: a file for each library, found by the table in _core/containers.py.

What libraries have in common is in roles.py, which says what the arguments and results of a call are, and in frames.py,
for containers with labels or missing values; those hand what is missing on as NumPy's masked arrays.
"""
