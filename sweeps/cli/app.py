"""The console command `sweeps`, and the one place where an error becomes a sentence and an exit
status: 0 done, 1 it failed, 2 usage or input is wrong, 130 Ctrl-C, 143 SIGTERM.
"""

import contextlib
import functools
import gc
import io
import os
import sys
from collections.abc import Callable
from typing import Annotated

import typer
from typer.exceptions import TyperException

from sweeps.checkup import installation

COMPLETING = "_SWEEPS_COMPLETE"  # set by the script that `sweeps --install-completion` installs
BUG = "this is a bug in sweeps, not in what was given; please report it with these lines:"
STOPPED = "stopped; what was recorded is kept. Continue with the same command."

app = typer.Typer(
    name="sweeps",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        import sweeps

        print(f"sweeps {sweeps.__version__}")
        raise typer.Exit


@app.callback()
def _sweeps(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """How strongly should weights and biases be penalised, by L1 and by L2, or not at all?

    Search the four lambdas, track every trial on MLflow, export the tables.

    Begin with: sweeps run digits
    """


@functools.cache
def whole_app() -> typer.Typer:
    """Return the app with its commands, in the order of their use, which help has too."""
    from sweeps.cli import checkup, new, options, predict, run, tables, tracking

    commands: list[Callable[..., None]] = [
        *(run.run, run.confirm, predict.predict, checkup.status, tables.compare, tables.report),
        *(tables.export, tracking.sync, tracking.ui, new.new, new.new_model),
        checkup.doctor,
    ]
    for command in commands:
        app.command()(options.in_workspace(command))
    return app


def main() -> None:
    """Carry out the command in `sys.argv`, and exit."""
    _open_streams()
    gc.set_threshold(50_000)  # collecting garbage while we import would take a tenth of the time
    if problem := installation.problem():
        sys.exit(_fail(problem, 1))
    completing = os.environ.get(COMPLETING, "").startswith("complete_")
    errors = io.StringIO() if completing else sys.stderr  # nothing into the line being typed
    with contextlib.redirect_stderr(errors):
        status = _carry_out()
        gc.freeze()  # collecting garbage once more as Python ends would take half a second
        sys.exit(status)


def _open_streams() -> None:
    """Open the null device as each standard stream that is closed. Otherwise the next file that is
    opened, such as a journal, would become that stream and get its messages.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    for descriptor, name in ((1, "stdout"), (2, "stderr")):
        stream = getattr(sys, name) or os.fdopen(descriptor, "w")  # None is one that was closed
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # what its encoding lacks
        setattr(sys, name, stream)


def _carry_out() -> int:
    import traceback

    from experiments.errors import FULL, MAKE_ROOM, InputError, SweepsError
    from experiments.redaction import redacted
    from sweeps.interrupts import Terminated

    try:
        for argument in sys.argv[1:]:
            if argument != argument.encode(errors="replace").decode():
                raise InputError(f"{argument!r}: names must be UTF-8; rename it")
        status = whole_app()(prog_name="sweeps", standalone_mode=False)
        if status == 130:  # what Typer makes of Ctrl-C
            raise KeyboardInterrupt
        sys.stdout.flush()
        return int(status or 0)
    except SweepsError as error:
        return _fail(str(error), error.exit_status)
    except TyperException as error:
        return _fail(error.format_message(), error.exit_code)
    except OSError as error:  # such as a full disk, or a path that is longer than the system takes
        with contextlib.suppress(OSError):
            sys.stdout.flush()
        sys.stdout = io.StringIO()  # Python would flush the real one again at its end
        reason = error.strerror or error
        remedy = MAKE_ROOM if error.errno in FULL else "check the path and its permissions"
        return _fail(f"{error.filename or 'the output'} cannot be used ({reason}); {remedy}", 1)
    except MemoryError as error:
        remedy = "use a smaller network, fewer rows or fewer workers"
        return _fail(f"there is not enough memory ({error}); {remedy}", 1)
    except ImportError as error:  # such as a library that finds no memory, or too few open files
        remedy = "free some memory, raise the limits (ulimit -a), or install nnreg-sweeps again"
        return _fail(f"a package cannot be loaded ({error}); {remedy}", 1)
    except (KeyboardInterrupt, Terminated) as signal:
        print(STOPPED, file=sys.stderr)
        return 143 if isinstance(signal, Terminated) else 130
    except Exception as error:
        if "can't start new thread" in str(error):  # Python has no class of its own for it
            return _fail("the system starts no more threads; raise the limit (ulimit -u)", 1)
        given = [word for argument in sys.argv for word in (argument, argument.partition("=")[2])]
        return _fail(f"{BUG}\n{redacted(traceback.format_exc(), *given)}", 1)


def _fail(sentence: str, status: int) -> int:
    message = f"sweeps: {sentence}" if len(sentence.splitlines()) == 1 else sentence
    with contextlib.suppress(OSError):  # nobody reads it, or it goes to a full disk
        print(message, file=sys.stderr, flush=True)
    return status
