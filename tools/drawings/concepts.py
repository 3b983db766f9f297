"""What a beginner meets first: a neuron, straight and bent borders, tangents, softmax, the choice, noise, sureness."""

from __future__ import annotations

from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

import fastact as fa
from drawings import figure, worded
from fastact.learn import experiments
from fastact.learn.experiments.comparison import Comparison
from fastact.learn.experiments.linear import Border, Linear
from fastact.learn.experiments.spread import share
from fastact.learn.pictures import style

BLUE, ORANGE, GREEN = style.COLOURS[:3]
Array = NDArray[Any]
Point = tuple[float, float]


def canvas(drawn: Any, height: float) -> Any:
    """Axes without a frame, as wide as the figure; one unit is an inch."""
    axes = drawn.subplots()
    axes.set(xlim=(0, drawn.get_figwidth()), ylim=(0, height), aspect="equal")
    axes.axis("off")
    return axes


def arrow(axes: Any, start: Point, end: Point) -> None:
    look = {"arrowstyle": "-|>", "color": style.INK, "linewidth": 1.2, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", xy=end, xytext=start, arrowprops=look)


def disc(axes: Any, place: Point, text: str, colour: str, radius: float) -> None:
    """A text in a circle."""
    from matplotlib.patches import Circle

    axes.add_patch(Circle(place, radius, facecolor="white", edgecolor=colour, linewidth=1.8))
    axes.text(*place, text, ha="center", va="center", fontsize=12)


def box(axes: Any, place: Point, text: str, colour: str) -> None:
    """A text in a rounded box."""
    look = {"boxstyle": "round,pad=0.45", "facecolor": "white", "edgecolor": colour, "linewidth": 1.6}
    axes.text(*place, text, ha="center", va="center", fontsize=10, bbox=look)


def neuron() -> Any:
    """The neuron of the worked example: 3 and 2 come in, 0.7 goes out."""
    inputs, weights = (3.0, 2.0), (0.5, -0.4)
    total = sum(x * w for x, w in zip(inputs, weights, strict=True))
    axes = canvas(figure(2.5), 2.5)
    middle = 1.15
    for x, w, side in zip(inputs, weights, (1, -1), strict=True):
        y = middle + 0.6 * side
        disc(axes, (0.45, y), f"{x:g}", BLUE, 0.27)
        arrow(axes, (0.74, y), (1.92, middle + 0.16 * side))
        axes.text(1.3, y + 0.06 * side, rf"$\times\ {{{w:g}}}$", fontsize=11, color=ORANGE, ha="center", va="center")
    disc(axes, (2.3, middle), f"{total:g}", style.INK, 0.38)
    arrow(axes, (2.7, middle), (3.28, middle))
    disc(axes, (3.7, middle), "", GREEN, 0.4)
    z = np.linspace(-2, 2, 81)
    axes.plot(3.7 + 0.13 * z, middle - 0.12 + 0.15 * fa.relu(z), color=GREEN, linewidth=2.2)
    arrow(axes, (4.12, middle), (4.66, middle))
    axes.text(4.9, middle, f"{fa.relu(total):g}", ha="center", va="center", fontsize=12)
    labels = (
        (0.45, worded(en="inputs", ja="入力"), BLUE), (1.3, worded(en="weights", ja="重み"), ORANGE),
        (2.3, worded(en="weighted\nsum", ja="重み付き和"), style.INK),
        (3.7, worded(en="activation", ja="活性化関数"), GREEN), (4.9, worded(en="output", ja="出力"), style.INK),
    )  # fmt: skip
    for x, text, colour in labels:
        axes.text(x, 2.28, text, ha="center", va="center", fontsize=10, color=colour)
    axes.text(2.3, 0.5, r"$3\times0.5 - 2\times0.4$", ha="center", fontsize=9)
    axes.text(3.7, 0.5, "relu", ha="center", fontsize=10, color=GREEN)
    return axes.figure


@cache
def parted() -> Linear:
    return experiments.linear(problems=("circles", "moons"))


def borders() -> Any:
    """How a deep network without an activation and a shallow one with relu part the plane."""
    found = parted()
    drawn = figure(5.2)
    titles = {
        ("identity", 5): worded(en="no activation, 5 hidden layers", ja="活性化関数なし、隠れ層 5 層"),
        ("relu", 1): worded(en="relu, 1 hidden layer", ja="relu、隠れ層 1 層"),
    }
    for row, (kind, title) in zip(drawn.subplots(2, 2), titles.items(), strict=True):
        row[0].set_ylabel(title, fontsize=9)
        for axes, name in zip(row, found.problems, strict=True):
            first = found.of(name, *kind)[0]
            assert first.border is not None
            part(axes, first.border)
            accuracy = worded(en="{name}: {share}", ja="{name}：{share}")
            axes.set_title(accuracy.format(name=name, share=share(first.accuracy)), fontsize=10)
    return drawn


def part(axes: Any, border: Border) -> None:
    """Both sides of a border, the border, and the samples."""
    x, y = (np.linspace(*ends, len(border.probabilities)) for ends in (border.ends[:2], border.ends[2:]))
    axes.contourf(x, y, border.probabilities, [0, 0.5, 1], colors=[style.shades(3)[each] for each in (0, 1)])
    axes.contour(x, y, border.probabilities, [0.5], colors=style.INK, linewidths=1.5)
    for label, (marker, colour) in enumerate((("o", BLUE), ("s", ORANGE))):
        points = border.points[border.labels == label]
        axes.plot(*points.T, marker, color=colour, markersize=3, markeredgewidth=0.3, markeredgecolor="white")
    axes.set(xticks=[], yticks=[])


def tangents() -> Any:
    """Tangents at the curves of sigmoid and relu."""
    drawn = figure(2.5)
    z = np.linspace(-5, 5, 401)
    touching = {"sigmoid": ((0.0, (8, -14), "left"), (4.0, (-2, -16), "center")),
                "relu": ((-3.0, (0, 10), "center"), (2.5, (10, -12), "left"))}  # fmt: skip
    for axes, (name, places) in zip(drawn.subplots(1, 2), touching.items(), strict=True):
        function = fa.get(name)
        axes.plot(z, function(z), color=BLUE, linewidth=2)
        for (at, offset, side), colour in zip(places, (ORANGE, GREEN), strict=True):
            value, rise = float(function(at)), float(function.derivative(at))
            reach = np.array([-1.5, 1.5])
            axes.plot(at + reach, value + rise * reach, color=colour, linewidth=3)
            axes.plot(at, value, "o", color=colour)
            text = worded(en="slope {rise:.2g}", ja="傾き {rise:.2g}").format(rise=rise)
            axes.annotate(
                text, (at, value), offset, textcoords="offset points", color=colour, ha=side, va="center", fontsize=10
            )
        axes.set_title(name, loc="left", fontsize=11)
        axes.set_xlim(-5.5, 5.5)
        style.tidy(axes)
    return drawn


def curves(*names: str) -> Any:
    """The curves of activations, and their slopes beside them."""
    drawn = figure(2.6)
    x = np.linspace(-4, 4, 801)
    sides = worded(en="value", ja="値"), worded(en="slope", ja="傾き")
    for part_of, (axes, title) in enumerate(zip(drawn.subplots(1, 2), sides, strict=True)):
        for position, name in enumerate(names):
            curve = list(fa.get(name)._curves(x).values())[part_of]
            axes.plot(*curve, linewidth=2, label=name, **style.line(position))
        axes.set_title(title, loc="left", fontsize=11)
        style.tidy(axes)
    drawn.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=len(names), frameon=False)
    return drawn


def softmax() -> Any:
    """Three scores, and the shares that softmax makes of them."""
    scores = np.array([2.0, 1.0, 0.1])
    shares = fa.softmax(scores)
    drawn = figure(2.4)
    left, right = drawn.subplots(1, 2)
    titles = worded(en="scores", ja="スコア"), worded(en="softmax: they add up to 1", ja="softmax：合計は 1")
    for axes, heights, title, digits in ((left, scores, titles[0], 1), (right, shares, titles[1], 3)):
        names = [worded(en="class {name}", ja="クラス {name}").format(name=name) for name in "ABC"]
        bars = axes.bar(names, heights, color=style.COLOURS[:3], width=0.6)
        axes.bar_label(bars, [f"{height:.{digits}f}" for height in heights])
        axes.set_title(title, loc="left", fontsize=10)
        axes.set_ylim(0, 1.15 * heights.max())
        axes.spines[["top", "right"]].set_visible(False)
    return drawn


def choosing() -> Any:
    """From the layer to the function."""
    axes = canvas(figure(3.5), 3.5)
    box(axes, (0.62, 3.1), worded(en="hidden layer", ja="隠れ層"), BLUE)
    arrow(axes, (1.2, 3.1), (1.62, 3.1))
    box(axes, (1.92, 3.1), "relu", BLUE)
    arrow(axes, (2.22, 3.1), (3.35, 3.1))
    trouble = worded(en="if it gives\ntrouble", ja="うまく\nいかないとき")
    axes.text(2.78, 3.15, trouble, ha="center", va="bottom", fontsize=8)
    box(axes, (4.32, 3.1), "leaky_relu, elu, swish", BLUE)
    question = worded(en="output layer: what is predicted?", ja="出力層：何を予測する？")
    box(axes, (1.28, 2.4), question, ORANGE)
    rows = (
        (worded(en="yes or no", ja="「はい」か「いいえ」"), "sigmoid"),
        (worded(en="one of several classes", ja="複数のクラスから 1 つ"), "softmax"),
        (worded(en="any number of labels", ja="当てはまるラベルすべて"), "sigmoid"),
        (worded(en="a number", ja="数値"), worded(en="none (identity)", ja="なし（identity）")),
        (worded(en="a number with bounds", ja="範囲の決まった数値"), "sigmoid, tanh, softplus"),
    )
    for row, (target, function) in enumerate(rows):
        y = 1.93 - 0.4 * row
        axes.plot([0.35, 0.35, 0.6], [y + (0.4 if row else 0.25), y, y], color=style.INK, linewidth=1.2)
        axes.text(0.7, y, target, va="center", fontsize=10)
        arrow(axes, (2.75, y), (3.2, y))
        axes.text(3.35, y, function, va="center", fontsize=10, color="#a84a00")
    return axes.figure


@cache
def compared() -> Comparison:
    return experiments.compare("moons", ("relu", "leaky_relu", "elu", "gelu"), seeds=20)


@cache
def regression() -> dict[str, float]:
    """The mean R² of relu and tanh on a regression."""
    found = experiments.compare("regression", ("relu", "tanh"))
    return {each.setting.activation: each.score for each in found.summaries()}


def noise() -> Any:
    """What one seed says of four activations, and what many say."""
    found = compared()
    drawn = figure(2.8)
    left, right = drawn.subplots(1, 2, sharex=True, sharey=True)
    titles = worded(en="1 seed", ja="乱数シード 1 個"), worded(en="20 seeds", ja="乱数シード 20 個")
    ends = {each.setting.activation: np.array(each.ends) for each in found.summaries()}
    names = [each.activation for each in found.settings]
    for axes, seeds, title in ((left, 1, titles[0]), (right, found.seeds, titles[1])):
        for row, name in enumerate(names):
            scores, colour = ends[name][:seeds], style.COLOURS[row]
            spread = np.linspace(-0.25, 0.25, seeds) if seeds > 1 else 0
            axes.plot(scores, row + spread * np.ones(seeds), "o", color=colour, alpha=0.55, markersize=5)
            axes.plot([scores.mean()] * 2, [row - 0.36, row + 0.36], color=colour, linewidth=2.5)
        axes.set_yticks(range(len(names)), names)
        axes.set_xlabel(worded(en="accuracy", ja="正解率"))
        axes.locator_params(axis="x", nbins=4)
        axes.set_title(title, loc="left", fontsize=11)
        style.tidy(axes)
    left.invert_yaxis()
    return drawn


def clouds(rng: np.random.Generator, samples: int) -> tuple[Array, Array]:
    """Two clouds of points that overlap, and which of them each point is of."""
    y = rng.integers(2, size=samples)
    centres = np.where(y, 1, -1)[:, np.newaxis]
    return centres + 1.5 * rng.normal(size=(samples, 2)), y


@cache
def sureness() -> dict[int, tuple[Array, Array]]:
    """After so many epochs, by bins of how sure a network is: how sure, and how often it is right."""
    rng = np.random.default_rng(0)
    (train_x, train_y), (test_x, test_y) = clouds(rng, 200), clouds(rng, 20_000)
    model = fa.MLP([2, 64, 64, 1], output="sigmoid", learning_rate=0.01, seed=0)
    found = {}
    for epochs in (10, 1000):
        model.fit(train_x, train_y, epochs=epochs - model.epochs)
        p = np.ravel(model.forward(test_x))
        sure, right = np.maximum(p, 1 - p), (p > 0.5) == test_y
        bins = np.minimum((10 * (sure - 0.5)).astype(int), 4)
        found[epochs] = tuple(np.array([of[bins == each].mean() for each in range(5)]) for of in (sure, right))
    return found


def confidence() -> Any:
    """How sure a network is after little and much training, beside how often it is right."""
    drawn = figure(3.4)
    axes = drawn.subplots()
    axes.plot([0.5, 1], [0.5, 1], color=style.PALE, label=worded(en="as often right as sure", ja="自信のとおりに正解"))
    for position, (epochs, points) in enumerate(sureness().items()):
        label = worded(en="after {epochs:,} epochs", ja="{epochs:,} エポック後").format(epochs=epochs)
        axes.plot(*points, marker="o", linewidth=2, label=label, **style.line(position))
    axes.set_xlabel(worded(en="how sure the network is (its probability)", ja="ネットワークの自信（出力した確率）"))
    axes.set_ylabel(worded(en="how often it is right", ja="実際の正解率"))
    axes.legend(frameon=False)
    style.tidy(axes)
    return drawn


PICTURES = {
    "neuron": neuron,
    "borders": borders,
    "tangents": tangents,
    "curves-saturating": partial(curves, "sigmoid", "tanh"),
    "curves-rectifiers": partial(curves, "relu", "leaky_relu", "elu"),
    "curves-smooth": partial(curves, "swish", "gelu", "mish"),
    "softmax": softmax,
    "choosing": choosing,
    "noise": noise,
    "confidence": confidence,
}


def figures() -> dict[str, str]:
    """What the pages quote."""
    sure, right = sureness()[1000]
    return {
        **{f"{kind}, {name}": parted().accuracy(name, *of).text(share)
           for kind, of in (("straight", ("identity", 5)), ("bent", ("relu", 1))) for name in parted().problems},
        **{f"R², {name}": f"{score:.2f}" for name, score in regression().items()},
        "sure": share(float(sure[-1])),
        "right": share(float(right[-1])),
    }  # fmt: skip
