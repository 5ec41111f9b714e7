"""The commands that show results again: `report`, `export` and `compare`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from experiments.reports import Format
from sweeps.cli import completion, options


class Shape(StrEnum):
    """How a comparison is printed."""

    table = "table"
    csv = "csv"
    markdown = "markdown"
    html = "html"


def report(
    place: "options.Workspace",
    study: options.StudyArgument = None,
) -> None:
    """Write the CSV files and the page again.

    Example: sweeps report digits
    """
    from sweeps import publish
    from sweeps.cli.output import print_files

    record = place.record(place.choose(study))
    runs = publish.read_runs(place.tracker(record))
    print_files(publish.write_reports(place, record, runs), runs)


def export(
    place: "options.Workspace",
    study: options.StudyArgument = None,
    to: Annotated[
        Path | None,
        typer.Option("--to", metavar="DIR", help="Folder to write, if not reports/STUDY."),
    ] = None,
    formats: Annotated[
        list[Format] | None,
        typer.Option(
            "--format", metavar="|".join(Format), help="Format, default csv; may be repeated."
        ),
    ] = None,
) -> None:
    """Write only the tables, as CSV, Parquet, Markdown or LaTeX.

    Example: sweeps export digits --to tables --format parquet
    """
    from experiments.reports import files
    from sweeps import publish
    from sweeps.cli.output import print_files

    record = place.record(place.choose(study))
    runs = publish.read_runs(place.tracker(record))
    folder = to or place.reports_of(record.study)
    print_files(files.export(record, folder, runs.ids, formats or (Format.csv,)), runs)


def compare(
    studies: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="STUDY STUDY ...",
            help="Two studies or more: names, DIRECTORY/STUDY, directories or journals.",
            autocompletion=completion.studies,
            show_default=False,
        ),
    ] = None,
    shape: Annotated[
        Shape,
        typer.Option("--format", metavar="|".join(Shape), help="What to print; html is a page."),
    ] = Shape.table,
    allow_different: Annotated[
        bool,
        typer.Option("--allow-different", help="Compare even if test rows or objectives differ."),
    ] = False,
    directory: options.Directory = options.HERE,
    storage: options.Storage = None,
    verbose: options.Verbose = 0,
) -> None:
    """Compare the verdicts of several studies of the same data.

    Example: sweeps compare digits digits-wider
    """
    from experiments.reports import comparison, markdown
    from experiments.reports.files import csv_text
    from sweeps.cli import output
    from sweeps.comparison import compared
    from sweeps.workspace import workspace

    place = workspace(directory, storage)
    found = compared(tuple(studies or ()), place, allow_different=allow_different)
    if shape == Shape.table:
        output.print_comparison(comparison.WORDS, comparison.in_words(found))
    elif shape == Shape.csv:
        print(csv_text(comparison.frame(found)), end="")
    elif shape == Shape.markdown:
        print(markdown.table(comparison.WORDS, comparison.in_words(found)), end="")
    else:
        print(comparison.render(found))
    if why := comparison.difference(found):
        output.say(f"sweeps: the numbers cannot be compared: study {why}")
