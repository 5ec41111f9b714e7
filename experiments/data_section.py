"""The tables [data], [data.split] and [data.spiral]: where the rows come from."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from experiments.notation import Notation
from experiments.section import Names, Section, Seed, Share

TEXT_SUFFIXES = (".csv", ".csv.gz", ".tsv", ".xlsx")  # whose cells are read as text
FILE_SUFFIXES = (*TEXT_SUFFIXES, ".parquet", ".npz")


def suffix_of(name: str) -> str:
    """Return what the name of a file of rows ends with, in small letters; empty for other names."""
    return next((suffix for suffix in FILE_SUFFIXES if name.lower().endswith(suffix)), "")


def _divides_fields(separator: str) -> str:
    if separator != "auto" and (
        len(separator) != 1 or not separator.isascii() or separator in '"\r\n\0'
    ):
        raise ValueError('it is one character such as "," or ";", or "auto"; correct it')
    return separator


def _is_a_number(example: str) -> str:
    Notation.of(example)  # raises
    return example


class Shares(Section):
    """How the rows are divided where no files are given for validation and test."""

    val: Annotated[Share, Field(gt=0)] = 0.2
    """The share of the rows that choose the lambdas."""
    test: Share = 0.2
    """The share of the rows that stays sealed until the confirmation."""
    seed: Seed = 0
    """Another seed divides the rows in another way."""
    group: Annotated[str | None, Field(examples=["patient"])] = None
    """The column of groups that must stay together, such as the patient of several rows."""

    @model_validator(mode="after")
    def _something_is_left(self) -> Self:
        if self.val + self.test >= 1:
            shares = f"val = {self.val:g} and test = {self.test:g}"
            raise ValueError(f"{shares} leave nothing to train on; write less than 1 in all")
        return self


class Spiral(Section):
    """The options of the bundled data `spiral`."""

    points: Annotated[int, Field(ge=10, le=1_000_000)] = 100
    """The points of each class."""
    classes: Annotated[int, Field(ge=2, le=100)] = 3
    """How many arms it has."""
    noise: Annotated[float, Field(ge=0, le=100)] = 0.2
    """How far points stray from their arm, in radians."""
    seed: Seed = 0
    """Another seed draws other points."""


class Data(Section):
    """[data]: where the rows come from, and what happens to their columns."""

    source: Annotated[str, Field(min_length=1)]
    """A .csv, .csv.gz, .tsv, .xlsx, .parquet or .npz file beside this one, or a name: "digits"."""
    target: Annotated[str | None, Field(examples=["y"])] = None
    """The column with the labels (in an .npz: the array)."""
    drop: Names = ()
    """Columns to leave out, such as ids, names and free text."""
    categorical: Names = ()
    """Numeric columns that are codes, not quantities, such as a zip code."""
    missing: Names = ("", "NA", "NaN", "?")
    """Texts that mean no value: a number becomes the median, a category "missing"."""
    decimal: Literal[".", ","] = "."
    """The decimal mark of the numbers in a .csv, for columns that data.numbers does not name."""
    numbers: dict[str, Annotated[str, AfterValidator(_is_a_number)]] = Field(default_factory=dict)
    """How a column writes its numbers, by example: "1,000.5", "1.000,5", "1 000", "$1", "1 cm"."""
    unlabelled: Literal["error", "drop"] = "error"
    """What to do with rows without a label: report an error, or leave them out."""
    duplicates: Literal["keep", "drop"] = "keep"
    """What to do with copies of earlier rows: keep them, or leave them out."""
    separator: Annotated[str, AfterValidator(_divides_fields)] = "auto"
    """The separator of the fields in a .csv: one character, or "auto" to detect it."""
    encoding: str = "utf-8-sig"
    """The encoding of a .csv, such as "utf-8-sig" (UTF-8), "latin-1" or "utf-16"."""
    split: Shares = Shares()
    validation: Annotated[str | None, Field(examples=["val.csv"])] = None
    """A file of validation rows, instead of the share split.val."""
    test: Annotated[str | None, Field(examples=["test.csv"])] = None
    """A file of test rows, instead of the share split.test."""
    spiral: Spiral = Spiral()

    def notation(self, column: str) -> Notation | None:
        """How a column of text writes its numbers; None is plainly, as a program writes them."""
        if column in self.numbers:
            return Notation.of(self.numbers[column])
        return None if self.decimal == "." else Notation(decimal=self.decimal)

    @property
    def suffix(self) -> str:
        """What the name of the source ends with, in small letters; empty for bundled data."""
        return suffix_of(self.source)

    @property
    def is_file(self) -> bool:
        """Whether the source is a file rather than the name of bundled data."""
        return self.suffix != ""

    @property
    def files(self) -> dict[str, Path]:
        """The files that this data is read from, by the key that names them."""
        if not self.is_file:
            return {}
        named = {"source": self.source, "validation": self.validation, "test": self.test}
        return {key: Path(value) for key, value in named.items() if value is not None}
