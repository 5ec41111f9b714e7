"""The command line: `sweeps COMMAND`. Results go to standard output, progress and messages to standard error."""

import contextlib
import os
import sys

import typer
from typer.exceptions import TyperException

from sweeps import installation

app = typer.Typer(
    name="sweeps",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _sweeps() -> None:
    """How strongly should weights and biases be penalised, by L1 and by L2, or not at all?

    Search the four lambdas, track every trial on MLflow, export the tables. Begin with: sweeps run digits
    """


def main() -> None:
    """The console command `sweeps`. Exit status: 0 done, 1 it failed, 2 usage or input is wrong, 130 Ctrl-C, 143 SIGTERM."""
    strangers = installation.strangers()
    if strangers:  # nothing that is imported from here on would be what it seems
        sys.exit(_say(f"{'; '.join(strangers)}; {installation.REMEDY}", 1))
    from experiments.errors import FULL, SweepsError, unwritable
    from sweeps.cli import run, setup, studies  # noqa: F401  # each adds its commands to the app
    from sweeps.interrupts import Terminated

    try:
        status = app(standalone_mode=False)
        _flush()
    except SweepsError as error:
        status = _say(str(error), error.exit_status)
    except TyperException as error:
        status = _say(error.format_message(), error.exit_code)
    except OSError as error:
        if error.errno not in FULL:
            raise
        with contextlib.suppress(OSError):
            _flush()
        status = _say(str(unwritable(error.filename or "the output", error, "")), 1)
    except (KeyboardInterrupt, typer.Abort):
        status = 130
    except Terminated:
        status = 143
    sys.exit(status if isinstance(status, int) else 0)


def _flush() -> None:
    """Print what waits to be. Where that cannot be, forget it: Python would try again at its end, and say so in its own way."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise


def _say(sentence: str, status: int) -> int:
    print(f"sweeps: {sentence}" if len(sentence.splitlines()) == 1 else sentence, file=sys.stderr)
    return status
