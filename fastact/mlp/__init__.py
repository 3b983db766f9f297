"""The trainer: a multi-layer perceptron on fastact's formulas, on the CPU or, with CuPy, on a GPU.

Start reading at training.py, whose `step` is one update. It puts together layers.py (with normalisation.py),
objectives.py and optimisers.py (with schedules.py). They are written in a few operations (operations.py has some that
they share), which eager.py computes at once, and recorder.py writes down for native/step.pyx to replay without Python.
fitting.py loops over epochs, with stopping.py; model.py is the public object. settings.py and choices.py check what a
model is made of, data.py and sources.py what it learns from. files.py stores a model in the format that archive.py
reads, weights.py as safetensors. lbfgs.py hands the step to SciPy, initialisers.py gives the first weights, and
namespaces.py tells NumPy from CuPy.
"""

from fastact.mlp.model import MLP

__all__ = ["MLP"]
