"""The click group `fastact`: collects the commands and words their errors.

To add a command, add it to the list at the end.
"""

from __future__ import annotations

from typing import Any

import click

import fastact as fa
from fastact.cli.apply import apply
from fastact.cli.bench import bench
from fastact.cli.catalogue import list_, plot, show
from fastact.cli.choose import choose
from fastact.cli.compare import compare
from fastact.cli.demo import demo
from fastact.cli.diagnose import diagnose
from fastact.cli.explore import explore
from fastact.cli.info import info
from fastact.cli.options import language
from fastact.cli.predict import predict
from fastact.cli.train import train
from fastact.cli.verify import verify
from fastact.cli.warmup import warmup
from fastact.errors import BackendError, MissingDependencyError


class Failure(click.ClickException):
    """Printed as one line on stderr."""

    def __init__(self, message: object) -> None:
        super().__init__(" ".join(str(message).split()))


class WrongInput(Failure):
    """A failure that the user's input caused."""

    exit_code = 2


class Commands(click.Group):
    """A group that words errors which the user can mend as one line on stderr, without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # `fastact list | head`: click ends quietly
            raise
        except OSError as error:
            raise Failure(f"{error.filename}: {error.strerror}" if error.filename else error) from error
        except (BackendError, FloatingPointError, MemoryError, MissingDependencyError) as error:
            raise Failure(error) from error
        except ValueError as error:
            raise WrongInput(error) from error


@language
@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(fa.__version__, prog_name="fastact")
def cli() -> None:
    """Activation functions of neural networks: look them up, see them, apply them, compare them."""


for command in (
    info, list_, show, plot, explore, choose, compare, demo, diagnose, train, predict, apply, bench, verify, warmup,
):  # fmt: skip
    command.help = (command.help or "").replace("\\b\n", "\b\n")  # after which click keeps lines; docstrings are raw
    cli.add_command(language(command))
