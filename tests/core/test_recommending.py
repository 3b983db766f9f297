"""What `fa.recommend` answers, and which words it understands."""

from __future__ import annotations

from collections import Counter

import pytest

import fastact as fa
from fastact import language
from fastact.learn.recommending.lookup import LAYERS, plain, spellings
from fastact.learn.recommending.problems import PROBLEMS
from fastact.learn.recommending.tasks import TASKS

#: (layer, task, problem) -> the functions, as the literature for beginners has them.
ANSWERS: dict[tuple[str | None, ...], tuple[str, ...]] = {
    ("hidden", None, None): ("relu", "leaky_relu", "elu", "swish"),
    ("output", "binary", None): ("sigmoid",),
    ("output", "Multi-Class", None): ("softmax",),
    ("output", "multi-label", None): ("sigmoid",),
    ("output", "regression", None): ("identity",),
    ("output", "regression 0 to 1", None): ("sigmoid",),
    ("output", "regression -1..1", None): ("tanh",),
    ("output", "counts", None): ("exponential",),
    (None, "CNN", None): ("relu", "leaky_relu", "elu", "swish", "softmax"),
    (None, "rnn", None): ("tanh", "relu", "gelu", "softmax"),
    ("hidden", "transformer", None): ("gelu", "swish", "relu"),
    (None, "gan generator", None): ("leaky_relu", "relu", "tanh"),
    (None, "GAN_discriminator", None): ("leaky_relu", "sigmoid"),
    ("hidden", "deep without normalisation", None): ("selu",),
    (None, None, "dying-relu"): ("leaky_relu", "elu", "swish"),
    ("hidden", "image", "Dying ReLU"): ("leaky_relu", "elu", "swish"),
    ("hidden", "transformer", "dying relu"): ("gelu", "swish", "leaky_relu", "elu"),
    ("hidden", "rnn", "vanishing gradient"): ("relu", "gelu", "leaky_relu", "elu", "swish"),
    (None, None, "overfitting"): ("relu", "leaky_relu", "elu", "swish"),
    ("隠れ層", "画像", "勾配消失"): ("relu", "leaky_relu", "elu", "swish"),
}


@pytest.mark.parametrize("asked", ANSWERS, ids=str)
def test_answers(asked: tuple[str | None, ...]) -> None:
    assert fa.recommend(*asked).functions == ANSWERS[asked]


def test_losses_go_with_outputs() -> None:
    losses = [choice.loss for choice in fa.recommend("output").choices]
    assert losses == ["binary_cross_entropy", "cross_entropy", "mse"]


@pytest.mark.parametrize("problem", [None, *PROBLEMS])
@pytest.mark.parametrize("task", [None, *TASKS])
def test_every_answer_is_whole(task: str | None, problem: str | None) -> None:
    """Functions and losses exist, none suffers from the problem, and every part of the text is there."""
    found = fa.recommend(task=task, problem=problem)
    for choice in found.choices:
        assert choice.functions
        assert all(fa.get(name) for name in (*choice.functions, *filter(None, [choice.loss])))
        if problem and choice.layer == "hidden":
            assert not set(choice.functions) & set(PROBLEMS[problem].without)
    assert all([found.title, found.next, found.trade_off, found.see, *found.reasons])
    assert bool(found.diagnosis) == (problem is not None)
    for text in (str(found), found._repr_html_()):
        assert all(name in text for name in found.functions)


def test_every_word_stands_for_one_thing() -> None:
    for known in (LAYERS, spellings(TASKS), spellings(PROBLEMS)):
        counted = Counter(plain(word) for words in known.values() for word in words)
        assert [word for word, count in counted.items() if count > 1] == []


def test_unknown_words_name_the_nearest_or_all() -> None:
    with pytest.raises(fa.UnknownNameError, match="task='regresion'; did you mean 'regression'"):
        fa.recommend(task="regresion")
    with pytest.raises(fa.UnknownNameError, match="problem='rain'; known: dying relu, vanishing gradient"):
        fa.recommend(problem="rain")
    with pytest.raises(fa.UnknownNameError, match="layer='hiden'; did you mean 'hidden'"):
        fa.recommend("hiden")


def test_an_answer_is_in_the_language_in_use() -> None:
    with language.use("ja"):
        found = fa.recommend("hidden", problem="dying relu")
    assert "勾配" in found.diagnosis
    assert "学習率" in str(found)  # which is put together later
    assert "学習率" in found._repr_html_()
