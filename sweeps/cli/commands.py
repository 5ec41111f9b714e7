"""The commands about studies that are there: status, report, export, sync, ui; and doctor and new."""
