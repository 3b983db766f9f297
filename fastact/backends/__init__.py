"""What computes calls: a folder or file for each backend, none of which knows another.

The protocol that they follow, and the table that names them, are in _core/backends.py.
"""
