"""Lines of JSON out of a stream of bytes that is cut anywhere."""

from __future__ import annotations

from halext.errors import BadAnswer

MAX_LINE_BYTES = 8 * 1024 * 1024
"""Ollama's own scanner stops at 8 MB, so no honest line is longer."""


class Lines:
    """Splits what is fed into whole lines, wherever the chunks end, even inside a character.

    Blank lines are left out and a carriage return before the line feed is dropped. Memory stays below one line and one
    chunk.
    """

    def __init__(self, max_line_bytes: int = MAX_LINE_BYTES) -> None:
        self._max = max_line_bytes
        self._rest = bytearray()

    def feed(self, chunk: bytes) -> list[bytes]:
        """The lines that `chunk` completes. Raises `BadAnswer` when a line is longer than the limit."""
        *lines, rest = chunk.split(b"\n")
        if lines:
            lines[0] = bytes(self._rest) + lines[0]
            self._rest = bytearray(rest)
        else:
            self._rest += rest
        if len(self._rest) > self._max or any(len(line) > self._max for line in lines):
            raise BadAnswer(f"The node sent a line of more than {self._max} bytes; no answer has lines that long.")
        return [line for line in (line.rstrip(b"\r") for line in lines) if line.strip()]

    def close(self) -> bytes | None:
        """What stands after the last line feed, or None; nothing is kept."""
        rest, self._rest = bytes(self._rest).rstrip(b"\r"), bytearray()
        return rest if rest.strip() else None
