"""The project's tasks: `nox -l` lists them, `nox -s lint types` runs two, `nox -R -s smoke` installs nothing anew.

Each session has a virtual environment, filled by an extra of pyproject.toml, which has the settings of the tools too.
`nox --no-venv --no-install -s lint types`, as in .ci/run, takes the active environment. A new linter is a line in
`lint`, its version in the extra, and a hook in .pre-commit-config.yaml.
"""

from __future__ import annotations

import nox

nox.options.sessions = ["lint", "types", "smoke"]
nox.options.reuse_venv = "yes"

EXTRAS = nox.project.load_toml("pyproject.toml")["project"]["optional-dependencies"]

#: One or two tests of each family and each layer, 30 seconds in all; the README's own code calls most of them.
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
    """Check the type hints."""
    session.install(".[dev]")
    session.run("mypy", *session.posargs)


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
def bench(session: nox.Session) -> None:
    """Time the usual activations beside NumPy's copy; names and options of `fastact bench` after `--`."""
    session.install(".[demo]")
    session.run("fastact", "bench", *(session.posargs or ["--no-peers"]))
