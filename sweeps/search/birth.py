"""The birth of a study: what it is, kept in one attribute, so that it has all of it or nothing."""

import getpass
import shlex
import subprocess
import sys
import uuid
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments import environment
from experiments.digest import digest
from experiments.environment import DISTRIBUTION
from experiments.errors import FormatError
from experiments.redaction import redacted
from experiments.spec import Experiment

if TYPE_CHECKING:
    from experiments.datasets import Dataset

BIRTH = "sweep"  # the attribute of the study
FORMAT = 5  # of all that is kept with a study
LONGEST = 1_000  # characters of a command
SLOWEST = 5.0  # seconds for git, on a slow disk
PROGRAM = "sweeps"


def birth(experiment: Experiment, data: "Dataset | None") -> dict[str, Any]:
    """Return what a study of this experiment is born with, as JSON."""
    identity = experiment.identity
    of_data = {key: value for key, value in identity.items() if key.startswith("data.")}
    return {
        "format": FORMAT,
        "study_uid": uuid.uuid4().hex,
        "born": datetime.now(UTC).isoformat(),
        "fingerprint": experiment.fingerprint,
        "identity": identity,
        "spec": experiment.model_dump(mode="json"),
        "direction": experiment.direction,
        "versions": {"sweeps": environment.installed(DISTRIBUTION), **environment.versions()},
        "provenance": {"command": command(sys.argv), "commit": commit(), "user": user()},
        "data": (
            {
                "digest": digest(of_data),
                "features": len(data.features),
                "classes": len(data.classes),
                "rows": data.rows,
                "leaks": [asdict(leak) for leak in data.leaks],
            }
            if data
            else {}
        ),
    }


def check_format(study: str, birth: Any) -> None:
    """Raise FormatError if another version of sweeps began the study in another format."""
    found = birth.get("format", 1) if isinstance(birth, dict) else "unknown"
    if found != FORMAT:
        raise FormatError(
            f"study {study}: another version of sweeps began it (format {found}), this one reads"
            f" format {FORMAT}; continue it with that version, or start another study with"
            " --study NAME"
        )


def command(arguments: list[str]) -> str:
    """Return this command without secrets; of another program only its name."""
    name = Path(arguments[0]).stem if arguments else ""
    if name != PROGRAM:
        return Path(arguments[0]).name if name else "python"
    text = redacted(shlex.join([name, *arguments[1:]]))
    return text.encode("utf-8", "replace").decode()[:LONGEST]


def commit() -> str:
    """Return the git commit of the working directory; empty if there is none, or no git."""
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
    """Return the name of the user; empty if the system knows none."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""
