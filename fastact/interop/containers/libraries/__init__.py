"""The adapters of libraries: a file of the library's name, with an object `adapter`; no table names them."""
