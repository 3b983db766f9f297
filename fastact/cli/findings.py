"""What the command `compare` prints: the tables, and in words what a learner sees in them.

Each experiment has one table and one lesson here. A lesson claims only what the run shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any

from fastact.cli.console import table
from fastact.experiments import digits, xor
from fastact.experiments.results import BASELINE, Comparison, Summary


def digits_table(title: str, summaries: Sequence[Summary]) -> Any:
    """A table with the best activation on top."""
    rows = [
        (
            summary.activation,
            f"{summary.accuracy:.4f}",
            f"{summary.spread:.4f}",
            epochs(summary.epochs_to(digits.TARGET), len(summary.runs)),
            f"{summary.seconds_per_epoch:.4f}",
        )
        for summary in summaries
    ]
    return table(
        ["hidden layers", "test accuracy", "spread", f"epochs to {digits.TARGET:.0%}", "seconds/epoch"],
        rows,
        title=title,
        caption=(
            f"test accuracy and spread: mean and standard deviation over {len(summaries[0].runs)} seeds "
            f"after the last epoch; epochs to {digits.TARGET:.0%}: median"
        ),
    )


def digits_lesson(summaries: Sequence[Summary]) -> list[str]:
    """The lesson in words, if the run shows it."""
    linear = [summary.accuracy for summary in summaries if summary.activation == BASELINE]
    others = [summary.accuracy for summary in summaries if summary.activation != BASELINE]
    if not linear or not others:
        return []
    if linear[0] >= min(others):
        return [f"{BASELINE} is not the lowest here; more epochs and seeds show the difference."]
    return [
        f"Why {BASELINE} is lower ({linear[0]:.3f} against {min(others):.3f} to {max(others):.3f}): without "
        "an activation between them stacked linear layers stay one linear map, which can part the digits by "
        "straight borders only. Every other activation lets the network bend them."
    ]


def xor_table(comparison: Comparison) -> Any:
    """A table with the activation that solves most seeds on top."""
    summaries = sorted(comparison.summaries(), key=lambda summary: (-len(summary.solved), summary.loss))
    rows = [
        (
            summary.activation,
            f"{len(summary.solved)} of {len(summary.runs)}",
            epochs(summary.epochs_to_solve, len(summary.solved)),
            f"{summary.loss:.3f}",
            f"{min(summary.losses):.3f} to {max(summary.losses):.3f}",
        )
        for summary in summaries
    ]
    return table(
        ["hidden layer", "seeds solved", "epochs to solve", "final loss", "loss range"],
        rows,
        title=comparison.title,
        caption="solved: all four answers right at the end; epochs: median of the solved seeds; loss: mean",
    )


def xor_lesson(comparisons: Sequence[Comparison]) -> list[str]:
    """The lesson in words, as far as this run shows it."""
    lesson = []
    summaries = [summary for comparison in comparisons for summary in comparison.summaries()]
    if any(summary.activation == BASELINE and not summary.solved for summary in summaries):
        lesson.append(
            f"Why {BASELINE} solves nothing: stacked linear layers stay one linear map, which draws one "
            "straight line, and no straight line parts (0,1) and (1,0) from (0,0) and (1,1)."
        )
    if any(0 < len(summary.solved) < len(summary.runs) for summary in summaries):
        lesson.append(
            "Why not every seed is solved: Adam moves a weight by about the learning rate per step, so "
            f"{xor.ARTICLE.epochs:,} steps of {xor.ARTICLE.learning_rate:g} are too few from many starts; "
            "and of only four relu units some may never fire again. A comparison over one seed says nothing."
        )
    return lesson


def epochs(found: list[int], runs: int) -> str:
    """The median in words, with the number of runs that it covers if not all."""
    if not found:
        return "-"
    return f"{median(found):g}" + (f" ({len(found)} of {runs})" if len(found) < runs else "")
