"""The multi-layer perceptron: construction, training, prediction and storage.

It is the one public object of this folder. training.py has the step, fitting.py the loop over epochs; here is what
checks, predicts or stores.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from copy import copy
from functools import partial
from os import PathLike
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from fastact._core.services import service
from fastact.errors import require
from fastact.mlp import files, fitting, weights
from fastact.mlp.data import (
    as_choice,
    as_integer,
    as_rate,
    as_table,
)
from fastact.mlp.eager import Eager
from fastact.mlp.initialisers import INITIALISERS, suited_to
from fastact.mlp.layers import Kept, forward, stacked
from fastact.mlp.namespaces import DEVICES, is_lazy, moved, namespace_for, namespace_of
from fastact.mlp.objectives import Target, r2_score
from fastact.mlp.settings import settled
from fastact.mlp.sources import checked, source_of
from fastact.mlp.stopping import Course
from fastact.mlp.training import History, gradients

__all__ = ["MLP"]

#: The rows of a batch, unless the user says.
_ROWS = 32

#: Attributes of a model that its settings, arrays and random state give to a copy.
_MADE_ANEW = (
    "_xp", "parameters", "gradients", "statistics", "optimizer", "history", "epochs", "samples", "_key", "_rng",
    "layers", "_course",
)  # fmt: skip


class MLP:
    """A multi-layer perceptron: dense layers, each followed by an activation, trained by mini-batches.

    A setting that is a name and has parameters is a mapping: `loss={"name": "huber", "delta": 0.5}`.

    Parameters
    ----------
    layer_sizes : sequence of int
        Units per layer from the inputs to the outputs, for example (64, 128, 64, 10).
    activation : str, fastact activation, mapping, or a list of them
        For all hidden layers, or one per hidden layer. One's own `@fa.activation` object works as well. A mapping has
        parameters: {"name": "leaky_relu", "alpha": 0.2}.
    output : str, fastact activation or mapping
        Of the last layer: "softmax" for classes, "sigmoid" for two classes or for labels that do not exclude each
        other, "identity" for real numbers.
    loss : {"auto", "mse", "mae", "huber", "quantile", "poisson", "bce", "cross_entropy"} or mapping
        "cross_entropy" goes with softmax and "bce" with sigmoid, both computed from the preactivations. "poisson", of
        counts, goes with identity, whose output is then the logarithm of the rate that `predict` gives. The others go
        with any output; parameters are huber's delta (1) and the quantile q (0.5). "auto" takes the one for the
        output, else mse. All but cross_entropy are means over the units, and take a factor `scale` (1).
    optimizer : {"adam", "adamw", "sgd", "nesterov", "rmsprop", "lbfgs"} or mapping
        Parameters are beta2 and epsilon of Adam (0.999, 1e-8; epsilon_hat=True takes the paper's other one), AdamW
        and RMSprop (0.9, 1e-8). "lbfgs" is SciPy's: it takes all samples at once, an epoch is an iteration, and it
        starts anew in each `fit`.
    learning_rate : float
    momentum : float
        Of SGD and Nesterov; Adam's beta1.
    init : {"auto", "he", "glorot", "lecun", "orthogonal"}
        "auto" takes He for rectifiers and Glorot for the rest, layer by layer, and divides those of n residual layers
        by sqrt(n), so that the sum of all stays bounded (Hayou et al., Stable ResNet, AISTATS 2021). He and orthogonal
        weights are scaled to the layer's activation: by 1 / sqrt(E[f(z)**2]), for a standard normal z.
    batch_size : int, optional
        32 unless given, or all samples where there are fewer. For dask's collections see `fit`.
    seed : int, optional
        Decides weights, shuffling and dropout: equal seeds and data give equal bits.
    dtype : {float32, float64}
    device : {"cpu", "cuda"}
        Where the model is kept and computed. "cuda" is the current GPU; it needs CuPy, which the extra "cupy" brings
        for CUDA 13 (for CUDA 12 install cupy-cuda12x). Equal seeds give equal initial weights and shuffling on both.
        Data may be on either side whatever the device: it is copied once, and predictions return to its side.
    batch_norm : bool or list of bool
        Normalise the preactivations of hidden layers, of all or as the list says of each, by the batch, and for
        predictions by running averages, of which each batch replaces a tenth.
    residual : bool or list of bool
        Add the input of a hidden layer to its output, where their sizes agree; for all or one per hidden layer.
    dropout : float or list of float
        The share of a hidden layer's outputs that training drops, for all or one per hidden layer.
    trainable : bool or list of bool
        Train the parameters of hidden activations too, such as leaky_relu's alpha (PReLU) or swish's beta, one per
        unit, from those given or their defaults on; for all or one per hidden layer.
    l2 : float
        Adds l2 / 2 * sum(weights**2) to the loss in training; biases are free.
    l2_shared : bool
        Divide that by the samples of the batch (or their weights' sum), as scikit-learn does.
    weight_decay : float, optional
        Multiplies weights by 1 - learning_rate * weight_decay in each step. 0 unless given, and 0.01 for "adamw".
    clip_norm, clip_value : float, optional
        The largest norm of all gradients together, and the largest size of each.
    schedule : {"constant", "inverse_scaling", "adaptive", "cosine", "step"}, mapping or function
        What multiplies the learning rate: 1 / (1 + samples in the epochs before)**power (0.5); "adaptive" divides it by
        5 where the training loss has not fallen by `tolerance` (1e-4) in more than `patience` (10) epochs in a row;
        "cosine" rises during `warm_up` (0) steps and falls to `least` (0) at step `steps`; "step" multiplies it by
        `factor` (0.1) every `every` epochs; a function gets the step, from 1, and the number of epochs before.

    Attributes
    ----------
    layers : list of Dense
        Weights, bias, their gradients, and the arrays of the last forward pass.
    parameters, gradients : ndarray
        All that is trained, of all layers, and its gradients, as one flat vector each; the layers hold views. On the
        device, as all arrays of the layers are: NumPy's or CuPy's.
    statistics : ndarray
        The running averages of batch normalisation, as one flat vector.
    optimizer : Optimiser
        Its `learning_rate` may be changed between epochs.
    history : dict of lists
        One entry per epoch: loss, accuracy (means over the epoch's batches, classification only), val_loss,
        val_accuracy, and the seconds that training took.
    epochs, samples : int
        How many the model was trained with, in whole epochs.

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
        loss: Any = "auto",
        optimizer: Any = "adam",
        learning_rate: float = 1e-3,
        momentum: float = 0.9,
        init: str = "auto",
        batch_size: int | None = None,
        seed: int | None = None,
        dtype: DTypeLike = np.float32,
        device: str = "cpu",
        *,
        batch_norm: bool | Sequence[bool] = False,
        residual: bool | Sequence[bool] = False,
        dropout: float | Sequence[float] = 0.0,
        trainable: bool | Sequence[bool] = False,
        l2: float = 0.0,
        l2_shared: bool = False,
        weight_decay: float | None = None,
        clip_norm: float | None = None,
        clip_value: float | None = None,
        schedule: Any = "constant",
    ) -> None:
        settings = settled(
            layer_sizes, activation, output, loss, optimizer, learning_rate, momentum, init, batch_size, seed, dtype,
            batch_norm, residual, dropout, trainable, l2, l2_shared, weight_decay, clip_norm, clip_value, schedule,
        )  # fmt: skip
        self.layer_sizes = settings.layer_sizes
        self.loss = settings.loss
        self.init = settings.init
        self.batch_size = settings.batch_size
        self.seed = settings.seed
        self.dtype = settings.dtype
        self.l2, self.l2_shared = settings.l2, settings.l2_shared
        flags = {"batch_norm": batch_norm, "residual": residual, "trainable": trainable}
        self._flags = {name: np.asarray(flag).tolist() for name, flag in flags.items()}  # of each layer, or of all
        self.device = as_choice(device, "device", DEVICES)
        self._xp = namespace_for(self.device)

        self.parameters = self._xp.zeros(settings.parameters, self.dtype)
        self.gradients = self._xp.zeros_like(self.parameters)
        self.statistics = self._xp.zeros(settings.statistics, self.dtype)
        self.history: dict[str, list[float]] = {}
        self.epochs, self.samples = 0, 0
        self._rng = np.random.default_rng(self.seed)
        self._key = int(np.random.SeedSequence(self.seed, spawn_key=(1,)).generate_state(1, np.uint64)[0])
        self._course: Course | None = None
        self.layers = stacked(settings.plans, self.parameters, self.gradients, self.statistics)
        for layer, plan in zip(self.layers, settings.plans, strict=True):
            initialise = INITIALISERS[
                suited_to(plan.activation, plan.given, self.dtype) if self.init == "auto" else self.init
            ]
            layer.weights = initialise(self._rng, plan.shape, plan.activation, plan.given)
            if plan.residual and self.init == "auto":
                layer.weights /= math.sqrt(sum(each.residual for each in settings.plans))
        self.optimizer = settings.optimizer
        self.optimizer.bind(self.parameters, self.gradients, [layer.flat_weights for layer in self.layers])

    def __repr__(self) -> str:
        settings = {**self._settings(), "device": self.device}
        return f"MLP({', '.join(f'{name}={value!r}' for name, value in settings.items())})"

    def summary(self) -> str:
        """A table of the layers: what each is made of, its shape, and how many numbers it trains.

        Returns
        -------
        str
        """
        rows = [("layer", "shape", "made of", "parameters")]
        for number, plan in enumerate(layer.plan for layer in self.layers):
            rows.append((str(number), f"{plan.shape[0]} -> {plan.shape[1]}", plan.parts, f"{plan.size:,}"))
        rows.append(("all", "", f"{self.loss.name}, {self.optimizer.name}, {self.dtype}", f"{self.parameters.size:,}"))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join(
            f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c:<{widths[2]}}  {d:>{widths[3]}}" for a, b, c, d in rows
        )

    # ---- training

    def fit(
        self,
        X: Any,
        y: ArrayLike | None = None,
        *,
        epochs: int,
        sample_weight: ArrayLike | None = None,
        class_weight: Mapping[int, float] | str | None = None,
        validation: Any = None,
        shuffle: bool = True,
        batches: int | None = None,
        patience: int | None = None,
        tolerance: float = 1e-4,
        progress: bool = False,
        callback: Callable[[int, MLP], object] | None = None,
        batch_callback: Callable[[int, MLP], object] | None = None,
        checkpoint: str | PathLike[str] | None = None,
        checkpoint_every: int = 1,
        resume: str | PathLike[str] | None = None,
    ) -> Self:
        """Train for `epochs` more passes over the data, shuffled before each; a second call goes on.

        Parameters
        ----------
        X : array_like (samples, inputs), or iterable of batches
            A memmap is read and converted batch by batch. Without y, X is iterated over once for each epoch and gives
            batches (X, y) or (X, y, sample_weight): a list, a generator, a data loader. Arrays and dataframes of dask
            stay where they are; see Notes.
        y : array_like
            cross_entropy: labels from 0, or a distribution per row; bce: labels 0 and 1; others: numbers.
        epochs : int
        sample_weight : array_like (samples,), optional
            The loss of a batch is divided by the sum of its weights. Accuracies count all samples alike.
        class_weight : mapping or "balanced", optional
            What samples of a label weigh, 1 unless given; "balanced" gives all classes the same sum.
        validation : (X, y), (X, y, sample_weight) or float, optional
            Held-out data, evaluated after every epoch. A number is the share of the samples to hold out, of each class
            alike: which ones, the seed decides.
        shuffle : bool
        batches : int, optional
            How many batches of an iterable are an epoch; then it goes on with the next epoch. Unless given, all are.
        patience : int, optional
            Stop after more than so many epochs in a row in which the loss fell by less than `tolerance`: that of
            validation, or else of training. At the end, the weights of the best epoch are restored.
        tolerance : float
        progress : bool
            Show a bar on stderr; needs rich.
        callback : callable, optional
            Called as callback(epoch, model) after each epoch, counted from 1; a true result stops training.
        batch_callback : callable, optional
            Called as batch_callback(step, model) after each update, counted from 1.
        checkpoint : path, optional
            Where to save the model every `checkpoint_every` epochs and at the end, all or nothing.
        checkpoint_every : int
        resume : path, optional
            A checkpoint of a model with the same settings. Training goes on there, up to `epochs` epochs in all, as if
            it had never stopped. So does `MLP.load(path).fit(...)`, for `epochs` epochs more.

        Raises
        ------
        FloatingPointError
            The loss or a weight became infinite or nan.

        Notes
        -----
        After any error, or Ctrl-C, the model is at the end of its last whole epoch: weights, optimiser, history and
        random state, so that another `fit` goes on as if the broken epoch had never begun.

        **dask.** X, y and sample_weight may be arrays, dataframes or series of dask, also larger than memory. Steps
        are then computed by the cluster of the current `distributed.Client`, or without one by dask's scheduler for
        this process (threads, unless dask's configuration says otherwise), on the CPU. Each step sends the parameters
        out once, computes the gradients of some rows of several blocks as tasks that any worker may take, and adds
        them in the order of the blocks. What it computes follows from data, chunks, settings and seed: the bits are
        the same for any number of workers of one kind of machine, and a worker that is lost costs its tasks only.

        - A batch has `batch_size` samples at most: an equal share of each block in a group of batch_size / 256 blocks,
          so that a block gives 256 rows on the average; but of no more than 8 blocks, or what
          dask.config.set({"fastact.blocks-per-step": 8}) says, which bounds how many workers have something to do.
          Unless batch_size is given, groups are as large as they may be, and a batch has 256 rows for each block. A
          group of n samples makes ceil(n / batch_size) steps, and an epoch goes through all groups.
        - Shuffling orders the blocks anew for each epoch, and the rows within each block; rows do not change blocks.
        - A group of blocks is in the workers' memory while it trains, the next one too. Every epoch reads all blocks
          again unless they are in memory: call X.persist() and y.persist() first where they fit. Before training,
          targets and weights are read once to check them.
        - Large batches and few blocks pay: a step takes the scheduler 1 to 2 ms for each block, whatever it computes.
        - batch_norm normalises each block's share by its own mean and variance ("ghost" batches; Hoffer et al.,
          NeurIPS 2017); running averages are of the whole batch. dropout depends on the step, and the row's place in
          it. validation may be of dask too; a share is held out of each block.
        - optimizer="lbfgs" and device="cuda" are refused.

        Raises ConnectionError where the cluster is gone, and RuntimeError where workers die of a task.
        """
        epochs = as_integer(epochs, "epochs", 1)
        source, evaluation = self._given(X, y, sample_weight, class_weight, validation, shuffle, batches)
        source.check()
        looks = fitting.Looks(
            evaluation,
            None if patience is None else as_integer(patience, "patience", 0),
            as_rate(tolerance, "tolerance", math.inf, zero=True),
            callback,
            batch_callback,
            checkpoint,
            as_integer(checkpoint_every, "checkpoint_every", 1),
        )
        if resume is None:
            course, self._course = self._course or Course(), None
            epochs += course.epochs
        else:
            course = self._resumed(resume)
        with _progress_bar(epochs) if progress else nullcontext() as looks.progress:
            fitting.fit(self, source, epochs, looks, course)
        return self

    def partial_fit(
        self,
        X: Any,
        y: ArrayLike | None = None,
        *,
        sample_weight: ArrayLike | None = None,
        class_weight: Mapping[int, float] | str | None = None,
        shuffle: bool = True,
    ) -> Self:
        """Train for one pass over the data as `fit` does, whatever it is: one sample or one class will do.

        Parameters
        ----------
        X, y, sample_weight, class_weight, shuffle
            As for `fit`.

        Returns
        -------
        MLP
            The model itself.
        """
        source, _ = self._given(X, y, sample_weight, class_weight, None, shuffle, None)
        fitting.fit(self, source, 1, fitting.Looks(), Course())
        return self

    def _given(self, X: Any, y: Any, *options: Any) -> tuple[Any, Callable[[], History] | None]:
        """Where batches come from, and what evaluates the data that are held out; the arguments are those of `fit`."""
        if is_lazy(X) or is_lazy(y):
            blocks, watched = service("lazy source")(self, X, y, *options)
            return blocks, None if watched is None else watched.evaluation
        source, held_out = source_of(self, X, y, *options)
        return source, None if held_out is None else partial(self._evaluation, *held_out)

    def _checked(self, *data: Any, prefix: str = "") -> tuple[NDArray[Any], Target]:
        """X, y and perhaps sample_weight as training takes them, on the device; errors put `prefix` before names."""
        return checked(self, *data, prefix=prefix)

    def _resumed(self, path: str | PathLike[str]) -> Course:
        """Take over what a checkpoint of a model with the same settings has, and return how far its fit came."""
        header, arrays = files.read(path)
        mine, found = json.loads(json.dumps(self._settings())), header["settings"]
        for name in mine:
            if name != "learning_rate" and mine[name] != found[name]:  # which a schedule or a callback may have changed
                raise ValueError(
                    f"{os.fspath(path)}: has {name}={found[name]!r:.99}, this model {mine[name]!r:.99}; "
                    "resume with the same settings, or take MLP.load"
                )
        self._unpack(header, arrays)
        course, self._course = self._course, None
        if course is None:
            raise ValueError(f"{os.fspath(path)}: is no checkpoint of a fit; take MLP.load")
        return course

    @property
    def _rows(self) -> int:
        """The samples of a batch."""
        return _ROWS if self.batch_size is None else self.batch_size

    @property
    def _random_state(self) -> Any:
        """The state of the generator that decides the order of the samples."""
        return self._rng.bit_generator.state

    @_random_state.setter
    def _random_state(self, value: Any) -> None:
        self._rng.bit_generator.state = value

    @property
    def _bit_generator(self) -> np.random.BitGenerator | None:
        """The generator behind `_permutation`, or None in a subclass that orders samples by rules of its own."""
        return self._rng.bit_generator

    def _permutation(self, samples: int) -> NDArray[np.int64]:
        """The order in which an epoch takes the samples, from the random state."""
        return self._rng.permutation(samples)

    def _evaluation(self, x: NDArray[Any], target: Target) -> dict[str, list[float]]:
        """Loss and, for classes, accuracy of data that `_checked` gave."""
        run = Eager(len(x), target.weights)
        passes = forward(run, self.layers, x, output=not self.loss.fused)
        self.loss.gradient(run, self.layers[-1], passes[-1], target)
        scores = {"val_accuracy": [float(run.right / len(x))]} if self.loss.classifies else {}
        return {"val_loss": [float(run.loss)], **scores}

    def loss_and_gradients(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> tuple[float, NDArray[Any]]:
        """The loss of the data in training, and `gradients` filled with its gradient by `parameters`.

        It has the penalty `l2`, the batch's own statistics, and dropout as in the next step.

        Parameters
        ----------
        X, y, sample_weight
            As for `fit`.

        Returns
        -------
        float, ndarray
        """
        x, target = self._checked(X, y, sample_weight)
        run = Eager(len(x), target.weights, self.optimizer.steps + 1, self._key)
        self._keep(gradients(run, self, x, target, output=True))
        return float(run.loss), self.gradients

    # ---- prediction

    def forward(self, X: ArrayLike) -> NDArray[Any]:
        """The output layer's activations; `layers` keep what led to them, unless X is dask's.

        Parameters
        ----------
        X : array_like (samples, inputs)

        Returns
        -------
        ndarray (samples, outputs)
        """
        if is_lazy(X):
            return self._lazily("forward", X)
        return moved(self._forward(X, True).output, namespace_of(X))

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Labels or numbers: (samples,) for classes and for one unit, else (samples, outputs).

        For a collection of dask's it is one of the same kind, computed block by block when it is asked for, by the
        weights of now.

        Parameters
        ----------
        X : array_like (samples, inputs)

        Returns
        -------
        ndarray
        """
        if is_lazy(X):
            return self._lazily("predict", X)
        return moved(self.loss.predict(self._forward(X, not self.loss.fused)), namespace_of(X))

    def predict_proba(self, X: ArrayLike) -> NDArray[Any]:
        """Probabilities of classes; two columns for one sigmoid unit, and one for each of several.

        Parameters
        ----------
        X : array_like (samples, inputs)

        Returns
        -------
        ndarray (samples, classes)

        Raises
        ------
        TypeError
            The loss is not one of classes.
        """
        if not self.loss.classifies:
            raise TypeError(f"predict_proba needs a classifying loss, this model has {self.loss.name}; use predict")
        if is_lazy(X):
            return self._lazily("predict_proba", X)
        output = self.forward(X)
        return namespace_of(output).hstack([1 - output, output]) if output.shape[1] == 1 else output

    def score(self, X: ArrayLike, y: ArrayLike) -> float:
        """The share of right samples, or R^2.

        Parameters
        ----------
        X, y : array_like
            As for `fit`.

        Returns
        -------
        float
        """
        if is_lazy(X) or is_lazy(y):
            return float(service("lazy score")(self, X, y))
        x, target = self._checked(X, y)
        if self.loss.classifies:
            return self._evaluation(x, target)["val_accuracy"][0]
        predicted = self.loss.predict(self._forward(x, not self.loss.fused))
        assert target.table is not None
        return r2_score(predicted.reshape(target.table.shape), target.table)

    def _lazily(self, method: str, X: Any) -> Any:
        """What a method gives for a collection of dask's."""
        return service("lazy predictions")(self, method, X)

    def _forward(self, X: ArrayLike, output: bool) -> Kept:
        """Send samples through the network, and return what the last layer gave."""
        x = moved(as_table(X, "X", self.layer_sizes[0], self.dtype), self._xp)
        passes = forward(Eager(len(x)), self.layers, x, output=output)
        self._keep(passes)
        return passes[-1]

    def _keep(self, passes: list[Kept]) -> None:
        for layer, kept in zip(self.layers, passes, strict=True):
            layer.keep(kept)

    # ---- storage

    def save(self, path: str | PathLike[str]) -> None:
        """Write weights, settings, history, optimiser and random state to `path`, all or nothing; not the device.

        Parameters
        ----------
        path : path

        Raises
        ------
        ValueError
            `load` would refuse the model, for a weight that is nan for example, or `path` is no regular file. Whatever
            is at `path` stays as it was.
        """
        files.write(path, *self._pack())

    def _checkpoint(self, path: str | PathLike[str], course: Course) -> None:
        """Save the model with how far its fit has come, so that another can resume there."""
        header, arrays = self._pack()
        if course.best is not None:
            arrays["best_parameters"], arrays["best_statistics"] = (moved(each, np) for each in course.best)
        files.write(path, {**header, "course": course.pack()}, arrays)

    def save_weights(self, path: str | PathLike[str]) -> None:
        """Write all arrays of the layers as safetensors, all or nothing; needs the extra "safetensors".

        Parameters
        ----------
        path : path
        """
        weights.write(path, {name: moved(array, np) for name, array in self._layer_arrays().items()})

    def load_weights(self, path: str | PathLike[str]) -> None:
        """Take the arrays that `save_weights` wrote for a model of the same layers; needs the extra "safetensors".

        Parameters
        ----------
        path : path

        Raises
        ------
        ValueError
            The file is damaged, or its arrays are not those of this model, whose weights stay as they were.
        """
        mine = self._layer_arrays()
        for name, array in weights.read(path, {name: array.shape for name, array in mine.items()}).items():
            mine[name][...] = moved(array, self._xp)

    @classmethod
    def load(cls, path: str | PathLike[str], device: str = "cpu") -> Self:
        """The model that `save` wrote: predicts the same bits, and `fit` goes on as if it had never stopped.

        A subclass is called with the settings as keywords.

        Parameters
        ----------
        path : path
        device : {"cpu", "cuda"}
            As in the constructor; it need not be the one that the model was trained on.

        Returns
        -------
        MLP

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

    @classmethod
    def from_onnx(cls, source: Any, *, output: Any = None, output_name: str | None = None, **settings: Any) -> Self:
        """The network of an ONNX file, wherever it was trained; it predicts as the file does, and can be trained on.

        Read are chains of Gemm or MatMul with Add, activations, BatchNormalization in inference and residual sums, of
        operator sets from 7 on. Activations are recognised by their values, whatever operators an exporter wrote them
        in; so are one's own, once they are defined. Labels and other outputs of classifiers are left out, scalings of
        the inputs go into the weights.

        Parameters
        ----------
        source : path, bytes or onnx.ModelProto
        output : str, fastact activation or mapping, optional
            The activation of the output layer, for a file that ends with preactivations (logits): "softmax" or
            "sigmoid" make it a classifier.
        output_name : str, optional
            The output to take, of a file with several results.
        **settings
            Other arguments of the constructor, such as loss, optimizer, learning_rate, dropout or device. dtype is the
            file's unless given, and float32 for half precision.

        Raises
        ------
        ValueError
            The file is no ONNX model, is damaged, or holds something else than such a chain: the message names the
            node.
        MissingDependencyError
            onnx is not installed.

        Examples
        --------
        >>> import fastact as fa
        >>> net = fa.MLP.from_onnx("net.onnx", learning_rate=1e-4)  # doctest: +SKIP
        """
        require("onnx", "onnx", "MLP.from_onnx")
        found: Self = service("network of onnx")(cls, source, output, output_name, settings)
        return found

    def _settings(self) -> dict[str, Any]:
        """The constructor's arguments but the device, as JSON can hold them."""
        hidden, optimizer = [layer.plan for layer in self.layers[:-1]], self.optimizer
        return {
            "layer_sizes": list(self.layer_sizes),
            "activation": [layer.setting for layer in self.layers[:-1]],
            "output": self.layers[-1].setting,
            "loss": self.loss.setting,
            "optimizer": optimizer.setting,
            "learning_rate": optimizer.learning_rate,
            "momentum": optimizer.momentum,
            "init": self.init,
            "batch_size": self.batch_size,
            "seed": self.seed,
            "dtype": self.dtype.name,
            "batch_norm": self._flags["batch_norm"],
            "residual": self._flags["residual"],
            "dropout": [plan.dropout for plan in hidden],
            "trainable": self._flags["trainable"],
            "l2": self.l2,
            "l2_shared": self.l2_shared,
            "weight_decay": optimizer.weight_decay,
            "clip_norm": None if optimizer.clip_norm == math.inf else optimizer.clip_norm,
            "clip_value": None if optimizer.clip_value == math.inf else optimizer.clip_value,
            "schedule": optimizer.schedule.setting,
        }

    def _pack(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        header = {
            "settings": self._settings(),
            "history": self.history,
            "steps": self.optimizer.steps,
            "epochs": self.epochs,
            "samples": self.samples,
            "key": self._key,
            "random_state": self._random_state,
        }
        return header, {name: moved(array, np) for name, array in self._arrays().items()}

    def _layer_arrays(self) -> dict[str, NDArray[Any]]:
        return {
            f"{name}_{i}": array
            for i, layer in enumerate(self.layers)
            for name, array in {**layer.parameters, **layer.statistics}.items()
        }

    def _arrays(self) -> dict[str, NDArray[Any]]:
        return {"optimizer_state": self.optimizer.state, **self._layer_arrays()}

    def _unpack(self, header: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> None:
        for name, array in self._arrays().items():
            array[...] = moved(arrays[name], self._xp)
        self.history = {name: copy(values) for name, values in header["history"].items()}
        self.optimizer.steps, self.optimizer.learning_rate = header["steps"], header["settings"]["learning_rate"]
        self.epochs, self.samples, self._key = header["epochs"], header["samples"], header["key"]
        self._random_state = header["random_state"]
        if "course" in header:
            best = None
            if header["course"]["best"]:
                best = tuple(moved(arrays[f"best_{name}"], self._xp) for name in ("parameters", "statistics"))
            self._course = Course.unpack(header["course"], best)

    def __reduce__(self) -> tuple[Any, ...]:
        """Rebuild a copy from settings and arrays, so that its layers are views of its own parameters."""
        state = self.__getstate__()
        attributes, slots = state if isinstance(state, tuple) else (state, None)
        others = {name: value for name, value in attributes.items() if name not in _MADE_ANEW}
        header, arrays = self._pack()
        header["settings"]["schedule"] = self.optimizer.schedule  # a function, perhaps
        activations = [layer.activation for layer in self.layers]
        return _duplicate, (type(self), header, arrays, self.device, activations), (others, slots) if slots else others


def _duplicate(
    cls: type[MLP], header: dict[str, Any], arrays: dict[str, NDArray[Any]], device: str, activations: list[Any]
) -> MLP:
    """Make a copy without calling the constructor of a subclass.

    The header names the activations; a user's own are made known to this process by their unpickling.
    """
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
        yield lambda count, text: bar.update(task, advance=count, description=text)
