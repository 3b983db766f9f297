"""Write the figures of README.md and README.ja.md: `python tools/figures.py`, after a benchmark has measured anew.

`figures` reads them from docs/*.json, which the benchmarks write. docs/pictures/readme.json has them for the pages of
docs/, by `python tools/pictures.py readme`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fastact.measure.bench.results import geometric_mean, load, ratio, slower

ROOT = Path(__file__).parents[1]
BEGIN, END = "<!-- figures:begin -->\n", "<!-- figures:end -->"

TABLES = {
    "README.md": """\
| | measured | by |
|---|---|---|
| **Exact** | {functions} functions are at most {forward} ULP (units in the last place) off the true value, \
their derivatives {derivative}, over all 2³² float32 numbers: [accuracy](docs/accuracy.md) \
| `python benchmarks/accuracy.py` |
| **Fast** | The fastest of PyTorch, oneDNN, OpenVINO, JAX, ONNX Runtime, NumPy, SciPy and numexpr takes {ratio} \
times as long: the geometric mean of {cases} cases in float32, in {slower} of which it is faster than fastact: \
[speed](docs/speed.md) \
| `python benchmarks/grid.py` |
| **Trains fast** | A step of a 64-128-64-10 network takes {step} µs; PyTorch takes {torch} times as long, \
scikit-learn {sklearn}, JAX {jax}: [trainer](docs/trainer.md) | `python benchmarks/trainer.py --write` |
""",
    "README.ja.md": """\
| | 測定結果 | 測定コマンド |
|---|---|---|
| **正確** | {functions} 個の関数の誤差は、2³² 通りの float32 の入力すべてを調べて最大 {forward} ULP、\
導関数は {derivative} ULP（1 ULP は隣り合う数の間隔）：[精度](docs/accuracy.md) \
| `python benchmarks/accuracy.py` |
| **高速** | PyTorch、oneDNN、OpenVINO、JAX、ONNX Runtime、NumPy、SciPy、numexpr のうち最速のものでも \
{ratio} 倍の時間がかかる（float32、{cases} 通りの幾何平均。うち {slower} 通りでは fastact のほうが遅い）：\
[速度](docs/speed.md) | `python benchmarks/grid.py` |
| **学習も高速** | 64-128-64-10 のネットワークの 1 ステップは {step} µs。PyTorch では {torch} 倍、\
scikit-learn では {sklearn} 倍、JAX では {jax} 倍の時間がかかる：[学習の速度](docs/trainer.md) \
| `python benchmarks/trainer.py --write` |
""",
}
#: Of docs/accuracy.json.
PARTS = ("forward", "derivative")


def figures() -> dict[str, str]:
    """By name, as they are shown."""
    return accuracy() | speed() | training()


def read(name: str) -> dict[str, Any]:
    """A file of docs/."""
    found: dict[str, Any] = json.loads((ROOT / "docs" / name).read_text(encoding="utf-8"))
    return found


def accuracy() -> dict[str, str]:
    """The largest errors over all float32 numbers."""
    found = read("accuracy.json")["fastact"]
    largest = {part: max(each["ulp"] for key, each in found.items() if key.endswith(part)) for part in PARTS}
    return {"functions": str(len(found) // len(PARTS)), **{part: f"{ulp:.2f}" for part, ulp in largest.items()}}


def speed() -> dict[str, str]:
    """The fastest peer's times over fastact's in float32."""
    results, _about = load(ROOT / "docs" / "speed.json")
    cases = {case: times for case, times in results.items() if case.dtype == "float32"}
    return {
        "ratio": f"{geometric_mean(map(ratio, cases.values())):.1f}",
        "cases": f"{len(cases):,}",
        "slower": str(sum(1 for _ in slower(cases))),
    }


def training() -> dict[str, str]:
    """Microseconds of a step in float32, and the peers' times over fastact's."""
    least = {library: min(times) for library, times in read("trainer.json")["float32, 2 threads"]["digits"].items()}
    own = least.pop("fastact")
    return {"step": f"{own:.0f}", **{library: f"{time / own:.1f}" for library, time in least.items()}}


def written(page: str, text: str) -> str:
    """The text of a page with the figures of now."""
    before, _begin, rest = text.partition(BEGIN)
    _old, _end, after = rest.partition(END)
    return f"{before}{BEGIN}{TABLES[page].format_map(figures())}{END}{after}"


def main() -> None:
    for page in TABLES:
        path = ROOT / page
        path.write_text(written(page, path.read_text(encoding="utf-8")), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
