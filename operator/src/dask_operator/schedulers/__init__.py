"""Dask schedulers: every call to them, and the background in which they are asked."""
