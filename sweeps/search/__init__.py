"""The search: an Optuna study of one experiment, in generations and in trial order."""
