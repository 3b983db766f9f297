"""Experiments that show a learner what an activation does to a network, and the pictures of their results.

- training.py trains one network per activation and seed; results.py holds what came out, and sums it up
- digits.py and xor.py hold the data and the settings of one experiment each
- learning_plot.py draws figures with matplotlib
- vanishing.py, exploding.py, dying_relu.py, linear.py, softmax_hidden.py and initialisation.py each show a problem and
  its remedies; deep.py holds what those have in common

Nothing here prints or writes a file: fastact/cli/ does. To add an experiment, write one file beside xor.py with its
data and settings, and a command in cli/compare.py.
"""

from fastact.experiments.dying_relu import dying_relu
from fastact.experiments.exploding import exploding
from fastact.experiments.initialisation import initialisation
from fastact.experiments.linear import linear
from fastact.experiments.softmax_hidden import softmax_hidden
from fastact.experiments.vanishing import vanishing

__all__ = ["dying_relu", "exploding", "initialisation", "linear", "softmax_hidden", "vanishing"]
