"""Networks for tables: a model that takes a table as it is, what its training showed, and its file.

- training.py: `train`, and findings.py: `Training`, what it returns
- model.py: `TableModel`; scores.py: how good its predictions are
"""

from fastact.learn.tabular.findings import Training, score_tables
from fastact.learn.tabular.model import TableModel
from fastact.learn.tabular.scores import ClassScores, NumberScores, scores_for
from fastact.learn.tabular.training import train

__all__ = ["ClassScores", "NumberScores", "TableModel", "Training", "score_tables", "scores_for", "train"]
