"""Sweeps over the four lambdas of a regularized network: `sweeps.run("digits", trials=50)`."""
