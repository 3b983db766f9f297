"""The command line as a fixture, and checks of what it prints and draws."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture
def fastact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Run the command in an empty folder, check the exit code and that there is no traceback; return the output."""
    testing = pytest.importorskip("click.testing", reason="click is not installed (extra: demo)")
    from fastact.cli.app import cli

    monkeypatch.chdir(tmp_path)
    runner = testing.CliRunner(env={"COLUMNS": "220"})

    def run(*arguments: object, exit_code: int = 0) -> str:
        result = runner.invoke(cli, [str(argument) for argument in arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == exit_code, result.output
        return result.output

    return run


def one_line(output: str) -> str:
    """The output, which must be a single line of error."""
    assert output.startswith("Error: ")
    assert output.count("\n") == 1
    return output


def pixels(path: str | Path) -> np.ndarray:
    """The picture, which must be a PNG with something on it."""
    from matplotlib import image

    assert Path(path).read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    picture = image.imread(path)
    assert len(np.unique(picture[..., :3])) > 20
    return picture
