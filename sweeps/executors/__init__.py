"""The executors: this process, worker processes, or a Dask cluster train the trials."""
