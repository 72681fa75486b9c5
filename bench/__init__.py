"""Benchmarks: each prints what it measured, against something measured in the same run."""
