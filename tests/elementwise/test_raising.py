"""A user's formula that raises: the error reaches the caller with the formula's name, from whichever thread."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import fastact as fa
from fastact.math import like

BACKENDS = ["auto", "serial", "threads", "parallel"]


def slope(x: Any) -> Any:
    if x < 0:
        raise OverflowError
    return like(1, x)


@pytest.fixture(scope="module")
def picky() -> Any:
    """x, up to 5; its slope raises below 0."""
    from fastact._core import registry

    objects, aliases = dict(registry._functions), dict(registry._aliases)

    @fa.activation(derivative=slope)
    def picky(x: Any) -> Any:
        if x > 5:
            raise ValueError("x is above 5")
        return x

    registry._functions, registry._aliases = objects, aliases
    return picky


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("n", [1, 400, 100_000])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_error_of_a_formula(picky: Any, backend: str, n: int, dtype: Any) -> None:
    x = np.ones(n, dtype)
    np.testing.assert_array_equal(picky(x, backend=backend), x)
    for place in {0, n // 2, n - 1}:
        x[place] = 6
        with pytest.raises(ValueError, match="x is above 5") as raised:
            picky(x, backend=backend)
        assert raised.value.__notes__ == ["raised by the formula of picky"]
        x[place] = 1
    np.testing.assert_array_equal(picky(x, backend=backend), x)


def test_error_in_other_parts_and_layouts(picky: Any) -> None:
    x = np.ones((600, 700))
    wide = np.ones((600, 1400))[:, ::2]
    wide[300, 300] = -7
    calls = {
        "picky": [lambda: picky(7.0), lambda: picky((x + 5).T), lambda: picky(x + 5, out=x), lambda: picky(-wide)],
        "picky_derivative": [lambda: picky.derivative(-x), lambda: picky.derivative(wide)],
        "picky_backward": [lambda: picky.backward(x, -x)],
        "picky_with_bias": [lambda: picky.with_bias(x, 4.5 * x[0])],
    }
    for name, each in calls.items():
        for call in each:
            with pytest.raises((ValueError, OverflowError)) as raised:
                call()
            assert raised.value.__notes__ == [f"raised by the formula of {name}"]


@pytest.mark.parametrize("backend", ["threads", "parallel"])
def test_error_while_the_caller_holds_the_gil(own_registry: None, backend: str) -> None:
    """Calls on short arrays keep the GIL, which the raising thread needs."""

    @fa.activation
    def costly(x: Any) -> Any:
        y = x
        for _ in range(1000):
            y = math.sin(y) + x
        if x > 5:
            raise ValueError(x)
        return y

    x = np.ones(300)
    for place in range(0, 300, 7):
        x[place] = 6
        with pytest.raises(ValueError, match=r"6\.0"):
            costly(x, backend=backend)
        x[place] = 1


def test_a_formula_that_may_return_none_is_refused(own_registry: None) -> None:
    @fa.activation
    def partial(x: Any) -> Any:
        if x > 0:
            return x
        return None

    with pytest.raises(TypeError, match="partial: the formula returns None for some x"):
        partial(np.ones(3))


def test_what_raises_is_not_kept_on_disk(tmp_path: Any, python: Any) -> None:
    code = "\n".join([
        "import numpy as np, fastact as fa",
        "@fa.activation",
        "def picky(x):",
        "    if x > 5: raise ValueError",
        "    return x",
        "picky(np.ones(3)); print(fa.cache_info().kernels)",
    ])  # fmt: skip
    assert python(code, FASTACT_CACHE=str(tmp_path / "cache")) == "0\n"
