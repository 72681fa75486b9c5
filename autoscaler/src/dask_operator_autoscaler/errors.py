"""What a call to the API server or to a Dask scheduler can end in, beside success.

ApiError
├── TryAgain  the same call may succeed later
│   ├── Gone        what was watched from is forgotten: list again
│   └── NotLeading  it was not sent: another autoscaler may be at work
├── Conflict  the object exists already, or has changed
├── NotFound  the object, or its namespace, is gone
└── Refused   the answer will be the same until somebody edits something
SchedulerUnreachable  a Dask scheduler did not answer, or not with what was asked
"""


class ApiError(Exception):
    """The API server did not do what was asked. ``str()`` gives its own words."""


class TryAgain(ApiError):
    """Worth another try."""


class Gone(TryAgain):
    """A watch cannot go on from where it was: what is there has to be listed again."""


class NotLeading(TryAgain):
    """This process does not hold the Lease, so its write was not sent."""


class Conflict(ApiError):
    """Somebody else changed or made the object first."""


class NotFound(ApiError):
    """There is no such object."""


class Refused(ApiError):
    """The API server says no, and why."""


class SchedulerUnreachable(Exception):
    """A Dask scheduler did not answer in time, or not with what was asked."""
