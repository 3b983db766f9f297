"""cross_entropy and nll_loss: losses of classes.

The kernels are in native/softmax/cross_entropy.pxi, the reference is in backends/numpy/cross_entropy.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastact._core import containers, dispatch, registry
from fastact._core.arguments import class_loss_arguments
from fastact._core.function import Function, Metadata

__all__ = ["CrossEntropy", "NllLoss", "cross_entropy", "nll_loss"]


class CrossEntropy(Function):
    """Cross-entropy of the softmax of logits with classes, or with probabilities of all classes.

    loss = -sum_c q_c log(softmax(logits)_c), q_c = weight_c ((1 - label_smoothing) p_c + label_smoothing / classes),
    where p_c are the target's probabilities: 1 for the class itself if targets are classes.

    Parameters
    ----------
    logits : array_like
        Classes lie along `axis`. float16, bfloat16 (of ml_dtypes), float32 and float64 are kept; half types are
        computed in float32, and other real dtypes converted as by `numpy.exp`. Containers are kept too, as
        docs/guides/containers.md says.
    targets : array_like
        Classes: integers from 0, of the shape of logits without `axis`. Or probabilities: floats of logits' shape.
    axis : int or str, default -1
        A name is of a dimension, which containers have.
    weight : array_like, optional
        The weight of each class.
    ignore_index : int, default -100
        Targets of this number do not count: their loss and gradient are 0, and their logits may be NaN. For classes.
    label_smoothing : float, default 0
        From 0 to 1: how much of the target is spread evenly over all classes.
    reduction : {"mean", "sum", "none"}
        The mean over the targets that count, weighted by the weights of their classes; with probabilities, over all.
    backend : str, optional
        "cython", "numpy", "cuda" or "auto".

    Returns
    -------
    scalar or ndarray
        In the dtype of logits; for reduction="none" of the shape of logits without `axis`. Arrays on a GPU give arrays
        there, and their targets are not checked: one that is no class makes loss and gradient NaN.

    Raises
    ------
    numpy.exceptions.AxisError
        If there is no such axis.
    TypeError
        For logits that are no real numbers, or `out` of another dtype.
    ValueError
        If a target is no class (the message names the first), or shapes do not fit.

    Notes
    -----
    `value_and_grad` takes the same arguments, and as `out` where it writes the gradient: of the shape and dtype of
    logits, which it may be.

    Names and meanings are PyTorch's, but for `axis` (there the second). The mean of no targets is NaN. Sums over rows
    are accumulated in float64. A class of probability 0 may have a logit of -inf: its loss is 0, not NaN. Largest error
    of a loss: 4 units of its dtype's epsilon, however small it is; of the gradient 5, of the larger of its two terms.

    References
    ----------
    Szegedy, Vanhoucke, Ioffe, Shlens, Wojna. Rethinking the Inception architecture for computer vision. CVPR 2016
    (label smoothing).

    Examples
    --------
    >>> import fastact as fa
    >>> float(fa.cross_entropy([[2.0, 1.0, 0.1]], [0]).round(3))
    0.417
    >>> loss, gradient = fa.cross_entropy.value_and_grad([[2.0, 1.0, 0.1]], [0])
    >>> gradient.round(3)
    array([[-0.341,  0.242,  0.099]])
    """

    name = "cross_entropy"
    kind = "loss"
    _family = "class loss"
    metadata = Metadata(
        formula="-sum_c q_c log(softmax(logits)_c)",
        derivative_formula="softmax(logits)_c sum(q) - q_c",
        range="[0, inf)",
        kinks="smooth",
        reference="Label smoothing: Szegedy, Vanhoucke, Ioffe, Shlens, Wojna. Rethinking the Inception architecture "
        "for computer vision. CVPR 2016.",
        notes={
            "for": "exact for saturated logits; its gradient does not vanish where the network is wrong",
            "against": "confident mistakes in the labels weigh much: see label_smoothing",
            "use": "classification into several classes",
        },
    )

    def __call__(
        self,
        logits: ArrayLike,
        targets: ArrayLike,
        axis: int | str = -1,
        *,
        weight: ArrayLike | None = None,
        ignore_index: int = -100,
        label_smoothing: float = 0.0,
        reduction: str = "mean",
        backend: str | None = None,
    ) -> Any:
        options = weight, ignore_index, reduction, label_smoothing
        return self._losses("__call__", logits, targets, axis, *options, backend)

    def value_and_grad(
        self,
        logits: ArrayLike,
        targets: ArrayLike,
        axis: int | str = -1,
        *,
        weight: ArrayLike | None = None,
        ignore_index: int = -100,
        label_smoothing: float = 0.0,
        reduction: str = "mean",
        out: np.ndarray | None = None,
        backend: str | None = None,
    ) -> tuple[Any, Any]:
        """The loss, and its gradient with respect to the logits; of their sum, where reduction="none"."""
        options = weight, ignore_index, reduction, label_smoothing
        found: tuple[Any, Any] = self._losses("value_and_grad", logits, targets, axis, *options, backend, out)
        return found

    def _losses(
        self, method: str, logits: ArrayLike, targets: ArrayLike, axis: int | str, weight: ArrayLike | None,
        ignore_index: int, reduction: str, label_smoothing: float, backend: str | None, out: np.ndarray | None = None,
    ) -> Any:  # fmt: skip
        gradient = method == "value_and_grad"
        adapter = containers.adapter(logits, targets, weight, out)
        if adapter is not None:
            given = {"axis": axis, "weight": weight, "ignore_index": ignore_index, "label_smoothing": label_smoothing}
            given |= {"reduction": reduction, "backend": backend, **({"out": out} if gradient else {})}
            return adapter.call(self, method, (logits, targets), given)
        chosen = dispatch.choose(self._family, backend, logits, targets)
        logits, targets, weight, out = chosen.seen(logits, targets, weight, out)
        options = weight, ignore_index, reduction, label_smoothing, gradient, out
        found = chosen.cross_entropy(class_loss_arguments(self.name, logits, targets, axis, *options))
        return found if gradient else found[0]


class NllLoss(Function):
    """Negative log-likelihood of classes, from log-probabilities such as those of `log_softmax`.

    loss = -weight_t log_probabilities_t, t the target

    Parameters
    ----------
    log_probabilities : array_like
        Classes lie along `axis`.
    targets, axis, weight, ignore_index, reduction
        As for `cross_entropy`, with classes; that is faster and more exact than this of `log_softmax`.
    backend : str, optional
        "cython", "numpy", "cuda" or "auto". The CPU's are the same: plain NumPy picks the numbers.

    Returns
    -------
    scalar or ndarray
        In the dtype of log_probabilities; for reduction="none" of their shape without `axis`.

    Raises
    ------
    numpy.exceptions.AxisError, TypeError, ValueError
        As `cross_entropy`; TypeError for targets that are probabilities.

    Examples
    --------
    >>> import fastact as fa
    >>> logits = [[2.0, 1.0, 0.1]]
    >>> float(fa.nll_loss(fa.log_softmax(logits), [0]).round(3))
    0.417
    """

    name = "nll_loss"
    kind = "loss"
    _family = "class loss"
    metadata = Metadata(
        formula="-weight_t log_probabilities_t, t the target",
        derivative_formula="-weight_t for the target, 0 for other classes",
        kinks="smooth",
        notes={
            "for": "takes log-probabilities from wherever they come",
            "against": "cross_entropy of logits is faster and more exact",
            "use": "models that give log-probabilities",
        },
    )

    def __call__(
        self,
        log_probabilities: ArrayLike,
        targets: ArrayLike,
        axis: int | str = -1,
        *,
        weight: ArrayLike | None = None,
        ignore_index: int = -100,
        reduction: str = "mean",
        backend: str | None = None,
    ) -> Any:
        adapter = containers.adapter(log_probabilities, targets, weight)
        if adapter is not None:
            given = {"axis": axis, "weight": weight, "ignore_index": ignore_index, "reduction": reduction}
            return adapter.call(self, "__call__", (log_probabilities, targets), {**given, "backend": backend})
        chosen = dispatch.choose(self._family, backend, log_probabilities, targets)
        x, targets, weight = chosen.seen(log_probabilities, targets, weight)
        options = weight, ignore_index, reduction
        return chosen.nll_loss(class_loss_arguments(self.name, x, targets, axis, *options, probabilities=False))


cross_entropy = CrossEntropy()
nll_loss = NllLoss()
for _function in (cross_entropy, nll_loss):
    registry.add(_function)
