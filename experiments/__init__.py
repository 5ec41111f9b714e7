"""One experiment: its definition, its data, one evaluation, its records, its tracking, its reports, its model."""
