"""fastact on dask: lazy functions over the axes of chunked arrays, and training on many machines."""
