"""Functions where other libraries compute: inside users' compiled code (numba/), on their arrays (containers/)."""
