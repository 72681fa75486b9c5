"""The contract between the operator, the autoscaler and the client.

Kinds, labels, name rules, condition words and spec types live here and nowhere else, so that no two programs
can disagree about them. This package imports nothing outside the standard library.
"""
