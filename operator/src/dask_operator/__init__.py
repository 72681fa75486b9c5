"""The Dask operator.

Data flows one way: handlers → queue → observe → desired → plan → carry out → status. ``observed``, ``desired``,
``plan`` and ``status`` are pure: no clock, no randomness, no I/O.
"""

__version__ = "0.1.0"
