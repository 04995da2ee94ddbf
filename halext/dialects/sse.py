"""Server-sent events in both directions, by the rules of the WHATWG HTML standard, section 9.2."""

from __future__ import annotations

import re
from dataclasses import dataclass

from halext.errors import BadAnswer

MAX_LINE_BYTES = 8 * 1024 * 1024
"""The same limit as for a line of NDJSON: an embedding or a picture may come as one line, nothing is longer."""
MAX_EVENT_BYTES = 10 * 1024 * 1024
"""All data lines of one event: one longest line and 2 MB beside it."""

_BOM = b"\xef\xbb\xbf"
_LINE_END = re.compile(rb"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class Event:
    """One event: its data without the last line feed, its type, and the last id that the stream named."""

    data: bytes
    event: str = "message"
    id: str = ""


class Decoder:
    """Turns a stream of bytes that is cut anywhere into events.

    Line ends may be CR, LF or both; comments and unknown fields are ignored. An event that is still open when the
    stream ends is not one, so there is nothing to close.
    """

    def __init__(self, max_line_bytes: int = MAX_LINE_BYTES, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max_line = max_line_bytes
        self._max_event = max_event_bytes
        self._rest = bytearray()
        self._after_cr = False
        self._started = False
        self._data: list[bytes] = []
        self._size = 0
        self._type = ""
        self._id = ""

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that `chunk` completes. Raises `BadAnswer` when a line or an event is over its limit."""
        return [event for line in self._lines(chunk) if (event := self._take(line)) is not None]

    def _lines(self, chunk: bytes) -> list[bytes]:
        if not chunk:
            return []
        ended_by_cr, self._after_cr = self._after_cr, chunk.endswith(b"\r")
        if ended_by_cr and chunk.startswith(b"\n"):  # the second half of a CR LF
            chunk = chunk[1:]
        *lines, rest = _LINE_END.split(chunk)
        if lines:
            lines[0] = bytes(self._rest) + lines[0]
            self._rest = bytearray(rest)
        else:
            self._rest += rest
        if len(self._rest) > self._max_line or any(len(line) > self._max_line for line in lines):
            raise BadAnswer(f"The node sent a line of more than {self._max_line} bytes; no answer has lines that long.")
        if lines and not self._started:
            self._started = True
            lines[0] = lines[0].removeprefix(_BOM)
        return lines

    def _take(self, line: bytes) -> Event | None:
        if not line:
            return self._dispatch()
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._add(value)
        elif name == b"event":
            self._type = value.decode(errors="replace")
        elif name == b"id" and b"\0" not in value:
            self._id = value.decode(errors="replace")
        return None

    def _add(self, value: bytes) -> None:
        self._size += len(value) + 1
        if self._size > self._max_event:
            raise BadAnswer(f"The node sent an event of more than {self._max_event} bytes.")
        self._data.append(value)

    def _dispatch(self) -> Event | None:
        data, kind = self._data, self._type
        self._data, self._size, self._type = [], 0, ""
        return Event(b"\n".join(data), kind or "message", self._id) if data else None


def event(data: bytes | str, event: str = "", id: str = "") -> bytes:  # noqa: A002 (the field's own name)
    """One event, ready to send. Line ends inside `data` start a new data line; `event` and `id` can't hold any.

    Raises `ValueError` for a line end or NUL in `event` or `id`: they come from our own code.
    """
    if any(mark in event + id for mark in "\r\n\0"):
        raise ValueError("an event's type and id can't hold line ends")
    raw = data.encode() if isinstance(data, str) else data
    lines = [b"data: " + line for line in _LINE_END.split(raw)]
    if event:
        lines.insert(0, b"event: " + event.encode())
    if id:
        lines.insert(0, b"id: " + id.encode())
    return b"\n".join(lines) + b"\n\n"


def comment(text: str = "") -> bytes:
    """A line that every client ignores: it keeps the connection open through proxies."""
    return b"".join(b": " + line + b"\n" for line in _LINE_END.split(text.encode())) + b"\n"
