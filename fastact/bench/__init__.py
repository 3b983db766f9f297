"""The speed of fastact's elementwise functions beside other libraries: what `fastact bench` and benchmarks/ run.

- `cases`: what is computed, and on which arrays; `peers`: how other libraries compute it
- `timing`: the stopwatch; `measure`: one case, all libraries and a copy of the same bytes in turns
- `results`: what came out, as ratios and JSON; `plots`: its pictures

Built on fastact's public names only. To compare one more function, see `peers`; a new layout is one line of `cases`.
"""
