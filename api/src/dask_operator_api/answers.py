"""Reading what the API server answers: its own words for a failure, and the lines of a watch."""

import json
from collections.abc import AsyncIterator
from typing import Protocol


class Stream(Protocol):
    """The body of an answer, as it comes in."""

    def iter_any(self) -> AsyncIterator[bytes]:
        """Its pieces."""


async def lines(stream: Stream) -> AsyncIterator[bytes]:
    """The lines of a stream that have anything in them, however long each is."""
    rest: list[bytes] = []
    async for piece in stream.iter_any():
        *ended, last = piece.split(b"\n")
        for line in ended:
            whole, rest = b"".join((*rest, line)), []
            if whole.strip():
                yield whole
        rest.append(last)


def message_in(status: int, text: bytes) -> str:
    """What an answer with this HTTP ``status`` says, in the API server's words where it has any."""
    try:
        answer = json.loads(text)
    except ValueError:
        return f"HTTP {status}: {text[:200].decode(errors='replace')}"
    words = answer.get("message") if isinstance(answer, dict) else None
    return str(words or f"HTTP {status}")
