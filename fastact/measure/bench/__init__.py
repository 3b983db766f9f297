"""The speed of fastact's functions beside other libraries: what `fastact bench` and benchmarks/ run.

- `cases`: what is computed, and on which arrays; `families`: all families of functions, how fastact computes them, and
  the grid of their cases
- `libraries/`: a file for each other library, which says how it computes the functions of all families
- `timing`: the stopwatch; `measure`: one case, all libraries and a copy of the same bytes in turns
- `results`: what came out, as ratios and JSON; `plots`: its pictures; `report`: the machine, and tables

Built on fastact's public names only.
"""
