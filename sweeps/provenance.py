"""The provenance: by which command a study was begun, at which commit, and by whom."""

import getpass
import shlex
import subprocess
import sys
from pathlib import Path

from experiments.redaction import redacted

LONGEST = 1_000  # letters of a command
SLOWEST = 5.0  # seconds for git, on a disk that is far away
PROGRAM = "sweeps"


def provenance() -> dict[str, str]:
    """`command`, `commit` and `user` of this process, without secrets; empty where there is none."""
    return {"command": command(sys.argv), "commit": commit(), "user": user()}


def command(arguments: list[str]) -> str:
    """For example `sweeps run digits`; of another program its name alone, because its arguments are
    none of ours.
    """
    name = Path(arguments[0]).stem if arguments else ""
    if name != PROGRAM:
        return Path(arguments[0]).name if name else "python"
    text = redacted(shlex.join([name, *arguments[1:]]))
    return text.encode("utf-8", "replace").decode()[:LONGEST]


def commit() -> str:
    """The git commit of the working directory; empty where there is none, or no git."""
    try:
        done = subprocess.run(
            ["git", "rev-parse", "--verify", "--quiet", "HEAD"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SLOWEST,
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def user() -> str:
    """The name of who runs this process; empty where the system knows none."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""
