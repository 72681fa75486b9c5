"""How many workers a group gets: a pure decision from what the user wants, what was seen, and what is remembered."""

from dask_operator_autoscaler.decide.decision import Decision, Demand, Observed, decide
from dask_operator_autoscaler.decide.memory import Memory

__all__ = ["Decision", "Demand", "Memory", "Observed", "decide"]
