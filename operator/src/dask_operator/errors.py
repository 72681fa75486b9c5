"""What a call to the API server or to a Dask scheduler can end in, beside success.

ApiError
├── TryAgain      the same call may succeed later: the queue backs off
│   ├── Uncertain the call may have taken effect: nobody knows
│   └── NotLeading it was not sent: another operator may be at work
├── Conflict      the object has changed: take a fresh look
├── NotFound      the object, or its namespace, is gone
└── Refused       the answer will be the same until the user edits something
    └── NameTaken the name belongs to an object of somebody else
SchedulerUnreachable  a Dask scheduler did not answer, or not with what was asked
"""

TERMINATING = "because it is being terminated"
"""How the API server refuses to create anything in a namespace that is about to be gone."""


class ApiError(Exception):
    """The API server did not do what was asked. ``str()`` gives its own words."""


class TryAgain(ApiError):
    """Worth another try, after ``retry_after`` seconds where the server said so."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Uncertain(TryAgain):
    """No answer came: the write may or may not have taken effect."""


class NotLeading(TryAgain):
    """This process does not hold the Lease, so its write was not sent."""


class Conflict(ApiError):
    """Somebody else changed or made the object first."""


class NotFound(ApiError):
    """There is no such object."""


class Refused(ApiError):
    """The API server says no, and why: ``status`` is the HTTP status, ``str()`` its message."""

    def __init__(self, message: str, status: int, kind: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        """The kind of the object that was to be written; empty where it is not known."""
        self.creating = False
        """Whether it was to be made by that."""

    @property
    def is_quota(self) -> bool:
        """Whether a ResourceQuota said no, which may change without anybody editing the object."""
        return self.status == 403 and "quota" in str(self).lower()

    @property
    def is_policy(self) -> bool:
        """Whether a webhook or an admission policy said no, with whatever status: it may be changed, or think again."""
        return "denied the request" in str(self) or "denied request" in str(self)

    @property
    def lacks_account(self) -> bool:
        """Whether the Pod's service account is not there: a new namespace gets its ``default`` one a moment later."""
        return self.status == 403 and "error looking up service account" in str(self)

    @property
    def is_terminating(self) -> bool:
        """Whether the namespace is about to be gone, and everything of ours in it."""
        return self.status == 403 and TERMINATING in str(self)


class NameTaken(Refused):
    """An object that is not ours has the name: the same answer until it is gone."""


class SchedulerUnreachable(Exception):
    """A Dask scheduler did not answer in time, or not with what was asked."""
