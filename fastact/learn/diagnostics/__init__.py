"""What goes wrong in the training of a network, and what helps.

- monitor.py: `Monitor`, the callback that watches any `fa.MLP`; measures.py has what it measures, observations.py what
  is then known
- diagnosis.py: `Diagnosis`, what it saw
- alarms.py: when to worry, with the advice of remedies.py
- chance.py, rates.py, one_batch.py: checks before training: `first_loss`, `learning_rate_range`, `overfit_batch`
"""

from fastact.learn.diagnostics.alarms import Alarm
from fastact.learn.diagnostics.chance import FirstLoss, first_loss
from fastact.learn.diagnostics.diagnosis import Diagnosis
from fastact.learn.diagnostics.monitor import Monitor
from fastact.learn.diagnostics.one_batch import OneBatch, overfit_batch
from fastact.learn.diagnostics.rates import LearningRates, learning_rate_range

__all__ = [
    "Alarm",
    "Diagnosis",
    "FirstLoss",
    "LearningRates",
    "Monitor",
    "OneBatch",
    "first_loss",
    "learning_rate_range",
    "overfit_batch",
]
