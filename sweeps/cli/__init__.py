"""The command line: `sweeps COMMAND`. Results go to standard output, the rest to standard error."""

from sweeps.cli.app import main, whole_app

__all__ = ["main", "whole_app"]
