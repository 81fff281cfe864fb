"""Where pieces of work run: in this process, in processes beside it, or on the workers of a Dask cluster."""
