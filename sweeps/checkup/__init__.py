"""The checkup: what `sweeps status` and `sweeps doctor` find out."""
