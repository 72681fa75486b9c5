"""A real single-node Kubernetes on one Debian machine, with fake nodes beside the real one.

Nothing but the standard library, so it runs before anything else is installed. The parts meant for
other programs (the cluster tests) are `localcluster.paths` and `localcluster.components`.
"""
