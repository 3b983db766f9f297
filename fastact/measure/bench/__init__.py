"""The speed of fastact's functions beside other libraries: what `fastact bench` and benchmarks/ run.

- `cases`: what is computed, and on which arrays; `families`: all families of functions and the grid of their cases
- `elementwise/`, `softmax/`, `sparse`, `losses`, `gated`: a family each: its functions and how other libraries compute
  them; `family`: what a family has to say; `libraries`: which libraries there are
- `timing`: the stopwatch; `measure`: one case, all libraries and a copy of the same bytes in turns
- `results`: what came out, as ratios and JSON; `plots`: its pictures; `report`: the machine, and tables

Built on fastact's public names only.
"""
