"""Arguments of a wrong type: the error is one line that names the argument, its value and the remedy."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fastact

fa: Any = fastact  # arguments here are not what they are declared to be

X = np.ones((2, 4), np.float32)
CLASSES = np.array([0, 1])
LONG = np.full(100, "a")

Call = Callable[..., Any]


def sample(x: Any, **keywords: Any) -> Any:
    return fa.gumbel_softmax(x, np.random.default_rng(0), **keywords)


FAMILY: list[Call] = [fa.softmax, fa.log_softmax, fa.sparsemax, fa.hardmax, fa.logsumexp, sample]


def class_losses(**keywords: Any) -> list[Call]:
    """Calls of the losses of classes with these keywords."""
    calls = [fa.cross_entropy, fa.cross_entropy.value_and_grad, *[fa.nll_loss] * ("label_smoothing" not in keywords)]
    return [lambda call=each: call(X, CLASSES, **keywords) for each in calls]


def losses(**keywords: Any) -> list[Call]:
    """Calls of the losses of elements that have such parameters."""
    known = [f for f in (fa.mse, fa.huber, fa.binary_cross_entropy) if keywords.keys() <= f.parameters.keys()]
    return [lambda call=each: call(X, X, **keywords) for f in known for each in (f, f.value_and_grad)]


def halves(**keywords: Any) -> list[Call]:
    """Calls of glu and of its backward pass."""
    return [lambda: fa.glu(X, **keywords), lambda: fa.glu.backward(X[:, :2], X, **keywords)]


def family(**keywords: Any) -> list[Call]:
    """Calls of functions of rows."""
    return [lambda call=each: call(X, **keywords) for each in FAMILY]


WRONG: list[tuple[str, list[Call]]] = [
    *((f"axis={axis!r}; pass an int, a tuple of ints, or None", family(axis=axis)) for axis in (1.0, "x", (0, 1.0))),
    *((f"axis={axis!r}; pass an int", class_losses(axis=axis)) for axis in (1.0, "x", None, (1,))),
    *((f"axis={axis!r}; pass an int", halves(axis=axis)) for axis in (1.0, "x", None)),
    *((f"temperature={t!r}; pass real numbers", [lambda t=t: fa.softmax(X, temperature=t)]) for t in ("x", None, 1j)),
    ("tau='x'; pass real numbers", [lambda: sample(X, tau="x"), lambda: fa.gumbel_softmax.backward(X, X, tau="x")]),
    ("dtype='x'; it must be one of float16", family(dtype="x")),
    *((f"weight={w!r}; pass real numbers", class_losses(weight=w)) for w in ("x", [1j] * 4, list("abcd"))),
    ("weight=<ndarray>; pass real numbers", class_losses(weight=LONG)),
    *((f"ignore_index={i!r}; pass an int", class_losses(ignore_index=i)) for i in ("x", 1.5, None)),
    *((f"label_smoothing={s!r}; pass a number", class_losses(label_smoothing=s)) for s in ("x", "0.5", None, [0.1, 2])),
    *((f"weight={w!r}; pass real numbers", losses(weight=w)) for w in ("x", 1j, [["a"]])),
    ("delta='x'; pass real numbers", losses(delta="x")),
    ("pos_weight='x'; pass real numbers", losses(pos_weight="x")),
    ("out=3; pass a numpy array", halves(out=3)),
    ("b='x'; pass real numbers", [lambda: fa.logsumexp(X, b="x")]),
    ("lower='0.1'; pass a number", [lambda: fa.rrelu(X, "0.1")]),
    ("upper=None; pass a number", [lambda: fa.rrelu(X, upper=None)]),
    ("n='x'; pass an int", [lambda: fa.set_num_threads("x")]),
    ("targets is object", [lambda: fa.cross_entropy(X, None)]),
    ("target is object", [lambda: fa.mse(X, None)]),
    ("grad_output is object", [lambda: fa.softmax.backward([[None] * 4] * 2, X)]),
]


@pytest.mark.parametrize(("says", "calls"), WRONG, ids=[says for says, _ in WRONG])
def test_wrong_type_is_named(says: str, calls: list[Call]) -> None:
    assert calls
    for call in calls:
        with pytest.raises(TypeError, match=re.escape(says)) as raised:
            call()
        assert "\n" not in str(raised.value)


def test_wrong_values_are_named() -> None:
    with pytest.raises(ValueError, match=re.escape("tau holds 0.0; it must be positive")):
        sample(X, tau=0)
    with pytest.raises(ValueError, match=re.escape("b of shape (7,) and x of shape (2, 4) do not broadcast")):
        fa.logsumexp(X, b=np.ones(7))
    with pytest.raises(fa.UnknownNameError, match=re.escape("gelu() got approximate=[]; known: none, tanh")):
        fa.gelu(X, approximate=[])


def test_numbers_of_numpy_are_taken() -> None:
    plain = fa.cross_entropy(X, CLASSES, label_smoothing=0.5, ignore_index=3)
    assert fa.cross_entropy(X, CLASSES, label_smoothing=np.array(0.5), ignore_index=np.int8(3)) == plain
    assert fa.rrelu(np.float32(-1), np.float32(0.25), 1) == -0.625
