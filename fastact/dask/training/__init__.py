"""Networks on dask's collections: fit, predict and score, on one machine or many.

A step is a handful of tasks without a state, each of which computes the gradient of some rows of one block. Their
results are added in the order of the blocks, so that the bits depend on data, chunks and seed alone: not on how many
workers there are, nor on which of them are lost. `tasks.py` has what workers run, `source.py` what a step consists of,
`trainer.py` the step, `schedulers.py` who runs the tasks and what can befall them.
"""

from fastact.dask.training.blocks import aligned
from fastact.dask.training.predictions import by_block, predicted
from fastact.dask.training.schedulers import Scheduler
from fastact.dask.training.scores import mean, r2_score, score
from fastact.dask.training.source import source_of

__all__ = ["Scheduler", "aligned", "by_block", "mean", "predicted", "r2_score", "score", "source_of"]
