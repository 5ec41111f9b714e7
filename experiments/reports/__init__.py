"""The reports: frames with fixed columns, as CSV or Parquet files, and as one page."""

from enum import StrEnum


class Format(StrEnum):
    """How a table is written; also the ending of its file."""

    csv = "csv"
    parquet = "parquet"
