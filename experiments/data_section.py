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


VAL, TEST = 0.2, 0.2  # the shares where no folds take their place


class Shares(Section):
    """How the rows are divided where no files are given for validation and test."""

    folds: Annotated[int | None, Field(ge=2, le=100, examples=[5])] = None
    """Cross-validation in place of val: each of so many parts validates once; the rest trains."""
    repeats: Annotated[int, Field(ge=1, le=100)] = 1
    """How often the rows are divided into folds; each trial trains folds * repeats networks."""
    val: Share = Field(default_factory=lambda others: 0.0 if others.get("folds") else VAL)
    """The share of the rows that choose the lambdas (with outer: of those not sealed)."""
    outer: Annotated[int | None, Field(ge=2, le=100, examples=[5])] = None
    """Outer folds in place of test: each is the sealed part of a search of its own."""
    outer_fold: Annotated[int | None, Field(ge=1, examples=[1])] = None
    """Which outer fold is sealed, from 1; the program sets it for each of its searches."""
    test: Share = Field(default_factory=lambda others: 0.0 if others.get("outer") else TEST)
    """The share of the rows that stays sealed until the confirmation."""
    order: Literal["random", "time"] = "random"
    """"random", or "time": rows in file order, the earlier ones train and the last ones test."""
    seed: Seed = 0
    """Another seed divides the rows in another way."""
    group: Annotated[str | None, Field(examples=["patient"])] = None
    """The column of groups that must stay together, such as the patient of several rows."""

    @model_validator(mode="after")
    def _folds_take_the_place_of_val(self) -> Self:
        if self.folds and self.val:
            raise ValueError(
                f"val = {self.val:g} and folds = {self.folds} exclude each other: folds validate"
                " every row that is not a test row; remove one of the two"
            )
        if not self.folds and not self.val:
            raise ValueError("val = 0 leaves no rows to choose by; write val > 0, or folds")
        if not self.folds and self.repeats > 1:
            raise ValueError(f"repeats = {self.repeats} goes with folds; write folds, or remove it")
        if self.val + self.test >= 1:
            shares = f"val = {self.val:g} and test = {self.test:g}"
            raise ValueError(f"{shares} leave nothing to train on; write less than 1 in all")
        return self

    @model_validator(mode="after")
    def _outer_takes_the_place_of_test(self) -> Self:
        if self.outer and self.test:
            raise ValueError(
                f"test = {self.test:g} and outer = {self.outer} exclude each other: outer folds"
                " test every row once; remove one of the two"
            )
        if self.outer_fold and not self.outer:
            raise ValueError(f"outer_fold = {self.outer_fold} goes with outer; remove it")
        if self.outer_fold and self.outer and self.outer_fold > self.outer:
            fold = f"outer_fold = {self.outer_fold}, and there are outer = {self.outer} folds"
            raise ValueError(f"{fold}; write a number from 1 to {self.outer}")
        return self

    @model_validator(mode="after")
    def _time_has_one_order(self) -> Self:
        if self.order == "random":
            return self
        if self.group is not None:
            raise ValueError(
                f'order = "time" divides the rows by their place, and group = {self.group!r} by'
                " their group; remove one of the two"
            )
        for key, value in (("repeats", self.repeats > 1), ("outer", self.outer)):
            if value:
                raise ValueError(
                    f'order = "time" has one way to divide the rows, so {key} ='
                    f" {getattr(self, key)} cannot divide them again; remove one of the two"
                )
        return self

    @property
    def settled(self) -> set[str]:
        """The newer keys that have their defaults, which experiments of earlier versions lack."""
        newer = ("folds", "repeats", "outer", "outer_fold", "order")
        return {key for key in newer if getattr(self, key) == type(self).model_fields[key].default}


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
    """A file of validation rows, instead of split.val or split.folds."""
    test: Annotated[str | None, Field(examples=["test.csv"])] = None
    """A file of test rows, instead of split.test or split.outer."""
    spiral: Spiral = Spiral()

    @model_validator(mode="after")
    def _files_are_not_divided(self) -> Self:
        for key, part in (("folds", "validation"), ("outer", "test")):
            count, path = getattr(self.split, key), getattr(self, part)
            if count and path is not None:
                raise ValueError(
                    f"data.{part} = {path!r} and data.split.{key} = {count} exclude each other: the"
                    f" file is the {part} rows, and {key} divides those of data.source; remove one"
                    " of the two"
                )
        return self

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
