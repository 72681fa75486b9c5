"""What all tests need of the process they run in."""

import signal


def pytest_configure() -> None:
    """Make programs that tests start interruptible: a shell's background jobs inherit that SIGINT is ignored."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
