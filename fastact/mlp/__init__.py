"""The trainer: a multi-layer perceptron on fastact's public functions and NumPy, or CuPy on a GPU, nothing else.

Start reading at `model.py`; it puts together `layers`, `losses`, `optimisers` and `initialisers`. `settings.py` and
`data.py` check what the user hands in, `files.py` stores a model in what `archive.py` reads, `devices.py` knows NumPy
from CuPy. Only `fastact/__init__.py` imports this package.
"""

from fastact.mlp.model import MLP

__all__ = ["MLP"]
