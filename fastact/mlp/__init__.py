"""The trainer: a multi-layer perceptron on fastact's public functions and NumPy, or on CuPy on a GPU.

Start reading at training.py, whose `step` is one update. It puts together layers.py (with normalisation.py),
objectives.py and optimisers.py (with schedules.py), which are written in the operations of eager.py
and operations.py; recorder.py writes the same operations down, to repeat them without Python. fitting.py loops over
epochs, with stopping.py; model.py is the public object. settings.py and choices.py check what a model is made of,
data.py and sources.py what it learns from. files.py stores a model in the format that archive.py reads, weights.py as
safetensors. lbfgs.py hands the step to SciPy, initialisers.py gives the first weights, and namespaces.py tells NumPy
from CuPy.
"""

from fastact.mlp.model import MLP

__all__ = ["MLP"]
