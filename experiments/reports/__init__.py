"""The reports: records as pandas frames with fixed columns, as CSV files, and as one page."""
