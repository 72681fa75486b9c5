"""What a client may be told to do about a cluster that exists."""

from enum import StrEnum


class CreateMode(StrEnum):
    """What to do about a DaskCluster of the wanted name.

    >>> CreateMode("CREATE_ONLY") is CreateMode.CREATE_ONLY
    True
    """

    CREATE_OR_CONNECT = "create-or-connect"
    """Use it if it is there and is like the keywords; create it if not."""
    CREATE_ONLY = "create-only"
    """Create it; it is an error if it is there."""
    CONNECT_ONLY = "connect-only"
    """Use it; it is an error if it is not there."""

    @classmethod
    def _missing_(cls, value: object) -> "CreateMode | None":
        """Names of members are taken too, as configuration files have them."""
        text = str(value).lower().replace("_", "-")
        return next((mode for mode in cls if mode.value == text), None)
