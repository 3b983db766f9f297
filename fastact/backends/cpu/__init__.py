"""The backends on the CPU that run compiled loops: serial, threads, parallel and cython."""
