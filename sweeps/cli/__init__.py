"""The command line: `sweeps COMMAND`. Results go to standard output, progress and messages to
standard error.
"""

import contextlib
import gc
import os
import sys
from pathlib import Path

import typer
from typer.exceptions import TyperException

from sweeps.checkup import installation

COMPLETE = "_SWEEPS_COMPLETE"  # set by the script that `sweeps --install-completion` gives a shell

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

    Search the four lambdas, track every trial on MLflow, export the tables. Begin with: sweeps run
    digits
    """


def main() -> None:
    """The console command `sweeps`. Exit status: 0 done, 1 it failed, 2 usage or input is wrong,
    130 Ctrl-C, 143 SIGTERM.
    """
    gc.set_threshold(
        50_000
    )  # to look for garbage among all that is imported would be a tenth of every command
    strangers = installation.strangers()
    if strangers:  # nothing that is imported from here on would be what it seems
        sys.exit(_say(f"{'; '.join(strangers)}; {installation.REMEDY}", 1))
    unreadable = next((argument for argument in sys.argv[1:] if not _is_text(argument)), None)
    if unreadable is not None:
        sys.exit(
            _say(
                f"{unreadable!r}: not UTF-8, which files and databases here are named in;"
                " rename it",
                2,
            )
        )
    if os.environ.get(COMPLETE, "").startswith("complete_"):
        sys.exit(_complete())
    from experiments.errors import FULL, SweepsError, unwritable
    from sweeps.interrupts import Terminated

    try:
        _add_commands()
        status = app(standalone_mode=False)
        _flush()
    except SweepsError as error:
        status = _say(str(error), error.exit_status)
    except TyperException as error:
        status = _say(error.format_message(), error.exit_code)
    except OSError as error:
        if error.errno not in FULL:  # such as a path that is longer than the system takes
            what = error.filename or "a file"
            status = _say(
                f"{what} cannot be used ({error.strerror or error}); check the path and its"
                " permissions",
                1,
            )
        else:
            with contextlib.suppress(OSError):
                _flush()
            status = _say(str(unwritable(error.filename or "the output", error, "")), 1)
    except MemoryError as error:
        status = _say(
            f"there is not enough memory ({error}); use a smaller network, fewer rows or fewer"
            " workers",
            1,
        )
    except (KeyboardInterrupt, typer.Abort):
        status = 130
    except Terminated:
        status = 143
    except Exception as error:
        status = _say(_mistake(error), 1)
    sys.exit(status if isinstance(status, int) else 0)


def _add_commands() -> None:
    from sweeps.cli import (  # noqa: F401, I001  # each adds its own, in the order that help lists
        run,
        confirm,
        predict,
        studies,
        setup,
    )


def _complete() -> int:
    """Answer a shell that asks what may stand at the cursor. Whatever is wrong, nothing is said
    into the line being typed.
    """
    with (
        Path(os.devnull).open("w") as nothing,
        contextlib.redirect_stderr(nothing),
        contextlib.suppress(Exception),
    ):
        _add_commands()
        app(standalone_mode=False)  # ends with SystemExit
    return 1


def _flush() -> None:
    """Print what waits to be. Where that cannot be, forget it: Python would try again at its end,
    and say so in its own way.
    """
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise


def _is_text(argument: str) -> bool:
    try:
        argument.encode()
    except UnicodeEncodeError:  # bytes that are no UTF-8 stand in it as halves of surrogate pairs
        return False
    return True


def _mistake(error: Exception) -> str:
    """The sentence for a mistake of ours; how it came about is kept in a file, without passwords,
    for whom it is told to.
    """
    import tempfile
    import traceback

    from experiments.redaction import redacted

    given = [word for argument in sys.argv for word in (argument, argument.partition("=")[2])]
    text = redacted("".join(traceback.format_exception(error)), *given)
    story = "what you did"
    with (
        contextlib.suppress(OSError),
        tempfile.NamedTemporaryFile("wb", prefix="sweeps-", suffix=".txt", delete=False) as file,
    ):
        file.write(text.encode(errors="replace"))
        story = file.name
    return (
        f"a mistake in sweeps ({type(error).__name__}), not in what was given; please report it"
        f" with {story}"
    )


def _say(sentence: str, status: int) -> int:
    print(f"sweeps: {sentence}" if len(sentence.splitlines()) == 1 else sentence, file=sys.stderr)
    return status
