"""From formulas to machine code, and the cache on disk that keeps it."""
