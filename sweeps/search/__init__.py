"""The search: an Optuna study of one experiment, proposed in generations and recorded in trial
order.
"""
