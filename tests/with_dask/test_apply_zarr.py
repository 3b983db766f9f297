"""`fastact apply` on zarr arrays: the same numbers as in memory, the same storage, and nothing half written."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastact as fa
from helpers.commands import one_line

pytest.importorskip("dask.array")
zarr: Any = pytest.importorskip("zarr")
Fastact = Callable[..., str]

X = (np.random.default_rng(0).normal(size=(50, 30)) * 5).astype(np.float32)
STORAGE: dict[str, dict[str, Any]] = {
    "v3": {"chunks": (15, 7), "dimension_names": ("time", "class")},
    "shards": {"chunks": (5, 10), "shards": (25, 20), "compressors": zarr.codecs.GzipCodec(level=1)},
    "v2": {"chunks": (15, 7), "zarr_format": 2, "order": "F"},
    "one chunk": {"chunks": (50, 30), "fill_value": np.nan},
}


def made(path: str, values: Any = X, **options: Any) -> Any:
    values = np.asarray(values)
    options = {"chunks": values.shape, **options, "shape": values.shape, "dtype": values.dtype}
    array = zarr.create_array(path, attributes={"units": "K"}, overwrite=True, **options)
    array[...] = values
    return array


def opened(path: str) -> Any:
    return zarr.open_array(path, mode="r")


def described(array: Any) -> list[Any]:
    """What a result has of its source."""
    names = getattr(array.metadata, "dimension_names", None)
    fill = np.asarray(array.fill_value).tobytes()
    return [array.shape, array.chunks, array.shards, array.compressors, dict(array.attrs), names, array.order, fill]


@pytest.mark.parametrize("storage", STORAGE)
def test_gives_what_the_function_gives(fastact: Fastact, storage: str) -> None:
    source = made("in.zarr", **STORAGE[storage])
    for axis, chunk in ((-1, None), (0, None), (0, 1500), (0, 600), (1, 600)):
        if chunk is not None and storage == "one chunk":
            continue
        fastact("apply", "softmax", "in.zarr", "out.zarr", "--axis", axis, *(["--chunk", chunk] if chunk else []))
        np.testing.assert_allclose(opened("out.zarr")[:], fa.softmax(X, axis), rtol=1e-6)
        assert described(opened("out.zarr")) == described(source)
    fastact("apply", "leaky_relu", "in.zarr", "out.zarr", "--derivative", "--param", "alpha=0.5", "--backend", "serial")
    np.testing.assert_array_equal(opened("out.zarr")[:], fa.leaky_relu.derivative(X, 0.5))
    fastact("apply", "sparsemax", "in.zarr", "out.zarr", "--axis", 0)
    np.testing.assert_array_equal(opened("out.zarr")[:], fa.sparsemax(X, 0))


def test_kinds_of_arrays(fastact: Fastact) -> None:
    for values in (np.arange(-3, 3, dtype=np.int16), np.zeros((0, 3)), np.array(2.0), X.astype(np.float16)):
        made("in.zarr", values, chunks=tuple(max(size, 1) for size in values.shape))
        fastact("apply", "gelu", "in.zarr", "out.zarr")
        np.testing.assert_array_equal(opened("out.zarr")[...], fa.gelu(values))
        assert opened("out.zarr").dtype == np.asarray(fa.gelu(values)).dtype


def test_filters_for_other_numbers_are_left_out(fastact: Fastact) -> None:
    """Else results would be rounded to what the filter keeps of integers."""
    numcodecs: Any = pytest.importorskip("numcodecs")
    scaled = numcodecs.FixedScaleOffset(offset=0, scale=1, dtype="<f4", astype="<i2")
    source = zarr.create_array("in.zarr", shape=(4,), chunks=(2,), dtype="f4", zarr_format=2, filters=[scaled])
    source[:] = [0, 1, 2, 3]
    fastact("apply", "tanh", "in.zarr", "out.zarr")
    np.testing.assert_array_equal(opened("out.zarr")[:], fa.tanh(np.arange(4, dtype=np.float32)))


def test_in_place_in_a_group_and_through_a_link(fastact: Fastact, tmp_path: Path) -> None:
    zarr.open_group("group.zarr", mode="w")
    made("group.zarr/x", chunks=(10, 10))
    (tmp_path / "link.zarr").symlink_to("group.zarr/x")
    fastact("apply", "softmax", "link.zarr", "group.zarr/x", "--axis", 0, "--chunk", 100)
    fastact("apply", "tanh", "group.zarr/x", "link.zarr")
    np.testing.assert_allclose(opened("group.zarr/x")[:], fa.tanh(fa.softmax(X, 0)), rtol=1e-6)
    assert (tmp_path / "link.zarr").is_symlink()
    assert sorted(os.listdir("group.zarr")) == ["x", "zarr.json"]


WRONG: dict[str, tuple[list[Any], int, str]] = {
    "no file": (["gelu", "none.zarr", "out.zarr"], 1, "none.zarr"),
    "a group": (["gelu", "group.zarr", "out.zarr"], 2, "such as group.zarr/NAME: x, y"),
    "nothing": (["gelu", "empty", "out.zarr"], 2, "no zarr array, and it has no parquet files"),
    "damaged": (["gelu", "damaged.zarr", "out.zarr"], 2, "damaged.zarr"),
    "no zarr": (["gelu", "hollow.zarr", "out.zarr"], 2, "hollow.zarr: holds no zarr array"),
    "complex": (["gelu", "complex.zarr", "out.zarr"], 2, "complex.zarr holds complex64"),
    "packed": (["gelu", "packed.zarr", "out.zarr"], 2, "packed numbers (attribute scale_factor)"),
    "part of a chunk": (["gelu", "good.zarr", "out.zarr", "--chunk", 10], 2, "a chunk of good.zarr has 105 elements"),
    "part of a shard": (["gelu", "shards.zarr", "out.zarr", "--chunk", 50], 2, "a shard of shards.zarr has 500"),
    "part of a row": (["entmax15", "good.zarr", "out.zarr", "--chunk", 105], 2, "has 450 elements, and is held as a"),
    "no such axis": (["softmax", "good.zarr", "out.zarr", "--axis", 2], 2, "axis 2 is out of range"),
    "another format": (["gelu", "good.zarr", "out.npy"], 2, "name it out.zarr"),
    "columns": (["gelu", "good.zarr", "out.zarr", "--columns", "a"], 2, "--columns goes with a table"),
    "no folder": (["gelu", "good.zarr", "none/out.zarr"], 1, "none/out.zarr: cannot write here"),
    "within": (["gelu", "group.zarr/x", "group.zarr"], 2, "lies in the other"),
    "not to be lost": (["gelu", "good.zarr", "precious"], 2, "precious: is there already"),
    "a parameter": (["gelu", "good.zarr", "out.zarr", "--param", "alpha=1"], 2, "no parameter 'alpha'"),
}


@pytest.fixture
def folder(fastact: Fastact, tmp_path: Path) -> Path:
    """With arrays, good and bad."""
    made("good.zarr", **STORAGE["v3"])
    made("shards.zarr", **STORAGE["shards"])
    made("complex.zarr", np.zeros(3, np.complex64))
    made("packed.zarr", np.zeros(3, np.int16)).attrs["scale_factor"] = 0.1
    group = zarr.open_group("group.zarr", mode="w")
    for name in "xy":
        group.create_array(name, shape=(3,), dtype="f4")
    for name in ("empty", "precious", "damaged.zarr", "hollow.zarr"):
        (tmp_path / name).mkdir()
    (tmp_path / "precious" / "file").write_text("precious")
    (tmp_path / "damaged.zarr" / ".zarray").write_text('{"zarr_format": 2')
    return tmp_path


@pytest.mark.parametrize("case", WRONG)
def test_errors_are_one_line_and_touch_nothing(fastact: Fastact, folder: Path, case: str) -> None:
    arguments, exit_code, says = WRONG[case]
    before = sorted(folder.rglob("*"))
    assert says in one_line(fastact("apply", *arguments, exit_code=exit_code))
    assert sorted(folder.rglob("*")) == before


def test_work_that_is_cut_off_leaves_nothing_behind(folder: Path) -> None:
    from fastact.dask import zarr_arrays

    made("out.zarr", np.ones(3))

    def cut_off(elements: float) -> None:
        raise KeyboardInterrupt

    source, before = folder / "good.zarr", sorted(folder.rglob("*"))
    with pytest.raises(KeyboardInterrupt), zarr_arrays.replacing(source, folder / "out.zarr") as temporary:
        zarr_arrays.apply(fa.relu, source, temporary, advance=cut_off)
    assert sorted(folder.rglob("*")) == before
    np.testing.assert_array_equal(opened("out.zarr")[:], 1)


def test_folders_change_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At once on Linux, and one after the other elsewhere."""
    from fastact._core import files as _files

    for platform in (sys.platform, "another"):
        monkeypatch.setattr(_files.sys, "platform", platform)
        for text in ("first", "second"):
            with _files.replacing_folder(tmp_path / "folder", lambda path: True) as temporary:
                (temporary / "file").write_text(text)
        assert (tmp_path / "folder" / "file").read_text() == "second"
        assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_shows_its_progress_on_a_terminal(fastact: Fastact, monkeypatch: pytest.MonkeyPatch) -> None:
    made("in.zarr", chunks=(10, 10))
    assert "%" not in fastact("apply", "relu", "in.zarr", "out.zarr")
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "100%" in fastact("apply", "softmax", "in.zarr", "out.zarr", "--axis", 0, "--chunk", 100)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="ru_maxrss counts alike only on Linux")
def test_takes_constant_memory(python: Callable[..., str], tmp_path: Path) -> None:
    """Along an axis that is cut: 128 MiB are never in memory."""
    for name, rows in (("big", 512), ("small", 32)):  # nothing is stored: all is the fill value
        options: dict[str, Any] = {"shape": (rows, 2**16), "chunks": (16, 2**14), "dtype": "f4", "fill_value": 1}
        zarr.create_array(tmp_path / f"{name}.zarr", **options)
    code = (
        "import os, resource\n"
        "from fastact.cli.app import cli\n"
        f"os.chdir({str(tmp_path)!r})\n"
        "def peak(name):\n"
        "    options = ['--axis', '0', '--chunk', str(2**18), '-q']\n"
        "    cli(['apply', 'softmax', name, 'out.zarr', *options], standalone_mode=False)\n"
        "    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "first = peak('small.zarr')\n"
        "print((peak('big.zarr') - first) / 1024)"
    )
    assert float(python(code)) < 48  # MiB more than for 8 MiB
