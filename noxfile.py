"""The project's tasks: `nox -l` lists them, `nox -s lint types` runs two, `nox -R -s smoke` installs nothing anew.

Each session has a virtual environment, filled by an extra of pyproject.toml, which has the settings of the tools too.
`nox --no-venv --no-install -s lint types`, as in .ci/run, takes the active environment. A new linter is a line in
`lint`, its version in the extra, and a hook in .pre-commit-config.yaml.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import nox

nox.options.sessions = ["lint", "types", "smoke"]
nox.options.reuse_venv = "yes"

DIST = Path("dist")
EXTRAS = nox.project.load_toml("pyproject.toml")["project"]["optional-dependencies"]

#: One or two tests of each family and each layer, 30 seconds in all.
SMOKE = (
    "tests/project/test_readme.py",
    "tests/project/test_imports.py::test_import_is_silent",
    "tests/core/test_function.py::test_contract",
    "tests/elementwise/test_determinism.py::test_hashes[relu]",
    "tests/elementwise/test_determinism.py::test_hashes[gelu]",
    "tests/elementwise/test_rrelu.py::test_backward_takes_the_slopes",
    "tests/softmax/test_softmax.py::test_mpmath",
    "tests/softmax/test_sparse.py::test_known_values",
    "tests/gated_units/test_gated_units.py::test_values_and_gradients[swiglu-float32]",
    "tests/losses/test_losses.py::test_elementwise_against_mpmath",
    "tests/losses/test_losses.py::test_nll_loss_is_cross_entropy_of_log_softmax",
    "tests/mlp/test_mlp.py::test_a_loaded_model_predicts_and_goes_on_with_the_same_bits",
    "tests/cli/test_cli.py::test_info_names_every_backend_and_version",
    "tests/cuda/test_cuda_code.py::test_reason_never_raises",
)

#: The same for extras that `test` leaves out.
SMOKE_OF_EXTRAS = (
    "tests/sklearn/test_transformer.py",
    "tests/verification/test_verify.py::test_numpy_passes",
    "tests/derivation/test_derivatives.py::test_it_is_shown",
    "tests/with_dask/test_apply_parquet.py::test_all_numeric_columns_by_themselves",
    "tests/with_dask/test_apply_zarr.py::test_kinds_of_arrays",
    "tests/with_dask/test_lazy_softmax.py::test_several_axes",
    "tests/with_onnx/test_backend.py::test_node_cases",
)


@nox.session
def test(session: nox.Session) -> None:
    """Run all tests, installed by the README's command; options and paths of pytest after `--`."""
    session.install(".[test]")
    session.run("pytest", *(session.posargs or ["-n", "2", "--dist", "worksteal"]))


@nox.session
def smoke(session: nox.Session) -> None:
    """Run a test or two of each family, in half a minute."""
    session.install(".[test]")
    session.run("pytest", "-q", *SMOKE, *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check the style of Python and Cython, and spelling."""
    session.install(*EXTRAS["lint"])
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("cython-lint", "fastact")
    session.run("typos")


@nox.session
def types(session: nox.Session) -> None:
    """Check the type hints, the stubs of what Cython compiles, and the examples of the README and of docs/."""
    session.install(".[dev]")
    session.run("mypy", *session.posargs)
    options = ("--mypy-config-file", "pyproject.toml", "--allowlist", "tools/stubtest.txt", "--ignore-disjoint-bases")
    session.run("python", "-P", "-m", "mypy.stubtest", "--concise", *options, "fastact._kernels.native")
    session.run("python", "tools/examples.py")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the pages of docs/ in both languages, in build/docs; what is not translated is an error. Look at them."""
    browser = [each for each in EXTRAS["ci"] if each.startswith(("axe-playwright", "playwright"))]
    session.install(".[docs,test]", *browser)
    session.run("python", "tools/documents.py", "--check")
    for language, folder in (("en", "build/docs"), ("ja", "build/docs/ja")):
        session.run("sphinx-build", "-nWq", "--keep-going", "-j", "2", "-D", f"language={language}", "docs", folder)
    session.run("pytest", "-q", "-n", "2", "tests/pages/built_docs.py")


@nox.session
def pictures(session: nox.Session) -> None:
    """Draw the pictures of README and docs/, those of docs/speed.json too; or only the subjects named after `--`."""
    session.install(".[docs]")
    session.run("python", "tools/pictures.py", *session.posargs)
    if not session.posargs:
        session.run("python", "benchmarks/grid.py", "--report")


@nox.session
def package(session: nox.Session) -> None:
    """Build the sdist, and from it a wheel, in dist; check them, and try the wheel where there is no compiler."""
    session.install(*EXTRAS["package"])
    shutil.rmtree(DIST, ignore_errors=True)
    session.run("python", "-m", "build", "--outdir", str(DIST))
    files = [str(path) for path in DIST.iterdir()]
    session.run("twine", "check", "--strict", *files)
    session.run("python", "tools/distributions.py", "--try", *files)


@nox.session(venv_backend="uv")
def oldest(session: nox.Session) -> None:
    """Run `smoke` and tests of the extras, with the wheel of `nox -s package` and the lowest versions that it takes."""
    extras = [f"--extra={name}" for name in ("dask", "onnx", "parquet", "safetensors", "test", "verify")]
    session.install("--resolution=lowest-direct", "--only-binary=:all:", "-r", "pyproject.toml", *extras)
    session.install("--no-deps", *map(str, DIST.glob("*.whl")))
    # What the direct ones need is the newest, and deprecates what they do.
    session.run("pytest", "-W", "ignore::DeprecationWarning", *(session.posargs or ["-q", *SMOKE, *SMOKE_OF_EXTRAS]))


@nox.session
def ptx(session: nox.Session) -> None:
    """Prove the CUDA kernels without a GPU, in hours; `-- --sample` or groups of cases after `--`, in minutes."""
    session.install(".[ptx]")
    record = [] if session.posargs else ["--record"]
    session.run("python", "tools/ptx/selftest.py")
    session.run("python", "tools/ptx/check.py", *(session.posargs or record))
    session.run("python", "tools/ptx/mutate.py", *record)
    session.run("python", "tools/ptx/sass.py", *record)


@nox.session
def bench(session: nox.Session) -> None:
    """Time the usual activations beside NumPy's copy; names and options of `fastact bench` after `--`."""
    session.install(".[demo]")
    session.run("fastact", "bench", *(session.posargs or ["--no-peers"]))
