"""Tests of the chart that need no Kubernetes: only helm."""
