"""benchmarks/gpu.py without a GPU: its file, its report, and that each section can be built. No speed is asserted."""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from helpers import ROOT

ABOUT = {"date": "2026-01-02", "card": "A card", "driver": "1.2", "versions": {"numpy": "2.4"}}
ROWS = ("softmax", "softmax.backward", "log_softmax", "log_softmax.backward")
SECTIONS = ("calls", "elementwise", "softmax", "losses", "training", "host", "accuracy", "checks")


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setattr(sys, "path", [*sys.path, str(ROOT / "benchmarks")])  # last: sparse.py has a namesake
    yield importlib.import_module("gpu")
    for name in [name for name in sys.modules if name.split(".")[0] in ("gpu", "card")]:
        del sys.modules[name]


def invented(gpu: Any, path: Path) -> Any:
    """A file of figures of which two fall short."""
    figure = importlib.import_module("card.record").Figure
    record = gpu.Record(path)
    record.of_machine(ABOUT)
    for columns in (128, 1024):
        parts = dict.fromkeys(("softmax", "softmax.backward"), figure(0.5, 0.95, 1.5, 0.9, 1.0))
        record.add("softmax", f"{1 << 20} x {columns} float32", parts)
    parts = {"forward": figure(1.0, 0.98, 1.1, 0.97, 1.0), "derivative": figure(1.0, 0.5, None, 0.97)}
    record.add("elementwise", "gelu float32", {**parts, "backward": figure(1.0, 0.98, 1.1, 0.97, 1.0)})
    record.add("accuracy", "gelu", {"forward": figure(note="16 numbers", fault="3 results differ from the CPU's")})
    return record


def test_report(gpu: Any, tmp_path: Path) -> None:
    path = tmp_path / "gpu.json"
    invented(gpu, path)
    assert gpu.main(["--report", "--json", str(path)]) == 0
    page = (tmp_path / "gpu.md").read_text(encoding="utf-8")
    assert "Measured on 2026-01-02, A card, driver 1.2; numpy 2.4." in page
    assert "- elementwise, gelu float32, derivative: 0.500 of the copy, 0.97 asked" in page
    assert "- accuracy, gelu, forward: 3 results differ from the CPU's" in page
    assert "| gelu float32 | 1 ms, 0.980, 1.10x | **1 ms, 0.500** | 1 ms, 0.980, 1.10x |" in page
    for picture in ("gpu-softmax.png", "gpu-elementwise.png"):
        assert f"({picture})" in page
        assert (tmp_path / picture).read_bytes().startswith(b"\x89PNG")


def test_report_without_figures(gpu: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert gpu.main(["--report", "--json", str(tmp_path / "gpu.json")]) == 1
    assert "has no figures; run python benchmarks/gpu.py" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


def test_wrong_section(gpu: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        gpu.main(["gelu"])
    assert "no section gelu; there are calls, elementwise" in capsys.readouterr().err


def test_goes_on_where_it_was_interrupted(gpu: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figure, called = importlib.import_module("card.record").Figure, []

    def unit(name: str) -> dict[str, Any]:
        called.append(name)
        if called == ["a", "b"]:
            raise KeyboardInterrupt
        return {"part": figure(1.0)}

    section = SimpleNamespace(units=lambda power: ((name, partial(unit, name)) for name in "abc"))
    monkeypatch.setitem(sys.modules, "card.trial", section)
    record = gpu.Record(tmp_path / "gpu.json")
    record.of_machine(ABOUT)
    assert not gpu.measure(record, ["trial"], 10, time.monotonic() - 1)  # time is over
    assert not called
    for _ in range(2):
        record = gpu.Record(tmp_path / "gpu.json")
        record.of_machine({**ABOUT, "date": "2026-01-03"})
        try:
            done = gpu.measure(record, ["trial"], 10, time.monotonic() + 60)
        except KeyboardInterrupt:
            continue
    assert done
    assert called == ["a", "b", "b", "c"]
    record.of_machine({**ABOUT, "card": "Another card"})
    assert not record.sections


def test_sections(gpu: Any) -> None:
    pytest.importorskip("torch")
    assert gpu.SECTIONS == SECTIONS
    for section in SECTIONS:
        names = [name for name, _ in importlib.import_module(f"card.{section}").units(28)]
        assert names
        assert len(set(names)) == len(names)


class Event:
    """torch.cuda.Event for work on the CPU."""

    def __init__(self, enable_timing: bool) -> None:
        self.time = 0.0

    def record(self) -> None:
        self.time = time.perf_counter()

    def synchronize(self) -> None:
        """The CPU waits for itself."""

    def elapsed_time(self, later: Any) -> float:
        return 1000 * (later.time - self.time)


@pytest.mark.parametrize(
    ("section", "unit", "parts"),
    [
        ("elementwise", "gelu float32", ["forward", "derivative", "backward"]),
        ("softmax", "2 x 256 float16", [*ROWS, "logsumexp"]),
        ("accuracy", "silu", ["forward", "derivative"]),
        ("accuracy", "softmax", ["softmax"]),
    ],
)  # fmt: skip
def test_units_on_the_cpu(gpu: Any, monkeypatch: pytest.MonkeyPatch, section: str, unit: str, parts: list[str]) -> None:
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "_sleep", lambda cycles: None)
    timing = importlib.import_module("card.timing")
    monkeypatch.setattr(timing, "DEVICE", "cpu")
    monkeypatch.setattr(timing, "ROUNDS", 1)
    figures = gpu.units_of(section, 11)[unit]()
    assert list(figures) == parts
    for figure in figures.values():
        assert not figure.fault
        assert section == "accuracy" or (figure.milliseconds > 0 and figure.share > 0)
