"""What a client may be told to do about a cluster that exists."""

from enum import StrEnum


class CreateMode(StrEnum):
    """What to do about a DaskCluster of the wanted name."""

    CREATE_OR_CONNECT = "create-or-connect"
    """Use it if it is there and is like the keywords; create it if not."""
    CREATE_ONLY = "create-only"
    """Create it; it is an error if it is there."""
    CONNECT_ONLY = "connect-only"
    """Use it; it is an error if it is not there."""
