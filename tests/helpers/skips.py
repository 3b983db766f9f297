"""Two options of pytest, with which .ci/run leaves no test skipped that could run.

`--skipped=FILE` runs only the tests that FILE names, if it exists, and then lets it name those that were skipped: run
after run, each in an environment that has more, until none are left. `--no-skips` fails each that is. Neither counts a
test that wants a GPU where there is none.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

#: The beginnings of reasons that no installation can mend.
NO_GPU = re.compile(r"no NVIDIA driver or GPU is usable|the NVIDIA driver shows no GPU|(PyTorch|JAX) sees no GPU")


def reason(report: Any) -> str | None:
    """Return why a test or a whole file was skipped; None if it was not, or was for want of a GPU."""
    if not report.skipped or hasattr(report, "wasxfail"):
        return None
    text = report.longrepr[2].removeprefix("Skipped: ")
    return None if NO_GPU.match(text) else text


class Skipped:
    """Reads and writes the file of --skipped: ids of tests, and paths of files that were skipped as a whole."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.wanted = set(path.read_text().splitlines()) if path.exists() else None
        self.found: set[str] = set()

    def pytest_ignore_collect(self, collection_path: Path, config: pytest.Config) -> bool | None:
        """Leave files alone of which nothing is wanted: here they may lack what they import."""
        if self.wanted is None or collection_path.is_dir():
            return None
        name = collection_path.relative_to(config.rootpath).as_posix()
        return None if name in {wanted.partition("::")[0] for wanted in self.wanted} else True

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        if self.wanted is not None:
            chosen = [item for item in items if self.wanted & {item.nodeid, item.nodeid.partition("::")[0]}]
            config.hook.pytest_deselected(items=[item for item in items if item not in set(chosen)])
            items[:] = chosen

    def pytest_runtest_logreport(self, report: Any) -> None:
        if reason(report):
            self.found.add(report.nodeid)

    pytest_collectreport = pytest_runtest_logreport

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if not hasattr(session.config, "workerinput"):  # all reports come to the process that started the workers
            self.path.write_text("".join(f"{name}\n" for name in sorted(self.found)))


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("skips")
    group.addoption("--skipped", type=Path, metavar="FILE", help="run what FILE names, and write there what is skipped")
    group.addoption("--no-skips", action="store_true", help="fail tests that are skipped, except for want of a GPU")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("skipped"):
        config.pluginmanager.register(Skipped(config.getoption("skipped")))


def strict(config: pytest.Config, report: Any) -> Any:
    text = reason(report)
    if text and config.getoption("no_skips"):
        report.outcome, report.longrepr = "failed", f"skipped in spite of --no-skips: {text}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    return strict(item.config, (yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Generator[None, Any, Any]:
    return strict(collector.config, (yield))
