"""A comparison in words: its title, its tables, and what a learner sees in them.

A sentence claims only what the run shows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

from fastact.language import listed, paragraph
from fastact.language import translated as _
from fastact.learn.experiments.comparing.compared import Compared, best_first
from fastact.learn.experiments.comparing.records import Summary
from fastact.learn.result import Table

__all__ = ["sentences", "tables", "title"]

#: No activation: the baseline.
BASELINE = "identity"
#: As many names does a sentence hold; the table has all.
NAMES = 4


def title(found: Compared) -> str:
    """The problem and the settings in one line."""
    depths = list(dict.fromkeys(setting.depth for setting in found.settings))
    hidden = found.training.hidden
    if len(depths) == 1:
        network = "-".join(map(str, (found.features, *[hidden] * depths[0], found.outputs)))
    else:
        network = f"{found.features}-{hidden}-...-{hidden}-{found.outputs}"
    rates = listed(
        _("{optimizer} with learning rate {rate:g}").format(optimizer=name, rate=found.training.rate(name))
        for name in dict.fromkeys(setting.optimizer for setting in found.settings)
    )
    epochs = found.training.epochs
    return _("{problem}: {network} network, {optimizer}, batches of {batch:,}, {epochs}").format(
        problem=found.problem,
        network=network,
        optimizer=rates,
        batch=found.training.batch_size,
        epochs=_("{count:,} epochs").format(count=epochs) if epochs > 1 else _("1 epoch"),
    )


def score_word(found: Compared) -> str:
    """What the score is called."""
    return _("test R²") if found.task == "regression" else _("test accuracy")


def tables(found: Compared) -> list[Table]:
    """The figures of each setting, and how far each is behind the best."""
    return [overview(found), *([behind(found)] if found.differences() else [])]


def overview(found: Compared) -> Table:
    """One row for each setting, the best first."""
    summaries = best_first(found)
    solving, diverging = found.level == 1, any(summary.diverged for summary in summaries)
    share = _("{count} of {all}")
    columns = {
        _("hidden layers"): [found.label(each.setting) for each in summaries],
        score_word(found): [f"{each.score:.4f}" for each in summaries],
        _("std. dev."): [f"{each.spread:.4f}" for each in summaries],
    }
    if solving:
        columns[_("solved")] = [share.format(count=len(each.perfect), all=found.seeds) for each in summaries]
    columns[_("epochs to {level:g}").format(level=found.level)] = [epochs(each, found.level) for each in summaries]
    columns[_("loss")] = [figure(each.loss) for each in summaries]
    columns[_("s/epoch")] = [figure(each.seconds_per_epoch) for each in summaries]
    if diverging:
        columns[_("diverged")] = [share.format(count=len(each.diverged), all=found.seeds) for each in summaries]
    if found.seeds == 1:
        caption = _("After the last epoch of one seed.")
    else:
        caption = _(
            "Mean and standard deviation over {seeds} seeds after the last epoch; epochs and time: median."
        ).format(seeds=found.seeds)
    rows = list(map(list, zip(*columns.values(), strict=True)))
    return Table(list(columns), rows, title=title(found), caption=paragraph([caption, *found.notes]))


def behind(found: Compared) -> Table:
    """One row for each setting but the best, the nearest first."""
    differences = found.differences()
    best = found.label(found.settings[differences[0].best])
    rows = [
        [
            found.label(found.settings[each.other]),
            f"{each.mean:.4f}",
            interval(each.low, each.high),
            f"{each.p:.2g}" if each.p >= 1e-4 else "<0.0001",
            _("yes") if each.clear else _("no"),
        ]
        for each in differences
    ]
    columns = [_("hidden layers"), _("behind"), _("95% interval"), _("adjusted p"), _("beyond noise")]
    caption = _(
        "Differences in {score} at the same seed. p: paired t-tests, corrected by Holm's method (pairs: {pairs})."
    ).format(score=score_word(found), pairs=pairs(found))
    if found.overlap:
        resampled = _(
            "All seeds split the same samples, so that runs are not independent: the variance is corrected as Nadeau "
            "and Bengio (2003) do, and more seeds add little."
        )
        caption = paragraph([caption, resampled])
    return Table(columns, rows, title=_("Behind the best, {best}").format(best=best), caption=caption)


def epochs(summary: Summary, level: float) -> str:
    """The median of those that reach the level, with their number if not all do."""
    reached = summary.epochs_to(level)
    if not reached:
        return "-"
    if len(reached) == len(summary.runs) or level == 1:  # then the table has a column with their number
        return f"{median(reached):g}"
    return _("{epochs:g} ({count} of {all})").format(epochs=median(reached), count=len(reached), all=len(summary.runs))


def figure(value: float) -> str:
    """Two digits, or three after the point; a dash for nan."""
    return "-" if math.isnan(value) else f"{value:.3f}" if 0.1 <= value < 1000 else f"{value:.2g}"


def interval(low: float, high: float) -> str:
    """The two ends."""
    return _("{low:.4f} to {high:.4f}").format(low=low, high=high)


# ---- sentences


def sentences(found: Compared) -> list[str]:
    """What this run shows."""
    return [*compared(found), *diverged(found), *linear(found)]


def compared(found: Compared) -> list[str]:
    """Which settings the best one is ahead of."""
    if len(found.settings) == 1:
        return []
    if found.seeds == 1:
        return [_("One seed says nothing about which setting is better: compare several.")]
    differences = found.differences()
    labels = {each: found.label(found.settings[each.other]) for each in differences}
    clear = [each for each in differences if each.clear]
    alone = [each for each in differences if each.clear_alone and not each.clear]
    same = [each for each in differences if not each.clear_alone and not each.clear]
    values = {"best": found.label(found.settings[differences[0].best]), "seeds": found.seeds, "pairs": pairs(found)}
    said = []
    if 0 < len(clear) <= NAMES:
        text = _(
            "{best} is ahead of {other} by {mean:.4f} (95% interval {interval} over {seeds} seeds): "
            "more than the noise of seeds."
        )
        said += [
            text.format(other=labels[each], mean=each.mean, interval=interval(each.low, each.high), **values)
            for each in clear
        ]
    elif clear:
        text = _(
            "{best} is ahead of {others} by {low:.4f} to {high:.4f} over {seeds} seeds, "
            "each time by more than the noise of seeds."
        )
        said.append(
            text.format(
                others=_names([labels[each] for each in clear]), low=clear[0].mean, high=clear[-1].mean, **values
            )
        )
    if same:
        text = _("{best} cannot be told apart from {others}: with {seeds} seeds, the difference may be noise.")
        said.append(text.format(others=_names([labels[each] for each in same]), **values))
    if alone:
        text = _(
            "{best} against {others}: taken alone, the difference is more than the noise of seeds; but among "
            "{pairs} pairs, one like it can come about by chance."
        )
        said.append(text.format(others=_names([labels[each] for each in alone]), **values))
    return said


def diverged(found: Compared) -> list[str]:
    """Which settings did not stay finite."""
    broken = [summary for summary in found.summaries() if summary.diverged]
    if not broken:
        return []
    runs = [run for summary in broken for run in summary.diverged]
    settings = _names([found.label(summary.setting) for summary in broken])
    return [
        _(
            "{count} of {all} runs diverged ({settings}), the first one in epoch {epoch}: their loss or a weight "
            "became infinite or NaN. They get the score of guessing."
        ).format(count=len(runs), all=len(found.runs), settings=settings, epoch=min(run.diverged or 0 for run in runs))
    ]


def linear(found: Compared) -> list[str]:
    """What the network without an activation lacks, if it stays finite, and is last, clearly behind the best."""
    noise = {found.settings[each.other].activation for each in found.differences() if not each.clear}
    baseline = [summary for summary in found.summaries() if summary.setting.activation == BASELINE]
    others = [summary.score for summary in found.summaries() if summary.setting.activation != BASELINE]
    best = max((summary.score for summary in baseline), default=math.inf)
    if (
        not others
        or best >= min(others)
        or BASELINE in noise
        or found.seeds == 1
        or any(summary.diverged for summary in baseline)
    ):
        return []
    if found.task == "regression":
        lacking = _(
            "The score of {baseline} ends at {score:.3f}, the next lowest at {next:.3f}: stacked linear layers "
            "without an activation between them stay one linear map, which cannot follow a curve."
        )
    else:
        lacking = _(
            "The score of {baseline} ends at {score:.3f}, the next lowest at {next:.3f}: stacked linear layers "
            "without an activation between them stay one linear map, which can separate classes by straight "
            "borders only."
        )
    return [lacking.format(baseline=BASELINE, score=best, next=min(others))]


def pairs(found: Compared) -> int:
    """How many pairs of settings there are."""
    return math.comb(len(found.settings), 2)


def _names(labels: Sequence[str]) -> str:
    """The first few names."""
    shown = listed(labels[:NAMES])
    more = len(labels) - NAMES
    return _("{names} and {count} more").format(names=shown, count=more) if more > 0 else shown
