"""A plugin of the Dask operator."""
