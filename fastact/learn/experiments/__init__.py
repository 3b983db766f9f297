"""Experiments that show a learner what an activation does to a network.

Each is a function with a documented result that shows itself in a notebook:

>>> from fastact.learn.experiments import compare
>>> found = compare("moons", ["relu", "tanh"], seeds=5)

- comparison.py compares activations on any problem; comparing/ has its parts
- diagnosis.py trains one network, and says what goes wrong
- xor.py compares on XOR, as beginners train it and until it is solved
- vanishing.py, exploding.py, dying_relu.py, linear.py, softmax_hidden.py and initialisation.py each show a problem of
  networks with its remedies; deep.py and spread.py hold what those have in common

Nothing here prints, draws or writes a file: fastact/cli/ and fastact/learn/pictures/ do. To add an experiment, write
one file beside xor.py with a subclass of `fastact.learn.result.Result`, a picture, and a command.
"""

from fastact.learn.experiments.comparison import compare
from fastact.learn.experiments.diagnosis import diagnose
from fastact.learn.experiments.dying_relu import dying_relu
from fastact.learn.experiments.exploding import exploding
from fastact.learn.experiments.initialisation import initialisation
from fastact.learn.experiments.linear import linear
from fastact.learn.experiments.softmax_hidden import softmax_hidden
from fastact.learn.experiments.vanishing import vanishing
from fastact.learn.experiments.xor import xor

__all__ = [
    "compare", "diagnose", "dying_relu", "exploding", "initialisation", "linear", "softmax_hidden", "vanishing", "xor",
]  # fmt: skip
