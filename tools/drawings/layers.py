"""Different activations in different layers; softmax in hidden layers."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from statistics import median
from typing import Any

import fastact as fa
from drawings import accuracies, norms, written
from fastact.learn.data.named import problem
from fastact.learn.experiments import softmax_hidden
from fastact.learn.experiments.softmax_hidden import SoftmaxHidden
from fastact.learn.experiments.spread import Spread, share

MIXES = (("relu", "relu"), ("tanh", "tanh"), ("relu", "tanh"), ("tanh", "relu"), ("elu", "gelu"))
SEEDS, EPOCHS = 10, 30


@cache
def mixed() -> Mapping[tuple[str, str], list[float]]:
    """The accuracy on held-out digits of networks with two hidden layers, seed by seed."""
    digits = problem("digits")
    found: dict[tuple[str, str], list[float]] = {mix: [] for mix in MIXES}
    for seed in range(SEEDS):
        part = digits.split(seed)
        for mix, ends in found.items():
            model = fa.MLP([digits.features, 64, 64, digits.outputs], activation=mix, output=digits.output, seed=seed)
            model.fit(part.train_x, part.train_y, epochs=EPOCHS, validation=(part.test_x, part.test_y))
            ends.append(model.history["val_accuracy"][-1])
    return found


@cache
def found() -> SoftmaxHidden:
    return softmax_hidden()


def mixes() -> Any:
    """The accuracy of networks with the same and with different activations in their hidden layers."""
    rows = [(", ".join(mix), ends) for mix, ends in mixed().items()]
    drawn = accuracies(rows, EPOCHS, 0.1)
    drawn.axes[0].set_xlim(0.9, 1.002)
    return drawn


def gradients() -> Any:
    """The norm of the gradient in each hidden layer, of softmax and others."""
    lines = [(position, name, found().of(name)) for position, name in enumerate(found().activations)]
    return norms(lines, found().depth, 3.4, 3)


def reached() -> Any:
    """The accuracy after training, of softmax and others in hidden layers."""
    rows = [(name, [trial.end for trial in found().of(name)]) for name in found().activations]
    return accuracies(rows, found().epochs, found().chance)


def figures() -> dict[str, str]:
    medians = [median(ends) for ends in mixed().values()]
    spread = max(max(ends) - min(ends) for ends in mixed().values())
    said = {
        "least median": f"{100 * min(medians):.1f}%",
        "largest median": f"{100 * max(medians):.1f}%",
        "spread": f"{100 * spread:.1f}",
        "width": str(found().width),
        "each": written(1 / found().width),
    }
    for name in found().activations:
        ends = Spread.of(trial.end for trial in found().of(name))
        said[f"gradient {name}"] = written(found().gradient(name).centre)
        said |= {
            f"accuracy {name}": share(ends.centre),
            f"worst {name}": share(ends.low),
            f"best {name}": share(ends.high),
        }
    return said


PICTURES = {"layers-mixed": mixes, "layers-softmax-gradient": gradients, "layers-softmax-accuracy": reached}
