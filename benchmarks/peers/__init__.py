"""Peers: one training a module, `prepare(case)` gives what trains once, how many trials that is,
and versions.
"""
