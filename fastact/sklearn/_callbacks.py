"""The hooks of sklearn.callback, which scikit-learn has from 1.9; before, nobody calls them.

An epoch is a subtask of `fit`. What a callback can ask for is made only if it asks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """scikit-learn's, without `set_callbacks`."""

        def _init_callback_context(self, **options: Any) -> None:
            return None

    def with_callbacks(method: Any) -> Any:
        return method


__all__ = ["CallbackSupportMixin", "Hooks", "NoHooks", "with_callbacks"]


class NoHooks:
    """Calls nobody: `partial_fit` has no callbacks."""

    def epoch_begins(self) -> None:
        pass

    def epoch_ends(self) -> bool:
        """Return whether a callback wants training to stop."""
        return False

    def fit_ends(self) -> None:
        pass


class Hooks(NoHooks):
    """Calls an estimator's callbacks at both ends of `fit` and of each epoch.

    `fitted()` gives the attributes with which the estimator predicts as if `fit` had ended now.
    """

    def __init__(
        self, estimator: Any, X: Any, y: Any, sample_weight: Any, fitted: Callable[[], dict[str, Any]]
    ) -> None:
        metadata = {} if sample_weight is None else {"sample_weight": sample_weight}
        self._data = {"estimator": estimator, "X": X, "y": y, "metadata": metadata}
        self._fitted = fitted
        self._epoch: Any = None
        self._fit = estimator._init_callback_context(max_subtasks=estimator.max_iter)
        if self._fit is not None:
            self._fit.call_on_fit_task_begin(**self._data)

    def epoch_begins(self) -> None:
        if self._fit is not None:
            self._epoch = self._fit.subcontext(task_name="epoch")
            self._epoch.call_on_fit_task_begin(**self._data)

    def epoch_ends(self) -> bool:
        context, self._epoch = self._epoch, None
        return context is not None and context.call_on_fit_task_end(
            **self._data, reconstruction_attributes=self._fitted
        )

    def fit_ends(self) -> None:
        if self._epoch is not None:  # it was interrupted, or diverged
            self._epoch.call_on_fit_task_end(**self._data)
        if self._fit is not None:
            self._fit.call_on_fit_task_end(**self._data, reconstruction_attributes=self._fitted)
