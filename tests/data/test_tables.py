"""Tables from files: what is read, what becomes of columns and target, and what is refused."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pandas = pytest.importorskip("pandas", reason="pandas is not installed (extra: demo)")
pytest.importorskip("sklearn", reason="scikit-learn is not installed (extra: demo)")

from fastact.learn.data import reading  # noqa: E402
from fastact.learn.data.columns import Columns, Number  # noqa: E402
from fastact.learn.data.frames import joined, tidy  # noqa: E402
from fastact.learn.data.table import TableProblem, problem  # noqa: E402
from fastact.learn.data.target import Target  # noqa: E402


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def mixed(rows: int = 400, seed: int = 0) -> Any:
    """A table with columns of every kind, as users have them."""
    rng = np.random.default_rng(seed)
    frame = pandas.DataFrame({
        "age": np.where(rng.random(rows) < 0.2, np.nan, rng.integers(1, 80, rows)),
        "sex": rng.choice(["m", "f"], rows),
        "cabin": pandas.Series(rng.choice(["A", "B", "C"], rows)).where(rng.random(rows) < 0.5),
        "name": [f"name {row}" for row in range(rows)],
        "day": [f"2024/{1 + row % 12}/{1 + row % 28}" for row in range(rows)],
        "member": rng.random(rows) < 0.5,
        "fare": np.where(np.arange(rows) % 100 == 7, "unknown", rng.normal(size=rows).round(3).astype(str)),
        "one": 1,
        "nothing": np.nan,
    })  # fmt: skip
    frame["survived"] = np.where((frame.sex == "f") ^ (rng.random(rows) < 0.1), "yes", "no")
    return frame


# ---- reading


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.csv.gz", "t.parquet"])
def test_formats_give_the_same_table(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the blocks are: here a block has a few rows."""
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow", reason="pyarrow is not installed (extra: parquet)")
    frame = mixed()
    if name.endswith("parquet"):
        frame.to_parquet(name)
    else:
        frame.to_csv(name, index=False, sep="\t" if "tsv" in name else ",")
    whole = reading.read(name)
    monkeypatch.setattr(reading, "_BLOCK", 70)
    seen: list[int] = []
    pandas.testing.assert_frame_equal(reading.read(name, seen.append), whole)
    assert sum(seen) <= reading.size(name)
    assert len(seen) > 0
    assert (whole.age.isna() == frame.age.isna()).all()
    assert whole.age.dropna().tolist() == frame.age.dropna().tolist()
    assert whole.cabin.astype(object).fillna("-").tolist() == frame.cabin.fillna("-").tolist()
    assert whole.member.tolist() == frame.member.tolist()


def test_a_column_is_text_as_it_is_written_if_any_block_has_text(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("t.csv").write_text("a,b,c\n007,1,True\n1.50,2,False\nx,3,?\n,4,True\n", encoding="utf-8")
    monkeypatch.setattr(reading, "_BLOCK", 3)
    frame = reading.read("t.csv")
    assert frame.a.astype(object).fillna("-").tolist() == ["007", "1.50", "x", "-"]
    assert frame.b.tolist() == [1, 2, 3, 4]
    assert frame.c.astype(object).where(frame.c.notna(), None).tolist() == [True, False, None, True]


def test_arrays() -> None:
    days = np.array(["2024-01-01", "2024-01-03"], "datetime64[D]")
    np.savez_compressed(
        "t.npz", X=np.asfortranarray([[1.0, 2], [3, 4]]), y=["a", "b"], half=np.ones(2, "f2"),
        big=np.arange(2, dtype=">i4"), day=days, flag=[True, False],
    )  # fmt: skip
    frame = reading.read("t.npz")
    assert list(frame) == ["X0", "X1", "y", "half", "big", "day", "flag"]
    assert frame.X1.tolist() == [2, 4]
    assert frame.big.tolist() == [0, 1]
    assert list(frame.day) == list(pandas.to_datetime(days))


@pytest.mark.parametrize("text", ["﻿a;b\n1;x\n2;y\n", 'a, b\n1, x \n 2,"y"\n', "\n\na\tb\n1\tx\n\n2\ty\n"])
def test_dialects(text: str) -> None:
    Path("t.csv").write_text(text, encoding="utf-8")
    frame = reading.read("t.csv")
    assert list(frame) == ["a", "b"]
    assert (frame.a.tolist(), frame.b.tolist()) == ([1, 2], ["x", "y"])


@pytest.mark.parametrize("separator", [";", "\t"])
def test_decimal_commas(separator: str) -> None:
    lines = ["a;b", "1,5;x", "-2;y,z", "1e3;v"]
    Path("t.csv").write_text("\n".join(lines).replace(";", separator))
    frame = reading.read("t.csv")
    assert (frame.a.tolist(), frame.b.tolist()) == ([1.5, -2, 1000], ["x", "y,z", "v"])
    Path("t.csv").write_text("\n".join([*lines, "0.5;w"]).replace(";", separator))  # both marks: neither is decimal
    assert reading.read("t.csv").a.tolist() == ["1,5", "-2", "1e3", "0.5"]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("t.csv", b"", "is empty"),
        ("t.csv", b"\n \n", "is empty"),
        ("t.csv", b"a,b\n", "no rows"),
        ("t.csv", b"a,b\n1,2\n3,4,5\n", "line 3 has 3 fields, the first line has 2"),
        ("t.csv", b"a,b\n1,2,3\n3,4,5\n", "line 2 has 3 fields"),
        ("t.csv", b"a,b\n1,2\n3\n", "line 3 has 1 field, the first line has 2"),
        ("t.csv", b'a,b\n1,"2\n', "is no table"),
        ("t.csv", b"a,b,a\n1,2,3\n", "several columns named 'a'"),
        ("t.csv", b"\x89PNG\r\n\x1a\n\0\0", "UTF-8 (byte 0x89)"),
        ("t.csv", b"PK\3\4\0\0\0\0\n\0", "is no text"),
        ("t.csv", "名前,値\n1,2\n".encode("cp932"), "save the table as CSV in UTF-8"),
        ("t.csv", b"a,b\n" + b"1,2\n" * 200_000 + b"\xff,1\n", "byte 0xff"),
        ("t.csv.gz", b"a,b\n1,2\n", "gzip"),
        ("t.csv.gz", gzip.compress(np.random.default_rng(0).bytes(999).hex().encode() + b"\n1\n")[:-30], "ended"),
        ("t.npz", b"a,b\n1,2\n", "zip"),
        ("t.parquet", b"a,b\n1,2\n", "arquet"),
        ("t.xlsx", b"PK", "unknown ending; tables are read from .csv"),
        ("folder.csv", None, "not a regular file"),
    ],
)  # fmt: skip
def test_what_is_no_table_is_one_line(name: str, content: bytes | None, told: str) -> None:
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow", reason="pyarrow is not installed (extra: parquet)")
    if content is None:
        Path(name).mkdir()
    else:
        Path(name).write_bytes(content)
    with pytest.raises(ValueError, match="^" + name) as error:
        reading.read(name)
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_arrays_that_are_no_table_are_one_line() -> None:
    for told, arrays in {
        "Python objects": {"a": np.array([1, "x"], object)},
        "different lengths": {"a": np.zeros(3), "b": np.zeros((4, 2))},
        "complex128": {"a": np.zeros(3, complex)},
        "shape \\(2, 2, 2\\)": {"a": np.zeros((2, 2, 2))},
        "several columns named 'a1'": {"a": np.zeros((2, 2)), "a1": np.zeros(2)},
        "has no arrays": {},
    }.items():
        np.savez("t.npz", **arrays)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match=f"^t.npz: .*{told}"):
            reading.read("t.npz")
    with pytest.raises(FileNotFoundError):
        reading.read("missing.npz")


# ---- columns


def test_what_becomes_of_each_column() -> None:
    frame = mixed()
    frame.to_csv("t.csv")  # with row numbers, as pandas does it
    table = reading.read("t.csv").drop(columns="survived")
    columns = Columns.fit(table)
    kinds = {each.name: each.kind if isinstance(each, Number) else each.categories for each in columns.inputs}
    assert kinds == {
        "age": "number", "sex": ("f", "m"), "cabin": ("A", "B", "C"), "day": "date", "member": "boolean",
        "fare": "number",
    }  # fmt: skip
    reasons = {"Unnamed: 0": "counter", "name": "different", "one": "constant", "nothing": "empty"}
    assert dict(columns.left_out) == reasons
    inputs = pandas.DataFrame(columns.encode(table), columns=pandas.MultiIndex.from_tuples(columns.features))
    filled = frame.age.fillna(frame.age.median())
    np.testing.assert_allclose(inputs["age", "value"], (filled - filled.mean()) / filled.std(ddof=0), atol=1e-6)
    assert inputs["age", "missing"].tolist() == frame.age.isna().tolist()
    assert inputs["sex", "=f"].tolist() == (frame.sex == "f").tolist()
    assert inputs["cabin", "missing"].tolist() == frame.cabin.isna().tolist()
    assert inputs["fare", "missing"].tolist() == (frame.fare == "unknown").tolist()
    days = (pandas.to_datetime(frame.day) - pandas.Timestamp("1970-01-01")).dt.days
    np.testing.assert_allclose(inputs["day", "value"], (days - days.mean()) / days.std(ddof=0), atol=1e-4)
    assert inputs["member", "value"].tolist() == frame.member.tolist()
    notes = " ".join(map(str, columns.notes()))
    assert all(name in notes for name in table.columns)
    assert Columns.from_dict(json.loads(json.dumps(columns.as_dict()))) == columns


def test_what_the_training_did_not_have() -> None:
    columns = Columns.fit(tidy(pandas.DataFrame({"a": [1, 2.5, 4], "b": ["x", "y", "x"]})))
    surprises: Counter[str] = Counter()
    new = tidy(pandas.DataFrame({"b": ["z", None, "x"], "a": [np.nan, np.inf, 1e300]}))
    inputs = columns.encode(new, None, surprises)
    assert inputs.tolist() == [[0, 0, 0], [0, 0, 0], [1e6, 1, 0]]
    assert surprises == {"a": 2, "b": 2}


@pytest.mark.parametrize("size", [1e-300, 1e300])
def test_extreme_numbers_are_standardised(size: float) -> None:
    columns = Columns.fit(tidy(pandas.DataFrame({"a": [-size, size, size / 2, 0]})))
    inputs = columns.encode(tidy(pandas.DataFrame({"a": [-size, size, size / 2, 0]})))
    np.testing.assert_allclose([inputs.mean(), inputs.std()], [0, 1], atol=1e-6)


def test_rare_categories_are_pooled_and_bounded() -> None:
    texts = [f"t{number % 300 if number % 2 else number % 40}" for number in range(3000)]
    columns = Columns.fit(tidy(pandas.DataFrame({"t": texts})))
    assert len(columns.features) == 50
    with pytest.raises(ValueError, match="no column is left"):
        Columns.fit(tidy(pandas.DataFrame({"one": [1] * 20})))


def test_a_part_is_learnt_from_alone() -> None:
    """Whatever the other rows have, columns and split are the same."""
    frame = mixed()
    learner = TableProblem(frame, "survived")
    split = learner.split(3)
    train = np.sort(learner._learnt.parts(0.2, 3)[0])
    other = frame.copy()
    outside = np.setdiff1d(np.arange(len(frame)), train)
    other.loc[outside, "age"] = other.loc[outside, "age"] * 1000 + 1
    other.loc[outside, "fare"] = "9999"
    assert TableProblem(other, "survived").split(3).train_x.tobytes() == split.train_x.tobytes()
    value = split.train_x[:, [part for _name, part in learner._place].index("value")]
    np.testing.assert_allclose([value.mean(), value.std()], [0, 1], atol=1e-5)


# ---- target and problem


@pytest.mark.parametrize(
    ("values", "wish", "task", "classes"),
    [
        (["no", "yes"] * 10, None, "binary", ("no", "yes")),
        ([True, False] * 10, None, "binary", ("False", "True")),
        ([10, 9, 2, np.nan] * 10, None, "multi-class", ("2", "9", "10")),
        (["10", "9"] * 10, None, "binary", ("10", "9")),
        (list(range(30)), None, "regression", ()),
        ([0.5, 1.5] * 10, None, "regression", ()),
        ([0.5, 1.5] * 10, "classification", "binary", ("0.5", "1.5")),
        ([3, 4] * 10, "regression", "regression", ()),
    ],
)
def test_the_column_decides_the_task(values: Any, wish: Any, task: str, classes: tuple[str, ...]) -> None:
    frame = tidy(pandas.DataFrame({"y": values}))
    target, notes = Target.found(frame, "y", wish)
    assert (target.task, target.classes) == (task, classes)
    rows, learnt = target.values(frame.y)
    target = target.fit(learnt)
    if classes:
        assert [target.classes[label] for label in learnt[:2]] == [str(value) for value in values[:2]]
    else:
        np.testing.assert_allclose(target.restored(target.learnt(learnt)), np.array(values)[rows], rtol=1e-6, atol=1e-5)
    assert any("left out: 10" in str(note) for note in notes) == (len(rows) < len(values))
    assert Target.from_dict(json.loads(json.dumps(target.as_dict()))) == target


@pytest.mark.parametrize(
    ("values", "task", "told"),
    [
        ([None] * 20, None, "missing in all rows"),
        (["a"] * 20, None, "two classes are the least"),
        ([1.5] * 20, None, "nothing to learn"),
        (["a", "b"] * 10, "regression", "holds 'a'; a regression learns numbers"),
        ([1.5, np.inf] * 10, None, "is inf in row 2"),
        ([1e80, 2e300] * 10, "regression", "is from 1e+80 to 2e+300"),
        ([-1e-200, 0.0] * 10, "regression", "give it in another unit"),
        ([1.5, 2.5, 3.5], None, "3 rows with a target 'y', and 10 are the least"),
        (["a"] * 19 + ["b"], None, "the class 'b' of the target 'y' has a single row"),
        ([f"{row}x" for row in range(20)], None, "too many to be classes"),
        ([f"{row % 5}x" for row in range(20)], None, "20 rows with a target of 5 classes, and 25"),
        ([1, 2] * 10, "clustering", "known: classification, regression"),
    ],
)
def test_what_cannot_be_learnt(values: Any, task: Any, told: str) -> None:
    frame = pandas.DataFrame({"x": np.random.default_rng(0).normal(size=len(values)), "y": values})
    with pytest.raises(ValueError, match=re.escape(told)):
        TableProblem(frame, "y", task)
    with pytest.raises(ValueError, match="no column 'yy'; did you mean 'y'"):
        TableProblem(frame, "yy", task)


def test_targets_whose_squares_overflow_are_not_measured() -> None:
    target, _notes = Target.found(tidy(pandas.DataFrame({"y": np.arange(0.5, 20)})), "y")
    rows, values = target.values(tidy(pandas.DataFrame({"y": [1e300, 2.5, np.nan, -1e200]})).y)
    assert (rows.tolist(), values.tolist()) == ([1], [2.5])


def test_problem_of_a_file() -> None:
    from sklearn.datasets import load_diabetes, load_iris

    iris = load_iris(as_frame=True)
    frame = iris.frame.assign(target=iris.target_names[iris.target])
    frame.to_csv("iris.csv", index=False)
    flowers = problem("iris.csv", "target")
    assert (flowers.task, flowers.features, flowers.outputs, flowers.resampled) == ("multi-class", 4, 3, True)
    split = flowers.split(1)
    assert np.bincount(split.test_y).tolist() == [10, 10, 10]
    assert (split.train_x.dtype, split.train_x.shape, split.test_x.shape) == (np.float32, (120, 4), (30, 4))
    again = problem("iris.csv", "target").split(1)
    assert all(getattr(split, name).tobytes() == getattr(again, name).tobytes() for name in vars(split))
    assert split.test_x.tobytes() != flowers.split(2).test_x.tobytes()

    load_diabetes(as_frame=True).frame.to_csv("diabetes.csv", index=False)
    split = problem("diabetes.csv", "target").split(0)
    np.testing.assert_allclose([split.train_y.mean(), split.train_y.std()], [0, 1], atol=1e-5)
    assert split.train_y.dtype == np.float32


def test_all_seeds_have_equally_many_features() -> None:
    frame = mixed()
    frame.loc[5, "sex"], frame.loc[6, "cabin"] = "rare", "only one"
    learner = TableProblem(frame, "survived")
    shapes = {learner.split(seed).train_x.shape[1] for seed in range(8)}
    assert shapes == {learner.features}


@pytest.mark.slow
def test_a_million_rows_in_bounded_memory(python: Any) -> None:
    rng = np.random.default_rng(0)
    block = (
        pandas.DataFrame(rng.normal(size=(100_000, 19)).round(6))
        .add_prefix("x")
        .assign(t=rng.choice(["a", "b"], 100_000))
    )
    for number in range(10):
        block.to_csv("big.csv", mode="a", index=False, header=not number)
    code = (
        "import resource; from fastact.learn.data.reading import read; import pandas\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        f"frame = read({str(Path('big.csv').resolve())!r})\n"
        "print(len(frame), (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)"
    )
    rows, megabytes = python(code).split()
    assert int(rows) == 10**6
    assert float(megabytes) < 350  # of which the table takes 153


def test_joined_takes_what_users_have() -> None:
    frame = pandas.DataFrame(
        {"a": pandas.Categorical([3, 4, 3]), "b": pandas.array([1, None, 2], "Int64"), "c": [True] * 3}
    )
    table = joined([frame])
    assert table.a.tolist() == [3, 4, 3]
    assert np.isnan(table.b[1])
    assert tidy(table) is table
    with pytest.raises(ValueError, match="column 'a' holds mixed"):
        joined([pandas.DataFrame({"a": [1, "x", {}]})])
