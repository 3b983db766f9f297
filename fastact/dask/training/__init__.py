"""Networks on dask's collections: fit, predict and score, on one machine or many.

A step is a handful of tasks without a state, each of which computes the gradient of some rows of one block. Their
results are added in the order of the blocks, so that the bits depend on data, chunks and seed alone: not on how many
workers there are, nor on which of them are lost. `tasks.py` has what workers run, `source.py` what a step consists of,
`trainer.py` the step, `schedulers.py` who runs the tasks and what can befall them.
"""

from fastact.dask.training.blocks import Table, aligned, as_array
from fastact.dask.training.predictions import by_block, predicted
from fastact.dask.training.schedulers import Scheduler
from fastact.dask.training.scores import Fit, accuracy, hits_of, mean, r2_score
from fastact.dask.training.source import source_of, watched

__all__ = [
    "Fit", "Scheduler", "Table", "accuracy", "aligned", "as_array", "by_block", "hits_of", "mean", "predicted",
    "r2_score", "source_of", "watched",
]  # fmt: skip
