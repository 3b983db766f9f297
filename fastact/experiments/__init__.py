"""Experiments that show a learner what an activation does to a network, and the pictures of their results.

Each is a function with a documented result that shows itself in a notebook:

>>> from fastact.experiments import compare
>>> found = compare("moons", ["relu", "tanh"], seeds=5)

- comparison.py compares activations on any problem: training.py trains, processes.py does so many times side by side,
  records.py holds what came out, statistics.py says which differences exceed the noise of seeds, findings.py says it in
  words, and learning_plot.py draws it
- xor.py compares on XOR, as beginners train it and until it is solved

Nothing here prints or writes a file: fastact/cli/ does. To add an experiment, write one file beside xor.py with a
subclass of `fastact.result.Result`, and a command.
"""

from fastact.experiments.comparison import compare
from fastact.experiments.xor import xor

__all__ = ["compare", "xor"]
