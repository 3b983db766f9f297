"""The trainer: a multi-layer perceptron on fastact's public functions and NumPy, or on CuPy on a GPU.

Start reading at model.py. It puts together layers.py, objectives.py, optimisers.py and initialisers.py. settings.py and
data.py check what the user hands in, files.py stores a model in the format that archive.py reads, and namespaces.py
tells NumPy from CuPy.
"""

from fastact.mlp.model import MLP

__all__ = ["MLP"]
