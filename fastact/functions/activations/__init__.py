"""The catalogue: every elementwise activation function, a paragraph each, in one file for each family.

A paragraph is the slope, the formula and what readers want to know. Forward, derivative and backward passes, for every
dtype, backend and layout, are made from it. To add an activation, write its paragraph in the family's file and its
definition in measure/verification/definitions.py. Formulas use _kernels/scalar/ alone; `like(c, x)` is the constant c
in the dtype of x.
"""

from typing import TYPE_CHECKING

from fastact._core.activation import public

# In the order in which a beginner should meet them, which is that of `fastact.names()`.
from fastact.functions.activations.piecewise import *
from fastact.functions.activations.sigmoids import *
from fastact.functions.activations.rectifiers import *
from fastact.functions.activations.smooth import *
from fastact.functions.activations.periodic import *
from fastact.functions.activations.randomised import *

if not TYPE_CHECKING:  # type checkers then see every name
    __all__ = public(globals())
