"""The multi-layer perceptron: construction, training, prediction and storage.

It is the one public object of this folder. training.py has the step and the loop over batches; here is the loop over
epochs, and what checks or stores.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from copy import copy
from os import PathLike
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from fastact.errors import require
from fastact.mlp import files
from fastact.mlp.data import as_choice, as_integer, as_table
from fastact.mlp.eager import Eager
from fastact.mlp.initialisers import INITIALISERS, suited_to
from fastact.mlp.layers import Dense, Kept, forward
from fastact.mlp.namespaces import DEVICES, moved, namespace_for, namespace_of
from fastact.mlp.objectives import Target, r2_score
from fastact.mlp.settings import settled
from fastact.mlp.training import gradients, trainer_for

__all__ = ["MLP"]

#: What `fit` adds to the history.
_RECORDED = ("loss", "accuracy", "seconds", "val_loss", "val_accuracy")

#: Attributes of a model that its settings, arrays and random state give to a copy.
_MADE_ANEW = ("_xp", "parameters", "gradients", "optimizer", "history", "rng", "layers")


class MLP:
    """A multi-layer perceptron: dense layers, each followed by an activation, trained by mini-batches.

    Parameters
    ----------
    layer_sizes : sequence of int
        Units per layer from the inputs to the outputs, for example (64, 128, 64, 10).
    activation : str, fastact activation, or a list of them
        For all hidden layers, or one per hidden layer. One's own `@fa.activation` object works as well.
    output : str or fastact activation
        Of the last layer: "softmax" for classes, "sigmoid" for two classes, "identity" for real numbers.
    loss : {"auto", "mse", "huber", "bce", "cross_entropy"}
        "cross_entropy" goes with softmax and "bce" with one sigmoid unit, both computed from the
        preactivations; "mse" and "huber" go with any output. "auto" takes the one for the output, else mse.
    optimizer : {"adam", "sgd"}
    learning_rate : float
    momentum : float
        SGD's momentum; Adam's beta1.
    init : {"auto", "he", "glorot"}
        "auto" takes He for rectifiers and Glorot for the rest, layer by layer.
    batch_size : int
    seed : int, optional
        Decides weights and shuffling: equal seeds and data give equal bits.
    dtype : {float32, float64}
    device : {"cpu", "cuda"}
        Where the model is kept and computed. "cuda" is the current GPU; it needs CuPy, which the extra "cupy" brings
        for CUDA 13 (for CUDA 12 install cupy-cuda12x). Equal seeds give equal initial weights and shuffling on both.
        Data may be on either side whatever the device: it is copied once, and predictions return to its side.

    Attributes
    ----------
    layers : list of Dense
        Weights, bias, their gradients, and the arrays of the last forward pass.
    parameters, gradients : ndarray
        All of the layers' parameters and gradients as one flat vector each; the layers hold views. On the device, as
        all arrays of the layers are: NumPy's or CuPy's.
    optimizer : Optimiser
        Its `learning_rate` may be changed between epochs.
    history : dict of lists
        One entry per epoch: loss, accuracy (means over the epoch's batches, classification only), val_loss,
        val_accuracy, and the seconds that training took.

    Examples
    --------
    >>> import fastact as fa
    >>> X, y = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
    >>> model = fa.MLP((2, 4, 1), activation="tanh", output="sigmoid", learning_rate=0.05, seed=0)
    >>> model.fit(X, y, epochs=500).predict(X)
    array([0, 1, 1, 0])
    """

    def __init__(
        self,
        layer_sizes: Sequence[int],
        activation: Any = "relu",
        output: Any = "identity",
        loss: str = "auto",
        optimizer: str = "adam",
        learning_rate: float = 1e-3,
        momentum: float = 0.9,
        init: str = "auto",
        batch_size: int = 32,
        seed: int | None = None,
        dtype: DTypeLike = np.float32,
        device: str = "cpu",
    ) -> None:
        settings = settled(
            layer_sizes, activation, output, loss, optimizer, learning_rate, momentum, init, batch_size, seed, dtype
        )
        self.layer_sizes = settings.layer_sizes
        self.loss = settings.loss
        self.init = settings.init
        self.batch_size = settings.batch_size
        self.seed = settings.seed
        self.dtype = settings.dtype
        self.device = as_choice(device, "device", DEVICES)
        self._xp = namespace_for(self.device)

        self.parameters = self._xp.zeros(settings.parameters, self.dtype)
        self.gradients = self._xp.zeros_like(self.parameters)
        self.optimizer = settings.optimizer(self.parameters, self.gradients, settings.learning_rate, settings.momentum)
        self.history: dict[str, list[float]] = {}
        self.rng = np.random.default_rng(self.seed)
        self.layers: list[Dense] = []
        start = 0
        for shape, f in zip(settings.shapes, settings.activations, strict=True):
            end = start + (shape[0] + 1) * shape[1]
            layer = Dense(shape, f, self.parameters[start:end], self.gradients[start:end])
            initialise = INITIALISERS[suited_to(f, self.dtype) if self.init == "auto" else self.init]
            layer.weights = initialise(self.rng, shape)
            self.layers.append(layer)
            start = end

    def __repr__(self) -> str:
        settings = {**self._settings(), "device": self.device}
        return f"MLP({', '.join(f'{name}={value!r}' for name, value in settings.items())})"

    # ---- training

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        *,
        epochs: int,
        validation: tuple[ArrayLike, ArrayLike] | None = None,
        progress: bool = False,
        callback: Callable[[int, MLP], object] | None = None,
    ) -> Self:
        """Train for `epochs` more passes over the data, shuffled before each; a second call goes on.

        Parameters
        ----------
        X : array_like (samples, inputs)
        y : array_like
            cross_entropy: labels from 0, or a distribution per row; bce: labels 0 and 1; mse and huber: numbers.
        validation : (X, y), optional
            Held-out data, evaluated after every epoch.
        progress : bool
            Show a bar on stderr; needs rich.
        callback : callable, optional
            Called as callback(epoch, model) after each epoch, counted from 1; a true result stops training.

        Raises
        ------
        FloatingPointError
            The loss or a weight became infinite or nan.

        Notes
        -----
        After any error, or Ctrl-C, the model is at the end of its last whole epoch: weights, optimiser, history and
        random state, so that another `fit` goes on as if the broken epoch had never begun.
        """
        x, target = self._pair(X, y, "")
        held_out = None
        if validation is not None:
            if not isinstance(validation, list | tuple) or len(validation) != 2:
                raise TypeError(f"validation must be a pair (X, y), got {type(validation).__name__}")
            held_out = self._pair(*validation, "validation ")
        epochs = as_integer(epochs, "epochs", 1)
        trainer, done = trainer_for(self, x, target), 0
        most = trainer.most if callback is None and held_out is None else 1
        with _progress_bar(epochs) if progress else nullcontext(lambda epochs, text: None) as advance:
            while done < epochs:
                before = self._state()
                try:
                    records = trainer.run(min(epochs - done, most))
                    if held_out is not None:
                        records.update(self._evaluation(*held_out))
                    for name, values in records.items():
                        self.history.setdefault(name, []).extend(values)
                except BaseException:
                    self._go_back(*before)
                    raise
                done += len(records["loss"])
                advance(len(records["loss"]), f"loss {records['loss'][-1]:.4f}")
                if callback is not None and callback(len(self.history["loss"]), self):
                    break
        return self

    def _state(self) -> tuple[Any, ...]:
        """All that training changes, for `_go_back`."""
        arrays = [(array, array.copy()) for array in (self.parameters, self.optimizer.state)]
        lengths = {name: len(self.history.get(name, ())) for name in _RECORDED}
        return arrays, self.optimizer.steps, self.rng.bit_generator.state, lengths

    def _go_back(self, arrays: Any, steps: int, random_state: Any, lengths: dict[str, int]) -> None:
        for array, before in arrays:
            array[...] = before
        self.optimizer.steps, self.rng.bit_generator.state = steps, random_state
        for name, length in lengths.items():
            values = self.history.get(name, [])
            del values[length:]
            if not values:
                self.history.pop(name, None)

    def permutation(self, samples: int) -> NDArray[np.int64]:
        """The order in which an epoch takes the samples, from the model's random state."""
        return self.rng.permutation(samples)

    def _evaluation(self, x: NDArray[Any], target: Target) -> dict[str, list[float]]:
        run = Eager(len(x), target.weights)
        passes = forward(run, self.layers, x, not self.loss.fused)
        self.loss.gradient(run, self.layers[-1], passes[-1], target)
        scores = {"val_accuracy": [float(run.right / len(x))]} if self.loss.classifies else {}
        return {"val_loss": [float(run.loss)], **scores}

    def loss_and_gradients(self, X: ArrayLike, y: ArrayLike) -> tuple[float, NDArray[Any]]:
        """The mean loss over the data, and `gradients` filled with its gradient by `parameters`."""
        x, target = self._pair(X, y, "")
        run = Eager(len(x), target.weights)
        self._keep(gradients(run, self, x, target, output=True))
        return float(run.loss), self.gradients

    # ---- prediction

    def forward(self, X: ArrayLike) -> NDArray[Any]:
        """The output layer's activations (samples, outputs); `layers` keep what led to them."""
        return moved(self._forward(X, True).output, namespace_of(X))

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Labels (samples,), or for mse and huber the outputs: (samples,) of one unit, (samples, outputs) of more."""
        return moved(self.loss.predict(self._forward(X, not self.loss.fused)), namespace_of(X))

    def predict_proba(self, X: ArrayLike) -> NDArray[Any]:
        """Probabilities (samples, classes); two columns for one sigmoid unit."""
        if not self.loss.classifies:
            raise TypeError(f"predict_proba needs a classifying loss, this model has {self.loss.name}; use predict")
        output = self.forward(X)
        return namespace_of(output).hstack([1 - output, output]) if output.shape[1] == 1 else output

    def score(self, X: ArrayLike, y: ArrayLike) -> float:
        """Accuracy, or for mse and huber R^2."""
        x, target = self._pair(X, y, "")
        if self.loss.classifies:
            return self._evaluation(x, target)["val_accuracy"][0]
        return r2_score(self._forward(x, True).output, target.table)

    def _forward(self, X: ArrayLike, output: bool) -> Kept:
        """Send samples through the network, and return what the last layer gave."""
        x = moved(as_table(X, "X", self.layer_sizes[0], self.dtype), self._xp)
        passes = forward(Eager(len(x)), self.layers, x, output)
        self._keep(passes)
        return passes[-1]

    def _keep(self, passes: list[Kept]) -> None:
        for layer, kept in zip(self.layers, passes, strict=True):
            layer.keep(kept)

    def _pair(self, X: ArrayLike, y: ArrayLike, prefix: str) -> tuple[NDArray[Any], Target]:
        x = as_table(X, f"{prefix}X", self.layer_sizes[0], self.dtype)
        target = self.loss.targets(y, f"{prefix}y", self.layer_sizes[-1], self.dtype)
        if len(x) != target.samples:
            raise ValueError(f"{prefix}X has {len(x)} samples and {prefix}y {target.samples}; they must pair up")
        return moved(x, self._xp), target.moved(self._xp)

    # ---- storage

    def save(self, path: str | PathLike[str]) -> None:
        """Write weights, settings, history, optimiser and random state to `path`, all or nothing; not the device.

        Raises
        ------
        ValueError
            `load` would refuse the model, for a weight that is nan for example, or `path` is no regular file. Whatever
            is at `path` stays as it was.
        """
        files.write(path, *self._pack())

    @classmethod
    def load(cls, path: str | PathLike[str], device: str = "cpu") -> Self:
        """The model that `save` wrote: predicts the same bits, and `fit` goes on as if it had never stopped.

        `device` is as in the constructor, and need not be the one that the model was trained on. A subclass is called
        with the settings as keywords.

        Raises
        ------
        ValueError
            The file is no model, is damaged, or uses an activation that is not registered here.
        """
        as_choice(device, "device", DEVICES)
        header, arrays = files.read(path)
        model = cls(**header["settings"], device=device)
        model._unpack(header, arrays)
        return model

    def _settings(self) -> dict[str, Any]:
        """The constructor's arguments but the device, as JSON can hold them."""
        return {
            "layer_sizes": list(self.layer_sizes),
            "activation": [layer.activation.name for layer in self.layers[:-1]],
            "output": self.layers[-1].activation.name,
            "loss": self.loss.name,
            "optimizer": self.optimizer.name,
            "learning_rate": self.optimizer.learning_rate,
            "momentum": self.optimizer.momentum,
            "init": self.init,
            "batch_size": self.batch_size,
            "seed": self.seed,
            "dtype": self.dtype.name,
        }

    def _pack(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        header = {
            "settings": self._settings(),
            "history": self.history,
            "steps": self.optimizer.steps,
            "random_state": self.rng.bit_generator.state,
        }
        return header, {name: moved(array, np) for name, array in self._arrays().items()}

    def _arrays(self) -> dict[str, NDArray[Any]]:
        arrays = {"optimizer_state": self.optimizer.state}
        for i, layer in enumerate(self.layers):
            arrays |= {f"weights_{i}": layer.weights, f"bias_{i}": layer.bias}
        return arrays

    def _unpack(self, header: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> None:
        for name, array in self._arrays().items():
            array[...] = moved(arrays[name], self._xp)
        self.history = {name: copy(values) for name, values in header["history"].items()}
        self.optimizer.steps = header["steps"]
        self.rng.bit_generator.state = header["random_state"]

    def __reduce__(self) -> tuple[Any, ...]:
        """Rebuild a copy from settings and arrays, so that its layers are views of its own parameters."""
        state = self.__getstate__()
        attributes, slots = state if isinstance(state, tuple) else (state, None)
        others = {name: value for name, value in attributes.items() if name not in _MADE_ANEW}
        return _duplicate, (type(self), *self._pack(), self.device), (others, slots) if slots else others


def _duplicate(cls: type[MLP], header: dict[str, Any], arrays: dict[str, NDArray[Any]], device: str) -> MLP:
    """Make a copy without calling the constructor of a subclass."""
    model = cls.__new__(cls)
    MLP.__init__(model, **header["settings"], device=device)
    model._unpack(header, arrays)
    return model


@contextmanager
def _progress_bar(epochs: int) -> Iterator[Callable[[int, str], None]]:
    purpose = "MLP.fit(progress=True)"
    console = require("rich.console", "demo", purpose).Console(stderr=True)
    with require("rich.progress", "demo", purpose).Progress(console=console) as bar:
        task = bar.add_task("training", total=epochs)
        yield lambda epochs, text: bar.update(task, advance=epochs, description=text)
