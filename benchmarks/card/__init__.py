"""What benchmarks/gpu.py is made of.

    record.py    figures, what is asked of them, and the file that keeps them
    report.py    the page and the pictures that are made of that file
    timing.py    times beside PyTorch's and a copy's

The other files are sections. A section is a function `units(power)`: names of pieces of work of seconds, and for each
the function that does it and gives its figures by name. To add a section, write a file and name it in gpu.py.
"""
