"""`fastact apply` on parquet files: numeric columns change, and nothing else of the file does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastact as fa
from helpers.commands import one_line

pytest.importorskip("dask")
pa: Any = pytest.importorskip("pyarrow")
pq: Any = pytest.importorskip("pyarrow.parquet")
pd: Any = pytest.importorskip("pandas")
Fastact = Callable[..., str]


def frame() -> Any:
    values = {
        "a": [1.0, -2.0, np.nan, 4.0, 0.5],
        "count": pd.array([1, 2, None, 4, 5], "Int64"),
        "name": list("vwxyz"),
        "b": np.arange(5, dtype=np.float32),
        "when": pd.to_datetime(["2020-01-01"] * 5),
    }
    return pd.DataFrame(values, index=pd.Index(range(5, 10), name="key"))


def written(path: str, **options: Any) -> Any:
    table = pa.Table.from_pandas(frame())
    table = table.replace_schema_metadata({**table.schema.metadata, b"mine": b"1"})
    place = table.schema.get_field_index("b")
    table = table.cast(table.schema.set(place, table.schema.field(place).with_metadata({b"unit": b"K"})))
    pq.write_table(table, path, **{"row_group_size": 2, "compression": "zstd", **options})
    return table


def test_all_numeric_columns_by_themselves(fastact: Fastact) -> None:
    """By default: all but pandas' index, and nulls and what is no number stay."""
    table = written("in.parquet")
    for chunk in (1, 100):
        fastact("apply", "tanh", "in.parquet", "out.parquet", "--chunk", chunk)
        found, wanted = pd.read_parquet("out.parquet"), frame()
        wanted["a"], wanted["b"] = fa.tanh(wanted["a"].to_numpy()), fa.tanh(wanted["b"].to_numpy())
        wanted["count"] = pd.array(fa.tanh(np.array([1.0, 2, 0, 4, 5])), "Float64")
        wanted.loc[7, "count"] = pd.NA
        pd.testing.assert_frame_equal(found, wanted, check_exact=True)
    file = pq.ParquetFile("out.parquet")
    assert [file.metadata.row_group(group).num_rows for group in range(file.metadata.num_row_groups)] == [2, 2, 1]
    assert {file.metadata.row_group(0).column(column).compression for column in range(5)} == {"ZSTD"}
    assert file.schema_arrow.metadata[b"mine"] == b"1"
    assert file.schema_arrow.field("b").metadata[b"unit"] == b"K"
    assert file.read().column("a").null_count == table.column("a").null_count


def test_softmax_over_the_columns_of_a_row(fastact: Fastact) -> None:
    written("in.parquet")
    for name in ("softmax", "sparsemax", "log_softmax"):
        fastact("apply", name, "in.parquet", "out.parquet", "--columns", "a,b", "--columns", "count", "--chunk", 5)
        found = pq.read_table("out.parquet").to_pydict()
        x = np.array([[1, 0, 1], [-2, 1, 2], [0, 2, 0], [4, 3, 4], [0.5, 4, 5]])
        x[2, 0] = x[2, 2] = 0
        mask = np.ones((5, 3), bool)
        mask[2] = False, True, False  # nulls
        wanted = fa.get(name)(x, where=mask)
        for column, key in enumerate(("a", "b", "count")):
            np.testing.assert_array_equal(np.array(found[key], float)[mask[:, column]], wanted[mask[:, column], column])
        assert found["a"][2] is found["count"][2] is None
        assert found["name"] == list("vwxyz")


@pytest.mark.parametrize(("kind", "wanted"), [("Int8", "float16"), ("int64[pyarrow]", "double[pyarrow]")])
def test_pandas_reads_what_is_written(fastact: Fastact, kind: str, wanted: str) -> None:
    pd.DataFrame({"a": pd.array([1, 0], kind)}).to_parquet("in.parquet")
    fastact("apply", "gelu", "in.parquet", "out.parquet")
    assert str(pd.read_parquet("out.parquet").dtypes["a"]) == wanted


def test_options_and_in_place(fastact: Fastact) -> None:
    written("in.parquet")
    options = ["--columns", "b", "--derivative", "--param", "alpha=0.5", "--backend", "numpy"]
    fastact("apply", "leaky_relu", "in.parquet", "in.parquet", *options)
    found = pd.read_parquet("in.parquet")
    np.testing.assert_array_equal(found["b"], fa.leaky_relu.derivative(frame()["b"].to_numpy(), 0.5))
    pd.testing.assert_frame_equal(found.drop(columns="b"), frame().drop(columns="b"))


def test_folders(fastact: Fastact, tmp_path: Path) -> None:
    for part in ("year=1", "year=2"):
        (tmp_path / "in.parquet" / part).mkdir(parents=True)
        frame().to_parquet(f"in.parquet/{part}/data.parquet")
    (tmp_path / "in.parquet" / "_SUCCESS").touch()
    for _ in range(2):
        fastact("apply", "relu", "in.parquet", "out.parquet", "--columns", "a")
    found = pq.read_table("out.parquet")
    assert found.num_rows == 10
    assert "year" in found.schema.names
    paths = sorted(path.relative_to(tmp_path).as_posix() for path in (tmp_path / "out.parquet").rglob("*.parquet"))
    assert paths == ["out.parquet/year=1/data.parquet", "out.parquet/year=2/data.parquet"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.parquet", "out.parquet"]


def test_numbers_of_all_widths(fastact: Fastact) -> None:
    table = pa.table({name: pa.array(np.arange(4).astype(name)) for name in ("uint8", "int64", "float16", "float64")})
    pq.write_table(table, "in.parquet")
    fastact("apply", "gelu", "in.parquet", "out.parquet")
    for name, column in zip(table.schema.names, pq.read_table("out.parquet").columns, strict=True):
        np.testing.assert_array_equal(column.to_numpy(), fa.gelu(np.arange(4).astype(name)))
    fastact("apply", "softmax", "in.parquet", "out.parquet")
    assert set(map(str, pq.read_table("out.parquet").schema.types)) == {"double"}


WRONG: dict[str, tuple[list[Any], int, str]] = {
    "no file": (["gelu", "none.parquet", "out.parquet"], 1, "none.parquet"),
    "no parquet": (["gelu", "bad.parquet", "out.parquet"], 2, "bad.parquet: not a parquet file that can be read"),
    "no column": (["gelu", "good.parquet", "out.parquet", "--columns", "A"], 2, "did you mean 'a'?"),
    "text": (["gelu", "good.parquet", "out.parquet", "--columns", "a,name"], 2, "column 'name' of good.parquet holds"),
    "no numbers": (["gelu", "text.parquet", "out.parquet"], 2, "text.parquet has no numeric column"),
    "an axis": (["softmax", "good.parquet", "out.parquet", "--axis", 0], 2, "--axis does not go with a table"),
    "other files": (["gelu", "mixed", "out.parquet"], 2, "notes.txt: is no parquet file"),
    "another format": (["gelu", "good.parquet", "out.npy"], 2, "name it out.parquet"),
    "within": (["gelu", "folder", "folder/out.parquet"], 2, "lies in the other"),
    "a file for a folder": (["gelu", "folder", "good.parquet"], 2, "good.parquet: is there already"),
}


@pytest.mark.parametrize("case", WRONG)
def test_errors_are_one_line_and_touch_nothing(fastact: Fastact, tmp_path: Path, case: str) -> None:
    written("good.parquet")
    pq.write_table(pa.table({"name": ["x"]}), "text.parquet")
    (tmp_path / "bad.parquet").write_text("PAR1")
    for name in ("mixed", "folder"):
        (tmp_path / name).mkdir()
        written(f"{name}/part.parquet")
    (tmp_path / "mixed" / "notes.txt").touch()
    arguments, exit_code, says = WRONG[case]
    before = sorted(tmp_path.rglob("*"))
    assert says in one_line(fastact("apply", *arguments, exit_code=exit_code))
    assert sorted(tmp_path.rglob("*")) == before


def test_shows_its_progress_on_a_terminal(fastact: Fastact, monkeypatch: pytest.MonkeyPatch) -> None:
    written("in.parquet")
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "100%" in fastact("apply", "relu", "in.parquet", "out.parquet")
