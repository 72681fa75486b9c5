"""Reading the API server's answers."""

from collections.abc import AsyncIterator

from dask_operator_api.answers import lines


class Pieces:
    """A stream that comes in pieces."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = pieces

    async def iter_any(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            yield piece


async def test_lines_are_whole_whatever_pieces_they_come_in() -> None:
    read = [line async for line in lines(Pieces(b"on", b"e\ntwo\nth", b"r", b"ee\n\n", b"cut off"))]
    assert read == [b"one", b"two", b"three"]
