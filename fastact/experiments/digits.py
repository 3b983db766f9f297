"""The digits experiment: which hidden activation learns handwritten digits best, and how fast.

It holds the data (1,797 pictures of 8 x 8 pixels that scikit-learn ships) and the settings; training.py runs it.
"""

from __future__ import annotations

from fastact.errors import require
from fastact.experiments.results import Settings
from fastact.experiments.training import Data

SETTINGS = Settings(layers=(64, 128, 64, 10), output="softmax", epochs=15, batch_size=32, learning_rate=0.002)
TARGET = 0.95
"""The accuracy whose first epoch is reported."""


def splits(seeds: int) -> list[Data]:
    """One stratified split per seed: 80 % to learn from, 20 % held out.

    Each pixel is scaled to mean 0 and standard deviation 1 with figures taken from the training part alone,
    so that nothing of the held-out part leaks into the training. A pixel that never changes stays as it is.
    """
    purpose = "the digits experiment"
    features, labels = require("sklearn.datasets", "demo", purpose).load_digits(return_X_y=True)
    split = require("sklearn.model_selection", "demo", purpose).train_test_split
    parts = []
    for seed in range(seeds):
        train_x, test_x, train_y, test_y = split(features, labels, test_size=0.2, stratify=labels, random_state=seed)
        centre, width = train_x.mean(axis=0), train_x.std(axis=0)
        width[width == 0] = 1
        parts.append(Data((train_x - centre) / width, train_y, (test_x - centre) / width, test_y))
    return parts
