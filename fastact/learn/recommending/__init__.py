"""Which function to take: `recommend` looks it up in the tables of tasks and problems.

tasks.py says what suits a task, problems.py what helps against a problem; lookup.py makes one answer of both. All are
loaded by the first question.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastact.learn.recommending.answer import Recommendation

__all__ = ["recommend"]


def recommend(layer: str | None = None, task: str | None = None, problem: str | None = None) -> Recommendation:
    """Recommend activation functions for a layer, a task or a problem of training, with reasons.

    Spelling is free: "Dying ReLU", "dying-relu" and "dead units" are the same problem, "cnn" is the task "image".

    Parameters
    ----------
    layer : {"hidden", "output"}, optional
        The kind of layer; both unless given.
    task : str, optional
        What the network is for: "binary classification", "regression", "image", "rnn", "transformer", "gan" ...
    problem : str, optional
        What goes wrong: "dying relu", "vanishing gradient", "exploding gradient", "slow training", "overfitting" ...

    Returns
    -------
    Recommendation
        In the language in use; see `fastact.language.use`.

    Raises
    ------
    UnknownNameError
        For a word that is not known; the message names the nearest, or else all.

    Examples
    --------
    >>> import fastact as fa
    >>> fa.recommend("hidden").functions
    ('relu', 'leaky_relu', 'elu', 'swish')
    >>> fa.recommend("output", task="multi-class").functions
    ('softmax',)
    >>> print(fa.recommend("hidden", task="image", problem="dying relu").diagnosis)
    A unit is dead when its input is negative for every sample: ...
    """
    from fastact.learn.recommending import lookup

    return lookup.recommended(layer, task, problem)
