"""Fixtures: the explorer, and a report on one result of each kind, made once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastact as fa
from fastact import language
from fastact.learn.result import Result, Table

HOSTILE = "<script>document.title = 'broken'</script></script><b>&quot;"


class Hostile(Result):
    """A result of a kind that no panel knows, with texts that are no markup, and different in each language."""

    @property
    def title(self) -> str:
        return {"en": "A title", "ja": "題名"}[language.current()]

    def tables(self) -> list[Table]:
        rows = [["b", "-2.5", "2e-12"], ["a", "1,000", "1e+10"], ["c", "30", "3e-02"]]
        return [Table([HOSTILE, "figures", "powers"], rows, title="Three rows", caption=HOSTILE)]

    def sentences(self) -> list[str]:
        return [HOSTILE]

    def as_dict(self) -> dict[str, Any]:
        return {}

    def figure(self) -> Any:
        from fastact.learn.pictures import style

        with style.lettering():
            figure = style.figure(2, 2)
            figure.suptitle(self.title)
        return figure


@pytest.fixture(scope="session")
def comparison() -> Any:
    pytest.importorskip("scipy", reason="SciPy is not installed (extra: demo)")
    from fastact.learn.experiments.comparison import compare

    return compare("moons", ["relu", "tanh"], seeds=2, epochs=4)


@pytest.fixture(scope="session")
def diagnosis() -> Any:
    from fastact.learn.diagnostics import Monitor

    x = np.random.default_rng(0).normal(size=(64, 2)).astype(np.float32)
    y = (x[:, 0] * x[:, 1] > 0).astype(int)
    model = fa.MLP((2, 4, 4, 1), activation="tanh", output="sigmoid", seed=0)
    monitor = Monitor(x, y)
    monitor(0, model)
    model.fit(x, y, epochs=3, callback=monitor)
    return monitor.diagnosis()


@pytest.fixture(scope="session")
def training() -> Any:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed (extra: demo)")
    from fastact.learn.tabular import train

    x = np.random.default_rng(0).normal(size=120)
    return train(pandas.DataFrame({"x": x, "sign": np.where(x > 0, "plus", HOSTILE)}), "sign", epochs=3)


@pytest.fixture(scope="session")
def explorer_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("bokeh", reason="Bokeh is not installed (extra: demo)")
    from fastact.learn.pages import explorer

    path = tmp_path_factory.mktemp("pages") / "explore.html"
    with language.use("en"):
        explorer.write(path)
    return path


@pytest.fixture(scope="session")
def report_page(tmp_path_factory: pytest.TempPathFactory, comparison: Any, diagnosis: Any, training: Any) -> Path:
    pytest.importorskip("bokeh", reason="Bokeh is not installed (extra: demo)")
    from fastact.learn.pages import report

    path = tmp_path_factory.mktemp("pages") / "report.html"
    with language.use("en"):
        report.write([comparison, diagnosis, training, Hostile()], path)
    return path
