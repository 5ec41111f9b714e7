"""The executors: where trials are trained; this process, processes of this machine, or a Dask
cluster.
"""
