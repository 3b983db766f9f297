"""The command line: what each command prints and writes, and how it words errors."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastact as fa
from fastact.measure.bench.results import load
from helpers.commands import one_line, pixels

pytest.importorskip("click", reason="click is not installed (extra: demo)")
pytest.importorskip("matplotlib", reason="matplotlib is not installed (extra: demo)")

from fastact.cli.app import cli

Fastact = Callable[..., str]


def python(code: str, *, exit_code: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `code` in a fresh interpreter."""
    result = subprocess.run(
        [sys.executable, "-P", "-c", code],
        capture_output=True,
        text=True,
        env=os.environ | environment,
        check=False,
    )
    assert result.returncode == exit_code, result.stderr
    return result


# ---- info, list, show, plot


def test_info_names_every_backend_and_version(fastact: Fastact) -> None:
    output = fastact("info")
    assert fa.__version__ in output
    assert np.__version__ in output
    for name in fa.backends():
        assert name in output


def test_info_prints_the_same_as_json(fastact: Fastact, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FASTACT_SOMETHING", "1")
    found = json.loads(fastact("info", "--json"))
    assert list(found) == [
        "fastact", "python", "processor", "threads", "blas", "cache", "backends", "environment", "libraries",
    ]  # fmt: skip
    assert not [section for section in found.values() if "error" in section]
    assert found["fastact"]["version"] == fa.__version__
    assert found["backends"] == fa.backends()
    assert found["threads"]["fastact"] == fa.get_num_threads()
    assert found["environment"]["FASTACT_SOMETHING"] == "1"
    text = fastact("info").splitlines()
    assert [line for line in text if line[0] != " "] == list(found)
    assert len(text) == sum(1 + max(len(section), 1) for section in found.values())


def test_info_starts_no_threads_and_loads_no_library() -> None:
    python(
        "import sys\n"
        "import numba\n"
        "from numba.core.dispatcher import Dispatcher\n"
        "before = set(sys.modules)\n"
        "from fastact.cli.about import about, text\n"
        "print(text(about()))\n"
        "loaded = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "assert not loaded & {'scipy', 'matplotlib', 'pandas', 'sklearn', 'torch', 'click', 'rich', 'dask'}, loaded\n"
        "import gc\n"
        "assert not [each for each in gc.get_objects() if isinstance(each, Dispatcher) and each.signatures]\n"
        "try: numba.threading_layer()\n"
        "except ValueError: raise SystemExit(0)\n"
        "raise SystemExit('threads were started')"
    )


def test_info_tells_of_a_broken_installation() -> None:
    found = json.loads(
        python(
            "import json; from fastact.cli.about import about; print(json.dumps(about()))", FASTACT_SIMD="none"
        ).stdout
    )
    assert "FASTACT_SIMD='none' cannot run here" in found["processor"]["error"]
    assert found["fastact"]["version"] == fa.__version__


def test_warmup_and_info_tell_of_the_cache(tmp_path: Path) -> None:
    cache: dict[str, Any] = {"FASTACT_CACHE": str(tmp_path / "cache"), "COLUMNS": "220"}
    for done in ("compiled 6 kernels, found 0, in", "compiled 0 kernels, found 6, in"):
        result = python("from fastact.cli.app import cli; cli(['warmup', 'tanh', 'softmax'])", **cache)
        assert result.stdout.startswith(done)
    assert re.search(r"kernels +6$", python("from fastact.cli.app import cli; cli(['info'])", **cache).stdout, re.M)


def test_warmup_says_what_is_wrong(fastact: Fastact, no_cache: None) -> None:
    assert "did you mean 'tanh'?" in one_line(fastact("warmup", "tanhh", exit_code=2))
    assert "the cache is off: FASTACT_CACHE=off" in one_line(fastact("warmup", exit_code=1))
    assert "off: FASTACT_CACHE=off" in fastact("info")


def test_list_has_a_line_for_every_activation(fastact: Fastact) -> None:
    output = fastact("list")
    for name in fa.names():
        assert fa.get(name).formula in output


@pytest.mark.parametrize("name", fa.names())
def test_show_tells_everything(fastact: Fastact, name: str) -> None:
    activation = fa.get(name)
    words = " ".join(fastact("show", name).split())
    for text in (
        activation.name,
        activation.formula,
        activation.range,
        activation.reference,
        *activation.parameters,
    ):
        assert " ".join(text.split()) in words


SHOWN = {
    "sigmoid": "0.119 0.269 0.500 0.731 0.881",
    "tanh": "-0.964 -0.762 0.000 0.762 0.964",
    "relu": "0.000 0.000 0.000 1.000 2.000",
    "leaky_relu": "-0.020 -0.010 0.000 1.000 2.000",
    "elu": "-0.865 -0.632 0.000 1.000 2.000",
    "swish": "-0.238 -0.269 0.000 0.731 1.762",
    "softmax": "0.659 0.242 0.099",
}


@pytest.mark.parametrize("name", SHOWN)
def test_show_prints_the_figures_of_the_textbooks(fastact: Fastact, name: str) -> None:
    figures = fastact("show", name).replace("│", " ").split()
    assert SHOWN[name] in " ".join(figures)


def test_unknown_activation_names_the_nearest(fastact: Fastact) -> None:
    assert "'relu'" in one_line(fastact("show", "rellu", exit_code=2))


def test_plot_draws_all_hidden_activations(fastact: Fastact) -> None:
    fastact("plot", "-o", "all.png")
    fastact("plot", "relu", "swish", "-o", "two.png")
    assert pixels("all.png").shape[0] > pixels("two.png").shape[0]


def test_plot_refuses_softmax_other_formats_and_missing_folders(fastact: Fastact) -> None:
    assert "softmax" in one_line(fastact("plot", "softmax", "-o", "a.png", exit_code=2))
    assert "does not end in .png" in fastact("plot", "relu", "-o", "a.jpg", exit_code=2)
    assert "cannot write" in one_line(fastact("plot", "relu", "-o", "missing/a.png", exit_code=1))


@pytest.mark.usefixtures("own_registry")
def test_commands_take_or_refuse_an_activation_without_a_derivative(fastact: Fastact) -> None:
    @fa.activation
    def bump(x):  # type: ignore[no-untyped-def]
        return np.nextafter(x, x)  # of which nothing can be derived

    assert "f(x)" in fastact("show", "bump")
    np.save("x.npy", np.ones(3))
    refused = [
        ("plot", "relu", "bump", "-o", "a.png"),
        ("apply", "bump", "x.npy", "y.npy", "--derivative"),
        ("compare", "--activations", "relu,bump"),
    ]
    for arguments in refused:
        assert "bump was defined without a derivative" in one_line(fastact(*arguments, exit_code=2))
    assert "bump has no part backward" in one_line(fastact("bench", "bump", "--part", "backward", exit_code=2))
    assert "bump" in fastact("bench", "relu", "bump", "--part", "all", "--size", "10", "--no-peers", "--budget", "0.01")
    assert os.listdir() == ["x.npy"]


# ---- apply


def arrays() -> dict[str, np.ndarray]:
    values = np.random.default_rng(0).normal(0, 3, (7, 11, 5))
    return {
        "float64": values,
        "float32": values.astype(np.float32),
        "fortran": np.asfortranarray(values),
        "swapped": values.astype(values.dtype.newbyteorder()),
        "int": np.arange(-6, 6).reshape(3, 4),
        "0-d": np.array(-1.5),
        "empty": np.empty((0, 3), np.float32),
        "empty fortran": np.empty((3, 0, 2), order="F"),
    }


def same_array(got: np.ndarray, wanted: object, original: np.ndarray) -> None:
    """Equal in bits, dtype, shape and memory order."""
    wanted = np.asarray(wanted)
    assert (got.dtype, got.shape) == (wanted.dtype, wanted.shape)
    assert got.flags.c_contiguous == original.flags.c_contiguous
    assert got.tobytes() == wanted.tobytes()


@pytest.mark.parametrize("chunk", [1, 7, 55, 10**6])
@pytest.mark.parametrize("kind", arrays())
def test_apply_gives_what_the_function_gives(fastact: Fastact, kind: str, chunk: int) -> None:
    x = arrays()[kind]
    np.save("in.npy", x)
    fastact("apply", "elu", "in.npy", "out.npy", "--param", "alpha=0.5", "--chunk", chunk)
    same_array(np.load("out.npy"), fa.elu(x, alpha=0.5), x)
    fastact("apply", "relu", "in.npy", "out.npy", "--derivative", "--chunk", chunk)
    same_array(np.load("out.npy"), fa.relu.derivative(x), x)


@pytest.mark.parametrize("chunk", [1, 60, 10**6])
@pytest.mark.parametrize("axis", [0, 1, 2, -1])
@pytest.mark.parametrize("order", ["C", "F"])
def test_apply_softmax_over_any_axis(fastact: Fastact, order: str, axis: int, chunk: int) -> None:
    x = np.asarray(arrays()["float64"], order=order)  # type: ignore[call-overload]
    np.save("in.npy", x)
    fastact("apply", "softmax", "in.npy", "out.npy", "--axis", axis, "--chunk", chunk)
    got = np.load("out.npy")
    np.testing.assert_array_max_ulp(got, fa.softmax(x, axis=axis), maxulp=4)
    assert got.flags.f_contiguous == x.flags.f_contiguous


@pytest.mark.parametrize("kind", ["int", "swapped", "0-d", "empty", "empty fortran"])
def test_apply_softmax_over_the_last_axis_by_default(fastact: Fastact, kind: str) -> None:
    x = arrays()[kind]
    np.save("in.npy", x)
    fastact("apply", "softmax", "in.npy", "out.npy")
    same_array(np.load("out.npy"), fa.softmax(x), x)


def test_apply_takes_words_and_backends(fastact: Fastact) -> None:
    x = np.linspace(-3, 3, 50)
    np.save("in.npy", x)
    fastact("apply", "gelu", "in.npy", "out.npy", "--param", "approximate=tanh", "--backend", "numpy")
    same_array(np.load("out.npy"), fa.gelu(x, approximate="tanh", backend="numpy"), x)


def test_apply_in_place_and_through_a_link(fastact: Fastact, tmp_path: Path) -> None:
    x = np.linspace(-3, 3, 1000)
    np.save("data.npy", x)
    os.chmod("data.npy", 0o640)
    (tmp_path / "link.npy").symlink_to("data.npy")
    fastact("apply", "tanh", "data.npy", "link.npy", "--chunk", 64)
    same_array(np.load("data.npy"), fa.tanh(x), x)
    assert (tmp_path / "link.npy").is_symlink()
    assert (tmp_path / "data.npy").stat().st_mode & 0o777 == 0o640
    assert sorted(os.listdir()) == ["data.npy", "link.npy"]


def bad_inputs(folder: Path) -> None:
    np.save(folder / "good.npy", np.arange(4.0))
    np.save(folder / "object.npy", np.array([1, "a"], dtype=object), allow_pickle=True)
    np.save(folder / "complex.npy", np.zeros(3, complex))
    (folder / "text.npy").write_text("not an array")
    (folder / "none.npy").write_bytes(b"")
    (folder / "cut.npy").write_bytes((folder / "good.npy").read_bytes()[:-8])
    (folder / "folder.npy").mkdir()


@pytest.mark.parametrize(
    ("arguments", "exit_code", "says"),
    [
        (["relu", "missing.npy"], 1, "missing.npy"),
        (["relu", "object.npy"], 2, "object.npy"),
        (["sigmoid", "complex.npy"], 2, "complex128"),
        (["relu", "text.npy"], 2, "text.npy"),
        (["relu", "none.npy"], 2, "none.npy"),
        (["relu", "cut.npy"], 2, "cut.npy"),
        (["rellu", "good.npy"], 2, "'relu'"),
        (["relu", "good.npy", "--param", "alpha=1"], 2, "no parameter"),
        (["elu", "good.npy", "--param", "alpa=1"], 2, "'alpha'"),
        (["elu", "good.npy", "--param", "alpha"], 2, "KEY=VALUE"),
        (["elu", "good.npy", "--param", "alpha=big"], 2, "not a number"),
        (["gelu", "good.npy", "--param", "approximate=tan"], 2, "tanh"),
        (["relu", "good.npy", "--axis", "0"], 2, "--axis"),
        (["softmax", "good.npy", "--axis", "1"], 2, "axis"),
        (["softmax", "good.npy", "--derivative"], 2, "derivative"),
        (["relu", "good.npy", "--backend", "paralel"], 2, "'parallel'"),
    ],
)
def test_apply_errors_are_one_line_and_touch_nothing(
    fastact: Fastact, tmp_path: Path, arguments: list[str], exit_code: int, says: str
) -> None:
    bad_inputs(tmp_path)
    (tmp_path / "out.npy").write_bytes(b"precious")
    before = sorted(os.listdir())
    name, source, *options = arguments
    assert says in one_line(fastact("apply", name, source, "out.npy", *options, exit_code=exit_code))
    assert (tmp_path / "out.npy").read_bytes() == b"precious"
    assert sorted(os.listdir()) == before


@pytest.mark.parametrize("target", ["missing/out.npy", "folder.npy"])
def test_apply_needs_a_place_to_write(fastact: Fastact, tmp_path: Path, target: str) -> None:
    bad_inputs(tmp_path)
    assert target in fastact("apply", "relu", "good.npy", target, exit_code=1 if "/" in target else 2)


def header_only(shape: str, descr: str = "<f8") -> bytes:
    """A .npy file with no data."""
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


ABSURD = {
    "huge": header_only(f"({10**30},)"),
    "huge product": header_only(f"({2**40}, {2**40})"),
    "huge and empty": header_only(f"({10**30}, 0)"),
    "negative": header_only("(-1,)"),
    "deep": header_only("(" * 9000),
    "many dimensions": header_only(f"({'1, ' * 99})"),
    "dtype": header_only("(1,)", "<f3"),
    "records": header_only("(0,)", "f4,f4"),
    "list as key": header_only("()}, {[]: 1"),
    "zip": b"PK\5\6" + bytes(18),
    "half a magic": b"\x93NUM",
    "version": b"\x93NUMPY\x09\x00" + bytes(99),
}


@pytest.mark.parametrize("content", ABSURD.values(), ids=ABSURD)
def test_apply_names_a_file_that_is_no_array(fastact: Fastact, content: bytes) -> None:
    Path("in.npy").write_bytes(content)
    assert "in.npy: " in one_line(fastact("apply", "relu", "in.npy", "out.npy", exit_code=2))
    assert os.listdir() == ["in.npy"]


@pytest.mark.skipif(os.name != "posix", reason="no FIFOs here")
def test_apply_names_what_is_no_file(fastact: Fastact) -> None:
    np.save("good.npy", np.arange(3.0))
    os.mkfifo("fifo.npy")
    Path("a.npy").symlink_to("b.npy")
    Path("b.npy").symlink_to("a.npy")
    Path("under.npy").symlink_to("good.npy/file")
    before = sorted(os.listdir())
    for name, exit_code in {"fifo.npy": 2, "/dev/zero": 2, "a.npy": 1, "under.npy": 1}.items():
        assert name in one_line(fastact("apply", "relu", name, "out.npy", exit_code=exit_code))
        assert name in one_line(fastact("apply", "relu", "good.npy", name, exit_code=exit_code))
    assert sorted(os.listdir()) == before


def test_apply_is_not_stopped_by_what_a_killed_run_left(fastact: Fastact) -> None:
    np.save("in.npy", np.arange(3.0))
    Path(f".out.npy.{os.getpid()}.tmp").touch()
    fastact("apply", "relu", "in.npy", "out.npy")
    assert np.load("out.npy").tolist() == [0, 1, 2]


@pytest.mark.skipif(os.name != "posix", reason="modes and FIFOs as POSIX has them")
@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["plot", "relu", "-o"], "a.png"),
        (["compare", "xor", "--seeds", 1, "--activations", "relu", "-q", "-o", "b.png", "--json"], "a.json"),
        (["bench", "relu", "--no-peers", "--budget", 1e-3, "--size", 1, "-q", "--json"], "a.json"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_every_command_replaces_files_alike(fastact: Fastact, arguments: list[Any], name: str) -> None:
    path = Path(name)
    path.write_text("old")
    path.chmod(0o640)
    fastact(*arguments, name)
    assert path.stat().st_mode & 0o777 == 0o640
    assert path.read_bytes() != b"old"
    path.unlink()
    path.symlink_to(path)
    assert name in one_line(fastact(*arguments, name, exit_code=1))
    path.unlink()
    os.mkfifo(path)
    assert name in one_line(fastact(*arguments, name, exit_code=2))


@pytest.mark.parametrize("trouble", [KeyboardInterrupt, MemoryError, OSError(28, "No space left on device")])
def test_apply_that_is_cut_off_leaves_nothing_behind(
    tmp_path: Path, trouble: type[BaseException] | BaseException
) -> None:
    from fastact._core.files import replacing
    from fastact.cli import stream

    source, target = tmp_path / "in.npy", tmp_path / "out.npy"
    np.save(source, np.arange(100.0))
    target.write_bytes(b"precious")

    def cut_off(elements: int) -> None:
        raise trouble

    with pytest.raises((KeyboardInterrupt, MemoryError, OSError)), replacing(target) as temporary:
        stream.apply(fa.relu, source, temporary, chunk=10, advance=cut_off)
    assert target.read_bytes() == b"precious"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.npy", "out.npy"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="ru_maxrss counts mapped files alike only on Linux")
@pytest.mark.parametrize("options", [["relu"], ["softmax", "--axis", "1"]], ids=" ".join)
def test_apply_takes_constant_memory(tmp_path: Path, options: list[str]) -> None:
    big, small = tmp_path / "big.npy", tmp_path / "small.npy"
    np.lib.format.open_memmap(big, mode="w+", dtype=np.float32, shape=(2**16, 1024))  # 256 MiB, sparse
    np.save(small, np.zeros((1024, 1024), np.float32))
    result = python(
        "import resource\n"
        "from fastact.cli.app import cli\n"
        f"name, *options = {options}\n"
        "def peak(path):\n"
        f"    arguments = ['apply', name, path, {str(tmp_path / 'out.npy')!r}, *options, '-q']\n"
        "    cli(arguments, standalone_mode=False)\n"
        "    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        f"first = peak({str(small)!r})\n"
        f"print((peak({str(big)!r}) - first) / 1024)"
    )
    assert float(result.stdout) < 64  # MiB more than for a file of 4 MiB


def test_apply_across_the_rows_holds_one_block_at_a_time(tmp_path: Path) -> None:
    from fastact.cli import stream

    source, block = tmp_path / "in.npy", 64 * 2**14 * 4
    np.lib.format.open_memmap(source, mode="w+", dtype=np.float32, shape=(64, 2**18))  # 64 MiB, sparse
    tracemalloc.start()
    stream.apply(partial(fa.softmax, axis=1), source, tmp_path / "out.npy", axis=0, chunk=64 * 2**14)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5 * block


def test_apply_shows_its_progress_on_a_terminal(fastact: Fastact, monkeypatch: pytest.MonkeyPatch) -> None:
    np.save("in.npy", np.arange(100.0))
    assert "%" not in fastact("apply", "relu", "in.npy", "out.npy", "--chunk", 10)
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "100%" in fastact("apply", "relu", "in.npy", "out.npy", "--chunk", 10)


# ---- the command itself


def test_module_and_version() -> None:
    command = [sys.executable, "-P", "-m", "fastact", "--version"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert fa.__version__ in result.stdout


@pytest.mark.parametrize("command", sorted(cli.commands))
def test_help_keeps_the_lines_of_lists_and_examples(command: str, fastact: Fastact) -> None:
    shown = fastact(command, "--help")
    assert "\\b" not in shown
    assert "\b" not in shown
    written = (cli.commands[command].callback.__doc__ or "").partition("\\b\n")[2].partition("\n\n")[0]
    assert {line.strip() for line in written.splitlines()} <= {line.strip() for line in shown.splitlines()}


def test_ctrl_c_in_a_destructor_is_not_lost() -> None:
    code = (
        "import signal, time\n"
        "import fastact.cli.app as app\n"
        "from fastact.cli import main\n"
        "class Slow:\n"
        "    def __del__(self):\n"
        "        signal.raise_signal(signal.SIGINT)\n"
        "def show(**options):\n"
        "    Slow()\n"
        "    for _ in range(200):\n"
        "        time.sleep(0.1)\n"
        "app.cli.commands['show'].callback = show\n"
        "main()\n"
    )
    found = subprocess.run(
        [sys.executable, "-P", "-c", code, "show", "relu"], capture_output=True, text=True, timeout=25
    )
    assert (found.returncode, found.stderr.split()) == (1, ["Aborted!"])


def test_ctrl_c_while_the_command_is_imported_is_one_word() -> None:
    code = (
        "import signal, sys\n"
        "class Finder:\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name == 'numba':\n"
        "            signal.raise_signal(signal.SIGINT)\n"
        "sys.meta_path.insert(0, Finder())\n"
        "from fastact_command import main\n"
        "main()\n"
    )
    assert python(code, exit_code=1).stderr == "Aborted!\n"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
def test_ctrl_c_reaches_children_of_tests_that_were_started_with_it_ignored() -> None:
    code = (
        "import os, signal, sys\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "os.execv(sys.executable, [sys.executable, '-P', '-m', 'pytest', '-q', '-n', '0', *sys.argv[1:]])"
    )
    test = f"{__file__}::test_ctrl_c_in_a_destructor_is_not_lost"
    subprocess.run([sys.executable, "-c", code, test], check=True, stdout=subprocess.DEVNULL, timeout=60)


def test_without_click_one_line_says_what_to_install() -> None:
    result = python("import sys; sys.modules['click'] = None\nfrom fastact.cli import main\nmain()", exit_code=1)
    assert 'pip install "fastact[demo]"' in one_line(result.stderr)


@pytest.mark.parametrize(
    ("module", "command"),
    [
        ("matplotlib.figure", ["plot", "-o", "a.png"]),
        ("rich.table", ["list"]),
        ("sklearn.datasets", ["compare", "digits"]),
    ],
)
def test_without_an_extra_one_line_says_what_to_install(
    fastact: Fastact, monkeypatch: pytest.MonkeyPatch, module: str, command: list[str]
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    assert 'pip install "fastact[demo]"' in one_line(fastact(*command, exit_code=1))
    assert os.listdir() == []


def test_pictures_leave_pyplot_alone() -> None:
    python(
        "import io, sys\n"
        "from fastact.learn.pictures.curves import curves\n"
        "curves(['relu']).savefig(io.BytesIO())\n"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )


# ---- demo


def test_demos_take_activations(fastact: Fastact) -> None:
    output = fastact("demo", "initialisation", "--activations", "gelu, mish", "--seeds", 1)
    assert "gelu" in output
    assert "mish" in output
    assert "sigmoid" not in output
    assert "tanh" in fastact("demo", "linear", "--activations", "tanh", "--seeds", 1)
    assert "elu" in fastact("demo", "softmax-hidden", "--activations", "elu", "--seeds", 1)
    assert "takes one activation" in one_line(fastact("demo", "linear", "--activations", "tanh,elu", exit_code=2))
    assert "did you mean" in one_line(fastact("demo", "vanishing", "--activations", "tanhh", exit_code=2))


# ---- bench


def test_bench_prints_a_line_for_each_case(fastact: Fastact) -> None:
    tiny = ["--no-peers", "--budget", 1e-3, "--size", 1, "--size", "1e2", "--part", "all"]
    output = fastact("bench", "relu", "swish", *tiny)
    assert sum("relu" in line for line in output.splitlines()) == 6
    assert sum("swish" in line for line in output.splitlines()) == 6
    assert os.listdir() == []


def test_bench_writes_what_it_measured(fastact: Fastact) -> None:
    files = ["--json", "times.json", "--plot", "map.png", "--roofline", "line.png", "--quiet"]
    assert not fastact("bench", "relu", "--peer", "numpy", "--budget", 1e-3, "--size", 10, "--size", 20, *files)
    results, about = load(Path("times.json"))
    assert [case.size for case in results] == [10, 20]
    assert all(set(times) == {"fastact", "copy", "numpy"} for times in results.values())
    assert np.__version__ in about["libraries"]
    pixels("map.png")
    pixels("line.png")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["rellu"], "'relu'"),
        (["softmax", "--part", "derivative"], "no part derivative"),
        (["--size", "0.5"], "whole number"),
        (["--size", "many"], "whole number"),
        (["--part", "backwards"], "backward"),
        (["--dtype", "int8"], "float32"),
        (["--layout", "inside"], "inplace"),
        (["--peer", "tensorflow"], "known: jax, "),
        (["--budget", "0"], "--budget"),
        (["--plot", "a.jpg"], ".png"),
    ],
)
def test_bench_says_what_is_wrong(fastact: Fastact, arguments: list[str], says: str) -> None:
    assert says in fastact("bench", *arguments, exit_code=2)
    assert os.listdir() == []
